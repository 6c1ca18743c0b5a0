//! How long an answer of Wix is used: tokens, and what Token Info says about them.

use std::time::{Duration, SystemTime};

use super::token_info::TokenInfo;

/// The longest time for which an answer of Token Info is used. A token that Wix revokes is accepted
/// for that long.
const MAX_TOKEN_INFO_AGE: Duration = Duration::from_secs(60);

/// The same for an app instance, if Wix names no time until which it is valid.
const MAX_APP_INSTANCE_INFO_AGE: Duration = Duration::from_secs(10);

/// The time before its expiry from which an elevated token is not given out any more, or a tenth of
/// its lifetime if that is less. The call that uses the token takes time, and clocks differ.
const SAFETY_MARGIN: Duration = Duration::from_secs(5 * 60);

pub(super) fn info_usable_until(info: &TokenInfo, asked_at: SystemTime) -> SystemTime {
    let max_age = if info.expires_by_app_instance() {
        MAX_APP_INSTANCE_INFO_AGE
    } else {
        MAX_TOKEN_INFO_AGE
    };
    at_most(info.expires_at(), asked_at, max_age)
}

fn at_most(expires_at: SystemTime, asked_at: SystemTime, max_age: Duration) -> SystemTime {
    asked_at
        .checked_add(max_age)
        // At the end of time, nothing can be added.
        .map_or(expires_at, |until| until.min(expires_at))
}

pub(super) fn token_usable_until(expires_at: SystemTime, asked_at: SystemTime) -> SystemTime {
    let lifetime = expires_at.duration_since(asked_at).unwrap_or_default();
    expires_at
        .checked_sub(SAFETY_MARGIN.min(lifetime / 10))
        .unwrap_or(asked_at)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn after(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    #[test]
    fn an_answer_of_token_info_is_used_for_a_minute_at_most() {
        for (lifetime, usable) in [(3_600, 60), (61, 60), (60, 60), (59, 59), (1, 1)] {
            assert_eq!(
                at_most(after(lifetime), after(0), MAX_TOKEN_INFO_AGE),
                after(usable),
                "{lifetime}"
            );
        }
    }

    #[test]
    fn the_safety_margin_is_five_minutes_or_a_tenth() {
        for (lifetime, usable) in [(14_400, 14_100), (3_000, 2_700), (2_000, 1_800), (10, 9)] {
            assert_eq!(
                token_usable_until(after(lifetime), after(0)),
                after(usable),
                "{lifetime}"
            );
        }
    }
}
