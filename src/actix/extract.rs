//! Extractors of actix for what the middleware has proven.
//!
//! They never decide anything: a middleware around the route does. Where there is none, the answer is
//! 500.

use std::{
    fmt,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, dev::Payload,
    http::StatusCode,
};

use crate::{escape::escape, tower::Unsigned, validate::Validated};

/// The answer where no middleware stands around a route: 500, with the reason in the log.
#[derive(Debug)]
pub struct MissingMiddleware(());

impl fmt::Display for MissingMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handler wants a proof that no `ValidateAuth` around its route has given")
    }
}

impl std::error::Error for MissingMiddleware {}

impl ResponseError for MissingMiddleware {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

fn missing(request: &HttpRequest, wanted: &str, reason: &str) -> MissingMiddleware {
    tracing::error!(
        target: "hmac_auth",
        path = escape(request.path()),
        "a handler wants `{wanted}`, but {reason}",
    );
    MissingMiddleware(())
}

const NO_MIDDLEWARE: &str = "no `ValidateAuth` stands around its route";

/// The proof of [`ValidateAuth`](crate::actix::ValidateAuth), with the feature `actix`.
///
/// ```
/// # use std::sync::Arc;
/// # use hmac_auth::{MemoryReplayGuard, MemorySecrets, ValidateOptions};
/// use actix_web::{App, web};
/// use hmac_auth::{Validated, actix::ValidateAuth};
///
/// async fn site_stats(validated: Validated) -> String {
///     format!("hello, {}", validated.consumer())
/// }
///
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// # let guard = Arc::new(MemoryReplayGuard::new());
/// let app = App::new()
///     .route("/siteStats", web::get().to(site_stats))
///     .wrap(ValidateAuth::new(secrets, options, guard));
/// ```
///
/// Without the middleware, the answer is 500, and the log says why.
///
/// # Security
///
/// Do not take `Option<Validated>` in a handler of actix, nor `Option<ReqData<Validated>>`. Actix makes
/// `None` of every error, and so of a forgotten middleware, too. Take
/// [`MaybeValidated`](crate::actix::MaybeValidated).
impl FromRequest for Validated {
    type Error = MissingMiddleware;
    type Future = Ready<Result<Self, MissingMiddleware>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        ready(extensions.get().cloned().ok_or_else(|| {
            let reason = if extensions.contains::<Unsigned>() {
                "the request has no signature, which `allow_unsigned` lets through: take \
                 `MaybeValidated`"
            } else {
                NO_MIDDLEWARE
            };
            missing(request, "Validated", reason)
        }))
    }
}

/// The proof of a request, or none if the request has no signature and the middleware has let it
/// through, because of [`allow_unsigned`](super::ValidateAuth::allow_unsigned).
///
/// ```
/// use hmac_auth::actix::MaybeValidated;
///
/// async fn site_stats(caller: MaybeValidated) -> String {
///     match caller.validated() {
///         Some(validated) => format!("hello, {}", validated.consumer()),
///         None => "hello, whoever you are".to_owned(),
///     }
/// }
/// ```
///
/// Without the middleware, the answer is 500, and the log says why.
#[derive(Clone, Debug)]
pub struct MaybeValidated(Option<Validated>);

impl MaybeValidated {
    /// The proof; `None` for a request without a signature.
    #[must_use]
    pub fn validated(&self) -> Option<&Validated> {
        self.0.as_ref()
    }

    /// As [`validated`](Self::validated), but owned.
    #[must_use]
    pub fn into_validated(self) -> Option<Validated> {
        self.0
    }
}

impl FromRequest for MaybeValidated {
    type Error = MissingMiddleware;
    type Future = Ready<Result<Self, MissingMiddleware>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        let validated = extensions.get::<Validated>().cloned();
        // The mark of the middleware alone says that there is no signature.
        ready(
            if validated.is_some() || extensions.contains::<Unsigned>() {
                Ok(Self(validated))
            } else {
                Err(missing(request, "MaybeValidated", NO_MIDDLEWARE))
            },
        )
    }
}
