//! What the operator says after Redis has forgotten.

use std::time::Duration;

use hmac_auth::{AuthErrorKind as Kind, MemoryReplayGuard, ReplayGuard, TwoLevelReplayGuard};

use tokio::time::{Instant, sleep};

use crate::support::{
    proof::{NOW, Signed, claim, options_at, refusal, time},
    server::Server,
};

#[tokio::test]
async fn what_was_signed_earlier_is_refused() {
    let server = Server::start().await;
    let guard = server.guard().await;
    guard.distrust_before(time(NOW));
    let (before, at) = (
        Signed::at(NOW - 1).proof_at(NOW),
        Signed::at(NOW).proof_at(NOW),
    );
    assert_eq!(refusal(&guard, &before).await, Kind::BeforeGuardStart);
    claim(&guard, &at).await.unwrap();
    // It leaves nothing in Redis.
    assert_eq!(server.ask::<usize>(&["DBSIZE"]).await, 1);
}

/// A signature says only in which second it was made.
#[tokio::test]
async fn a_second_that_has_begun_before_is_refused_as_a_whole() {
    let server = Server::start().await;
    let guard = server.guard().await;
    guard.distrust_before(time(NOW) + Duration::from_millis(1));
    let at = Signed::at(NOW).proof_at(NOW);
    assert_eq!(refusal(&guard, &at).await, Kind::BeforeGuardStart);
    claim(&guard, &Signed::at(NOW + 1).proof_at(NOW))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_operator_changes_it_while_the_host_runs() {
    let server = Server::start().await;
    let operator = server.guard().await;
    let host = TwoLevelReplayGuard::new(MemoryReplayGuard::new(), operator.clone());
    let signed = |at| Signed::at(at).proof_at(NOW);
    claim(&host, &signed(NOW - 5)).await.unwrap();

    // The accepted request could be replayed after that.
    let recorded = signed(NOW - 5);
    claim(&host, &recorded).await.unwrap();
    server.ask::<()>(&["FLUSHALL"]).await;
    let restarted = TwoLevelReplayGuard::new(MemoryReplayGuard::new(), operator.clone());
    operator.distrust_before(time(NOW));
    for host in [&host, &restarted] {
        assert_eq!(refusal(host, &recorded).await, Kind::BeforeGuardStart);
        let known = host.known_refusal(recorded.replay_id()).unwrap();
        assert_eq!(known.kind(), Kind::BeforeGuardStart);
        claim(host, &signed(NOW)).await.unwrap();
    }
    // What is refused at once takes no place.
    assert_eq!(restarted.memory().len(), 1);

    // An earlier time would trust again what is not known.
    operator.distrust_before(time(NOW - 100));
    assert_eq!(refusal(&restarted, &recorded).await, Kind::BeforeGuardStart);
}

/// A command may wait for the new primary while the operator speaks.
#[tokio::test]
async fn it_counts_for_requests_that_wait_for_redis() {
    let server = Server::start().await;
    let operator = server.guard().await.time_limit(Duration::from_secs(5));
    let host = operator.clone();
    server.ask::<()>(&["CLIENT", "PAUSE", "500"]).await;
    let waiting = tokio::spawn(async move {
        let proof = Signed::at(NOW).proof_at(NOW);
        refusal(&host, &proof).await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    operator.distrust_before(time(NOW + 1));
    assert_eq!(waiting.await.unwrap(), Kind::BeforeGuardStart);
}

#[tokio::test]
async fn the_reason_names_the_setting() {
    let server = Server::start().await;
    let guard = server.guard().await;
    guard.distrust_before(time(NOW));
    let error = claim(&guard, &Signed::at(NOW - 7).proof_at(NOW))
        .await
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("7 s before the time of `distrust_before`"),
        "{text}"
    );
}

/// A host accepts what a consumer has signed ahead of it, within the skew; a host whose clock is
/// behind is told to distrust.
#[tokio::test]
async fn the_recipe_of_the_guide_holds_for_clocks_that_differ() {
    const CLOCKS_APART: Duration = Duration::from_secs(5);
    // As `DEFAULT_MAX_CLOCK_SKEW`, and one that the validation rounds up to 2 s.
    for (skew, in_whole_seconds) in [(10_000, 10), (1_500, 2)] {
        let server = Server::start().await;
        let (ahead, behind) = (server.guard().await, server.guard().await);
        let signed = Signed::at(NOW + in_whole_seconds);
        let proof = signed.validate(&options_at(NOW).max_clock_skew(Duration::from_millis(skew)));
        claim(&ahead, &proof).await.unwrap();
        server.ask::<()>(&["FLUSHALL"]).await;

        // Just after that, but its clock is behind.
        let now = time(NOW) + Duration::from_millis(500) - CLOCKS_APART;
        behind.distrust_before(now + Duration::from_secs(in_whole_seconds) + CLOCKS_APART);
        assert_eq!(refusal(&behind, &proof).await, Kind::BeforeGuardStart);
        // The skew alone would not do.
        let careless = server.guard().await;
        careless.distrust_before(now + Duration::from_secs(in_whole_seconds));
        claim(&careless, &proof).await.unwrap();
    }
}

/// Redis does not know of what was accepted while it was down.
#[tokio::test]
async fn it_ends_what_failing_open_leaves_behind() {
    let mut server = Server::start().await;
    let (one, other) = (server.guard().await, server.guard().await);
    let one = one.accept_replays_while_redis_is_down();
    let (first, second) = (Signed::at(NOW).proof_at(NOW), Signed::at(NOW).proof_at(NOW));
    server.kill();
    for proof in [&first, &second] {
        claim(&one, proof).await.unwrap();
    }
    server.restart().await;
    let back = Instant::now() + Duration::from_secs(20);
    while let Err(error) = claim(&other, &first).await {
        // A claim that fails stays unused here: Redis is down.
        assert_eq!(error.kind(), Kind::ReplayGuardUnavailable);
        assert!(Instant::now() < back, "Redis does not come back");
        sleep(Duration::from_millis(50)).await;
    }
    other.distrust_before(time(NOW + 1));
    assert_eq!(refusal(&other, &second).await, Kind::BeforeGuardStart);
}
