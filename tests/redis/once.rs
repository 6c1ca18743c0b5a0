//! Each signature once, whichever host gets it, and what stands in Redis for it.

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac_auth::{AuthErrorKind as Kind, DEFAULT_REDIS_MARGIN};
use tokio::task::JoinSet;

use crate::support::{
    proof::{NOW, Signed, claim, new_proof, options_at, refusal},
    server::{Server, TIME_LIMIT},
};

#[tokio::test]
async fn a_second_host_refuses_what_the_first_one_has_accepted() {
    let server = Server::start().await;
    let (one, other) = (server.guard().await, server.guard().await);
    let proof = new_proof();
    claim(&one, &proof).await.unwrap();
    assert_eq!(refusal(&other, &proof).await, Kind::Replayed);
    assert_eq!(refusal(&one, &proof).await, Kind::Replayed);
    claim(&other, &new_proof()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_the_same_time_exactly_one_is_the_first() {
    let server = Server::start().await;
    let (one, other) = (server.guard().await, server.guard().await);
    for _ in 0..20 {
        let proof = new_proof();
        let mut all = JoinSet::new();
        for index in 0..32 {
            let guard = if index % 2 == 0 { &one } else { &other };
            let (guard, proof) = (guard.clone(), proof.clone());
            all.spawn(async move { claim(&guard, &proof).await.is_ok() });
        }
        let accepted = all.join_all().await.into_iter().filter(|first| *first);
        assert_eq!(accepted.count(), 1);
    }
}

#[tokio::test]
async fn one_request_is_one_command() {
    let server = Server::start().await;
    let guard = server.guard().await;
    server.ask::<()>(&["CONFIG", "RESETSTAT"]).await;
    for _ in 0..10 {
        claim(&guard, &new_proof()).await.unwrap();
    }
    let stats: String = server.ask(&["INFO", "commandstats"]).await;
    assert!(stats.contains("cmdstat_set:calls=10,"), "{stats}");
    // All others are those of this test: it resets, and each of its connections says its name.
    let others = stats.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        name.starts_with("cmdstat_")
            && !["set", "config|resetstat", "client|setinfo", "info"]
                .contains(&name.trim_start_matches("cmdstat_"))
    });
    assert_eq!(others.count(), 0, "{stats}");
}

