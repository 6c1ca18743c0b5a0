//! Requests that a layer lets through without a proof.

use http::{Method, request::Parts};

use crate::{
    signature::{SIGNATURE, SIGNATURE_INPUT},
    validate::{AuthError, AuthErrorKind},
};

/// The mark of a request that has no signature at all, and that a layer has let through because of
/// [`allow_unsigned`](super::ValidateAuthLayer::allow_unsigned).
///
/// It stands in the extensions of such a request, in place of [`Validated`](crate::Validated). A
/// request with neither of them has no proof: its route may be unprotected, or no layer may stand
/// around it.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned(());

/// What a layer does not ask a signature of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exceptions {
    pub(crate) allows_unsigned: bool,
    unprotected: Vec<(Method, Box<str>)>,
}

/// Why a request needs no proof.
pub(crate) enum Exception {
    /// Its route is not protected.
    Unprotected,
    /// It has no signature, and that is allowed.
    Unsigned(Unsigned),
}

#[cfg(feature = "metrics")]
impl Exception {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Unprotected => "unprotected",
            Self::Unsigned(_) => "unsigned",
        }
    }
}

impl Exceptions {
    pub(crate) fn set_unprotected<P: Into<Box<str>>>(
        &mut self,
        routes: impl IntoIterator<Item = (Method, P)>,
    ) {
        let routes = routes
            .into_iter()
            .map(|(method, path)| (method, path.into()));
        self.unprotected = routes.collect();
    }

    pub(super) fn check(&self) -> Result<(), AuthError> {
        let is_path = |path: &str| path.starts_with('/') && !path.contains(['?', '#']);
        match self.unprotected.iter().find(|(_, path)| !is_path(path)) {
            Some((method, path)) => {
                let detail = format!(
                    "`unprotected` {method} `{}`: a path begins with `/` and has no query",
                    crate::escape::escape(path)
                );
                Err(AuthError::new(AuthErrorKind::Misconfigured).detail(detail))
            }
            None => Ok(()),
        }
    }

    pub(super) fn find(&self, request: &Parts) -> Option<Exception> {
        let is_route = |(method, path): &(Method, Box<str>)| {
            *method == request.method && **path == *request.uri.path()
        };
        if self.unprotected.iter().any(is_route) {
            return Some(Exception::Unprotected);
        }
        let has_signature = || {
            let headers = &request.headers;
            headers.contains_key(SIGNATURE) || headers.contains_key(SIGNATURE_INPUT)
        };
        (self.allows_unsigned && !has_signature()).then_some(Exception::Unsigned(Unsigned(())))
    }
}
