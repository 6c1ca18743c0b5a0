//! Signs and sends with `reqwest`: [`invoke`] is for a [`Client`] what `execute` is for a
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
//! let timeout = Duration::from_secs(30);
//! let client = Client::new(reqwest::Client::builder().timeout(timeout))?;
//! let secrets = EnvSecrets::new("");
//! let options = SignOptions::new().secret_name("hmac-auth-secret");
//!
//! // For each request. Features of reqwest add `.json(..)`, `.query(..)` and
//! // `.form(..)`.
//! let request = client
//!     .post("https://host.example/_functions/siteStats")
//!     .header("content-type", "application/json")
//!     .body(r#"{"month":11}"#)
//!     .build()?;
//! let response = invoke(&client, request, &secrets, &options).await?;
//! // `error_for_status` lets a redirect pass, which is no answer.
//! if !response.status().is_success() {
//!     return Err(format!("refused: {}", response.status()).into());
//! }
//! Ok(response.text().await?)
//! # }
//! ```
//!
//! # What is signed
//!
//! The signature covers the request after the [default headers](Client::default_headers) were
//! added: the URL as `reqwest` has normalised it, and the body by its digest.
//!
//! The signature never covers the fields that `reqwest` and the connection add later:
//!
//! - `Accept`, `Accept-Encoding`, `Content-Length`, `Host` and `Proxy-Authorization`;
//! - `Cookie` of a cookie store;
//! - `User-Agent` and `default_headers` of the `reqwest::ClientBuilder`.
//!
//! If [`SignOptions::cover`] names such a field, [`invoke`] fails, because the field is absent when
//! the request is signed. To cover it, set it in [`Client::default_headers`] or in the request.
//!
//! # TLS
//!
//! This crate asks for no TLS. Choose it in your own dependency on `reqwest` with a feature, such
//! as `rustls`. Without TLS, a request to an `https` URL fails with [`InvokeError::Send`].

use std::{fmt, sync::Arc};

use http::{HeaderMap, Method};
use reqwest::{ClientBuilder, IntoUrl, RequestBuilder, Response, redirect, retry};

use crate::{
    host_clock::HostClocks,
    response::ValidateResponseOptions,
    secret::SecretStore,
    sign::{SignError, SignOptions},
};

use self::exchange::Responses;
pub use self::{error::InvokeError, exchange::DEFAULT_MAX_RESPONSE_LEN, sign::sign};

mod error;
mod exchange;
mod sign;

/// Signs a request and sends it.
///
/// This is the counterpart of `reqwest::Client::execute`. Convert an `http::Request` with
/// `try_into()?`.
///
/// The signature has the time of this call. A timeout that is longer than the host's
/// `max_time_diff` is therefore of no use.
///
/// The call looks up the secret itself: a store that reads files reads them on the thread that
/// polls the future.
///
/// # Retries
///
/// Nothing is retried here, because a signature counts once, unless
/// [`Client::retry_as_asked`] or [`Client::correct_clock`] says so. To retry, make a clone before the
/// first call (`reqwest::Request::try_clone`), and call this function again with the clone. Each
/// call makes a new `created` and a new `nonce`. The replay guard of the host takes it for another
/// request, so retry only an action that may happen twice.
///
/// # Errors
///
/// [`InvokeError`]. Unless it is [`InvokeError::Send`] or [`InvokeError::Response`], nothing was
/// sent.
///
/// # Security
///
/// A redirect is not followed: it comes back as the response, as [`Client::new`] says. Any status
/// is a success here, so look at `Response::status`. Before you call the URL of a `Location`, or any
/// URL from outside, list the hosts to sign for in [`SignOptions::authorities`]. Only `https` hides
/// request and response from others, and only `https` proves which host answers.
///
/// # Examples
///
/// [The module](self) has a first example. This one retries once:
///
/// ```no_run
/// # use hmac_auth::{EnvSecrets, SignOptions, client::{Client, InvokeError, invoke}};
/// # async fn stats(
/// #     client: &Client,
/// #     secrets: &EnvSecrets,
/// # ) -> Result<reqwest::Response, Box<dyn std::error::Error>> {
/// let url = "https://host.example/_functions/siteStats";
/// let request = client.get(url).build()?;
/// let options = SignOptions::new().key_id("site-a");
///
/// let again = request.try_clone();
/// let first = invoke(client, request, secrets, &options).await;
/// let response = match (first, again) {
///     (Err(InvokeError::Send(_)), Some(again)) => {
///         invoke(client, again, secrets, &options).await?
///     }
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
    client.exchange(request, secrets, options).await
}

