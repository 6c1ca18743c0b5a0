//! Redis has done what it was asked, or not, and the host does not learn which.

use std::time::Duration;

use hmac_auth::{AuthErrorKind as Kind, RedisReplayGuard, Validated};
use redis::cluster::ClusterClientBuilder;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::support::{
    proof::{claim, new_proof, refusal},
    proxy::Proxy,
    server::{Server, free_port, guard_at},
};

/// As soon as the connection is there again.
async fn accepted_in_the_end(guard: &RedisReplayGuard) -> Validated {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let proof = new_proof();
        match claim(guard, &proof).await {
            Ok(()) => return proof,
            Err(error) => assert_eq!(error.kind(), Kind::ReplayGuardUnavailable),
        }
        assert!(Instant::now() < limit, "the guard does not come back");
        sleep(Duration::from_millis(20)).await;
    }
}

/// If the command were sent again, it would find its own key: a replay that was none.
#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_unknown_and_stays_used() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.port).await;
    let guard = guard_at(&proxy.url()).await;
    claim(&guard, &new_proof()).await.unwrap();

    let proof = new_proof();
    proxy.lose_next_answer();
    let before = proxy.sets();
    assert_eq!(refusal(&guard, &proof).await, Kind::ReplayGuardUnavailable);
    assert_eq!(server.ask::<usize>(&["DBSIZE"]).await, 2);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(proxy.sets(), before + 1, "the command was sent again");

    // The consumer signs anew.
    let other = accepted_in_the_end(&guard).await;
    assert_eq!(refusal(&guard, &other).await, Kind::Replayed);
    assert_eq!(refusal(&guard, &proof).await, Kind::Replayed);
}

#[tokio::test]
async fn a_cluster_without_retries_keeps_to_that() {
    let (port, announced) = (free_port(), free_port());
    let options = format!(
        "--cluster-enabled yes --cluster-announce-ip 127.0.0.1 --cluster-announce-port {announced}"
    );
    let server = Server::start_on(port, &options).await;
    server
        .ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
        .await;
    let limit = Instant::now() + Duration::from_secs(20);
    while !server
        .ask::<String>(&["CLUSTER", "INFO"])
        .await
        .contains("cluster_state:ok")
    {
        assert!(Instant::now() < limit, "the cluster does not become ready");
        sleep(Duration::from_millis(50)).await;
    }
    let proxy = Proxy::listening(announced, port).await;
    // With the permissions of the guide.
    let user = "ACL SETUSER hmac-auth reset on >PASSWORD %W~hmac-auth:* +set \
                +cluster|slots +readonly +ping";
    let guide = include_str!("../../docs/several-hosts.md");
    assert!(guide.contains(user), "the guide permits something else");
    server.ask::<()>(&user.split(' ').collect::<Vec<_>>()).await;
    let url = proxy.url().replace("//", "//hmac-auth:PASSWORD@");
    let client = ClusterClientBuilder::new([url]).retries(0).build().unwrap();
    let connection = client.get_async_connection().await.unwrap();
    let guard = RedisReplayGuard::new(connection).time_limit(Duration::from_secs(5));
    let accepted: Vec<_> = (0..50).map(|_| new_proof()).collect();
    for proof in &accepted {
        claim(&guard, proof).await.unwrap();
        assert_eq!(refusal(&guard, proof).await, Kind::Replayed);
    }

    let proof = new_proof();
    proxy.lose_next_answer();
    assert_eq!(refusal(&guard, &proof).await, Kind::ReplayGuardUnavailable);
    assert_eq!(server.ask::<usize>(&["DBSIZE"]).await, 51);
    accepted_in_the_end(&guard).await;
    assert_eq!(refusal(&guard, &proof).await, Kind::Replayed);
    assert_eq!(denied(&server).await, Vec::<String>::new());

    // A login that is lost for a while, as after a restart that has forgotten the user. The
    // connection has no word for it: to fail open would be to accept.
    server.ask::<()>(&["ACL", "DELUSER", "hmac-auth"]).await;
    let limit = Instant::now() + Duration::from_secs(2);
    while Instant::now() < limit {
        let error = claim(&guard, &new_proof()).await.unwrap_err();
        let text = format!("{error:#}");
        let reasons = ["there is no connection to Redis", "did not answer within"];
        assert!(reasons.iter().any(|part| text.contains(part)), "{text}");
        sleep(Duration::from_millis(100)).await;
    }
    server.ask::<()>(&user.split(' ').collect::<Vec<_>>()).await;
    accepted_in_the_end(&guard).await;
}

