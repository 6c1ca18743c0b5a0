//! A part of a guard, behind a lock of its own: the used signatures by second.

use std::collections::BTreeMap;

use super::{
    ids::Ids,
    quotas::{Counts, Quotas},
};
use crate::validate::{AuthError, AuthErrorKind, ReplayId};

/// How many blocks of the past a claim frees: in some microseconds.
const FREED: usize = 64;

/// How many consumers of the past a claim gives their places back: it makes one at most.
const GIVEN_BACK: usize = 8;

#[derive(Default)]
pub(super) struct Shard {
    seconds: BTreeMap<i64, Second>,
    /// How many signatures are remembered here.
    len: usize,
    /// The latest second whose set was dropped. If the clock is set back, its signatures could be
    /// fresh again.
    dropped: Option<i64>,
    /// Seconds that were dropped: the guard has their places back, and the consumers do not yet. Each
    /// claim frees a piece, so that none has to wait for a large one.
    past: Vec<Second>,
}

/// The used signatures of one second.
struct Second {
    fresh_until: i64,
    used: Ids,
    counts: Counts,
}

impl Shard {
    /// Remembers a signature as its fingerprint, unless it was used before; says whether there was
    /// a place for it.
    pub(super) fn claim(
        &mut self,
        id: &ReplayId,
        fingerprint: u64,
        consumer: &str,
        quotas: &Quotas,
    ) -> Result<bool, AuthError> {
        self.drop_past_seconds(id.validated_at(), quotas);
        self.free_past(GIVEN_BACK, quotas);
        self.check_dropped(id)?;
        // Only the newest second has places in reserve: so they are found at once.
        let mut is_newest = true;
        if let Some(mut newest) = self.seconds.last_entry() {
            is_newest = *newest.key() <= id.created();
            if *newest.key() < id.created() {
                quotas.give_reserve_back(&mut newest.get_mut().counts);
            }
        }
        let second = self.seconds.entry(id.created()).or_insert_with(|| Second {
            fresh_until: i64::MIN,
            used: Ids::new(),
            counts: Counts::default(),
        });
        if second.fresh_until < id.fresh_until() {
            second.fresh_until = id.fresh_until();
        }
        if !second.used.insert(fingerprint) {
            return Err(AuthErrorKind::Replayed.into());
        }
        let is_remembered = quotas.take(&mut second.counts, consumer, is_newest);
        if is_remembered {
            self.len += 1;
        } else {
            second.used.remove(fingerprint);
        }
        Ok(is_remembered)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether one signature of a second is remembered here, and no more.
    #[cfg(feature = "metrics")]
    pub(super) fn has_one_of(&self, created: i64) -> bool {
        let second = self.seconds.get(&created);
        second.is_some_and(|second| second.counts.is_one())
    }

    /// The error of [`claim`](Self::claim), as far as it is known without remembering.
    pub(super) fn known_error(&self, id: &ReplayId, fingerprint: u64) -> Option<AuthError> {
        if let Err(error) = self.check_dropped(id) {
            return Some(error);
        }
        let is_used = self.seconds.get(&id.created())?.used.contains(fingerprint);
        is_used.then(|| AuthErrorKind::Replayed.into())
    }

    /// Gives the places of what is over at `now` back to the guard and to this consumer, and those in
    /// reserve.
    pub(super) fn give_back(&mut self, now: i64, consumer: &str, quotas: &Quotas) {
        self.drop_past_seconds(now, quotas);
        if let Some(mut newest) = self.seconds.last_entry() {
            quotas.give_reserve_back(&mut newest.get_mut().counts);
        }
        for second in &mut self.past {
            quotas.give_back_of(&mut second.counts, consumer);
        }
        // One claim does this to all shards.
        self.free_past(GIVEN_BACK / 4, quotas);
    }

    /// Drops the sets of seconds whose signatures are all stale at `now`, the oldest first.
    fn drop_past_seconds(&mut self, now: i64, quotas: &Quotas) {
        while let Some(oldest) = self.seconds.first_entry() {
            if oldest.get().fresh_until >= now {
                break;
            }
            self.dropped = Some(*oldest.key());
            let mut second = oldest.remove();
            self.len -= quotas.give_back(&mut second.counts);
            self.past.push(second);
        }
    }

    /// Frees a piece of what is past, and gives so many consumers at most their places back.
    fn free_past(&mut self, mut consumers: usize, quotas: &Quotas) {
        while let Some(Second { used, counts, .. }) = self.past.last_mut() {
            consumers -= quotas.give_back_some(counts, consumers);
            if !used.free(FREED) || !counts.is_empty() {
                return;
            }
            self.past.pop();
        }
    }

    /// A signature that is fresh is refused all the same if its second was dropped as past.
    fn check_dropped(&self, id: &ReplayId) -> Result<(), AuthError> {
        let Some(dropped) = self.dropped.filter(|dropped| id.created() <= *dropped) else {
            return Ok(());
        };
        let ahead = dropped.saturating_sub(id.validated_at());
        let refusal = AuthError::new(AuthErrorKind::BeforeGuardStart);
        Err(if ahead > 0 {
            refusal.detail(format!(
                "the guard has dropped a second as past that is {ahead} s in the future: the clock \
                 of this host was ahead then, or is behind now; correct it, then restart the host"
            ))
        } else {
            refusal.detail(
                "the guard has dropped that second as past: the clock of this host was set back, \
                 or routes with different `max_time_diff` share the guard; sign anew",
            )
        })
    }
}
