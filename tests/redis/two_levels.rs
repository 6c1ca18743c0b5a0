//! Memory first, then Redis: hosts that share both kinds of knowledge.

use std::time::Duration;

use hmac_auth::{AuthErrorKind as Kind, MemoryReplayGuard, RedisReplayGuard, TwoLevelReplayGuard};

use crate::support::{
    proof::{claim, new_proof, refusal},
    proxy::Proxy,
    server::{Server, guard_at},
};

fn host(redis: RedisReplayGuard) -> TwoLevelReplayGuard {
    TwoLevelReplayGuard::new(MemoryReplayGuard::new(), redis)
}

#[tokio::test]
async fn a_replay_to_the_same_host_asks_nobody_and_one_to_another_host_asks_redis_once() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.port).await;
    let one = host(guard_at(&proxy.url()).await);
    let other = host(guard_at(&proxy.url()).await);
    let proof = new_proof();
    claim(&one, &proof).await.unwrap();
    for _ in 0..10 {
        assert_eq!(refusal(&one, &proof).await, Kind::Replayed);
    }
    assert_eq!(proxy.sets(), 1);
    for _ in 0..10 {
        assert_eq!(refusal(&other, &proof).await, Kind::Replayed);
    }
    assert_eq!(proxy.sets(), 2);
}

/// The proofs are from 2023, and each guard in memory is made now.
#[tokio::test]
async fn a_fresh_process_accepts_what_was_signed_before_its_start_and_no_replay() {
    let server = Server::start().await;
    let proof = new_proof();
    claim(&host(server.guard().await), &proof).await.unwrap();
    let fresh = host(server.guard().await);
    claim(&fresh, &new_proof()).await.unwrap();
    assert_eq!(refusal(&fresh, &proof).await, Kind::Replayed);
}

#[tokio::test]
async fn a_signature_that_redis_failed_about_stays_used_on_this_host() {
    let server = Server::start().await;
    let one = host(server.guard().await.time_limit(Duration::from_millis(100)));
    server.ask::<()>(&["CLIENT", "PAUSE", "300"]).await;
    let proof = new_proof();
    assert_eq!(refusal(&one, &proof).await, Kind::ReplayGuardUnavailable);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(refusal(&one, &proof).await, Kind::Replayed);
    assert_eq!(
        refusal(&host(server.guard().await), &proof).await,
        Kind::Replayed
    );
}

#[tokio::test]
async fn failing_open_still_refuses_what_this_host_has_seen() {
    let mut server = Server::start().await;
    let redis = server.guard().await.time_limit(Duration::from_millis(100));
    let one = host(redis.accept_replays_while_redis_is_down());
    server.kill();
    let proof = new_proof();
    claim(&one, &proof).await.unwrap();
    assert_eq!(refusal(&one, &proof).await, Kind::Replayed);
}
