//! How a host validates and refuses: the part that its layers and the middleware of actix share.

#[cfg(feature = "tracing")]
use std::borrow::Cow;
use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Response, Version, header::EXPECT, request::Parts};
#[cfg(feature = "tracing")]
use http::{Uri, header::HOST, uri::Authority};
use http_body::{Body, SizeHint};

use super::{
    BoxError, DEFAULT_MAX_BODY_LEN, cache_control,
    client_uri::ClientUri,
    drain::{Drain, Drains},
    grpc,
    hashed_body::{BodyLen, HashedBody, Rest, content_length, too_large},
    reply,
    unsigned::{Exception, Exceptions},
    verifying::{Asking, Verifying},
    work::Work,
};
#[cfg(feature = "tracing")]
use super::{events, previous_secret::PreviousSecretReminder};
use crate::{
    message::RequestHead,
    replay::{MemoryReplayGuard, ReplayGuard, UseOnce},
    secret::SecretStore,
    validate::{
        Answers, AuthError, AuthErrorKind, Claim, ConsumerDirectory, HOST_ADVICE, Proof, Question,
        ValidateOptions, Validated, VerifiedHead,
    },
};

#[cfg(feature = "tracing")]
use crate::message::escape_authority;
#[cfg(feature = "metrics")]
use crate::metrics;

#[derive(Clone)]
pub(crate) struct Policy {
    consumers: Consumers,
    options: ValidateOptions,
    pub(super) replay_guard: Option<Arc<dyn ReplayGuard>>,
    /// In bytes.
    pub(crate) max_body_len: u64,
    pub(crate) client_uri: ClientUri,
    pub(crate) exceptions: Exceptions,
    pub(crate) map_refusal: Option<MapRefusal>,
    /// All clones remind together.
    #[cfg(feature = "tracing")]
    previous_secrets: Arc<PreviousSecretReminder>,
    drains: Drains,
    /// Whether the server says `100 Continue` before anything here is asked.
    continues_unasked: bool,
}

/// Where the secrets of the consumers come from.
#[derive(Clone)]
pub(crate) enum Consumers {
    /// The options name them.
    Named(Arc<dyn SecretStore>),
    Found(Arc<dyn ConsumerDirectory>),
}

pub(crate) type MapRefusal =
    Arc<dyn Fn(Response<Bytes>, &AuthError, &Parts) -> Response<Bytes> + Send + Sync>;

impl Policy {
    /// With a guard of its own.
    pub(super) fn new(consumers: Consumers, options: ValidateOptions) -> Self {
        let guard = MemoryReplayGuard::with_clock(|| options.present());
        Self::with_guard(consumers, options, Arc::new(guard))
    }

    pub(crate) fn with_guard(
        consumers: Consumers,
        options: ValidateOptions,
        guard: Arc<dyn ReplayGuard>,
    ) -> Self {
        let options = match consumers {
            Consumers::Named(_) => options,
            Consumers::Found(_) => options.consumer_directory(),
        };
        Self {
            consumers,
            options,
            replay_guard: Some(guard),
            max_body_len: DEFAULT_MAX_BODY_LEN,
            client_uri: ClientUri::default(),
            exceptions: Exceptions::default(),
            map_refusal: None,
            #[cfg(feature = "tracing")]
            previous_secrets: Arc::default(),
            drains: Drains::default(),
            continues_unasked: false,
        }
    }

    /// For a server that says `100 Continue` to everybody: then a refused peer sends its body, too.
    #[cfg(feature = "actix")]
    pub(crate) fn continues_unasked(mut self) -> Self {
        self.continues_unasked = true;
        self
    }

    /// Whether any request can be validated.
    pub(crate) fn check(&self) -> Result<(), AuthError> {
        match &self.consumers {
            Consumers::Named(_) => self.options.check_without_directory()?,
            Consumers::Found(_) => self.options.check()?,
        }
        self.client_uri.check()?;
        self.exceptions.check()
    }

    /// Why the request needs no proof, if it needs none. Nothing does if the options contradict each
    /// other: then every request is refused.
    pub(crate) fn exception(&self, request: &Parts) -> Option<Exception> {
        let exception = self.find_exception(request)?;
        #[cfg(feature = "metrics")]
        metrics::count_by(metrics::PASSED, "reason", exception.as_str());
        Some(exception)
    }

    /// As [`exception`](Self::exception), for a layer that observes.
    pub(super) fn observed_exception(&self, request: &Parts) -> Option<Exception> {
        let exception = self.find_exception(request)?;
        #[cfg(feature = "metrics")]
        metrics::count_by(metrics::WOULD_PASS, "reason", exception.as_str());
        Some(exception)
    }

    fn find_exception(&self, request: &Parts) -> Option<Exception> {
        let exception = self.exceptions.find(request)?;
        self.check().is_ok().then_some(exception)
    }

