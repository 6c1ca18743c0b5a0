//! Signing a request of `reqwest`.

use std::mem;

use http::{Request, Uri};
use reqwest::{Body, Url};

use super::InvokeError;
use crate::{
    secret::SecretStore,
    sign::{SentRequest, SignOptions, sign_parts},
};

/// Signs a request of `reqwest`, and leaves the sending to you.
///
/// Use it as the last step in a stack of reqwest-middleware, or to look at the signed request
/// before you send it. In all other cases, [`invoke`](super::invoke) is safer: its client cannot
/// follow redirects or repeat a request.
///
/// The signature covers the request as it is now. [The module](super#what-is-signed) lists the
/// fields that `reqwest` adds later.
///
/// # Errors
///
/// [`InvokeError`], but never [`InvokeError::Send`]. The request is then unchanged.
///
/// # Security
///
/// Switch off redirects and automatic retries of the client that sends the request, with
/// `redirect::Policy::none()` and `retry::never()`. Both are on by default in `reqwest`.
///
/// - A signature holds for one URL. A client that follows a redirect sends the signature to another
///   host, and the operator of that host could use it first.
/// - A signature counts once. The replay guard of the host refuses a request that is sent twice. To
///   retry, sign a clone of the unsigned request. Signing middleware gets such a clone if it stands
///   inside of the retry middleware.
///
/// An error of `reqwest` shows the whole URL with its query. Call `reqwest::Error::without_url`
/// before you log it.
///
/// # Examples
///
/// ```no_run
/// use hmac_auth::{EnvSecrets, SignOptions, client::sign};
/// use reqwest::{redirect, retry};
///
/// # async fn stats() -> Result<String, Box<dyn std::error::Error>> {
/// let client = reqwest::Client::builder()
///     .redirect(redirect::Policy::none())
///     .retry(retry::never())
///     .build()?;
/// let options = SignOptions::new().secret_name("hmac-auth-secret");
///
/// let url = "https://host.example/_functions/siteStats";
/// let mut request = client.get(url).build()?;
/// sign(&mut request, &EnvSecrets::new(""), &options)?;
/// println!("{:?}", request.headers()["signature-input"]);
///
/// let response = client.execute(request).await?;
/// // `error_for_status` lets a redirect pass, which is no answer.
/// if !response.status().is_success() {
///     return Err(format!("refused: {}", response.status()).into());
/// }
/// Ok(response.text().await?)
/// # }
/// ```
pub fn sign(
    request: &mut reqwest::Request,
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<SentRequest, InvokeError> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = target(request.url())?;
    parts.headers = mem::take(request.headers_mut());
    let signed = match request.body().map(Body::as_bytes) {
        None => sign_parts(&mut parts, &[], secrets, options).map_err(InvokeError::from),
        Some(Some(body)) => sign_parts(&mut parts, body, secrets, options).map_err(Into::into),
        Some(None) => Err(InvokeError::StreamedBody),
    };
    #[cfg(feature = "tracing")]
    if signed.is_ok() {
        crate::tower::request_signed(&parts);
    }
    // The headers go back in any case. After an error, they are unchanged.
    *request.headers_mut() = parts.headers;
    signed
}

/// Reads the target from the text of the URL, as `reqwest` does before it sends: the signature then
/// covers the URL that `reqwest` has normalised.
pub(super) fn target(url: &Url) -> Result<Uri, InvokeError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvokeError::InvalidUrl);
    }
    // First, so that no later error shows user name and password. `reqwest` would not send them
    // either: only its `RequestBuilder` moves them into `Authorization`.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvokeError::UserInfo);
    }
    url.as_str().parse().map_err(|_| InvokeError::InvalidUrl)
}
