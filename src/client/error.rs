//! Why a request was not signed, or has no response.

use std::fmt;

use crate::{answer::write_with_source, response::ResponseError, sign::SignError};

/// The error of [`invoke`](super::invoke) and of [`sign`](super::sign).
///
/// The cause stands in the [`source`](std::error::Error::source): `{:#}` writes the sources too. If
/// the error is neither [`Send`](Self::Send) nor [`Response`](Self::Response), nothing was sent.
/// `sign` returns neither.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The head of the request, the secret or the options do not allow to sign it.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The body is a stream: from `Body::wrap`, `Body::wrap_stream`, a file or a multipart form.
    ///
    /// The head goes out first and holds the digest of the body, which a stream gives only at its
    /// end. Collect the stream, and use its bytes as the body.
    #[error(
        "the body is a stream, which cannot be signed: collect it, and use its bytes as the body"
    )]
    StreamedBody,
    /// The URL is not an HTTP URL.
    #[error(
        "the URL cannot be requested: it must be `http` or `https`, with a valid host name, and \
         shorter than 64 KiB"
    )]
    InvalidUrl,
    /// The URL has a user name or a password.
    #[error("the URL has a user name or a password: remove them, or put them into `Authorization`")]
    UserInfo,
    /// `reqwest` got no response.
    ///
    /// The host may have received the request nevertheless. Only `reqwest::Error::is_connect` says
    /// that there was no connection.
    ///
    /// The query of the URL may hold tokens, so it is removed from the error.
    #[error(fmt = write_send)]
    Send(#[source] reqwest::Error),
    /// There is a response, but it is not the host's signed answer to this request. Only for a
    /// client that [requires one](super::Client::require_signed_response).
    ///
    /// The host may have acted nevertheless. If the kind is
    /// [`UnsignedRefusal`](crate::ResponseErrorKind::UnsignedRefusal), somebody has refused the
    /// request: the host or another one.
    #[error(transparent)]
    Response(#[from] ResponseError),
}

fn write_send(source: &reqwest::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write_with_source(f, "there is no response", source)
}

impl InvokeError {
    pub(super) fn send(mut error: reqwest::Error) -> Self {
        if let Some(url) = error.url_mut() {
            url.set_query(None);
            url.set_fragment(None);
        }
        Self::Send(error)
    }
}
