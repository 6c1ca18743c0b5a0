//! Signs and sends with `reqwest`: [`invoke`] is to a [`Client`] what `execute` is to
//! `reqwest::Client`.
//!
//! # Examples
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use hmac_auth::{
//!     EnvSecrets, SignOptions,
//!     client::{Client, invoke},
//! };
//!
//! # async fn month() -> Result<String, Box<dyn std::error::Error>> {
//! // Once.
//! let client = Client::new(reqwest::Client::builder().timeout(Duration::from_secs(30)))?;
//! let secrets = EnvSecrets::new("");
//! let options = SignOptions::new().secret_name("hmac-auth-secret");
//!
//! // For each request; with reqwest's own features also `.json(..)`, `.query(..)` and `.form(..)`.
//! let request = client
//!     .post("https://host.example/_functions/siteStats")
//!     .header("content-type", "application/json")
//!     .body(r#"{"month":11}"#)
//!     .build()?;
//! let response = invoke(&client, request, &secrets, &options).await?.error_for_status()?;
//! Ok(response.text().await?)
//! # }
//! ```
//!
//! # What is signed
//!
//! The request as it goes out, after the [default headers](Client::default_headers): the URL as
//! `reqwest` has normalised it, and the body by its digest. What `reqwest` and the connection add
//! later is never covered: `Accept`, `Accept-Encoding`, `Content-Length`, `Cookie` of a cookie
//! store, `Host`, `Proxy-Authorization`, and `User-Agent` and `default_headers` of the
//! `reqwest::ClientBuilder`. [`SignOptions::cover`] finds such a field absent, and [`invoke`]
//! fails; to cover it, set it here or in the request.
//!
//! # TLS
//!
//! This crate asks for no TLS: your own dependency on `reqwest` chooses it with a feature, such as
//! `rustls`. Without one, `https` URLs get [`InvokeError::Send`].

use std::{fmt, mem};

use http::{HeaderMap, Method, Request, Uri};
use reqwest::{ClientBuilder, IntoUrl, RequestBuilder, Response, Url, redirect, retry};

use crate::{
    secret::SecretStore,
    sign::{SignError, SignOptions, sign_parts},
};

/// Signs a request and sends it.
///
/// The counterpart of `reqwest::Client::execute`; an `http::Request` is taken with `try_into()?`.
/// The signature has the time of this call, so a timeout longer than the host's `max_time_diff`
/// waits in vain.
///
/// The secret is asked for within this call: a store that reads files does so on the thread that
/// polls it.
///
/// # Retries
///
/// Nothing is retried here, because a signature counts once. Call this again with a clone of the
/// request that was made before it was signed (`reqwest::Request::try_clone`): each call makes a
/// new `created` and a new `nonce`. To the host that is another request, which its replay guard
/// lets through, so retry only what may happen twice.
///
/// # Errors
///
/// [`InvokeError`]. Unless it is [`InvokeError::Send`], nothing was sent.
///
/// # Security
///
/// A redirect is not followed but returned, as [`Client::new`] says, and any status is a success
/// here: look at `Response::status`. Only `https` keeps the request and the response to yourselves,
/// and only it proves who answers.
///
/// # Examples
///
/// The one of the [module](self), and with a retry:
///
/// ```no_run
/// # use hmac_auth::{EnvSecrets, SignOptions, client::{Client, InvokeError, invoke}};
/// # async fn stats(client: &Client, secrets: &EnvSecrets) -> Result<reqwest::Response, Box<dyn std::error::Error>> {
/// let request = client.get("https://host.example/_functions/siteStats").build()?;
/// let options = SignOptions::new().key_id("site-a");
///
/// let again = request.try_clone();
/// let response = match (invoke(client, request, secrets, &options).await, again) {
///     (Err(InvokeError::Send(_)), Some(again)) => invoke(client, again, secrets, &options).await?,
///     (result, _) => result?,
/// };
/// # Ok(response)
/// # }
/// ```
pub async fn invoke(
    client: &Client,
    mut request: reqwest::Request,
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<Response, InvokeError> {
    client.add_default_headers(request.headers_mut())?;
    sign(&mut request, secrets, options)?;
    client
        .http
        .execute(request)
        .await
        .map_err(InvokeError::send)
}

fn sign(
    request: &mut reqwest::Request,
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<(), InvokeError> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = target(request.url())?;
    parts.headers = mem::take(request.headers_mut());
    let body = match request.body() {
        Some(body) => body.as_bytes().ok_or(InvokeError::StreamedBody)?,
        None => &[],
    };
    sign_parts(&mut parts, body, secrets, options)?;
    *request.headers_mut() = parts.headers;
    Ok(())
}

/// Read from the text of the URL, as `reqwest` does before it sends: what it has normalised is
/// signed.
fn target(url: &Url) -> Result<Uri, InvokeError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvokeError::InvalidUrl);
    }
    // Before anything that could show the URL. It would not be sent either: `reqwest` only moves it
    // into `Authorization` for those who use its `RequestBuilder`.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvokeError::UserInfo);
    }
    url.as_str().parse().map_err(|_| InvokeError::InvalidUrl)
}