/// Sends signed requests, with [`invoke`]. It is cheap to clone, and its clones share their
/// connections.
///
/// # Defaults
///
/// A client has the options of its `reqwest::ClientBuilder`, but [never](Self::new) follows
/// redirects, and sends a request again only by one of the last three options: once, signed anew.
/// `reqwest` has no timeout unless you set one.
///
/// | option | default |
/// | --- | --- |
/// | [`default_headers`](Self::default_headers) | none |
/// | [`require_signed_response`](Self::require_signed_response) | no: a response proves nothing |
/// | [`max_response_len`](Self::max_response_len) | [`DEFAULT_MAX_RESPONSE_LEN`], 2 MiB |
/// | [`retry_as_asked`](Self::retry_as_asked) | no: each request is sent once |
/// | [`correct_clock`](Self::correct_clock) | no: a wrong clock stays wrong |
/// | [`correct_clock_into_the_future`](Self::correct_clock_into_the_future) | no |
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    default_headers: HeaderMap,
    responses: Responses,
    /// `None` if the own clock counts alone.
    clocks: Option<Arc<HostClocks>>,
}

impl Client {
    /// Builds the client, and switches off redirects and retries, whatever the builder says.
    ///
    /// A signature holds for one URL. A client that follows a redirect sends the signature to
    /// another host, and the operator of that host could use it first. A signature also counts
    /// once, so the replay guard of the host refuses an automatic retry.
    ///
    /// A 3xx therefore comes back as the response. To follow its `Location`, decide whether you
    /// trust it, and call [`invoke`] again.
    ///
    /// Do not set signed fields such as `Content-Type` with `default_headers` of the builder. It
    /// adds them after signing, so they are not protected, and a host that requires them refuses
    /// the request. Set them with [`Client::default_headers`].
    ///
    /// # Errors
    ///
    /// The error of `reqwest::ClientBuilder::build`: TLS or the resolver cannot start, or an option
    /// has an invalid value.
    pub fn new(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        let http = builder
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .build()?;
        Ok(Self {
            http,
            default_headers: HeaderMap::new(),
            responses: Responses::default(),
            clocks: None,
        })
    }

    /// Adds these headers, before signing, to each request that does not have them.
    ///
    /// As in `reqwest`, a header of the request wins over a default header of the same name. If
    /// `headers` has several values for one name, all of them are sent; `reqwest` keeps only the
    /// last.
    #[must_use]
    pub fn default_headers(mut self, headers: HeaderMap) -> Self {
        self.default_headers.extend(headers);
        self
    }

    /// Requires that the host has signed each response for its request.
    ///
    /// [`invoke`] then reads the whole body and validates the response, as
    /// [`validate_response`](crate::validate_response) does. The response that it returns has
    /// [`ValidatedResponse`](crate::ValidatedResponse) in its extensions. All else is
    /// [`InvokeError::Response`]. So is a refusal of the host, because a host signs no refusal.
    ///
    /// Switch off the decompression of the `reqwest::ClientBuilder`, such as with `no_gzip`, if one
    /// of its features is on: the signature is that of the compressed body.
    ///
    /// If `options` name [further fields](ValidateResponseOptions::cover), each request asks for
    /// them with `Accept-Signature`, in place of such a field that it already has.
    ///
    /// ```
    /// use hmac_auth::{ValidateResponseOptions, client::Client};
    ///
    /// # fn client() -> Result<Client, reqwest::Error> {
    /// let client = Client::new(reqwest::Client::builder())?
    ///     .require_signed_response(ValidateResponseOptions::new());
    /// # Ok(client)
    /// # }
    /// ```
    #[must_use]
    pub fn require_signed_response(mut self, options: ValidateResponseOptions) -> Self {
        self.responses.options = Some(options);
        self
    }

