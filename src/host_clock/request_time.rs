//! The time with which one request is signed.

use std::{borrow::Cow, mem, sync::Arc};

use http::{HeaderMap, StatusCode, Uri, uri};

#[cfg(feature = "tracing")]
use super::events;
use super::{HostClocks, MAX_OFFSET, date::date_of};
use crate::{
    message::{RequestHead, ResponseHead},
    response::ValidateResponseOptions,
    sign::SignOptions,
};

/// How far a signature may be ahead of a host without being corrected, in seconds: the default
/// `max_clock_skew` of a host.
const AHEAD: i64 = 10;

/// How far it may be behind: half of the default `max_time_diff` of a host, for stricter ones.
const BEHIND: i64 = 30;

/// By which clock one request is signed, and what its answers change.
pub(crate) struct RequestTime {
    clocks: Arc<HostClocks>,
    authority: Arc<str>,
    /// By the own clock, in seconds since 1970.
    signed_at: i64,
    /// In seconds, to add to the own clock.
    offset: i64,
    is_retry: bool,
}

impl RequestTime {
    /// `None` if the request does not go over `https`, or has no authority.
    ///
    /// The URI itself has to say `https`: what `SignOptions::scheme` assumes is no proof.
    pub(crate) fn begin(
        clocks: &Arc<HostClocks>,
        uri: &Uri,
        request: RequestHead<'_>,
        options: &SignOptions,
    ) -> Option<Self> {
        if uri.scheme() != Some(&uri::Scheme::HTTPS) {
            return None;
        }
        let authority = request.authority().ok()?.as_str().to_ascii_lowercase();
        Some(Self {
            clocks: Arc::clone(clocks),
            offset: clocks.offset(&authority),
            authority: authority.into(),
            signed_at: options.now(),
            is_retry: false,
        })
    }

    /// Has to be called for the answer to each try. Says whether one more try is of use, with another
    /// time.
    ///
    /// The answer to all failures is the same, so any unsigned 401 may be about time. The caller sends
    /// a request at most twice.
    pub(crate) fn after(
        &mut self,
        status: StatusCode,
        answer: &HeaderMap,
        options: &SignOptions,
    ) -> bool {
        if !ResponseHead::new(status, answer).is_unsigned_401() {
            return false;
        }
        if self.offset != 0 && self.clocks.forget(&self.authority, self.offset) {
            #[cfg(feature = "tracing")]
            events::dropped(&self.authority, self.offset);
        }
        let is_retry = mem::replace(&mut self.is_retry, true);
        if is_retry {
            return false;
        }
        let Some(offset) = self.offset_by(answer, options.now()) else {
            return false;
        };
        self.offset = offset;
        #[cfg(feature = "tracing")]
        events::tried(&self.authority, offset);
        true
    }

    /// A better offset, as the `Date` of a refusal says.
    fn offset_by(&self, refusal: &HeaderMap, now: i64) -> Option<i64> {
        let date = date_of(refusal)?;
        // The own clock was set back meanwhile, so nothing can be compared.
        if now < self.signed_at {
            return None;
        }
        // The host has read its clock some time between. The smallest offset that explains it counts.
        let offset = if date > now {
            date.saturating_sub(now)
        } else {
            date.saturating_sub(self.signed_at).min(0)
        };
        if is_tolerated(offset.saturating_sub(self.offset)) {
            return None;
        }
        if is_tolerated(offset) {
            // The own clock is right, and what was kept is wrong.
            return Some(0);
        }
        if offset.saturating_abs() > MAX_OFFSET {
            #[cfg(feature = "tracing")]
            events::too_large(&self.authority, offset);
            return None;
        }
        if offset > 0 && !self.clocks.allows_future {
            #[cfg(feature = "tracing")]
            events::of_the_future(&self.authority, offset);
            return None;
        }
        Some(offset)
    }

    /// The options with the time of the host. Without a time, or where there is nothing to correct,
    /// the same options.
    pub(crate) fn to_sign<'a>(
        time: Option<&Self>,
        options: &'a SignOptions,
    ) -> Cow<'a, SignOptions> {
        match time.map_or(0, |time| time.offset) {
            0 => Cow::Borrowed(options),
            offset => Cow::Owned(options.moved(offset)),
        }
    }

    /// Also the answer of the host has the time of the host.
    pub(crate) fn to_validate<'a>(
        time: Option<&Self>,
        options: &'a ValidateResponseOptions,
    ) -> Cow<'a, ValidateResponseOptions> {
        match time.map_or(0, |time| time.offset) {
            0 => Cow::Borrowed(options),
            offset => Cow::Owned(options.moved(offset)),
        }
    }

    /// Has to be called when the answer is there, and proven if it has to be. Keeps the time of a
    /// second try that was a success.
    pub(crate) fn succeeded(&self, status: StatusCode) {
        let is_proven = self.is_retry && self.offset != 0 && status.is_success();
        if is_proven && self.clocks.keep(&self.authority, self.offset) {
            #[cfg(feature = "tracing")]
            events::kept(&self.authority, self.offset);
        }
    }
}

/// Whether hosts accept what was signed with a clock that differs so much from theirs.
fn is_tolerated(difference: i64) -> bool {
    (-AHEAD..=BEHIND).contains(&difference)
}
