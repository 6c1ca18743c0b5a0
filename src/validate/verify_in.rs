//! Verifying a claim with the consumers of a directory.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{
    claim::Claim,
    consumer::Consumer,
    directory::{ConsumerDirectory, FindConsumer, Found},
    error::AuthError,
    verified_head::VerifiedHead,
};
use crate::eventual::POLLED_AFTER_END;
#[cfg(feature = "metrics")]
use crate::{metrics, validate::directory::outcome_of};

/// What a directory has answered about the key ids of one request.
///
/// It outlives the [`Claim`], which borrows the request: a future that waits keeps this, and then
/// reads the request again.
#[derive(Default)]
pub(crate) struct Answers {
    known: Vec<(Box<str>, Option<Consumer>)>,
    /// The labels of refused signatures. A request that is read again does not have them checked
    /// again.
    refused: Vec<Box<str>>,
    /// The refusal that came furthest.
    refusal: Option<AuthError>,
}

/// A question that the directory has not yet answered.
pub(crate) struct Question {
    key_id: Box<str>,
    answer: FindConsumer,
}

impl Question {
    /// Takes note of the answer when it is there.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, answers: &mut Answers) -> Poll<()> {
        let found = ready!(Pin::new(&mut self.answer).poll(cx));
        count(&found);
        let consumer = found.unwrap_or_else(|error| {
            answers.refuse(error);
            None
        });
        answers.known.push((self.key_id.clone(), consumer));
        Poll::Ready(())
    }
}

impl Answers {
    /// Checks the MACs of the signatures in their order, until one matches. Stops at a key id that
    /// is unknown yet and whose answer is not there at once.
    pub(crate) fn verify(
        &mut self,
        claim: &mut Claim<'_>,
        directory: &(impl ConsumerDirectory + ?Sized),
    ) -> Result<Result<VerifiedHead, AuthError>, Question> {
        loop {
            if !self
                .refused
                .iter()
                .any(|label| **label == *claim.input().label())
            {
                match self.verify_one(claim, directory)? {
                    Ok(head) => return Ok(Ok(head)),
                    Err(error) => self.refuse(error),
                }
                // Only what comes after it can have it read again.
                if claim.has_others() {
                    self.refused.push(claim.input().label().into());
                }
            }
            if !claim.advance() {
                let refusal = self.refusal.take();
                return Ok(Err(refusal.expect("each signature is accepted or refused")));
            }
        }
    }

    fn verify_one(
        &mut self,
        claim: &Claim<'_>,
        directory: &(impl ConsumerDirectory + ?Sized),
    ) -> Result<Result<VerifiedHead, AuthError>, Question> {
        let key_id = claim.key_id().unwrap_or_default();
        let known = self.known.iter().find(|(known, _)| **known == *key_id);
        let consumer = match known {
            Some((_, consumer)) => consumer.clone(),
            None => match directory.find(&key_id).try_now().inspect(count) {
                Ok(Ok(consumer)) => {
                    // Nearly all requests have one signature.
                    if claim.has_others() {
                        self.known.push((key_id.into(), consumer.clone()));
                    }
                    consumer
                }
                Ok(Err(error)) => {
                    self.known.push((key_id.into(), None));
                    return Ok(Err(error));
                }
                Err(answer) => {
                    return Err(Question {
                        key_id: key_id.into(),
                        answer,
                    });
                }
            },
        };
        Ok(match consumer {
            Some(consumer) => claim.verify_consumer(&consumer),
            None => Err(claim.unknown_key_id()),
        })
    }

    fn refuse(&mut self, error: AuthError) {
        self.refusal = Some(AuthError::furthest(self.refusal.take(), error));
    }
}

#[cfg(feature = "metrics")]
fn count(found: &Found) {
    metrics::count_by(metrics::DIRECTORY_ANSWERS, "outcome", outcome_of(found));
}

#[cfg(not(feature = "metrics"))]
fn count(_: &Found) {}

/// The future of [`Claim::verify_in`].
pub struct VerifyIn<'a> {
    /// `None` once the answer was given.
    claim: Option<Claim<'a>>,
    directory: &'a dyn ConsumerDirectory,
    answers: Answers,
    question: Option<Question>,
}

impl<'a> VerifyIn<'a> {
    pub(super) fn new(claim: Claim<'a>, directory: &'a dyn ConsumerDirectory) -> Self {
        Self {
            claim: Some(claim),
            directory,
            answers: Answers::default(),
            question: None,
        }
    }
}

impl Future for VerifyIn<'_> {
    type Output = Result<VerifiedHead, AuthError>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let claim = this.claim.as_mut().expect(POLLED_AFTER_END);
        loop {
            if let Some(question) = &mut this.question {
                ready!(question.poll(cx, &mut this.answers));
                this.question = None;
                claim.go_on_at_present();
            }
            match this.answers.verify(claim, this.directory) {
                Ok(verified) => {
                    let verified = verified.and_then(|head| claim.check_in_time(head));
                    this.claim = None;
                    return Poll::Ready(verified);
                }
                Err(question) => this.question = Some(question),
            }
        }
    }
}

impl fmt::Debug for VerifyIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyIn")
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}
