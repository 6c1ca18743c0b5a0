//! The mark of a response that a host does not sign.

/// The mark of a response that a host leaves unsigned, and of which it reads nothing ahead: for
/// [`SignResponseLayer`](super::SignResponseLayer), and for the middleware of actix.
///
/// Put it into the extensions of a response that comes slowly or has no end, such as a long poll or
/// lines of JSON that follow events:
///
/// ```
/// use axum::{Extension, body::Body, response::IntoResponse};
/// use hmac_auth::tower::LeaveUnsigned;
///
/// async fn changes() -> impl IntoResponse {
///     let lines = Body::empty(); // a stream
///     (Extension(LeaveUnsigned), lines)
/// }
/// ```
///
/// With actix, it is `response.extensions_mut().insert(LeaveUnsigned)`.
///
/// # Security
///
/// Nothing proves such a response. A consumer that requires signed responses refuses it.
#[derive(Clone, Copy, Debug)]
pub struct LeaveUnsigned;
