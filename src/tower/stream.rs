use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    BoxError, UNFINISHED,
    hashed_body::{HashedBody, Piece, add_len},
    policy::Policy,
    take_ready,
    upload::Upload,
};
use crate::{
    replay::UseOnce,
    validate::{AuthError, AuthErrorKind, Validated},
};

/// Lets only requests with a valid signature through, and hands their bodies on while they are
/// hashed.
///
/// For uploads that are too large to be held in memory; for all others,
/// [`ValidateAuthLayer`](super::ValidateAuthLayer) is simpler and safer. Head, MAC and replay guard
/// are checked before the service is called. The service gets the body as a [`StreamedBody`] and,
/// in the extensions, an [`Upload`]. In axum, `Router::layer` and `MethodRouter::layer` take it as
/// it is; between this layer and middleware that wants axum's own body, put
/// `MapRequestBodyLayer::new(axum::body::Body::new)` of tower-http.
///
/// Made of the other one: `ValidateAuthLayer::new(secrets, options).max_body_len(1 <<
/// 30).streaming()`. Its limit holds here too.
///
/// # Security
///
/// Before the end of the body, only the head is proven: who sent it and for which method,
/// authority, path and query. **Do nothing with the bytes that cannot be undone** until the body
/// has ended without an error: write to a temporary file, then rename it; begin a transaction, then
/// commit. A body that is not the signed one, that is longer or shorter than its `Content-Length`,
/// that breaks off or that has trailers ends with an [`AuthError`], never with a clean end, and its
/// last piece is never handed on: even a reader that stops after `Content-Length` bytes does not
/// get them all. Whatever the service answers then is replaced by the refusal. A body that nobody
/// reads to its end is never checked, and the answer stands: [`Upload::validated`] tells.
///
/// The replay guard is asked before the body is read: an upload that failed must be signed anew.
#[derive(Clone, Debug)]
pub struct ValidateStreamLayer {
    pub(super) policy: Arc<Policy>,
}

impl<S> Layer<S> for ValidateStreamLayer {
    type Service = ValidateStream<S>;

    fn layer(&self, inner: S) -> ValidateStream<S> {
        ValidateStream {
            inner,
            policy: Arc::clone(&self.policy),
        }
    }
}

/// The service of [`ValidateStreamLayer`].
#[derive(Clone, Debug)]
pub struct ValidateStream<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, B, R> Service<Request<B>> for ValidateStream<S>
where
    S: Service<Request<StreamedBody<B>>, Response = Response<R>> + Clone,
    B: Body,
    B::Error: Into<BoxError>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ValidateStreamFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ValidateStreamFuture<S, B> {
        let service = take_ready(&mut self.inner);
        let (mut parts, body) = request.into_parts();
        let verified = self.policy.verify(&parts, body);
        let state = match verified.and_then(|body| StreamedBody::new(body, &parts, &self.policy)) {
            Ok((body, answer)) => {
                let upload = body.upload.clone();
                parts.extensions.insert(upload.clone());
                State::UsingOnce {
                    service: Some(service),
                    request: Some(Request::from_parts(parts, body)),
                    answer,
                    upload,
                }
            }
            Err(error) => State::Refused {
                response: Some(self.policy.refuse(&error, &parts)),
            },
        };
        ValidateStreamFuture { state }
    }
}

