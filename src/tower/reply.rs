//! The end of every future of a host's layer: the answer of the service, which no shared cache may
//! store, or a refusal.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Response, Version, header::CONNECTION};
#[cfg(feature = "wix")]
use http::{
    Request,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use pin_project_lite::pin_project;

use super::cache_control::keep_private;
use crate::eventual::POLLED_AFTER_END;

pin_project! {
    #[derive(Debug)]
    #[project = ReplyProjection]
    pub(crate) enum Reply<F, P> {
        // `None` for a request without a proof, and after the response has come.
        Service { #[pin] response: F, proof: Option<P> },
        Refusal { response: Response<Bytes> },
        // After the end.
        Given,
    }
}

impl<F, P> Reply<F, P> {
    /// The answer of the service. It gets the proof of the request, for those outside of the layer.
    pub(crate) fn service(response: F, proof: P) -> Self {
        Self::Service {
            response,
            proof: Some(proof),
        }
    }

    /// The answer of the service to a request without a proof.
    pub(super) fn unproven(response: F) -> Self {
        Self::Service {
            response,
            proof: None,
        }
    }

    pub(crate) fn refusal(response: Response<Bytes>) -> Self {
        Self::Refusal { response }
    }
}

impl<F, P, R, E> Future for Reply<F, P>
where
    P: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let result = match self.as_mut().project() {
            ReplyProjection::Service { response, proof } => {
                let mut result = ready!(response.poll(cx));
                if let Ok(response) = &mut result {
                    keep_private(response.headers_mut());
                    if let Some(proof) = proof.take() {
                        response.extensions_mut().insert(proof);
                    }
                }
                result
            }
            ReplyProjection::Refusal { response } => Ok(mem::take(response).map(R::from)),
            ReplyProjection::Given => panic!("{POLLED_AFTER_END}"),
        };
        self.set(Self::Given);
        Poll::Ready(result)
    }
}

/// Says that the connection ends here, because the body of the request was not read to its end.
///
/// Only HTTP/1 has this field, and only there does the connection end with the body.
pub(crate) fn close_connection<B>(response: &mut Response<B>, version: Version) {
    if version < Version::HTTP_2 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
}

/// Says that the connection ends here if the head of the request announces a body, for a layer that
/// knows no type of body and so leaves it unread.
#[cfg(feature = "wix")]
pub(crate) fn close_if_body_is_left<R, B>(response: &mut Response<R>, request: &Request<B>) {
    let headers = request.headers();
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|len| len != "0");
    if has_body {
        close_connection(response, request.version());
    }
}
