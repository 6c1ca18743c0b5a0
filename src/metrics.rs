//! The metrics for the operator, through the facade `metrics`: their names, and how the crate records
//! each one.
//!
//! No label is a text of a peer: each is one of this crate or of the host's configuration. The
//! handles are not kept, because an exporter may drop a series that has been idle, and a kept handle
//! would count into the dropped one.

use std::{sync::Arc, time::Duration};

pub(crate) const VALIDATED: &str = "hmac_auth_requests_validated_total";
pub(crate) const REFUSED: &str = "hmac_auth_requests_refused_total";
pub(crate) const PASSED: &str = "hmac_auth_requests_passed_total";
pub(crate) const WOULD_BE_VALIDATED: &str = "hmac_auth_requests_would_be_validated_total";
pub(crate) const WOULD_BE_REFUSED: &str = "hmac_auth_requests_would_be_refused_total";
pub(crate) const WOULD_PASS: &str = "hmac_auth_requests_would_pass_total";
pub(crate) const VALIDATION_SECONDS: &str = "hmac_auth_validation_seconds";
pub(crate) const GUARD_SIGNATURES: &str = "hmac_auth_replay_guard_signatures";
pub(crate) const GUARD_CAPACITY: &str = "hmac_auth_replay_guard_capacity";
/// Of the feature `redis`.
pub(crate) const UNCHECKED: &str = "hmac_auth_replay_guard_unchecked_total";
pub(crate) const DIRECTORY_ANSWERS: &str = "hmac_auth_directory_answers_total";
#[cfg(feature = "directory-cache")]
pub(crate) const CACHE_ANSWERS: &str = "hmac_auth_directory_cache_answers_total";
#[cfg(feature = "directory-cache")]
pub(crate) const LOOK_UPS: &str = "hmac_auth_directory_lookups_total";
#[cfg(feature = "wix")]
pub(crate) const INSTANCES_ACCEPTED: &str = "hmac_auth_wix_app_instances_accepted_total";
#[cfg(feature = "wix")]
pub(crate) const INSTANCES_REFUSED: &str = "hmac_auth_wix_app_instances_refused_total";
#[cfg(all(feature = "wix", feature = "client"))]
pub(crate) const TOKENS_ACCEPTED: &str = "hmac_auth_wix_access_tokens_accepted_total";
#[cfg(all(feature = "wix", feature = "client"))]
pub(crate) const TOKENS_REFUSED: &str = "hmac_auth_wix_access_tokens_refused_total";
#[cfg(feature = "wix-webhooks")]
pub(crate) const WEBHOOKS_ACCEPTED: &str = "hmac_auth_wix_webhooks_accepted_total";
#[cfg(feature = "wix-webhooks")]
pub(crate) const WEBHOOKS_REFUSED: &str = "hmac_auth_wix_webhooks_refused_total";

/// Adds one to a counter without labels.
pub(crate) fn count(name: &'static str) {
    metrics::counter!(name).increment(1);
}

/// Adds one to a counter by one label, whose value is a word of this crate.
pub(crate) fn count_by(name: &'static str, label: &'static str, value: &'static str) {
    metrics::counter!(name, label => value).increment(1);
}

/// Adds one to a counter of proven requests. The consumer is one that the host knows.
pub(crate) fn count_proven(name: &'static str, consumer: Option<Arc<str>>) {
    match consumer {
        Some(consumer) => metrics::counter!(name, "consumer" => consumer).increment(1),
        None => count(name),
    }
}

/// Adds one to a counter of refused requests. The consumer is there only after its MAC was right.
pub(crate) fn count_refused(name: &'static str, kind: &'static str, consumer: Option<&Arc<str>>) {
    match consumer {
        Some(consumer) => {
            let consumer = Arc::clone(consumer);
            metrics::counter!(name, "kind" => kind, "consumer" => consumer).increment(1);
        }
        None => count_by(name, "kind", kind),
    }
}

pub(crate) fn record_validation(duration: Duration) {
    metrics::histogram!(VALIDATION_SECONDS).record(duration);
}

/// How full a replay guard is.
pub(crate) fn record_guard(name: Option<&Arc<str>>, signatures: usize, capacity: usize) {
    for (metric, value) in [(GUARD_SIGNATURES, signatures), (GUARD_CAPACITY, capacity)] {
        let gauge = if let Some(name) = name {
            metrics::gauge!(metric, "guard" => Arc::clone(name))
        } else {
            metrics::gauge!(metric)
        };
        // A float is exact far beyond what fits into memory.
        #[expect(clippy::cast_precision_loss)]
        gauge.set(value as f64);
    }
}