pin_project! {
    /// The response of the service, or that to a refused request.
    pub struct ValidateStreamFuture<S: Service<Request<StreamedBody<B>>>, B> {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<StreamedBody<B>>>, B> {
        UsingOnce { service: Option<S>, request: Option<Request<StreamedBody<B>>>, #[pin] answer: UseOnce, upload: Upload },
        Calling { #[pin] response: S::Future, upload: Upload },
        Refused { response: Option<Response<Bytes>> },
    }
}

impl<S, B, R> Future for ValidateStreamFuture<S, B>
where
    S: Service<Request<StreamedBody<B>>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::UsingOnce {
                    service,
                    request,
                    answer,
                    upload,
                } => match ready!(answer.poll(cx)) {
                    Ok(()) => {
                        let response = service
                            .take()
                            .expect(UNFINISHED)
                            .call(request.take().expect(UNFINISHED));
                        State::Calling {
                            response,
                            upload: upload.clone(),
                        }
                    }
                    Err(error) => {
                        upload.fail(&error);
                        State::Refused {
                            response: upload.take_refusal(),
                        }
                    }
                },
                StateProjection::Calling { response, upload } => {
                    let response = ready!(response.poll(cx));
                    return Poll::Ready(match upload.take_refusal() {
                        Some(refusal) => Ok(refusal.map(R::from)),
                        None => response,
                    });
                }
                StateProjection::Refused { response } => {
                    return Poll::Ready(Ok(response.take().expect(UNFINISHED).map(R::from)));
                }
            };
            this.state.set(next);
        }
    }
}

impl<S: Service<Request<StreamedBody<B>>>, B> fmt::Debug for ValidateStreamFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateStreamFuture")
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A body that is handed on while it is hashed, in pieces of at most 64 KiB, one piece late.
    ///
    /// It ends without an error only if it was the signed one. What is unsigned is never handed on.
    /// After an error there is nothing but that error: stop at the first.
    pub struct StreamedBody<B> {
        #[pin]
        body: HashedBody<B>,
        // The piece that was read last: handed on when it is known what follows.
        last: Bytes,
        state: BodyState,
        upload: Upload,
    }
}

#[derive(Clone, Copy)]
enum BodyState {
    Reading,
    Proven,
    Failed(AuthErrorKind),
}

impl<B> StreamedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// The body, and the answer of the replay guard, which is asked before it is read.
    fn new(
        mut body: HashedBody<B>,
        parts: &Parts,
        policy: &Arc<Policy>,
    ) -> Result<(Self, UseOnce), AuthError> {
        // A service that expects no body does not read it.
        let validated = body.finish_if_empty()?;
        let head = validated
            .as_ref()
            .map(Validated::proof)
            .or(body.unfinished())
            .ok_or(AuthErrorKind::BodyUnreadable)?;
        let answer = policy.use_once(head);
        let upload = Upload::new(head.consumer(), parts.clone(), Arc::clone(policy));
        let state = match validated {
            Some(validated) => {
                upload.prove(validated);
                BodyState::Proven
            }
            None => BodyState::Reading,
        };
        Ok((
            Self {
                body,
                last: Bytes::new(),
                state,
                upload,
            },
            answer,
        ))
    }
}

impl<B> Body for StreamedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = AuthError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AuthError>>> {
        let mut this = self.project();
        loop {
            match this.state {
                BodyState::Reading => {}
                BodyState::Proven => {
                    let last = mem::take(this.last);
                    return Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last))));
                }
                BodyState::Failed(kind) => return Poll::Ready(Some(Err((*kind).into()))),
            }
            match ready!(this.body.as_mut().poll_piece(cx)) {
                Ok(Piece::Data(piece)) => {
                    let before = mem::replace(this.last, piece);
                    if !before.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(before))));
                    }
                }
                Ok(Piece::End(validated)) => {
                    this.upload.prove(validated);
                    *this.state = BodyState::Proven;
                }
                Err(error) => {
                    this.last.clear();
                    this.upload.fail(&error);
                    *this.state = BodyState::Failed(error.kind());
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, BodyState::Proven) && self.last.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            BodyState::Proven => {
                SizeHint::with_exact(u64::try_from(self.last.len()).unwrap_or(u64::MAX))
            }
            _ => add_len(self.body.size_hint(), self.last.len()),
        }
    }
}

impl<B> fmt::Debug for StreamedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedBody")
            .field("upload", &self.upload)
            .finish_non_exhaustive()
    }
}
