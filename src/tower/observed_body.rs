//! A body that passes an observing layer.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{hashed_body::BodyLen, observed::Observed, policy::Policy};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::validate::{AuthError, AuthErrorKind, Proof, Validated, VerifiedHead};

pin_project! {
    /// A body that the layer hashes while the service reads it. It comes as it is, with its own errors
    /// and trailers.
    pub struct ObservedBody<B> {
        #[pin]
        body: B,
        // `None` once it is decided what an enforcing layer would have done.
        watch: Option<Box<Watch>>,
    }
}

/// A request whose head is proven.
pub(super) struct Watch {
    pub(super) head: VerifiedHead,
    pub(super) len: BodyLen,
    pub(super) observed: Observed,
    pub(super) policy: Arc<Policy>,
    /// An event needs the head of the request.
    pub(super) parts: Parts,
}

impl Watch {
    fn see(&mut self, data: &Bytes) -> Result<(), AuthError> {
        let added = self.len.add(data.len());
        if !data.is_empty() {
            self.head.check_coverage_of_body()?;
        }
        added?;
        self.head.update(data);
        Ok(())
    }

    /// Ends with what an enforcing layer would have done at the end of the body.
    ///
    /// Nobody looks into the guard again: by now, a layer inside of this one may have claimed the
    /// signature for this very request.
    fn end(self) {
        self.end_with(|_, _| Ok(()));
    }

    /// Ends a request without a body, about which nobody has asked the guard so far.
    pub(super) fn end_without_body(self) {
        self.end_with(Policy::check_unused);
    }

    fn end_with(self, check: impl FnOnce(&Policy, &Proof) -> Result<(), AuthError>) {
        let Self {
            head,
            len,
            observed,
            policy,
            parts,
        } = self;
        let outcome = match len.check_end() {
            Ok(()) => head.finish(),
            Err(error) => Err(error.proven(head.proof())),
        };
        let outcome = outcome.and_then(|validated| {
            policy.check_in_time(validated.proof())?;
            check(&policy, validated.proof()).map_err(|error| error.proven(validated.proof()))?;
            Ok(validated)
        });
        conclude(outcome, &observed, &policy, &parts);
    }

    fn fail(self, error: AuthError) {
        let error = error.proven(self.head.proof());
        conclude(Err(error), &self.observed, &self.policy, &self.parts);
    }
}

/// Notes what an enforcing layer would have done, makes an event of it, and counts it.
pub(super) fn conclude(
    outcome: Result<Validated, AuthError>,
    observed: &Observed,
    policy: &Policy,
    parts: &Parts,
) {
    #[cfg(feature = "tracing")]
    match &outcome {
        Ok(_) => super::events::would_accept(observed.consumer()),
        Err(error) => policy.trace_observed(error, parts),
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (policy, parts);
    #[cfg(feature = "metrics")]
    match &outcome {
        Ok(validated) => {
            let consumer = validated.proof().known_consumer();
            metrics::count_proven(metrics::WOULD_BE_VALIDATED, consumer);
        }
        Err(error) => {
            let (kind, consumer) = (error.kind().as_str(), error.consumer());
            metrics::count_refused(metrics::WOULD_BE_REFUSED, kind, consumer);
        }
    }
    observed.decide(outcome.map(drop).map_err(|error| error.kind()));
}

impl<B> ObservedBody<B> {
    pub(super) fn new(body: B, watch: Option<Box<Watch>>) -> Self {
        Self { body, watch }
    }
}

impl<B: Body> Body for ObservedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        let frame = match frame {
            Some(Ok(frame)) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
            Some(Err(error)) => {
                if let Some(watch) = this.watch.take() {
                    watch.fail(AuthErrorKind::BodyUnreadable.into());
                }
                return Poll::Ready(Some(Err(error)));
            }
            None => {
                if let Some(watch) = this.watch.take() {
                    watch.end();
                }
                return Poll::Ready(None);
            }
        };
        let failed = match (this.watch.as_deref_mut(), frame.data_ref()) {
            (Some(watch), Some(data)) => watch.see(data).err(),
            (Some(_), None) => frame
                .trailers_ref()
                .is_some_and(|fields| !fields.is_empty())
                .then(|| AuthErrorKind::TrailersNotCovered.into()),
            (None, _) => None,
        };
        if let Some(error) = failed {
            if let Some(watch) = this.watch.take() {
                watch.fail(error);
            }
        }
        // A reader may stop at the last byte.
        if this.body.is_end_stream() {
            if let Some(watch) = this.watch.take() {
                watch.end();
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for ObservedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedBody").finish_non_exhaustive()
    }
}
