//! A replay guard on Redis, for several hosts.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use redis::{Cmd, RedisResult, Value, aio::ConnectionLike};

use self::{connection::Connection, trouble::Trouble};
use super::{guard::ReplayGuard, use_once::UseOnce};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::{
    crypto::Sha256,
    time::unix_seconds_up,
    validate::{AuthError, AuthErrorKind, ReplayId},
};

mod connection;
mod trouble;

/// How long a host waits for Redis, unless configured: 100 ms.
pub const DEFAULT_REDIS_TIME_LIMIT: Duration = Duration::from_millis(100);

/// A server on the same machine answers within that, unless it is down or slow.
const MIN_TIME_LIMIT: Duration = Duration::from_millis(10);

/// How much longer than necessary a signature is remembered, unless configured: 20 s.
pub const DEFAULT_REDIS_MARGIN: Duration = Duration::from_secs(20);

/// Redis counts by another clock than the host, and a busy machine may stand still for seconds.
const MIN_MARGIN: Duration = Duration::from_secs(10);

const DEFAULT_KEY_PREFIX: &str = "hmac-auth:";

/// So that no other use of SHA-256 gives the same bytes.
const KEY_CONTEXT: &[u8] = b"hmac-auth replay key v1\n";

/// So many bytes of the hash make a key: enough that no two signatures share one.
const KEY_LEN: usize = 16;

/// In milliseconds: 100 years. Redis refuses times that it cannot add to the present.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// Refuses the second use of a signature on all hosts that share a Redis.
///
/// Each request takes one command and one round trip: `SET <key> 1 NX PX <time>`. Redis executes it
/// as a whole, so of several hosts that ask about one signature exactly one is told that it was the
/// first. If Redis does not say so within the [`time_limit`](Self::time_limit), the host answers 503
/// with `Retry-After`.
///
/// ```no_run
/// use hmac_auth::{
///     MemoryReplayGuard, MemorySecrets, RedisReplayGuard, TwoLevelReplayGuard,
///     ValidateOptions, tower::ValidateAuthLayer,
/// };
/// use redis::aio::ConnectionManager;
///
/// # async fn start(secrets: MemorySecrets, options: ValidateOptions)
/// #     -> redis::RedisResult<ValidateAuthLayer> {
/// let client = redis::Client::open("rediss://user:password@redis.example/")?;
/// let connect = move || ConnectionManager::new(client.clone());
/// // The manager gives up when Redis refuses the login. The guard does not.
/// let redis = RedisReplayGuard::new(connect().await?).connect_again(connect);
/// // The memory refuses what this host itself has seen, without Redis.
/// let guard = TwoLevelReplayGuard::new(MemoryReplayGuard::new(), redis);
/// let layer = ValidateAuthLayer::new(secrets, options).replay_guard(guard);
/// # Ok(layer)
/// # }
/// ```
///
/// A clone is the same guard. The guard needs a runtime of tokio with its timers.
///
/// The guide has a page about [several hosts](crate::guide::several_hosts): how to set Redis up, and
/// what a failover loses.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`key_prefix`](Self::key_prefix) | `hmac-auth:` |
/// | [`time_limit`](Self::time_limit) | [`DEFAULT_REDIS_TIME_LIMIT`], 100 ms |
/// | [`margin`](Self::margin) | [`DEFAULT_REDIS_MARGIN`], 20 s |
/// | [`connect_again`](Self::connect_again) | the connection connects again by itself, or not at all |
/// | if Redis fails | the request is refused |
/// | [`distrust_before`](Self::distrust_before) | no signature is distrusted |
///
/// # Keys
///
/// A key is the prefix and 128 bits of a SHA-256 hash of the MAC, in base64. So a reader of Redis can
/// neither learn a MAC nor replay a request. Redis forgets a key by itself when no host accepts its
/// signature any more: after the rest of the window, which the proof says, the margin, and the time
/// limit. The guard needs no clock of its own: the time is that of the validation.
///
/// All hosts that share a prefix need the same
/// [`max_time_diff`](crate::ValidateOptions::max_time_diff), and the same time limit if it is longer
/// than some seconds. Otherwise, a key that a host with a short window has made is gone while a host
/// with a long window still accepts the signature.
///
/// # Lost answers
///
/// If the answer of Redis is lost or late, nobody knows whether the signature counts as used. It is
/// refused, and may stay used: the consumer signs anew. The guard never sends a command twice,
/// because it would take its own first one for that of a replay.
pub struct RedisReplayGuard {
    connection: Connection,
    key_prefix: Arc<str>,
    time_limit: Duration,
    margin: Duration,
    if_down: IfDown,
    /// In seconds since 1970. Shared by all clones.
    trusted_from: Arc<AtomicI64>,
}

