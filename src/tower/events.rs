//! Events for the operator: one for each request that a layer refuses, accepts or signs.

use http::{HeaderMap, request::Parts};
use tracing::{Level, Span, level_filters::LevelFilter};

use crate::{
    escape::escape,
    message::RequestHead,
    signature::{SignatureBase, SignatureInputs},
    validate::{AuthError, Claim, Proof, ValidateOptions},
};

/// How many key ids one event names.
const MAX_KEY_IDS: usize = 4;

/// How many bytes of a signature base one event shows.
const MAX_BASE_LEN: usize = 4 * 1024;

/// Records one event for a refusal.
///
/// The status of the error decides the level. `tracing::event!` takes no variable as its level,
/// so both calls stand here.
macro_rules! refusal_event {
    ($error:expr, $($fields:tt)+) => {
        if $error.status().is_server_error() {
            tracing::error!(
                target: "hmac_auth",
                kind = $error.kind().as_str(),
                reason = %format_args!("{:#}", $error),
                $($fields)+
            );
        } else {
            tracing::warn!(
                target: "hmac_auth",
                kind = $error.kind().as_str(),
                reason = %format_args!("{:#}", $error),
                $($fields)+
            );
        }
    };
}

#[cfg(feature = "wix")]
pub(crate) use refusal_event;

/// Records that a layer refused a request.
pub(super) fn request_refused(
    error: &AuthError,
    headers: &HeaderMap,
    authority: Option<&str>,
    path: &str,
) {
    refusal_event!(
        error,
        key_id = key_ids(headers),
        authority,
        path = escape(path),
        "request refused"
    );
}

/// Records that an enforcing layer would have refused a request.
pub(super) fn would_refuse(
    error: &AuthError,
    headers: &HeaderMap,
    authority: Option<&str>,
    path: &str,
) {
    refusal_event!(
        error,
        key_id = key_ids(headers),
        authority,
        path = escape(path),
        "request would be refused"
    );
}

/// Records that an enforcing layer would have let a request through.
pub(super) fn would_accept(consumer: Option<&str>) {
    tracing::debug!(
        target: "hmac_auth",
        consumer = consumer.map(escape),
        "request would be accepted"
    );
}

/// The readable key ids in their order: each of them may be the one that matters.
fn key_ids(headers: &HeaderMap) -> Option<String> {
    let key_ids: Vec<String> = SignatureInputs::new(headers)
        .filter_map(Result::ok)
        .filter_map(|input| Some(escape(&input.key_id()?)))
        .take(MAX_KEY_IDS)
        .collect();
    (!key_ids.is_empty()).then(|| key_ids.join(", "))
}

/// Records that a layer has let a request through.
pub(super) fn request_accepted(proof: &Proof) {
    tracing::debug!(
        target: "hmac_auth",
        consumer = escape(proof.consumer()),
        key_id = proof.key_id().map(escape),
        by_previous_secret = proof.by_previous_secret(),
        "request accepted"
    );
}

/// Records that the answer to a validated request goes out without a signature.
pub(super) fn response_not_signed(reason: &str) {
    tracing::warn!(target: "hmac_auth", reason, "response not signed");
}

/// Records that a secret is still in use which a rotation has replaced.
pub(super) fn previous_secret_used(proof: &Proof) {
    tracing::warn!(
        target: "hmac_auth",
        consumer = escape(proof.consumer()),
        key_id = proof.key_id().map(escape),
        secret_name = escape(proof.secret_name()),
        "a consumer still signs with a previous secret"
    );
}

/// Names the consumer on the current span, if that span has a field `consumer`.
pub(super) fn record_consumer(proof: &Proof) {
    if is_recording() {
        record_on_span("consumer", proof.consumer());
    }
}

/// Whether anybody listens: where nobody does, this is all that a record costs.
pub(crate) fn is_recording() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}

/// Gives the current span this value of the field, if the span has the field.
pub(crate) fn record_on_span(field: &'static str, value: &str) {
    let span = Span::current();
    if span.has_field(field) {
        let value = &escape(value);
        span.record(field, value);
    }
}

/// Records the texts that a host takes to be signed, where no secret has given the MAC of one.
pub(super) fn wrong_mac(request: RequestHead<'_>, options: &ValidateOptions) {
    if !tracing::enabled!(target: "hmac_auth", Level::DEBUG) {
        return;
    }
    let Ok(mut claim) = Claim::parse(request, options) else {
        return;
    };
    loop {
        if let Ok(base) = claim.signature_base() {
            tracing::debug!(
                target: "hmac_auth",
                key_id = claim.key_id().as_deref().map(escape),
                base = %one_line(&base),
                "the MAC does not match this signature base"
            );
        }
        if !claim.advance() {
            break;
        }
    }
}

/// Records the text that a consumer has signed. The new signature is the last one of the request.
pub(crate) fn request_signed(parts: &Parts) {
    if !tracing::enabled!(target: "hmac_auth", Level::DEBUG) {
        return;
    }
    let Some(Ok(input)) = SignatureInputs::new(&parts.headers).last() else {
        return;
    };
    if let Ok(base) = SignatureBase::of_request(&RequestHead::from(parts), &input) {
        tracing::debug!(
            target: "hmac_auth",
            key_id = input.key_id().as_deref().map(escape),
            base = %one_line(&base),
            "request signed"
        );
    }
}

/// The redacted base in one line: quotation marks, backslashes and line breaks are escaped.
fn one_line(base: &SignatureBase) -> String {
    let mut text = format!("{:?}", base.to_string());
    if text.len() > MAX_BASE_LEN {
        // All of it is ASCII.
        text.truncate(MAX_BASE_LEN);
        text.push('…');
    }
    text
}
