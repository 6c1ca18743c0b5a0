//! The descriptions of all metrics, for the recorder that the application has installed.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};

use crate::{metrics as names, validate::AuthErrorKind};

/// Describes the metrics of this crate to the recorder, and lets the refusals of each kind begin at
/// zero, so that an alert notices the first one that names no consumer.
///
/// Call it once, after the recorder is installed. The guide has a page about
/// [metrics](crate::guide::metrics).
pub fn describe_metrics() {
    for (name, description) in counters() {
        describe_counter!(name, Unit::Count, description);
    }
    describe_histogram!(
        names::VALIDATION_SECONDS,
        Unit::Seconds,
        "Work of checking the head of a request and hashing its body, without waiting."
    );
    describe_gauge!(
        names::GUARD_SIGNATURES,
        Unit::Count,
        "Signatures that a replay guard in memory remembers."
    );
    describe_gauge!(
        names::GUARD_CAPACITY,
        Unit::Count,
        "Signatures that a replay guard in memory has room for."
    );
    for kind in AuthErrorKind::ALL {
        counter!(names::REFUSED, "kind" => kind.as_str()).increment(0);
    }
}

fn counters() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            names::VALIDATED,
            "Requests that were validated, by consumer.",
        ),
        (
            names::REFUSED,
            "Requests that were refused, by kind, and by consumer if its MAC was right.",
        ),
        (
            names::PASSED,
            "Requests that passed without a check, by reason.",
        ),
        (
            names::WOULD_BE_VALIDATED,
            "Requests that an observing layer would have validated, by consumer.",
        ),
        (
            names::WOULD_BE_REFUSED,
            "Requests that an observing layer would have refused, as those refused.",
        ),
        (
            names::WOULD_PASS,
            "Requests that an observing layer would have passed without a check, by reason.",
        ),
        (
            names::UNCHECKED,
            "Requests that were accepted although Redis could not be asked, by reason.",
        ),
        (
            names::DIRECTORY_ANSWERS,
            "Answers of the directory of consumers to requests, by outcome.",
        ),
        #[cfg(feature = "directory-cache")]
        (
            names::CACHE_ANSWERS,
            "Answers of the cache in front of the directory, by source.",
        ),
        #[cfg(feature = "directory-cache")]
        (
            names::LOOK_UPS,
            "Look-ups of the cache in the directory behind it, by outcome.",
        ),
        #[cfg(feature = "wix")]
        (
            names::INSTANCES_ACCEPTED,
            "Requests with a valid app instance.",
        ),
        #[cfg(feature = "wix")]
        (
            names::INSTANCES_REFUSED,
            "Requests that were refused for their app instance, by kind.",
        ),
        #[cfg(all(feature = "wix", feature = "client"))]
        (
            names::TOKENS_ACCEPTED,
            "Requests with a valid access token.",
        ),
        #[cfg(all(feature = "wix", feature = "client"))]
        (
            names::TOKENS_REFUSED,
            "Requests that were refused for their access token, by kind.",
        ),
        #[cfg(feature = "wix-webhooks")]
        (
            names::WEBHOOKS_ACCEPTED,
            "Webhooks that were handed to the queue, now or before.",
        ),
        #[cfg(feature = "wix-webhooks")]
        (
            names::WEBHOOKS_REFUSED,
            "Webhooks that were refused, by kind.",
        ),
    ]
}
