//! The end of every future of a host's layer: the answer of the service, or a refusal.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;

use crate::replay::POLLED_AFTER_END;

pin_project! {
    #[derive(Debug)]
    #[project = ReplyProjection]
    pub(crate) enum Reply<F> {
        Service { #[pin] response: F },
        Refusal { response: Response<Bytes> },
        // After the end.
        Given,
    }
}

impl<F> Reply<F> {
    pub(crate) fn service(response: F) -> Self {
        Self::Service { response }
    }

    pub(crate) fn refusal(response: Response<Bytes>) -> Self {
        Self::Refusal { response }
    }
}

impl<F, R, E> Future for Reply<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let result = match self.as_mut().project() {
            ReplyProjection::Service { response } => ready!(response.poll(cx)),
            ReplyProjection::Refusal { response } => Ok(mem::take(response).map(R::from)),
            ReplyProjection::Given => panic!("{POLLED_AFTER_END}"),
        };
        self.set(Self::Given);
        Poll::Ready(result)
    }
}