/// What the server has denied its users, but the name that the crate `redis` gives itself.
async fn denied(server: &Server) -> Vec<String> {
    let log: Vec<redis::Value> = server.ask(&["ACL", "LOG"]).await;
    let entries = log.iter().map(|entry| format!("{entry:?}"));
    entries.filter(|entry| !entry.contains("setinfo")).collect()
}

#[tokio::test]
async fn a_late_answer_is_no_answer() {
    let server = Server::start().await;
    let limit = Duration::from_millis(100);
    let guard = server.guard().await.time_limit(limit);
    server.ask::<()>(&["CLIENT", "PAUSE", "700"]).await;
    let (proof, began) = (new_proof(), Instant::now());
    let error = claim(&guard, &proof).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ReplayGuardUnavailable);
    assert!((limit..limit * 5).contains(&began.elapsed()));
    let text = format!("{error:#}");
    assert!(text.contains("did not answer within 100ms"), "{text}");
    accepted_in_the_end(&guard).await;
    // Redis has executed the command meanwhile.
    assert_eq!(refusal(&guard, &proof).await, Kind::Replayed);
}

#[tokio::test]
async fn the_default_limit_is_a_tenth_of_a_second() {
    let server = Server::start().await;
    let connection = crate::support::server::connect(&server.url()).await;
    let guard = RedisReplayGuard::new(connection);
    claim(&guard, &new_proof()).await.unwrap();
    server.ask::<()>(&["CLIENT", "PAUSE", "700"]).await;
    let error = claim(&guard, &new_proof()).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("did not answer within 100ms"), "{text}");
}

/// The time to connect counts, too.
#[tokio::test]
async fn a_server_that_is_gone_costs_no_more_than_the_limit() {
    let mut server = Server::start().await;
    let guard = server.guard().await.time_limit(Duration::from_millis(200));
    server.kill();
    for _ in 0..10 {
        let began = Instant::now();
        assert_eq!(
            refusal(&guard, &new_proof()).await,
            Kind::ReplayGuardUnavailable
        );
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    server.restart().await;
    accepted_in_the_end(&guard).await;
}

/// Clients hang up, and the answers of Redis to them must not be taken for those to others.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_given_up_leave_the_others_alone() {
    let server = Server::start().await;
    let guard = server.guard().await;
    let given_up: Vec<_> = (0..100).map(|_| new_proof()).collect();
    for round in 0..5 {
        server.ask::<()>(&["CLIENT", "PAUSE", "100"]).await;
        let mut waiting = JoinSet::new();
        for proof in &given_up[round * 20..][..20] {
            let (guard, proof) = (guard.clone(), proof.clone());
            waiting.spawn(async move { claim(&guard, &proof).await });
        }
        sleep(Duration::from_millis(30)).await;
        drop(waiting);
        let others: Vec<_> = (0..20).map(|_| new_proof()).collect();
        for proof in &others {
            claim(&guard, proof).await.unwrap();
        }
        for proof in &others {
            assert_eq!(refusal(&guard, proof).await, Kind::Replayed);
        }
    }
    // Redis has got them before they were given up: they stay used.
    for proof in &given_up {
        assert_eq!(refusal(&guard, proof).await, Kind::Replayed);
    }
}
