//! Why something that Wix should have signed is refused.

use std::{error::Error as StdError, fmt};

use http::{HeaderValue, Response, StatusCode, header::ALLOW};

use crate::{
    answer::{refusal_response, write_error},
    wix::error_kinds::error_kinds,
};

error_kinds! {
    /// The cause of a refused webhook, service plugin request or signed request. It is for the
    /// operator; the peer must not learn it.
    pub enum WebhookErrorKind {
        /// The body is empty.
        Missing = "missing" (UNAUTHORIZED):
            "the body is empty, and not a JWT",
        /// The body has more than 1 MiB.
        TooLarge = "too_large" (PAYLOAD_TOO_LARGE):
            "the body has more than 1 MiB",
        /// The body is JSON that nobody has signed.
        PlainJson = "plain_json" (UNAUTHORIZED):
            "the body is plain JSON, which nobody has signed: Wix sends a JWT",
        /// The body is a JSON string: something has put the JWT into quotation marks.
        Quoted = "quoted" (UNAUTHORIZED):
            "the body is a quoted string: pass the raw body, before anything parses it",
        /// The body is a form.
        Form = "form" (UNAUTHORIZED):
            "the body is a form: Wix sends a JWT and nothing else",
        /// The text is an access token, `OauthNG.JWS.…`.
        AccessToken = "access_token" (UNAUTHORIZED):
            "the text is an access token and not signed for a webhook: ask Token Info about it",
        /// The text has two parts, as an app instance has.
        AppInstance = "app_instance" (UNAUTHORIZED):
            "the text has two parts, as an app instance has: verify it with the app secret",
        /// The text is not `header.payload.signature` in base64url without padding.
        NotJwt = "not_jwt" (UNAUTHORIZED):
            "the text is not a JWT, `header.payload.signature` in base64url",
        /// The header of the JWT is not a JSON object with `alg`, or has `crit`.
        MalformedHeader = "malformed_header" (UNAUTHORIZED):
            "the header of the JWT is malformed",
        /// `alg` is `none`: the JWT has no signature.
        AlgNone = "alg_none" (UNAUTHORIZED):
            "`alg` is `none`: the JWT is not signed, and Wix signs with RS256",
        /// `alg` is an HMAC such as `HS256`, where the public key would have to be a secret.
        AlgHmac = "alg_hmac" (UNAUTHORIZED):
            "`alg` is an HMAC, which would make the public key a secret: Wix signs with RS256",
        /// `alg` is another one than `RS256`.
        WrongAlg = "wrong_alg" (UNAUTHORIZED):
            "`alg` is not RS256",
        /// No public key has this signature: the keys differ, or the text was changed.
        WrongSignature = "wrong_signature" (UNAUTHORIZED):
            "the signature is not that of the public key: compare the key with the dashboard of the \
             app, or the text was changed",
        /// The signature is right, but the claims are not as Wix documents them.
        MalformedClaims = "malformed_claims" (UNAUTHORIZED):
            "the claims of the JWT are malformed",
        /// A service plugin request stands where a webhook is expected.
        ServicePlugin = "service_plugin" (UNAUTHORIZED):
            "`data` is an object, as in a service plugin request: a webhook has a string there",
        /// A webhook stands where another signed text is expected.
        Webhook = "webhook" (UNAUTHORIZED):
            "`data` is a string, as in a webhook: an object is expected here",
        /// `exp` has passed.
        Expired = "expired" (UNAUTHORIZED):
            "the JWT has expired",
        /// Wix signed the JWT too long ago, whatever its `exp` says.
        Stale = "stale" (UNAUTHORIZED):
            "the JWT is too old",
        /// Wix signed the JWT in the future: one of the two clocks is wrong.
        InFuture = "in_future" (UNAUTHORIZED):
            "the JWT is from the future: compare the clocks",
        /// `iss` is not `wix.com`.
        WrongIssuer = "wrong_issuer" (UNAUTHORIZED):
            "`iss` is not `wix.com`",
        /// `aud` is not the configured app.
        WrongApp = "wrong_app" (UNAUTHORIZED):
            "`aud` is not this app",
        /// The request has no `Digest` field.
        NoDigest = "no_digest" (UNAUTHORIZED):
            "the request has no `Digest` field",
        /// The request has several `Digest` fields, or one with several digests.
        SeveralDigests = "several_digests" (UNAUTHORIZED):
            "the request has several digests",
        /// `data.SHA256` is not the hash of the body.
        WrongDigest = "wrong_digest" (UNAUTHORIZED):
            "`data.SHA256` is not the hash of the body: pass the raw body",
        /// The request is not a `POST`.
        WrongMethod = "wrong_method" (METHOD_NOT_ALLOWED):
            "the method is not POST",
        /// The connection broke before the end of the body.
        BodyUnreadable = "body_unreadable" (BAD_REQUEST):
            "the body cannot be read to its end",
        /// The peer took too long to send the body.
        TooSlow = "too_slow" (REQUEST_TIMEOUT):
            "the body did not come in time",
        /// The queue has no room for the event. Wix sends the event again.
        QueueFull = "queue_full" (SERVICE_UNAVAILABLE):
            "the queue is full: let it have more room, or take events from it faster",
        /// Nobody takes events from the queue any more. Wix sends the event again.
        QueueClosed = "queue_closed" (SERVICE_UNAVAILABLE):
            "the queue is closed: the task that takes events from it has ended",
    }
}

