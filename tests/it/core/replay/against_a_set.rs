//! The guard against a plain set with a time for each signature, for any sequence of claims, clocks
//! and limits.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac_auth::{
    AuthErrorKind as Kind, MemoryReplayGuard, MemorySecrets, Secret, SignOptions, ValidateOptions,
    Validated, sign_request, validate_auth,
};
use http::Request;
use proptest::prelude::*;

/// The guard is created at this second.
const START: i64 = 1_800_000_000;

/// The host accepts a signature for so long.
const WINDOW: i64 = 60;

const CONSUMERS: [&str; 3] = ["a", "b", "c"];

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// A new request, made so many seconds before the present.
    New { consumer: usize, age: i64 },
    /// One of the requests that were made before.
    Again { which: prop::sample::Index },
    /// The clock goes on, or is set back.
    Clock(i64),
    /// New requests of one consumer, until its places or those of the guard are taken.
    Fill { consumer: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let consumer = 0..CONSUMERS.len();
    let step = prop_oneof![
        6 => (consumer.clone(), -10..=WINDOW).prop_map(|(consumer, age)| Step::New { consumer, age }),
        4 => any::<prop::sample::Index>().prop_map(|which| Step::Again { which }),
        2 => (0_i64..=2).prop_map(Step::Clock),
        1 => (0_i64..=150).prop_map(Step::Clock),
        1 => (-150_i64..=0).prop_map(Step::Clock),
        1 => consumer.prop_map(|consumer| Step::Fill { consumer }),
    ];
    prop::collection::vec(step, 1..60)
}

/// A signed request, and what the set knows about it.
struct Known {
    request: Request<&'static str>,
    consumer: usize,
    created: i64,
    is_used: bool,
}

struct World {
    guard: MemoryReplayGuard,
    secrets: MemorySecrets,
    limits: [usize; 2],
    now: i64,
    /// The latest time of a claim: seconds that were over then may have been dropped.
    latest: i64,
    known: Vec<Known>,
}

impl World {
    fn new(capacity: usize, capacity_per_consumer: usize) -> Self {
        let secrets = MemorySecrets::new();
        for name in CONSUMERS {
            let secret = format!("the secret of the consumer {name}");
            secrets.insert(name, Secret::from_text(&secret).unwrap());
        }
        Self {
            guard: MemoryReplayGuard::with_clock(|| time(START))
                .capacity(capacity)
                .capacity_per_consumer(capacity_per_consumer),
            secrets,
            limits: [capacity, capacity_per_consumer],
            now: START,
            latest: START,
            known: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::New { consumer, age } => {
                self.new_request(*consumer, self.now - age);
            }
            Step::Again { which } => {
                if !self.known.is_empty() {
                    self.claim(which.index(self.known.len()));
                }
            }
            Step::Clock(seconds) => self.now += seconds,
            Step::Fill { consumer } => {
                // One more than there can be places.
                for _ in 0..=self.limits[1] {
                    self.new_request(*consumer, self.now);
                }
            }
        }
        self.check_len();
    }

    fn new_request(&mut self, consumer: usize, created: i64) {
        let mut request = Request::get("https://host.example/").body("").unwrap();
        let options = SignOptions::new()
            .secret_name(CONSUMERS[consumer])
            .key_id(CONSUMERS[consumer])
            .at(time(created));
        sign_request(&mut request, &self.secrets, &options).unwrap();
        self.known.push(Known {
            request,
            consumer,
            created,
            is_used: false,
        });
        self.claim(self.known.len() - 1);
    }

    fn claim(&mut self, index: usize) {
        // Only a fresh request gets as far as the guard.
        let Some(validated) = self.validate(&self.known[index].request) else {
            return;
        };
        let answer = self
            .guard
            .first_use(validated)
            .map_err(|error| error.kind());
        let answer = answer.map(|_| ()).err();
        let known = &self.known[index];
        if known.created < START {
            assert_eq!(answer, Some(Kind::BeforeGuardStart));
            return;
        }
        self.latest = self.latest.max(self.now);
        let may_be_dropped = is_over(known.created, self.latest);
        let allowed = if known.is_used && may_be_dropped {
            vec![Some(Kind::Replayed), Some(Kind::BeforeGuardStart)]
        } else if known.is_used {
            vec![Some(Kind::Replayed)]
        } else {
            let mut allowed = Vec::new();
            if may_be_dropped || self.may_have_dropped_from(known.created) {
                allowed.push(Some(Kind::BeforeGuardStart));
            }
            let [most, least] =
                [self.now, self.latest].map(|now| self.is_full(known.consumer, now));
            if most {
                allowed.push(Some(Kind::ReplayGuardFull));
            }
            // A guard that is full even of what is fresh for sure accepts nothing.
            if !least {
                allowed.push(None);
            }
            allowed
        };
        assert!(
            allowed.contains(&answer),
            "{answer:?} at {} for a request of {}, not one of {allowed:?}",
            self.now - START,
            known.created - START,
        );
        self.known[index].is_used |= answer.is_none();
    }

    fn validate(&self, request: &Request<&'static str>) -> Option<Validated> {
        let options = ValidateOptions::new()
            .key_ids(CONSUMERS.map(|name| (name, name)))
            .at(time(self.now));
        match validate_auth(request, &self.secrets, &options) {
            Ok(validated) => Some(validated),
            Err(error) => {
                assert!(
                    matches!(error.kind(), Kind::Stale | Kind::InFuture),
                    "{error}"
                );
                None
            }
        }
    }

    /// After a second was dropped, the guard refuses all earlier ones, too. A second may be there
    /// although all of its claims were refused.
    fn may_have_dropped_from(&self, created: i64) -> bool {
        let mut later = self.known.iter().filter(|known| known.created >= created);
        later.any(|known| is_over(known.created, self.latest))
    }

    /// Whether the guard or the consumer has no place left, if all has been dropped that is over at
    /// this time, and nothing else.
    fn is_full(&self, consumer: usize, now: i64) -> bool {
        let used = self.remembered(now);
        let mut by_consumer: HashMap<usize, usize> = HashMap::new();
        for known in used {
            *by_consumer.entry(known.consumer).or_default() += 1;
        }
        by_consumer.values().sum::<usize>() >= self.limits[0]
            || by_consumer.get(&consumer).copied().unwrap_or(0) >= self.limits[1]
    }

    fn remembered(&self, now: i64) -> impl Iterator<Item = &Known> {
        let used = self.known.iter().filter(|known| known.is_used);
        used.filter(move |known| !is_over(known.created, now))
    }

    fn check_len(&self) {
        let all = self.known.iter().filter(|known| known.is_used).count();
        let len = self.guard.len();
        assert!((self.remembered(self.latest).count()..=all).contains(&len));
        assert!(len <= self.limits[0]);
    }
}

fn is_over(created: i64, now: i64) -> bool {
    now > created + WINDOW
}

fn time(second: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second.unsigned_abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_guard_answers_as_a_set_with_time(
        limits in (0_usize..12, 0_usize..8),
        steps in steps(),
    ) {
        let mut world = World::new(limits.0, limits.1);
        for step in &steps {
            world.take(step);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Where many places are left, the guard takes several of them at once.
    #[test]
    fn a_guard_with_many_places_answers_as_a_set_with_time(
        limits in (256_usize..1_024, 256_usize..1_024),
        steps in steps(),
    ) {
        let mut world = World::new(limits.0, limits.1);
        for step in &steps {
            world.take(step);
        }
    }
}
