//! What the operator reads if Redis fails, and that the remedy works.

use std::io;

use hmac_auth::{AuthError, AuthErrorKind as Kind, RedisReplayGuard, ValidateOptions};
use http::{StatusCode, header::RETRY_AFTER};
use redis::{ErrorKind, RedisError};

use crate::support::{
    failing::Failing,
    proof::{claim, new_proof, refusal},
    server::{Server, free_port, guard_at},
    stand_in::guard_with_answer,
};

const PASSWORD: &str = "a-password-that-nobody-may-see";

/// The reason of the refusal of a new request, which must be 503.
async fn reason(guard: &RedisReplayGuard) -> String {
    let error = claim(guard, &new_proof()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ReplayGuardUnavailable, "{error:#}");
    shown(&error)
}

fn shown(error: &AuthError) -> String {
    let answer = error.to_response(&ValidateOptions::new());
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(RETRY_AFTER));
    let all = format!("{error:#} {error:?}");
    assert!(!all.contains(PASSWORD), "{all}");
    format!("{error:#}")
}

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[tokio::test]
async fn a_full_redis_refuses_until_it_has_room() {
    let server = Server::start().await;
    let guard = server.guard().await;
    let seen = new_proof();
    claim(&guard, &seen).await.unwrap();
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    expect(&reason(&guard).await, &["OOM", "maxmemory", "noeviction"]);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    claim(&guard, &new_proof()).await.unwrap();
    // It has forgotten nothing meanwhile.
    assert_eq!(refusal(&guard, &seen).await, Kind::Replayed);
}

#[tokio::test]
async fn a_replica_does_not_decide() {
    let server = Server::start().await;
    let guard = server.guard().await;
    claim(&guard, &new_proof()).await.unwrap();
    let nobody = free_port().to_string();
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", &nobody]).await;
    expect(
        &reason(&guard).await,
        &["READONLY", "CLIENT KILL TYPE normal"],
    );
    server.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    claim(&guard, &new_proof()).await.unwrap();
}

#[tokio::test]
async fn too_few_replicas_stop_it() {
    let server = Server::start_with("--min-replicas-to-write 1").await;
    let guard = server.guard().await;
    expect(&reason(&guard).await, &["NOREPLICAS", "does not write"]);
}

#[tokio::test]
async fn the_guide_permits_what_is_needed_and_no_more() {
    let server = Server::start().await;
    let permissions = format!("ACL SETUSER hmac-auth reset on >{PASSWORD} %W~hmac-auth:* +set");
    let words: Vec<_> = permissions.split(' ').collect();
    server.ask::<()>(&words).await;
    let guide = include_str!("../../docs/several-hosts.md");
    expect(guide, &[&permissions.replace(PASSWORD, "PASSWORD")]);

    let url = format!("redis://hmac-auth:{PASSWORD}@127.0.0.1:{}/", server.port);
    let guard = guard_at(&url).await;
    let proof = new_proof();
    claim(&guard, &proof).await.unwrap();
    assert_eq!(refusal(&guard, &proof).await, Kind::Replayed);

    // Not the keys of others.
    let other = guard.clone().key_prefix("orders:");
    expect(&reason(&other).await, &["NOPERM", "~orders:*"]);
    // What the reason says helps.
    server
        .ask::<()>(&["ACL", "SETUSER", "hmac-auth", "+set", "~orders:*"])
        .await;
    claim(&other, &new_proof()).await.unwrap();

    server
        .ask::<()>(&["ACL", "SETUSER", "hmac-auth", "-set"])
        .await;
    expect(&reason(&guard).await, &["NOPERM", "+set"]);
}

#[tokio::test]
async fn a_changed_password_is_named_and_never_shown() {
    let server = Server::start().await;
    let user =
        |password: &str| format!("ACL SETUSER hmac-auth reset on >{password} ~hmac-auth:* +set");
    let set = async |words: String| {
        server
            .ask::<()>(&words.split(' ').collect::<Vec<_>>())
            .await;
    };
    set(user(PASSWORD)).await;
    let url = format!("redis://hmac-auth:{PASSWORD}@127.0.0.1:{}/", server.port);
    let guard = guard_at(&url).await;
    claim(&guard, &new_proof()).await.unwrap();
    assert!(!format!("{guard:?}").contains(PASSWORD));
    set(user("another-one")).await;
    server
        .ask::<()>(&["CLIENT", "KILL", "USER", "hmac-auth"])
        .await;
    // The first one may see the connection break.
    let _ = reason(&guard).await;
    expect(
        &reason(&guard).await,
        &[
            "refuses the login",
            "password in the URL",
            "`connect_again`",
        ],
    );
}

