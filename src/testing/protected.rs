//! The test that a service lets no changed request through.

use std::future::poll_fn;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tower_service::Service;

use super::{
    options::{Accepted, TamperOptions},
    outcome::{Mark, Outcome},
    signed::signed_with,
    tampered::{Part, Tampered, tampered},
    wrongly_signed::wrongly_signed,
};
use crate::{
    message::{SIGNATURE, SIGNATURE_INPUT},
    tower::BoxError,
    validate::{AuthError, AuthErrorKind},
};

/// Asserts that a service refuses whatever nobody has signed: a router of axum, or any
/// `Service<Request<B>>`.
///
/// `request` is a request that the handler answers with success, and is not signed. The test signs
/// it, and then sends
///
/// 1. the signed request, which must reach the handler once, and the same request again;
/// 2. all changed copies of a new signature: those of [`tampered`], unsigned ones among them. Where
///    a copy may have used the signature up, the next copies are of another one;
/// 3. that signed request itself, which must still be accepted, and the same request again;
/// 4. those of [`wrongly_signed`].
///
/// So the handler of a protected service runs twice, and that of a service that streams runs also
/// for changed bodies. [The module](super) has an example.
///
/// # What counts as refused
///
/// An answer with the [`AuthErrorKind`](crate::AuthErrorKind) in its extensions, as all layers of
/// this crate give it. A status alone proves nothing: a handler may answer 401 by itself. Only
/// where the method, the authority or the path is changed, 404, 405 and 421 count too: a router has
/// found no route. For other services, see [`TamperOptions::handler_calls`]. Leave out what refuses
/// for other reasons, such as a limit of requests per second: the test sends some hundred.
///
/// # Panics
///
/// If the service lets a request through that a host must refuse, with the list of all such
/// requests in one message. If it does not accept the signed request, with the reason and a remedy.
pub async fn assert_protected<S, B, R>(service: S, request: Request<B>, options: &TamperOptions)
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => panic!("the body of the request cannot be read: {}", error.into()),
    };
    let mut test = Test {
        service,
        template: Request::from_parts(parts, body),
        options,
        sent: 0,
        problems: Vec::new(),
        used_up: None,
    };
    if let Err(problem) = test.begin().await {
        panic!("{problem}");
    }
    test.go_on().await;
    test.report();
}

struct Test<'a, S> {
    service: S,
    /// Not signed.
    template: Request<Bytes>,
    options: &'a TamperOptions,
    /// How many requests were sent that must be refused.
    sent: usize,
    /// Those of them that were not.
    problems: Vec<String>,
    /// Why the signed request was not accepted after its changed copies.
    used_up: Option<String>,
}