/// What becomes of a request about which Redis cannot be asked.
#[derive(Clone, Copy, Debug)]
enum IfDown {
    Refuse,
    Accept,
}

impl RedisReplayGuard {
    /// A guard with the defaults that asks through this connection.
    ///
    /// The connection is cloned for each request, so the clones must share it. Take a
    /// `redis::aio::ConnectionManager`, which connects again by itself when the connection breaks, and
    /// give [`connect_again`](Self::connect_again) what made it.
    ///
    /// For a cluster, a `redis::cluster_async::ClusterConnection` is right, because each command has
    /// one key. Build it with `ClusterClientBuilder::retries(0)`: a command that a connection sends
    /// again after a lost answer looks like a replay, and is refused with 401 instead of 503.
    #[must_use]
    pub fn new<C>(connection: C) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self {
            connection: Connection::new(connection),
            key_prefix: DEFAULT_KEY_PREFIX.into(),
            time_limit: DEFAULT_REDIS_TIME_LIMIT,
            margin: DEFAULT_REDIS_MARGIN,
            if_down: IfDown::Refuse,
            trusted_from: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }

    /// Makes another connection if Redis refuses the present one.
    ///
    /// A `redis::aio::ConnectionManager` gives up for good when Redis refuses the login, as after a
    /// restart that has lost the user. Without this setting, each request is then refused until the
    /// host is started again. With it, the guard goes on by itself once Redis takes the login, or once
    /// `connect` gives a connection with the new password.
    ///
    /// The guard calls `connect` in a task of its own, after a request about which Redis could not be
    /// asked, unless the reason is an outage. It waits for the connection, at most 30 s, and one
    /// second more before it calls again. If there is none, an event of `tracing` at the level
    /// `WARN` says why. All clones share the new connection, but those made before this setting do
    /// not ask for one.
    ///
    /// A connection that breaks is an outage, after which it must itself connect again. A
    /// `ConnectionManager` does. A `MultiplexedConnection` does not: once Redis is restarted, each
    /// request is refused until the host is started again, also with this setting.
    ///
    /// # Security
    ///
    /// Let `connect` wait until the connection is there, as `ConnectionManager::new` does. With a
    /// lazy one, a refused login looks like an outage for some seconds, then like what it is, and
    /// then the next lazy connection takes its place. So with
    /// [`accept_replays_while_redis_is_down`](Self::accept_replays_while_redis_is_down), the guard
    /// accepts nearly all replays for as long as Redis refuses the login.
    ///
    /// ```no_run
    /// use hmac_auth::RedisReplayGuard;
    /// use redis::aio::ConnectionManager;
    ///
    /// # async fn start() -> redis::RedisResult<RedisReplayGuard> {
    /// let client = redis::Client::open("rediss://user:password@redis.example/")?;
    /// let connect = move || ConnectionManager::new(client.clone());
    /// Ok(RedisReplayGuard::new(connect().await?).connect_again(connect))
    /// # }
    /// ```
    #[must_use]
    pub fn connect_again<C, F>(mut self, connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
        F: Future<Output = RedisResult<C>> + Send + 'static,
    {
        self.connection = self.connection.connect_again(connect);
        self
    }

    /// What each key begins with. Give hosts with another
    /// [`max_time_diff`](crate::ValidateOptions::max_time_diff), and each other service in the same
    /// Redis, a prefix of their own.
    ///
    /// In a cluster, write no `{…}` into it: all keys would be on one node.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.key_prefix = prefix.into();
        self
    }