    /// Sets the largest accepted body of a [signed response](Self::require_signed_response), in
    /// bytes.
    #[must_use]
    pub fn max_response_len(mut self, bytes: u64) -> Self {
        self.responses.max_len = bytes;
        self
    }

    /// Sends a request once more if an unsigned 401 asks with `Accept-Signature` for components that
    /// the signature did not cover. [`SignOptions::cover_asked`] says what may be added.
    ///
    /// # Security
    ///
    /// Nobody has signed that 401. Somebody on the way can write one, although the host has acted.
    /// So use this only for requests that may happen twice.
    #[must_use]
    pub fn retry_as_asked(mut self) -> Self {
        self.responses.retries = true;
        self
    }

    /// Signs with an earlier time if the own clock is ahead of that of a host, as the `Date` of a
    /// refusal says.
    ///
    /// After a 401, a request is signed anew with the time of the host, and sent once more. Together
    /// with [`retry_as_asked`](Self::retry_as_asked), that is one further try, never two. If its
    /// status is 2xx, the later requests to this host get the same correction, until one of them is
    /// refused. The clones of a client share that, for up to 64 hosts. The time of the host is also
    /// that by which a [signed response](Self::require_signed_response) is validated.
    ///
    /// A `Date` counts only for an `https` URL, only if it differs by more than 10 s from an own clock
    /// that is ahead, and only if [`SignOptions::clock`] is wrong by at most 5 minutes. A refusal with
    /// `Age` is that of a cache, and says nothing.
    ///
    /// Each correction that is tried, kept or dropped is an event of the feature `tracing`.
    /// [The guide](crate::guide::refusals#a-consumer-whose-clock-is-wrong) says more. Setting the clock
    /// of the machine is the better cure.
    ///
    /// ```
    /// use hmac_auth::client::Client;
    ///
    /// # fn client() -> Result<Client, reqwest::Error> {
    /// let client = Client::new(reqwest::Client::builder())?.correct_clock();
    /// # Ok(client)
    /// # }
    /// ```
    ///
    /// # Security
    ///
    /// Nobody has signed that 401. Whoever ends the TLS connection can write one, although the host has
    /// acted. So use this only for requests that may happen twice. A wrong `Date` can make a signature
    /// too old, and no more. Do not switch off the check of certificates.
    #[must_use]
    pub fn correct_clock(mut self) -> Self {
        self.clocks = Some(HostClocks::into_the_past());
        self
    }

    /// Like [`correct_clock`](Self::correct_clock), and also signs with a later time if the own clock
    /// is more than 30 s behind that of a host.
    ///
    /// # Security
    ///
    /// A signature of the future lives longer. Whoever ends the TLS connection, such as a CDN, can get
    /// one with a wrong `Date`, keep the request, and send it up to 5 minutes later than others. So use
    /// this only if you trust all who do so, and where the clock of the machine cannot be set.
    #[must_use]
    pub fn correct_clock_into_the_future(mut self) -> Self {
        self.clocks = Some(HostClocks::into_the_future());
        self
    }

    /// Begins a `GET` for [`invoke`]; see [`request`](Self::request).
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a `HEAD` for [`invoke`]; see [`request`](Self::request).
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins a `POST` for [`invoke`]; see [`request`](Self::request).
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a `PUT` for [`invoke`]; see [`request`](Self::request).
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a `PATCH` for [`invoke`]; see [`request`](Self::request).
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a `DELETE` for [`invoke`]; see [`request`](Self::request).
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a request of any method for [`invoke`]. End it with `build`.
    ///
    /// Do not call `send` of the builder: it sends the request without a signature and without the
    /// [default headers](Self::default_headers).
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

/// Shows the names of the default headers, but no values: a value may be a token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.default_headers.keys().collect();
        f.debug_struct("Client")
            .field("default_headers", &names)
            .finish_non_exhaustive()
    }
}
