//! What both layers of a host have in common: how to validate, and how to refuse.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{
    Extensions, HeaderName, HeaderValue, Response, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST},
    request::Parts,
    uri::Authority,
};
use http_body::Body;

use super::{
    BoxError, DEFAULT_MAX_BODY_LEN,
    hashed_body::{HashedBody, content_length, too_large},
};
use crate::{
    escape::escape,
    message::RequestHead,
    replay::{MemoryReplayGuard, ReplayGuard, UseOnce},
    secret::SecretStore,
    validate::{AuthError, AuthErrorKind},
    validate::{Claim, Proof, ValidateOptions},
};

#[derive(Clone)]
pub(super) struct Policy {
    secrets: Arc<dyn SecretStore>,
    options: ValidateOptions,
    pub(super) replay_guard: Option<Arc<dyn ReplayGuard>>,
    /// In bytes.
    pub(super) max_body_len: u64,
    pub(super) original_uri: Option<fn(&Extensions) -> Option<&Uri>>,
    pub(super) map_refusal: Option<MapRefusal>,
}

pub(super) type MapRefusal =
    Arc<dyn Fn(Response<Bytes>, &AuthError, &Parts) -> Response<Bytes> + Send + Sync>;

impl Policy {
    pub(super) fn new(secrets: impl SecretStore + 'static, options: ValidateOptions) -> Self {
        Self {
            secrets: Arc::new(secrets),
            options,
            replay_guard: Some(Arc::new(MemoryReplayGuard::new())),
            max_body_len: DEFAULT_MAX_BODY_LEN,
            original_uri: None,
            map_refusal: None,
        }
    }

    /// Makes all checks that need no byte of the body.
    pub(super) fn verify<B: Body>(&self, parts: &Parts, body: B) -> Result<HashedBody<B>, AuthError>
    where
        B::Error: Into<BoxError>,
    {
        let request = RequestHead::from(parts).uri(self.uri(parts));
        let content_length = content_length(&request);
        let mut claim = Claim::parse(request, &self.options)?;
        let announced_len = content_length.unwrap_or(0).max(body.size_hint().lower());
        if announced_len > self.max_body_len {
            return Err(too_large(self.max_body_len));
        }
        let head = claim
            .verify_any(&*self.secrets)
            .map_err(|error| self.explain(error, parts))?;
        if announced_len > 0 && !head.covers_body() {
            return Err(AuthErrorKind::BodyNotCovered.into());
        }
        Ok(HashedBody::new(
            body,
            head,
            content_length,
            self.max_body_len,
        ))
    }

    /// Asks the guard, unless the body came so slowly that a guard may have forgotten the signature
    /// by now.
    pub(super) fn use_once(&self, proof: &Proof) -> UseOnce {
        let now = self.options.now();
        let too_late =
            |kind| UseOnce::ready(Err(AuthError::new(kind).detail("at the end of the body")));
        if now > proof.replay_id().fresh_until() {
            return too_late(AuthErrorKind::Stale);
        }
        if proof.expires().is_some_and(|expires| now > expires) {
            return too_late(AuthErrorKind::Expired);
        }
        match &self.replay_guard {
            Some(guard) => guard.use_once(proof.replay_id(), proof.consumer()),
            None => UseOnce::ready(Ok(())),
        }
    }

    /// The answer for the peer, and an event for the operator.
    pub(super) fn refuse(&self, error: &AuthError, parts: &Parts) -> Response<Bytes> {
        #[cfg(feature = "tracing")]
        self.log(error, parts);
        let mut response = error
            .to_response(&self.options)
            .map(|body| Bytes::from_static(body.as_bytes()));
        if parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
        {
            speak_grpc(&mut response, error);
        }
        if let Some(map) = &self.map_refusal {
            response = map(response, error, parts);
        }
        response.extensions_mut().insert(error.kind());
        response
    }

    #[cfg(feature = "tracing")]
    fn log(&self, error: &AuthError, parts: &Parts) {
        use crate::{signature::SignatureInputs, tower::refusal_event};

        // What could be read of them, in their order: any of them may be the one that is meant.
        let key_ids = || {
            let inputs = SignatureInputs::new(&parts.headers).map_while(Result::ok);
            let key_ids: Vec<String> = inputs
                .filter_map(|input| Some(escape(&input.key_id()?)))
                .take(4)
                .collect();
            (!key_ids.is_empty()).then(|| key_ids.join(", "))
        };
        refusal_event!(
            error,
            key_id = key_ids(),
            authority = self.authority(parts),
            path = escape(self.uri(parts).path()),
            "request refused"
        );
    }

    /// The URI as the client sent it, as far as that is known.
    fn uri<'a>(&self, parts: &'a Parts) -> &'a Uri {
        self.original_uri
            .and_then(|original| original(&parts.extensions))
            .unwrap_or(&parts.uri)
    }

    /// What the request names, escaped and cut.
    fn authority(&self, parts: &Parts) -> Option<String> {
        let field = |name| std::str::from_utf8(parts.headers.get(name)?.as_bytes()).ok();
        let named = match self.options.forwarded_host() {
            Some(name) => field(name),
            None => self
                .uri(parts)
                .authority()
                .map(Authority::as_str)
                .or_else(|| field(&HOST)),
        };
        named.map(escape)
    }

    /// Tells the operator what this host has seen: mostly, something between has changed it.
    fn explain(&self, error: AuthError, parts: &Parts) -> AuthError {
        if error.kind() != AuthErrorKind::WrongMac {
            return error;
        }
        let seen = format!(
            "seen here: {} {} {}",
            escape(parts.method.as_str()),
            self.authority(parts).unwrap_or_default(),
            escape(self.uri(parts).path())
        );
        let advice = if self.original_uri.is_none() {
            "; if a router has cut the path, set `original_uri`"
        } else {
            ""
        };
        error.detail(format!(
            "{seen}{advice}; if a proxy has changed `Host`, see `trust_forwarded_host`"
        ))
    }
}

/// Clients of gRPC would take the body for a message, so they are told in the head alone: a
/// "Trailers-Only" response of the gRPC protocol, with one of its codes.
fn speak_grpc(response: &mut Response<Bytes>, error: &AuthError) {
    let code = match error.status() {
        StatusCode::UNAUTHORIZED => "16",     // UNAUTHENTICATED
        StatusCode::PAYLOAD_TOO_LARGE => "8", // RESOURCE_EXHAUSTED
        StatusCode::BAD_REQUEST => "13",      // INTERNAL
        _ => "14",                            // UNAVAILABLE
    };
    *response.body_mut() = Bytes::new();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(code),
    );
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("options", &self.options)
            .field("has_replay_guard", &self.replay_guard.is_some())
            .field("max_body_len", &self.max_body_len)
            .finish_non_exhaustive()
    }
}