    /// How long a request waits for Redis, including the time to connect. It is refused with 503
    /// after that. Redis remembers each signature for that much longer. Less than 10 ms counts as
    /// 10 ms: with no time at all, each answer would be late.
    #[must_use]
    pub fn time_limit(mut self, duration: Duration) -> Self {
        self.time_limit = duration.max(MIN_TIME_LIMIT);
        self
    }

    /// How much longer than the rest of the window Redis remembers a signature. Less than 10 s counts
    /// as 10 s.
    ///
    /// Take 10 s, and add the greatest difference between the clocks of two hosts, or of two servers
    /// of Redis.
    #[must_use]
    pub fn margin(mut self, duration: Duration) -> Self {
        self.margin = duration.max(MIN_MARGIN);
        self
    }

    /// Accepts a request that Redis cannot be asked about.
    ///
    /// Each of them is an event of `tracing` at the level `WARN`. With the feature `metrics`, each one
    /// counts in `hmac_auth_replay_guard_unchecked_total`, too. If Redis refuses the login or the
    /// command, or is a cluster and the connection does not know that, each request is still refused.
    /// Until the connection gives up to log in, some seconds, that looks like an outage, and in a
    /// cluster always.
    ///
    /// # Security
    ///
    /// While Redis fails, each request can be replayed, once for each time that it is sent. Somebody
    /// who can slow Redis down can cause that. A wrong address, a wrong certificate and a replica
    /// that stays one look like an outage that does not end. Behind a
    /// [`TwoLevelReplayGuard`](crate::TwoLevelReplayGuard), a request can be replayed once to each
    /// other host.
    ///
    /// Two connections must not be combined with this setting. A `MultiplexedConnection` never
    /// connects again: once it is broken, each request is accepted until the host is started again.
    /// A lazy connection from [`connect_again`](Self::connect_again) makes an outage of a refused
    /// login.
    ///
    /// Redis does not know of what was accepted unchecked. So those requests can be replayed until
    /// their window is over, also after Redis is back. To end that, call
    /// [`distrust_before`](Self::distrust_before) then, with the time since which Redis answers again.
    #[must_use]
    pub fn accept_replays_while_redis_is_down(mut self) -> Self {
        self.if_down = IfDown::Accept;
        self
    }

    /// Refuses each signature that was made earlier than this, from now on.
    ///
    /// For the operator, after Redis has lost what it knew: in a failover, after a restart without
    /// persistence, or after `FLUSHALL`. Name the time of that event, the same on all hosts, and add:
    ///
    /// - [`max_clock_skew`](crate::ValidateOptions::max_clock_skew), in whole seconds rounded up as the
    ///   validation does it, for consumers whose clocks run ahead;
    /// - the greatest difference between the clocks of two hosts, or of a host and the clock that has
    ///   shown the time: a host whose clock is ahead has accepted later signatures.
    ///
    /// Consumers sign anew. Honest ones are accepted when that time is over.
    ///
    /// Call it at the start of the host, or while it runs: it counts at once for all clones, and for
    /// each [`TwoLevelReplayGuard`](crate::TwoLevelReplayGuard) that has one of them. Each process
    /// has to be told. An earlier time than that of the last call changes nothing.
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    ///
    /// use hmac_auth::{DEFAULT_MAX_CLOCK_SKEW, RedisReplayGuard};
    ///
    /// /// No two clocks differ by more.
    /// const CLOCKS_APART: Duration = Duration::from_secs(5);
    ///
    /// // The operator names `at`, the same time for all hosts.
    /// fn on_failover(redis: &RedisReplayGuard, at: SystemTime) {
    ///     redis.distrust_before(at + DEFAULT_MAX_CLOCK_SKEW + CLOCKS_APART);
    /// }
    /// ```
    pub fn distrust_before(&self, time: SystemTime) {
        // A signature says only in which second it was made: if the time is within it, the signature
        // may be an earlier one.
        self.trusted_from
            .fetch_max(unix_seconds_up(time), Ordering::Relaxed);
    }

    fn distrusted(&self, id: &ReplayId) -> Option<AuthError> {
        let early = self
            .trusted_from
            .load(Ordering::Relaxed)
            .saturating_sub(id.created());
        (early > 0).then(|| {
            AuthError::new(AuthErrorKind::BeforeGuardStart).detail(format!(
                "made {early} s before the time of `distrust_before`: sign anew; if this stays, the \
                 clock of the consumer is behind, or that time is in the future"
            ))
        })
    }

