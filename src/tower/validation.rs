//! The whole validation of a request as one future, for a server without tower.

use std::{future::poll_fn, pin::pin};

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;

use super::{
    BoxError,
    hashed_body::{Piece, Rest},
    pieces::Pieces,
    policy::Policy,
    verifying::Verifying,
};
use crate::validate::{Answers, AuthError, Validated};

/// The proof of a request and its whole body, or why it is refused and whether the peer may still
/// be sending.
pub(crate) async fn validate<B>(
    policy: &Policy,
    parts: &Parts,
    body: B,
) -> Result<(Validated, Bytes), (AuthError, Rest)>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let body = match policy.verify(parts, body, Answers::default()) {
        Verifying::Done(body) => body,
        Verifying::Asking(mut asking) => poll_fn(|cx| asking.poll(cx, policy, parts)).await,
    };
    let mut body = pin!(body);
    let mut pieces = Pieces::default();
    let validated = loop {
        match poll_fn(|cx| body.as_mut().poll_piece(cx, policy, parts)).await {
            Ok(Piece::Data(piece)) => pieces.push(piece),
            Ok(Piece::End(validated)) => break validated,
            Err(error) => return Err((error, body.left())),
        }
    };
    if let Err(error) = policy.use_once(validated.proof()).await {
        return Err((error, Rest::Nothing));
    }
    policy.trace_consumer(validated.proof());
    policy.accept(validated.proof());
    Ok((validated, pieces.into_bytes()))
}