    /// Makes all checks that need no byte of the body.
    ///
    /// Before the MAC, no answer depends on the length of the body: it would show a peer without a
    /// secret which key ids, authorities, tags and times are right. A refused request has its
    /// refusal as the first piece of its body.
    ///
    /// `answers` are those of the directory so far: at first, there is none.
    pub(super) fn verify<B: Body>(
        &self,
        request: &Parts,
        body: B,
        mut answers: Answers,
    ) -> Verifying<B>
    where
        B::Error: Into<BoxError>,
    {
        let len = self.len_of(request);
        // After an answer of the directory, the head is read anew: only the last time counts.
        let mut work = Work::default();
        let verified = work.time(|| self.verify_unread(request, &body, &len, &mut answers));
        let verified = match verified {
            Ok(verified) => verified,
            Err(question) => return Verifying::Asking(Asking::new(body, answers, question)),
        };
        Verifying::Done(match verified {
            Ok(head) => HashedBody::new(body, head, len, work),
            Err(error) => HashedBody::refused(body, len, error, self, request, work),
        })
    }

    /// What is known of the length of the body.
    pub(super) fn len_of(&self, request: &Parts) -> BodyLen {
        let announced = content_length(&request.headers);
        BodyLen::new(announced, self.max_body_len)
    }

    /// Makes all checks that need no byte of the body. Asks the directory if it has not answered yet.
    pub(super) fn verify_unread(
        &self,
        request: &Parts,
        body: &impl Body,
        len: &BodyLen,
        answers: &mut Answers,
    ) -> Result<Result<VerifiedHead, AuthError>, Question> {
        let announced = len.announced().unwrap_or(0).max(body.size_hint().lower());
        let verified = self.verify_head(RequestHead::from(request), request, answers)?;
        Ok(verified.and_then(|head| {
            match self.check_unread(&head, announced, body.is_end_stream()) {
                Ok(()) => Ok(head),
                Err(error) => Err(error.proven(head.proof())),
            }
        }))
    }

    fn verify_head(
        &self,
        head: RequestHead<'_>,
        request: &Parts,
        answers: &mut Answers,
    ) -> Result<Result<VerifiedHead, AuthError>, Question> {
        let uri = match self.client_uri.find(request) {
            Ok(uri) => uri,
            Err(error) => return Ok(Err(error)),
        };
        let head = head.uri(&uri);
        let mut claim = match Claim::parse(head, &self.options) {
            Ok(claim) => claim,
            Err(error) => return Ok(Err(error)),
        };
        let verified = match &self.consumers {
            Consumers::Named(secrets) => claim.verify_any(&**secrets),
            Consumers::Found(directory) => answers.verify(&mut claim, &**directory)?,
        };
        Ok(verified.map_err(|error| {
            #[cfg(feature = "tracing")]
            if error.kind() == AuthErrorKind::WrongMac {
                events::wrong_mac(head, &self.options);
            }
            self.explain(error)
        }))
    }

    /// Refuses a proven head whose body can be of no use.
    fn check_unread(
        &self,
        head: &VerifiedHead,
        announced_len: u64,
        is_empty: bool,
    ) -> Result<(), AuthError> {
        if announced_len > self.max_body_len {
            return Err(too_large(self.max_body_len));
        }
        if announced_len > 0 {
            head.check_coverage_of_body()?;
        }
        // Without a body, the guard is asked for good at once.
        if !is_empty {
            self.check_unused(head.proof())?;
        }
        Ok(())
    }