    /// Remembers the id, unless Redis has it.
    fn claim(&self, id: &ReplayId) -> Cmd {
        let mut command = redis::cmd("SET");
        command
            .arg(self.key(id))
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(self.life(id));
        command
    }

    fn key(&self, id: &ReplayId) -> String {
        let mut hash = Sha256::new();
        hash.update(KEY_CONTEXT);
        hash.update(id.as_bytes());
        let mut key = String::from(&*self.key_prefix);
        URL_SAFE_NO_PAD.encode_string(&hash.finish()[..KEY_LEN], &mut key);
        key
    }

    /// How long Redis has to remember the id, in milliseconds.
    ///
    /// The proof is at least as old as the command, so the time since the validation is an addition
    /// to the margin. The command of a replay that is sent in the last moment may wait for as long
    /// as the time limit, and still has to find the key.
    fn life(&self, id: &ReplayId) -> u64 {
        let rest = id.fresh_until().saturating_sub(id.validated_at());
        // The last second counts as a whole.
        let rest = u64::try_from(rest.max(0)).unwrap_or(0).saturating_add(1);
        let margin = self.margin.saturating_add(self.time_limit);
        let margin = u64::try_from(margin.as_millis()).unwrap_or(LONGEST);
        rest.saturating_mul(1_000)
            .saturating_add(margin)
            .min(LONGEST)
    }

    /// What a request gets about which Redis could not be asked.
    fn decide(&self, trouble: Trouble, consumer: &str) -> Result<(), AuthError> {
        let outage = trouble.outage();
        if outage.is_none() {
            self.connection.replace(&self.key_prefix);
        }
        match (self.if_down, outage) {
            (IfDown::Accept, Some(outage)) => {
                report(&trouble, outage, consumer);
                Ok(())
            }
            _ => Err(AuthError::replay_guard_unavailable(trouble)),
        }
    }
}

impl ReplayGuard for RedisReplayGuard {
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce {
        if let Some(refusal) = self.distrusted(id) {
            return UseOnce::ready(Err(refusal));
        }
        let (guard, id, consumer) = (self.clone(), id.clone(), Box::<str>::from(consumer));
        let asked = self.connection.ask(self.claim(&id));
        UseOnce::pending(async move {
            let answer = tokio::time::timeout(guard.time_limit, asked).await;
            // The operator may have spoken meanwhile: a command that has waited for a failover asks
            // the new primary.
            if let Some(refusal) = guard.distrusted(&id) {
                return Err(refusal);
            }
            match answer {
                Ok(Ok(Value::Okay)) => Ok(()),
                Ok(Ok(Value::Nil)) => Err(AuthErrorKind::Replayed.into()),
                Ok(Ok(_)) => guard.decide(Trouble::UnexpectedAnswer, &consumer),
                Ok(Err(error)) => guard.decide(Trouble::of(&error, &guard.key_prefix), &consumer),
                Err(_) => guard.decide(Trouble::Late(guard.time_limit), &consumer),
            }
        })
    }

    fn known_refusal(&self, id: &ReplayId) -> Option<AuthError> {
        self.distrusted(id)
    }
}

/// Says that a request was accepted which may be a replay.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
fn report(trouble: &Trouble, outage: &'static str, consumer: &str) {
    #[cfg(feature = "metrics")]
    metrics::count_by(metrics::UNCHECKED, "reason", outage);
    tracing::warn!(
        target: "hmac_auth",
        consumer,
        reason = %trouble,
        "a request was accepted that may be a replay, because Redis cannot be asked"
    );
}

impl Clone for RedisReplayGuard {
    fn clone(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            key_prefix: Arc::clone(&self.key_prefix),
            trusted_from: Arc::clone(&self.trusted_from),
            ..*self
        }
    }
}

impl fmt::Debug for RedisReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplayGuard")
            .field("key_prefix", &self.key_prefix)
            .field("time_limit", &self.time_limit)
            .field("margin", &self.margin)
            .field("if_down", &self.if_down)
            .finish_non_exhaustive()
    }
}