/// Why something that Wix should have signed is refused.
///
/// [`kind`](Self::kind) and `Display` are for the operator, and `{:#}` also writes the sources.
/// The peer gets [`status`](Self::status) and [`public_body`](Self::public_body), or both in
/// [`to_response`](Self::to_response).
#[derive(Debug)]
pub struct WebhookError {
    kind: WebhookErrorKind,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl WebhookError {
    pub(super) fn new(kind: WebhookErrorKind) -> Self {
        Self {
            kind,
            detail: None,
            source: None,
        }
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[cfg(feature = "tower")]
    pub(super) fn caused_by(mut self, source: Box<dyn StdError + Send + Sync>) -> Self {
        self.source = Some(source);
        self
    }

    /// The cause, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> WebhookErrorKind {
        self.kind
    }

    /// The status for the peer: 401 for everything that is wrong with the signed text.
    ///
    /// The others are 400, 405, 408 and 413 for the request, and 503 for the queue.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The JSON body for the peer. All errors with one [`status`](Self::status) have one body.
    #[must_use]
    pub fn public_body(&self) -> &'static str {
        match self.status() {
            StatusCode::BAD_REQUEST => r#"{"error":"Unreadable body"}"#,
            StatusCode::METHOD_NOT_ALLOWED => r#"{"error":"Method not allowed"}"#,
            StatusCode::REQUEST_TIMEOUT => r#"{"error":"Request timeout"}"#,
            StatusCode::PAYLOAD_TOO_LARGE => r#"{"error":"Payload too large"}"#,
            StatusCode::SERVICE_UNAVAILABLE => r#"{"error":"Webhooks unavailable"}"#,
            _ => r#"{"error":"Invalid webhook"}"#,
        }
    }

    /// The response for the peer.
    #[must_use]
    pub fn to_response(&self) -> Response<&'static str> {
        // Webhooks have no registered scheme.
        let mut response = refusal_response(self.status(), self.public_body(), "WixWebhook");
        if self.status() == StatusCode::METHOD_NOT_ALLOWED {
            let post = HeaderValue::from_static("POST");
            response.headers_mut().insert(ALLOW, post);
        }
        response
    }
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sentence, detail) = (self.kind.sentence(), self.detail.as_deref());
        write_error(f, sentence, detail, self.source())
    }
}

impl StdError for WebhookError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl From<WebhookErrorKind> for WebhookError {
    fn from(kind: WebhookErrorKind) -> Self {
        Self::new(kind)
    }
}