#[tokio::test]
async fn a_redis_that_is_gone_is_named() {
    let mut server = Server::start().await;
    let guard = server
        .guard()
        .await
        .time_limit(std::time::Duration::from_secs(20));
    server.kill();
    // The first one sees the connection break, and the next one that there is none.
    for _ in 0..2 {
        expect(
            &reason(&guard).await,
            &["no connection to Redis (", "): start Redis"],
        );
    }
}

/// Each answer that a Redis can give to the command, and some that it cannot.
#[tokio::test]
async fn no_other_answer_accepts_anything() {
    for (answer, parts) in [
        (
            "-NOAUTH Authentication required.\r\n",
            &["NOAUTH", "login"][..],
        ),
        (
            "-WRONGPASS invalid username-password pair\r\n",
            &["WRONGPASS", "login"],
        ),
        (
            "-LOADING Redis is loading the dataset in memory\r\n",
            &["LOADING", "wait"],
        ),
        (
            "-MISCONF Errors writing to the AOF file\r\n",
            &["MISCONF", "disk"],
        ),
        (
            "-MASTERDOWN Link with MASTER is down\r\n",
            &["MASTERDOWN", "replicas"],
        ),
        (
            "-CLUSTERDOWN The cluster is down\r\n",
            &["CLUSTERDOWN", "cluster"],
        ),
        (
            "-TRYAGAIN Multiple keys request\r\n",
            &["TRYAGAIN", "does not write"],
        ),
        (
            "-BUSY Redis is busy running a script.\r\n",
            &["BUSY", "does not write"],
        ),
        ("-ASK 3999 127.0.0.1:6381\r\n", &["ASK", "does not write"]),
        (
            "-NOREPLICAS Not enough good replicas to write.\r\n",
            &["NOREPLICAS", "does not write"],
        ),
        (
            "-MOVED 3999 127.0.0.1:6381\r\n",
            &["MOVED", "ClusterConnection"],
        ),
        (
            "-ERR unknown command 'SET'\r\n",
            &["ERR", "refuses the command"],
        ),
        ("-ERR syntax error\r\n", &["ERR", "refuses the command"]),
        // Whatever an unknown code stands before is not shown.
        ("-NEWCODE a-password-that-nobody-may-see\r\n", &["NEWCODE"]),
        // At the limit of what may be a code, and beyond it.
        (
            "-ABCDEFGHIJKLMNOPQRSTUVWX text\r\n",
            &["NX PX` (ABCDEFGHIJKLMNOPQRSTUVWX): see"],
        ),
        (
            "-ABCDEFGHIJKLMNOPQRSTUVWXY text\r\n",
            &["refuses the command `SET … NX PX`: see"],
        ),
        (
            "-NEWcODE text\r\n",
            &["refuses the command `SET … NX PX`: see"],
        ),
        (
            "-a-password-that-nobody-may-see\r\n",
            &["refuses the command `SET … NX PX`: see"],
        ),
        (
            "-\u{1b}[31mRED\r\n",
            &["refuses the command `SET … NX PX`: see"],
        ),
        ("+QUEUED\r\n", &["the answer is not that of Redis"]),
        ("+ok\r\n", &["the answer is not that of Redis"]),
        (":1\r\n", &["the answer is not that of Redis"]),
        ("$1\r\n1\r\n", &["the answer is not that of Redis"]),
        ("*0\r\n", &["the answer is not that of Redis"]),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", &["Redis"]),
        ("", &["did not answer within 500ms"]),
    ] {
        let text = reason(&guard_with_answer(answer).await).await;
        expect(&text, parts);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(!text.contains("6381"), "{text}");
    }
}

