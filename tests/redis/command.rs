//! The command that Redis gets, to the millisecond and the byte. Hosts of several versions may share
//! one Redis, so a change of the key or of the time is a change for all of them.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{DEFAULT_REDIS_MARGIN, DEFAULT_REDIS_TIME_LIMIT, RedisReplayGuard, Validated};
use sha2::{Digest, Sha256};

use crate::support::{
    proof::{NOW, Signed, claim, options_at},
    recording::Recording,
};

/// 100 years.
const LONGEST: u64 = 3_153_600_000_000;

async fn command(
    setting: impl FnOnce(RedisReplayGuard) -> RedisReplayGuard,
    proof: &Validated,
) -> Vec<String> {
    let connection = Recording::default();
    let guard = setting(RedisReplayGuard::new(connection.clone()));
    claim(&guard, proof).await.unwrap();
    connection.command()
}

/// How long Redis has to remember the signature, in milliseconds.
async fn life(setting: impl FnOnce(RedisReplayGuard) -> RedisReplayGuard, at: u64) -> u64 {
    let proof = Signed::at(NOW).proof_at(at);
    let command = command(setting, &proof).await;
    command.last().unwrap().parse().unwrap()
}

#[tokio::test]
async fn it_sets_the_key_once_for_the_window_the_margin_and_the_time_limit() {
    let proof = Signed::at(NOW).proof_at(NOW);
    let mut hash = Sha256::new();
    hash.update(b"hmac-auth replay key v1\n");
    hash.update(proof.replay_id().as_bytes());
    let key = URL_SAFE_NO_PAD.encode(&hash.finalize()[..16]);
    for (guard, prefix) in [(None, "hmac-auth:"), (Some("orders:"), "orders:")] {
        let setting = |redis: RedisReplayGuard| match guard {
            Some(prefix) => redis.key_prefix(prefix),
            None => redis,
        };
        let words = command(setting, &proof).await;
        let key = format!("{prefix}{key}");
        assert_eq!(words, ["SET", &key, "1", "NX", "PX", "81100"]);
    }
    assert_eq!(DEFAULT_REDIS_MARGIN, Duration::from_secs(20));
    assert_eq!(DEFAULT_REDIS_TIME_LIMIT, Duration::from_millis(100));
}

#[tokio::test]
async fn each_second_of_the_rest_counts_and_the_last_one_as_a_whole() {
    for (at, expected) in [
        // The clock of the consumer is ahead.
        (NOW - 10, 91_100),
        (NOW - 1, 82_100),
        (NOW, 81_100),
        (NOW + 1, 80_100),
        (NOW + 59, 22_100),
        (NOW + 60, 21_100),
    ] {
        assert_eq!(life(|guard| guard, at).await, expected);
    }
}

#[tokio::test]
async fn each_millisecond_of_the_margin_and_of_the_time_limit_counts() {
    let milliseconds = Duration::from_millis;
    for (margin, limit, expected) in [
        (0, 100, 11_100),
        (9_999, 100, 11_100),
        (10_000, 100, 11_100),
        (10_001, 100, 11_101),
        (30_000, 2_500, 33_500),
        (20_000, 11, 21_011),
        (20_000, 10, 21_010),
        // With no time, each answer would be late.
        (20_000, 9, 21_010),
        (20_000, 0, 21_010),
    ] {
        let setting = |guard: RedisReplayGuard| {
            let guard = guard.margin(milliseconds(margin));
            guard.time_limit(milliseconds(limit))
        };
        assert_eq!(life(setting, NOW + 60).await, expected, "{margin} {limit}");
        let in_the_other_order = |guard: RedisReplayGuard| {
            let guard = guard.time_limit(milliseconds(limit));
            guard.margin(milliseconds(margin))
        };
        assert_eq!(life(in_the_other_order, NOW + 60).await, expected);
    }
}

/// Redis refuses times that it cannot add to the present.
#[tokio::test]
async fn no_time_is_longer_than_a_hundred_years() {
    let longest = LONGEST - 1_100;
    for (margin, expected) in [
        (longest - 1, LONGEST - 1),
        (longest, LONGEST),
        (longest + 1, LONGEST),
        (u64::MAX, LONGEST),
    ] {
        let margin = Duration::from_millis(margin);
        let setting = |guard: RedisReplayGuard| guard.margin(margin);
        assert_eq!(life(setting, NOW + 60).await, expected, "{margin:?}");
    }
    let setting = |guard: RedisReplayGuard| guard.margin(Duration::MAX);
    assert_eq!(life(setting, NOW + 60).await, LONGEST);
    let setting = |guard: RedisReplayGuard| guard.time_limit(Duration::MAX);
    assert_eq!(life(setting, NOW + 60).await, LONGEST);
    let endless = options_at(NOW).max_time_diff(Duration::MAX);
    let proof = Signed::at(NOW).validate(&endless);
    let command = command(|guard| guard, &proof).await;
    assert_eq!(command.last().unwrap(), &LONGEST.to_string());
}

#[tokio::test]
async fn debug_shows_the_settings() {
    let guard = RedisReplayGuard::new(Recording::default());
    let shown = format!("{guard:?}");
    assert_eq!(
        shown,
        "RedisReplayGuard { key_prefix: \"hmac-auth:\", time_limit: 100ms, margin: 20s, \
         if_down: Refuse, .. }"
    );
    let guard = guard
        .key_prefix("orders:")
        .time_limit(Duration::from_secs(2))
        .margin(Duration::from_secs(30))
        .accept_replays_while_redis_is_down();
    let shown = format!("{:?}", guard.clone());
    assert_eq!(
        shown,
        "RedisReplayGuard { key_prefix: \"orders:\", time_limit: 2s, margin: 30s, \
         if_down: Accept, .. }"
    );
}
