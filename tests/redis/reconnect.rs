//! What the guard does when Redis refuses the connection itself, and when it does so no more.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hmac_auth::{AuthErrorKind as Kind, RedisReplayGuard};
use redis::{
    Client, ErrorKind, RedisError, RedisResult, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::{Instant, sleep};

use crate::support::{
    failing::Failing,
    log::Log,
    proof::{claim, new_proof, refusal},
    server::{Server, TIME_LIMIT, free_port, try_connect},
};

const PASSWORD: &str = "the-password-of-the-hosts";

const LOGIN: &str = "refuses the login";

/// How a guard is told to go on, as the guide says it.
async fn guard_that_connects_again(server: &Server, database: u8) -> RedisReplayGuard {
    let port = server.port;
    let url = format!("redis://hmac-auth:{PASSWORD}@127.0.0.1:{port}/{database}");
    let connect = move || try_connect(url.clone());
    RedisReplayGuard::new(connect().await.unwrap())
        .connect_again(connect)
        .time_limit(TIME_LIMIT)
}

async fn set_password(server: &Server, password: &str) {
    let user = format!("ACL SETUSER hmac-auth reset on >{password} %W~hmac-auth:* +set");
    let words: Vec<_> = user.split(' ').collect();
    server.ask::<()>(&words).await;
}

async fn break_connections(server: &Server) {
    server
        .ask::<()>(&["CLIENT", "KILL", "USER", "hmac-auth"])
        .await;
}

/// Until this is the reason of the refusals.
async fn is_refused_as(guard: &RedisReplayGuard, reason: &str) {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let error = claim(guard, &new_proof()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::ReplayGuardUnavailable);
        let text = format!("{error:#}");
        if text.contains(reason) {
            return;
        }
        assert!(Instant::now() < limit, "{text}");
    }
}