    /// Refuses what the replay guard knows at once, and uses nothing up.
    pub(super) fn check_unused(&self, proof: &Proof) -> Result<(), AuthError> {
        let guard = self.replay_guard.as_ref();
        match guard.and_then(|guard| guard.known_refusal(proof.replay_id())) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Begins to read what is left of a refused body, so that the refusal reaches a peer that reads
    /// no answer before it has sent everything.
    ///
    /// A stream of HTTP/2 does not need this: it ends without its connection. After
    /// `Expect: 100-continue`, the peer waits for an answer.
    pub(super) fn drain(&self, request: &Parts, left: u64, hint: &SizeHint) -> Option<Drain> {
        let is_of_use = request.version < Version::HTTP_2
            && (self.continues_unasked || !request.headers.contains_key(EXPECT))
            && hint.lower() <= left
            && left > 0;
        is_of_use.then(|| self.drains.begin(left)).flatten()
    }

    /// Refuses what has become stale while the body came.
    pub(super) fn check_in_time(&self, proof: &Proof) -> Result<(), AuthError> {
        proof.check_in_time(self.options.now(), "at the end of the body")
    }

    /// Asks the replay guard.
    ///
    /// Refuses first if the signature has become stale while the body came: a guard may have
    /// forgotten it by now.
    pub(super) fn use_once(&self, proof: &Proof) -> UseOnce {
        if let Err(error) = self.check_in_time(proof) {
            return UseOnce::ready(Err(error));
        }
        match &self.replay_guard {
            Some(guard) => {
                let answer = guard.use_once(proof.replay_id(), proof.consumer());
                #[cfg(feature = "metrics")]
                let answer = proven_by(answer, proof);
                answer
            }
            None => UseOnce::ready(Ok(())),
        }
    }

    /// Notes that a request is proven, the end of its body included.
    #[expect(clippy::unused_self, reason = "beside `refuse`, for all frameworks")]
    pub(super) fn accept(&self, proof: &Proof) {
        #[cfg(feature = "tracing")]
        events::request_accepted(proof);
        #[cfg(feature = "metrics")]
        metrics::count_proven(metrics::VALIDATED, proof.known_consumer());
        #[cfg(not(any(feature = "metrics", feature = "tracing")))]
        let _ = proof;
    }

    /// Names the consumer of a request whose head is proven, and the secret if it is an old one.
    #[cfg(feature = "tracing")]
    pub(super) fn trace_consumer(&self, proof: &Proof) {
        events::record_consumer(proof);
        if proof.by_previous_secret()
            && self
                .previous_secrets
                .is_due(proof.consumer(), self.options.now())
        {
            events::previous_secret_used(proof);
        }
    }

    /// Makes the answer for the peer, and an event and a count for the operator.
    pub(crate) fn refuse(&self, error: &AuthError, parts: &Parts, left: Rest) -> Response<Bytes> {
        #[cfg(feature = "metrics")]
        metrics::count_refused(metrics::REFUSED, error.kind().as_str(), error.consumer());
        let by_this_server;
        let error = if error.kind() == AuthErrorKind::Replayed
            && parts.extensions.get::<Validated>().is_some()
        {
            by_this_server = AuthError::new(AuthErrorKind::Replayed).detail(
                "this server has validated this very request already: \
                 two layers with one guard stand around its route, so remove one",
            );
            &by_this_server
        } else {
            error
        };
        #[cfg(feature = "tracing")]
        events::request_refused(
            error,
            &parts.headers,
            self.authority(parts).as_deref(),
            self.uri(parts).path(),
        );
        let mut response = error
            .to_response(&self.options)
            .map(|body| Bytes::from_static(body.as_bytes()));
        if grpc::is_call(&parts.headers) {
            grpc::to_trailers_only(&mut response);
        }
        if let Some(map) = &self.map_refusal {
            response = map(response, error, parts);
            cache_control::keep_unstored(response.headers_mut());
        }
        if left == Rest::Unread {
            reply::close_connection(&mut response, parts.version);
        }
        response.extensions_mut().insert(error.kind());
        response
    }

    /// Makes an event for the operator about a request that an enforcing layer would refuse.
    #[cfg(feature = "tracing")]
    pub(super) fn trace_observed(&self, error: &AuthError, parts: &Parts) {
        events::would_refuse(
            error,
            &parts.headers,
            self.authority(parts).as_deref(),
            self.uri(parts).path(),
        );
    }

    /// The URI that the client sent, if it is known; otherwise the URI of the request.
    #[cfg(feature = "tracing")]
    fn uri<'a>(&self, parts: &'a Parts) -> Cow<'a, Uri> {
        let found = self.client_uri.find(parts);
        found.unwrap_or(Cow::Borrowed(&parts.uri))
    }

    /// The authority that the request names, escaped and cut.
    #[cfg(feature = "tracing")]
    fn authority(&self, parts: &Parts) -> Option<String> {
        let field = |name| std::str::from_utf8(parts.headers.get(name)?.as_bytes()).ok();
        let uri = self.uri(parts);
        let named = match self.options.forwarded_host() {
            Some(name) => field(name),
            None => uri
                .authority()
                .map(Authority::as_str)
                .or_else(|| field(&HOST)),
        };
        named.map(escape_authority)
    }

    /// Adds to a wrong MAC what only a layer can know.
    fn explain(&self, error: AuthError) -> AuthError {
        if error.kind() != AuthErrorKind::WrongMac {
            return error;
        }
        let router_advice = if self.client_uri.is_of_request() {
            "; if a router has cut the path, set `original_uri`; if a proxy has, `path_prefix`"
        } else {
            ""
        };
        error.more_detail(router_advice).more_detail(HOST_ADVICE)
    }
}

/// Names the consumer in a refusal of a guard.
#[cfg(feature = "metrics")]
fn proven_by(answer: UseOnce, proof: &Proof) -> UseOnce {
    match answer.try_now() {
        Ok(answer) => UseOnce::ready(answer.map_err(|error| error.proven(proof))),
        Err(answer) => {
            let consumer = proof.known_consumer();
            UseOnce::pending(async { answer.await.map_err(|error| error.by_consumer(consumer)) })
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("options", &self.options)
            .field("has_replay_guard", &self.replay_guard.is_some())
            .field("max_body_len", &self.max_body_len)
            .field("client_uri", &self.client_uri)
            .finish_non_exhaustive()
    }
}
