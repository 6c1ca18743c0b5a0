//! Extractors of axum for what a layer has proven.
//!
//! They never decide anything: a layer around the route does. Where there is none, the answer is
//! 500.

use std::any::type_name;

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

#[cfg(feature = "wix")]
use crate::wix::AppInstance;
use crate::{escape::escape, tower::Unsigned, validate::Validated};

/// The answer where no layer stands around a route: 500, with the reason in the log.
#[derive(Debug)]
pub struct MissingLayer(());

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// Takes the proof that a layer has put into the extensions of the request.
fn proof<T: Clone + Send + Sync + 'static>(parts: &Parts, reason: &str) -> Result<T, MissingLayer> {
    parts.extensions.get().cloned().ok_or_else(|| {
        tracing::error!(
            target: "hmac_auth",
            path = escape(parts.uri.path()),
            "a handler wants `{}`, but {reason}",
            type_name::<T>(),
        );
        MissingLayer(())
    })
}

/// Why there is no `Validated`.
fn without_proof(parts: &Parts) -> &'static str {
    if parts.extensions.get::<Unsigned>().is_some() {
        "the request has no signature, and `allow_unsigned` lets it through: \
         take `Option<Validated>`"
    } else {
        "no `ValidateAuthLayer` that proves a whole request stands around its route: there is none, \
         or it is streaming (take `Upload`) or observing, or the route is unprotected"
    }
}

/// The proof of [`ValidateAuthLayer`](crate::tower::ValidateAuthLayer), with the feature `axum`.
///
/// ```
/// # use hmac_auth::{MemorySecrets, ValidateOptions};
/// use axum::{Router, routing::get};
/// use hmac_auth::{Validated, tower::ValidateAuthLayer};
///
/// async fn site_stats(validated: Validated) -> String {
///     format!("hello, {}", validated.consumer())
/// }
///
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// let app: Router = Router::new()
///     .route("/siteStats", get(site_stats))
///     .layer(ValidateAuthLayer::new(secrets, options));
/// ```
///
/// Without the layer, the answer is 500.
impl<S: Sync> FromRequestParts<S> for Validated {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingLayer> {
        proof(parts, without_proof(parts))
    }
}

/// `Option<Validated>`: `None` for a request without a signature that the layer has let through,
/// because of [`allow_unsigned`](crate::tower::ValidateAuthLayer::allow_unsigned). Without the layer,
/// the answer is 500.
impl<S: Sync> OptionalFromRequestParts<S> for Validated {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, MissingLayer> {
        // The mark of the layer alone says that there is no signature.
        if parts.extensions.get::<Unsigned>().is_some() {
            return Ok(parts.extensions.get().cloned());
        }
        proof(parts, without_proof(parts)).map(Some)
    }
}

/// The app instance of [`ValidateAppInstanceLayer`](crate::wix::ValidateAppInstanceLayer), with the
/// feature `axum`. Without the layer, the answer is 500.
#[cfg(feature = "wix")]
impl<S: Sync> FromRequestParts<S> for AppInstance {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingLayer> {
        proof(
            parts,
            "no `ValidateAppInstanceLayer` stands around its route",
        )
    }
}