async fn is_accepted_again(guard: &RedisReplayGuard) {
    let limit = Instant::now() + Duration::from_secs(20);
    while let Err(error) = claim(guard, &new_proof()).await {
        assert_eq!(error.kind(), Kind::ReplayGuardUnavailable);
        assert!(Instant::now() < limit, "{error:#}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// As after a restart of a Redis that has forgotten its users, until the operator makes it anew.
#[tokio::test]
async fn a_login_that_is_lost_and_comes_back_needs_no_new_start_of_the_host() {
    let server = Server::start().await;
    set_password(&server, PASSWORD).await;
    let guard = guard_that_connects_again(&server, 0).await;
    let clone = guard.clone();
    let seen = new_proof();
    claim(&guard, &seen).await.unwrap();

    server.ask::<()>(&["ACL", "DELUSER", "hmac-auth"]).await;
    is_refused_as(&guard, LOGIN).await;
    is_refused_as(&clone, LOGIN).await;

    set_password(&server, PASSWORD).await;
    is_accepted_again(&guard).await;
    // A clone has the same connection.
    claim(&clone, &new_proof()).await.unwrap();
    assert_eq!(refusal(&clone, &seen).await, Kind::Replayed);
}

/// `connect` may read the password anew each time.
#[tokio::test]
async fn a_password_is_changed_while_the_host_runs() {
    let server = Server::start().await;
    set_password(&server, PASSWORD).await;
    let password = Arc::new(std::sync::Mutex::new(PASSWORD));
    let (file, port) = (Arc::clone(&password), server.port);
    let connect = move || {
        let password = *file.lock().unwrap();
        try_connect(format!("redis://hmac-auth:{password}@127.0.0.1:{port}/"))
    };
    let guard = RedisReplayGuard::new(connect().await.unwrap())
        .connect_again(connect)
        .time_limit(TIME_LIMIT);
    claim(&guard, &new_proof()).await.unwrap();
    set_password(&server, "another-one").await;
    break_connections(&server).await;
    is_refused_as(&guard, LOGIN).await;
    *password.lock().unwrap() = "another-one";
    is_accepted_again(&guard).await;
}

/// Whatever Redis refuses while the connection is set up: here to choose the database.
#[tokio::test]
async fn a_database_that_is_permitted_again_needs_no_new_start_either() {
    let server = Server::start().await;
    set_password(&server, PASSWORD).await;
    let permit = async |select| {
        server
            .ask::<()>(&["ACL", "SETUSER", "hmac-auth", select])
            .await;
    };
    permit("+select").await;
    let guard = guard_that_connects_again(&server, 1).await;
    claim(&guard, &new_proof()).await.unwrap();
    permit("-select").await;
    break_connections(&server).await;
    is_refused_as(&guard, "refuses the command").await;
    permit("+select").await;
    is_accepted_again(&guard).await;
}

/// A guard whose connection only fails, and that counts how often it asks for another one.
fn counting(error: impl Into<RedisError>) -> (RedisReplayGuard, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let connect = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { RedisResult::<Failing>::Err((ErrorKind::AuthenticationFailed, "no").into()) }
    };
    let guard = RedisReplayGuard::new(Failing(error.into())).connect_again(connect);
    (guard, calls)
}

#[tokio::test]
async fn many_refused_requests_make_one_connection_a_second() {
    let (guard, calls) = counting((ErrorKind::AuthenticationFailed, "no"));
    let began = Instant::now();
    while calls.load(Ordering::SeqCst) < 3 {
        let error = claim(&guard, &new_proof()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::ReplayGuardUnavailable);
        sleep(Duration::from_millis(1)).await;
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    // Between three of them are two pauses.
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");
}

/// The old connection still says why it gave up, which is perhaps repaired by now.
#[tokio::test]
async fn the_operator_reads_why_no_connection_could_be_made() {
    let (log, _log) = Log::start();
    let connect = async || RedisResult::<Failing>::Err((ErrorKind::Io, "gone").into());
    let guard = RedisReplayGuard::new(Failing((ErrorKind::AuthenticationFailed, "no").into()))
        .connect_again(connect);
    for _ in 0..3 {
        let error = claim(&guard, &new_proof()).await.unwrap_err();
        assert!(format!("{error:#}").contains(LOGIN), "{error:#}");
        sleep(Duration::from_millis(50)).await;
    }
    let log = log.text();
    let events: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert!(!events.is_empty(), "{log}");
    for event in events {
        for part in ["connect_again", "there is no connection to Redis"] {
            assert!(event.contains(part), "{part} is not in: {event}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_made_is_no_such_event() {
    let server = Server::start().await;
    let url = server.url();
    let (log, _log) = Log::start();
    let guard = RedisReplayGuard::new(Failing((ErrorKind::AuthenticationFailed, "no").into()))
        .connect_again(move || try_connect(url.clone()))
        .time_limit(TIME_LIMIT);
    is_accepted_again(&guard).await;
    assert!(!log.text().contains("WARN"), "{}", log.text());
}

/// As behind a firewall that drops all packets. It takes half a minute until the guard gives up.
#[tokio::test]
async fn a_try_that_hangs_is_not_the_last() {
    let (log, _log) = Log::start();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let connect = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        pending::<RedisResult<Failing>>()
    };
    let guard = RedisReplayGuard::new(Failing((ErrorKind::AuthenticationFailed, "no").into()))
        .connect_again(connect);
    let began = Instant::now();
    while calls.load(Ordering::SeqCst) < 2 {
        claim(&guard, &new_proof()).await.unwrap_err();
        sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    assert!(began.elapsed() >= Duration::from_secs(30));
    assert!(
        log.text().contains("not ended within 30s"),
        "{}",
        log.text()
    );
}

#[tokio::test]
async fn an_outage_is_left_to_the_connection() {
    let (guard, calls) = counting((ErrorKind::Io, "broken"));
    for _ in 0..10 {
        claim(&guard, &new_proof()).await.unwrap_err();
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

/// Such as that the user may not choose the database: a manager gives up then, too.
#[tokio::test]
async fn each_refusal_that_is_no_outage_asks_for_another_connection() {
    for kind in [
        ErrorKind::AuthenticationFailed,
        ErrorKind::RESP3NotSupported,
        ErrorKind::Server(ServerErrorKind::ResponseError),
        ErrorKind::Server(ServerErrorKind::NoPerm),
    ] {
        let (guard, calls) = counting((kind, "no"));
        claim(&guard, &new_proof()).await.unwrap_err();
        sleep(Duration::from_millis(50)).await;
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_panic_while_connecting_is_not_the_end() {
    let server = Server::start().await;
    let (url, calls) = (server.url(), AtomicUsize::new(0));
    let connect = move || {
        let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        let url = url.clone();
        async move {
            assert!(!is_first, "on purpose");
            try_connect(url).await
        }
    };
    let guard = RedisReplayGuard::new(Failing((ErrorKind::AuthenticationFailed, "no").into()))
        .connect_again(connect)
        .time_limit(TIME_LIMIT);
    is_accepted_again(&guard).await;
}

/// A lazy connection connects only while somebody waits for it.
#[tokio::test]
async fn a_host_that_starts_before_redis_connects_without_a_request() {
    let port = free_port();
    let client = Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
    let config = ConnectionManagerConfig::new()
        .set_max_delay(Duration::from_millis(200))
        // A busy machine takes its time to start Redis.
        .set_number_of_retries(100);
    let connection = ConnectionManager::new_lazy_with_config(client, config).unwrap();
    let mut first = connection.clone();
    let ping = async move { redis::cmd("PING").exec_async(&mut first).await };
    tokio::spawn(ping);
    sleep(Duration::from_millis(300)).await;

    let server = Server::start_on(port, "").await;
    let limit = Instant::now() + Duration::from_secs(20);
    // One of them asks.
    while server
        .ask::<String>(&["CLIENT", "LIST"])
        .await
        .lines()
        .count()
        < 2
    {
        assert!(Instant::now() < limit, "nobody connects");
        sleep(Duration::from_millis(50)).await;
    }
    let guard = RedisReplayGuard::new(connection).time_limit(TIME_LIMIT);
    claim(&guard, &new_proof()).await.unwrap();
}