#[tokio::test]
async fn nothing_in_redis_is_a_mac_or_a_part_of_it() {
    let server = Server::start().await;
    let guard = server.guard().await;
    let proofs: Vec<_> = (0..10).map(|_| new_proof()).collect();
    for proof in &proofs {
        claim(&guard, proof).await.unwrap();
    }
    let keys: Vec<String> = server.ask(&["KEYS", "*"]).await;
    assert_eq!(keys.len(), proofs.len());
    let mut stored = String::new();
    for key in &keys {
        let id = key.strip_prefix("hmac-auth:").expect("the default prefix");
        assert_eq!(URL_SAFE_NO_PAD.decode(id).unwrap().len(), 16);
        let value: String = server.ask(&["GET", key]).await;
        assert_eq!(value, "1");
        stored += id;
    }
    for proof in &proofs {
        let mac = proof.replay_id().as_bytes();
        // In both spellings of base64, and also if only eight bytes of it were there.
        for part in mac.windows(8) {
            for spelling in [STANDARD.encode(part), URL_SAFE_NO_PAD.encode(part)] {
                // The last digit also has bits of the next byte.
                assert!(!stored.contains(&spelling[..10]));
            }
        }
        for key in &keys {
            let bytes = URL_SAFE_NO_PAD.decode(&key["hmac-auth:".len()..]).unwrap();
            assert!(mac.windows(8).all(|part| !contains(&bytes, part)));
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// How long Redis still remembers the only key, in milliseconds.
async fn life(server: &Server) -> i64 {
    let keys: Vec<String> = server.ask(&["KEYS", "*"]).await;
    let [key] = keys.as_slice() else {
        panic!("{keys:?}");
    };
    server.ask(&["PTTL", key]).await
}

#[tokio::test]
async fn redis_remembers_for_the_rest_of_the_window_the_margin_and_the_time_limit() {
    let server = Server::start().await;
    let added = DEFAULT_REDIS_MARGIN + TIME_LIMIT;
    let added = i64::try_from(added.as_millis()).unwrap();
    // Signed at NOW, and good for 60 s.
    for (validated_at, rest) in [
        (NOW, 61_000),
        (NOW + 59, 2_000),
        (NOW + 60, 1_000),
        // The clock of the consumer is ahead.
        (NOW - 10, 71_000),
    ] {
        server.ask::<()>(&["FLUSHALL"]).await;
        let guard = server.guard().await;
        claim(&guard, &Signed::at(NOW).proof_at(validated_at))
            .await
            .unwrap();
        let (life, expected) = (life(&server).await, rest + added);
        assert!((expected - 3_000..=expected).contains(&life), "{life}");
    }
}

#[tokio::test]
async fn the_margin_is_never_less_than_ten_seconds() {
    let server = Server::start().await;
    for (margin, expected) in [(0, 10_000), (9, 10_000), (30, 30_000)] {
        server.ask::<()>(&["FLUSHALL"]).await;
        let guard = server.guard().await.margin(Duration::from_secs(margin));
        let expected = expected + 5_000;
        claim(&guard, &Signed::at(NOW).proof_at(NOW + 60))
            .await
            .unwrap();
        let (life, expected) = (life(&server).await, expected + 1_000);
        assert!((expected - 3_000..=expected).contains(&life), "{life}");
    }
}

/// The command of a replay may wait that long on its way, and has to find the key.
#[tokio::test]
async fn a_long_time_limit_makes_redis_remember_for_longer() {
    let server = Server::start().await;
    let guard = server.guard().await.time_limit(Duration::from_secs(60));
    claim(&guard, &Signed::at(NOW).proof_at(NOW + 60))
        .await
        .unwrap();
    assert!(life(&server).await > 60_000 + 10_000);
}

#[tokio::test]
async fn no_window_is_too_long_for_redis() {
    let server = Server::start().await;
    let short = Duration::from_secs(20);
    for (margin, limit) in [
        (short, short),
        (Duration::MAX, short),
        (short, Duration::MAX),
    ] {
        server.ask::<()>(&["FLUSHALL"]).await;
        let guard = server.guard().await.margin(margin).time_limit(limit);
        let options = options_at(NOW).max_time_diff(Duration::MAX);
        let proof = Signed::at(NOW).validate(&options);
        claim(&guard, &proof).await.unwrap();
        assert!(life(&server).await > 1_000 * 60 * 60 * 24 * 365 * 99);
        assert_eq!(refusal(&guard, &proof).await, Kind::Replayed);
    }
}

/// The host whose clock is ahead makes the key that is gone first.
#[tokio::test]
async fn clocks_apart_by_less_than_the_margin_let_no_replay_through() {
    let server = Server::start().await;
    let guard = server.guard().await;
    let signed = Signed::at(NOW);
    // For one host it is the last second of the window; for the other one, 19 s are left.
    claim(&guard, &signed.proof_at(NOW + 60)).await.unwrap();
    let behind = signed.proof_at(NOW + 41);
    assert_eq!(refusal(&guard, &behind).await, Kind::Replayed);
    let left = behind.replay_id().fresh_until() - behind.replay_id().validated_at();
    assert!(life(&server).await > left * 1_000);
}

#[tokio::test]
async fn each_prefix_is_a_guard_of_its_own() {
    let server = Server::start().await;
    let (orders, reports) = (
        server.guard().await.key_prefix("orders:"),
        server.guard().await.key_prefix("reports:"),
    );
    let proof = new_proof();
    claim(&orders, &proof).await.unwrap();
    claim(&reports, &proof).await.unwrap();
    assert_eq!(refusal(&orders, &proof).await, Kind::Replayed);
    let keys: Vec<String> = server.ask(&["KEYS", "orders:*"]).await;
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn a_redis_that_writes_to_its_disk_remembers_across_a_crash() {
    let mut server = Server::start_with("--appendonly yes --appendfsync always").await;
    let guard = server.guard().await;
    let proof = new_proof();
    claim(&guard, &proof).await.unwrap();
    server.kill();
    server.restart().await;
    // The connection of the old guard is broken: it gets a new one by itself.
    let refused = refusal(&guard, &proof).await;
    assert!([Kind::Replayed, Kind::ReplayGuardUnavailable].contains(&refused));
    assert_eq!(refusal(&server.guard().await, &proof).await, Kind::Replayed);
}