impl<S> Test<'_, S> {
    /// The template with a signature of its own.
    fn signed(&self) -> Request<Bytes> {
        let options = self.options;
        signed_with(self.template.clone(), &options.secret, &options.sign)
    }

    /// Sends a signed request, which must be accepted once: else, the rest proves nothing.
    async fn begin<B, R>(&mut self) -> Result<(), String>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
    {
        let signed = self.signed();
        self.accept(&signed, "the signed request").await?;
        self.replay(&signed, "the same request again").await;
        Ok(())
    }

    /// Sends all that must be refused.
    async fn go_on<B, R>(&mut self)
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
    {
        let signed = self.send_changed().await;
        let which = "the signed request, sent after its changed copies,";
        match self.accept(&signed, which).await {
            Ok(()) => {
                let change = "the same request again, after its changed copies";
                self.replay(&signed, change).await;
            }
            Err(problem) => self.used_up = Some(problem),
        }
        for wrong in wrongly_signed(&self.template, self.options) {
            self.refuse(&wrong).await;
        }
    }

    /// Sends all changed copies of a signature. Returns one that the host has not accepted in any
    /// form.
    async fn send_changed<B, R>(&mut self) -> Request<Bytes>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
    {
        let mut signed = self.signed();
        let mut changed = tampered(&signed);
        let mut index = 0;
        while let Some(next) = changed
            .get(index)
            .filter(|next| next.part() != Part::Replay)
        {
            // A host that streams has used the signature up before it has read the body.
            let is_of_body = (Part::UncoveredContentType..=Part::Body).contains(&next.part());
            if !self.is_left_out(next) && (!self.refuse(next).await || is_of_body) {
                // The next ones would only be replays of the used one.
                signed = self.signed();
                changed = tampered(&signed);
            }
            index += 1;
        }
        signed
    }

    /// Whether the host is said to accept this.
    fn is_left_out(&self, changed: &Tampered) -> bool {
        let headers = changed.request().headers();
        match changed.part() {
            Part::UncoveredContentType => self.options.accepts(Accepted::UncoveredContentType),
            Part::SignatureFields => {
                self.options.accepts(Accepted::Unsigned)
                    && !headers.contains_key(SIGNATURE)
                    && !headers.contains_key(SIGNATURE_INPUT)
            }
            _ => false,
        }
    }

    async fn replay<B, R>(&mut self, signed: &Request<Bytes>, change: &str)
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
    {
        if !self.options.accepts(Accepted::Replays) {
            self.refuse(&Tampered::new(signed.clone(), Part::Replay, change))
                .await;
        }
    }

    /// Sends a request that the host must refuse. Returns whether it did.
    async fn refuse<B, R>(&mut self, request: &Tampered) -> bool
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
    {
        self.sent += 1;
        let (outcome, calls) = self.send(request.request()).await;
        let problem = match (&outcome, calls) {
            (Outcome::Answered(..) | Outcome::Failed(_), Some(0)) => None,
            (Outcome::Answered(status, _), Some(_)) => {
                Some(format!("{status}, and the handler was called"))
            }
            _ => outcome.problem(request.part()),
        };
        let is_refused = problem.is_none();
        self.problems
            .extend(problem.map(|problem| format!("- {request} ({problem})")));
        is_refused
    }

    /// Sends a request that must reach the handler once.
    async fn accept<B, R>(&mut self, request: &Request<Bytes>, which: &str) -> Result<(), String>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
    {
        let (outcome, calls) = self.send(request).await;
        let problem = match outcome {
            Outcome::Refused(kind) => {
                let reason = AuthError::from(kind);
                format!("was refused as `{kind}`: {reason}{}", remedy(kind))
            }
            Outcome::LetThrough(status) => match calls {
                _ if is_no_success(status) => without_success(status),
                Some(calls) if calls != 1 => format!("called the handler {calls} times, not once"),
                _ => return Ok(()),
            },
            Outcome::Answered(status, Mark::Observed) => format!(
                "was answered with {status}, but an `ObserveAuthLayer` refuses nothing: take \
                 `observing` out to protect the route"
            ),
            Outcome::Answered(status, Mark::None) => match calls {
                Some(1) if is_no_success(status) => without_success(status),
                Some(1) => return Ok(()),
                Some(calls) => format!(
                    "was answered with {status}, and called the handler {calls} times, not once"
                ),
                None => format!(
                    "was answered with {status}, but no layer of hmac-auth has validated it: the \
                     route stands outside of the layer, or was added after it; or, if the host \
                     validates by itself, set `TamperOptions::handler_calls`"
                ),
            },
            Outcome::Failed(error) => format!("made the service fail: {error}"),
        };
        let uri = self.template.uri();
        Err(format!(
            "{} {}: {which} {problem}",
            self.template.method(),
            uri.path()
        ))
    }

    /// Sends a request. Returns also how often the handler was called, if that is known.
    async fn send<B, R>(&mut self, request: &Request<Bytes>) -> (Outcome, Option<usize>)
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: From<Bytes>,
    {
        let mut request = request.clone();
        if let Some(proxy) = &self.options.proxy {
            request = proxy(request);
        }
        let count = || self.options.handler_calls.as_ref().map(|calls| calls());
        let before = count();
        let answer = match poll_fn(|cx| self.service.poll_ready(cx)).await {
            Ok(()) => self.service.call(request.map(B::from)).await,
            Err(error) => Err(error),
        };
        let outcome = match answer {
            Ok(response) => Outcome::of(&response),
            Err(error) => Outcome::Failed(error.into().to_string()),
        };
        let calls = before
            .zip(count())
            .map(|(before, after)| after.saturating_sub(before));
        (outcome, calls)
    }

    fn report(self) {
        let mut lines = Vec::new();
        if !self.problems.is_empty() {
            lines.push(format!(
                "{} {}: the host must refuse {} of {} requests, and does not:",
                self.template.method(),
                self.template.uri().path(),
                self.problems.len(),
                self.sent
            ));
            lines.extend(self.problems);
        }
        lines.extend(self.used_up);
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}

fn is_no_success(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn without_success(status: StatusCode) -> String {
    format!(
        "was accepted, but answered with {status}: give a request that the handler answers with \
         success, or this test proves nothing about the handler"
    )
}

/// The remedy for a test that may have forgotten something.
fn remedy(kind: AuthErrorKind) -> &'static str {
    match kind {
        AuthErrorKind::UnknownKeyId => {
            "; name the key id in the test: \
             `TamperOptions::sign_options(sign_options().key_id(\"…\"))`"
        }
        AuthErrorKind::Stale | AuthErrorKind::InFuture | AuthErrorKind::BeforeGuardStart => {
            "; give the host the clock of the test: \
             `ValidateOptions::clock(hmac_auth::testing::fixed_time)`"
        }
        AuthErrorKind::UnlistedAuthority | AuthErrorKind::MissingAuthority => {
            "; give the request of the test an authority that the host lists"
        }
        AuthErrorKind::WrongMac => "; the secret of the test must be that of the host",
        AuthErrorKind::NotCovered => {
            "; cover what the host requires: \
             `TamperOptions::sign_options(sign_options().cover(\"…\"))`"
        }
        _ => "",
    }
}