#[tokio::test]
async fn failing_open_is_for_outages_only() {
    let open = async |answer| {
        guard_with_answer(answer)
            .await
            .accept_replays_while_redis_is_down()
    };
    for outage in [
        "",
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
        "-MISCONF Errors writing to the AOF file\r\n",
        "-CLUSTERDOWN The cluster is down\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-TRYAGAIN Multiple keys request\r\n",
        "-ASK 3999 127.0.0.1:6381\r\n",
        "-NOREPLICAS Not enough good replicas to write.\r\n",
        "-BUSY Redis is busy running a script.\r\n",
    ] {
        let (guard, proof) = (open(outage).await, new_proof());
        for _ in 0..2 {
            claim(&guard, &proof).await.unwrap();
        }
    }
    for mistake in [
        "-NOAUTH Authentication required.\r\n",
        "-WRONGPASS invalid username-password pair\r\n",
        "-NOPERM User hmac-auth has no permissions to run the 'set' command\r\n",
        "-ERR syntax error\r\n",
        "-NEWCODE text\r\n",
        // A connection that does not know of clusters gets this for most keys, and for ever.
        "-MOVED 3999 127.0.0.1:6381\r\n",
        ":1\r\n",
    ] {
        let guard = open(mistake).await;
        assert_eq!(
            refusal(&guard, &new_proof()).await,
            Kind::ReplayGuardUnavailable
        );
    }
    // A replay that Redis knows stays one.
    let guard = open("$-1\r\n").await;
    assert_eq!(refusal(&guard, &new_proof()).await, Kind::Replayed);
}

#[tokio::test]
async fn failing_open_trusts_no_distrusted_signature() {
    let guard = guard_with_answer("")
        .await
        .accept_replays_while_redis_is_down();
    let proof = new_proof();
    guard.distrust_before(crate::support::proof::time(crate::support::proof::NOW + 1));
    assert_eq!(refusal(&guard, &proof).await, Kind::BeforeGuardStart);
}

fn failing(error: impl Into<RedisError>) -> RedisReplayGuard {
    RedisReplayGuard::new(Failing(error.into()))
}

/// What the client itself says, what the operator reads of it, and whether it is an outage.
const OF_THE_CLIENT: [(ErrorKind, &str, bool); 11] = [
    (ErrorKind::Io, "no connection to Redis:", true),
    (
        ErrorKind::ClusterConnectionNotFound,
        "no connection to Redis:",
        true,
    ),
    (
        ErrorKind::MasterNameNotFoundBySentinel,
        "no connection to Redis:",
        true,
    ),
    (
        ErrorKind::NoValidReplicasFoundBySentinel,
        "no connection to Redis:",
        true,
    ),
    (ErrorKind::InvalidClientConfig, "set up wrongly", false),
    (ErrorKind::Client, "set up wrongly", false),
    (ErrorKind::EmptySentinelList, "set up wrongly", false),
    (ErrorKind::RESP3NotSupported, "set up wrongly", false),
    (ErrorKind::AuthenticationFailed, "refuses the login:", false),
    (ErrorKind::Parse, "the answer is not that of Redis", false),
    (
        ErrorKind::UnexpectedReturnType,
        "the answer is not that of Redis",
        false,
    ),
];

#[tokio::test]
async fn what_the_client_itself_says_is_named_without_its_text() {
    for (kind, part, is_outage) in OF_THE_CLIENT {
        let error = RedisError::from((kind, "it says", PASSWORD.to_owned()));
        let guard = failing(error);
        expect(&reason(&guard).await, &[part]);
        let open = guard.accept_replays_while_redis_is_down();
        let is_accepted = claim(&open, &new_proof()).await.is_ok();
        assert_eq!(is_accepted, is_outage, "{kind:?}");
    }
}

#[tokio::test]
async fn what_the_system_says_is_named() {
    let guard = failing(io::Error::from(io::ErrorKind::TimedOut));
    expect(
        &reason(&guard).await,
        &["gave up waiting", "response_timeout"],
    );
    let open = guard.accept_replays_while_redis_is_down();
    claim(&open, &new_proof()).await.unwrap();

    let refused = io::Error::new(io::ErrorKind::ConnectionRefused, PASSWORD);
    let reason = reason(&failing(refused)).await;
    expect(&reason, &["no connection to Redis (connection refused):"]);
}
