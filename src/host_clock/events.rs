//! Events for the operator of a consumer: each correction of its clock is one.

use crate::escape::escape;

/// Each event has the host, and the seconds to add to the own clock.
macro_rules! event {
    ($name:ident, $text:literal) => {
        pub(super) fn $name(authority: &str, offset: i64) {
            tracing::warn!(
                target: "hmac_auth",
                authority = escape(authority),
                seconds = offset,
                $text
            );
        }
    };
}

event!(tried, "signing once more with a corrected clock");
event!(kept, "clock correction kept");
event!(dropped, "clock correction dropped");
event!(
    too_large,
    "clock not corrected: it differs by more than 5 minutes"
);
event!(
    of_the_future,
    "clock not corrected: that needs correct_clock_into_the_future"
);