/// Sends signed requests, with [`invoke`]. Cheap to clone, and the clones share their connections.
///
/// # Defaults
///
/// Those of the `reqwest::ClientBuilder` that it is made from, except for redirects and retries,
/// see [`new`](Self::new), and no [default headers](Self::default_headers). `reqwest` has no
/// timeout unless you set one.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    default_headers: HeaderMap,
}

impl Client {
    /// Builds the client, and switches off that it follows redirects and that it retries, whatever
    /// the builder says.
    ///
    /// A signature is for one URL. To follow a redirect would only show it to somebody else, who
    /// could use it first, and a retry behind your back would send it twice, which a replay guard
    /// refuses. So a 3xx comes back as the response, and whoever wants to follow its `Location`
    /// decides whether to trust it and calls [`invoke`] again.
    ///
    /// Set no `default_headers` on the builder that are to be signed, such as `Content-Type`: it
    /// adds them after signing, so that they are not protected, and a host that requires them
    /// refuses the request. Set them [here](Self::default_headers).
    ///
    /// # Errors
    ///
    /// What `reqwest::ClientBuilder::build` says: TLS or the resolver cannot be started, or an
    /// option has an invalid value.
    pub fn new(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        let http = builder
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .build()?;
        Ok(Self {
            http,
            default_headers: HeaderMap::new(),
        })
    }

    /// Adds headers to each request that does not have them, before it is signed.
    ///
    /// As with `reqwest`, what the request itself has wins. All values of a name are sent, of which
    /// `reqwest` keeps only the last.
    #[must_use]
    pub fn default_headers(mut self, headers: HeaderMap) -> Self {
        self.default_headers.extend(headers);
        self
    }

    /// Begins a `GET` for [`invoke`]; see [`request`](Self::request).
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a `POST` for [`invoke`]; see [`request`](Self::request).
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a request for [`invoke`], with everything that `reqwest` has for it; end with
    /// `build`.
    ///
    /// Its `send` would send it without a signature and without the [default
    /// headers](Self::default_headers).
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        self.http.request(method, url)
    }

    fn add_default_headers(&self, headers: &mut HeaderMap) -> Result<(), SignError> {
        for name in self.default_headers.keys() {
            if !headers.contains_key(name) {
                for value in self.default_headers.get_all(name) {
                    headers
                        .try_append(name, value.clone())
                        .map_err(|_| SignError::TooManyFields)?;
                }
            }
        }
        Ok(())
    }
}

/// Without values: a header may be a token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.default_headers.keys().collect();
        f.debug_struct("Client")
            .field("default_headers", &names)
            .finish_non_exhaustive()
    }
}

/// Why there is no response. The cause stands in the [`source`](std::error::Error::source): print
/// the sources too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The request cannot be signed. Nothing was sent.
    #[error("signing failed, nothing was sent")]
    Sign(#[from] SignError),
    /// The body is a stream: `Body::wrap`, `Body::wrap_stream`, a file or a multipart form. Nothing
    /// was sent.
    ///
    /// Its digest would be known only after it was sent, and the head goes first. Collect it, and
    /// give the request the bytes.
    #[error(
        "the body is a stream, which cannot be signed: collect it, and use its bytes as the body"
    )]
    StreamedBody,
    /// The URL is none for HTTP. Nothing was sent.
    #[error(
        "the URL cannot be requested: it must be `http` or `https`, with a valid host name, and shorter than 64 KiB"
    )]
    InvalidUrl,
    /// The URL has a user name or a password. Nothing was sent.
    #[error("the URL has a user name or a password: remove them, or put them into `Authorization`")]
    UserInfo,
    /// There is no response. Whether the host got the request is unknown, unless
    /// `reqwest::Error::is_connect` says that there was no connection.
    ///
    /// The query of the URL, which may hold tokens, is removed from the error.
    #[error("there is no response")]
    Send(#[source] reqwest::Error),
}

impl InvokeError {
    fn send(mut error: reqwest::Error) -> Self {
        if let Some(url) = error.url_mut() {
            url.set_query(None);
            url.set_fragment(None);
        }
        Self::Send(error)
    }
}
