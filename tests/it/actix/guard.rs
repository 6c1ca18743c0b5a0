//! The guard: required, and one for all workers.

use std::{
    collections::HashSet,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
    time::Duration,
};

use actix_web::{App, HttpServer, dev::Service, web};
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, ReplayGuard, ReplayId, SignOptions, UseOnce, ValidateOptions,
    actix::ValidateAuth,
};
use tokio::{io::BufReader, net::TcpStream};

use crate::support::{
    actix::ask,
    directory::TestDirectory,
    layers::{Forgetful, Step, expecting, guard, stale, whole, with_body},
    recorder::{EVENTS, Recorder},
    request::{options, post, secrets, sign_options, signed, signed_with},
    wire::{Connection, wire},
};

#[tokio::test]
async fn a_signature_counts_once_for_all_with_the_same_guard() {
    Recorder::install();
    let guard = Arc::new(guard());
    let one = ValidateAuth::new(secrets(), options(), Arc::clone(&guard));
    let other = ValidateAuth::new(secrets(), options(), guard.clone());
    // An `Arc` of any guard will do.
    let any: Arc<dyn ReplayGuard> = guard.clone();
    let third = ValidateAuth::new(secrets(), options(), any);
    let request = signed(post());
    assert_eq!(ask(&one, whole(request.clone())).await.refusal(), None);
    for validate in [&one, &other, &third] {
        let seen = ask(validate, whole(request.clone())).await;
        assert_eq!((seen.refusal(), seen.calls), (Some(Kind::Replayed), 0));
    }
    assert_eq!(guard.len(), 1);
}

/// Actix makes an app for each worker, and its threads take the connections in turn.
#[tokio::test]
async fn all_workers_share_the_guard() {
    Recorder::install();
    let threads = Arc::<Mutex<HashSet<ThreadId>>>::default();
    let validate = ValidateAuth::new(secrets(), options(), Arc::new(guard()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let noted = threads.clone();
    let server = HttpServer::new(move || {
        let noted = noted.clone();
        App::new()
            .route("/orders", web::post().to(async || "ok"))
            .wrap(validate.clone())
            .wrap_fn(move |request, next| {
                noted.lock().unwrap().insert(thread::current().id());
                next.call(request)
            })
    });
    let server = server.workers(2).disable_signals();
    tokio::spawn(server.listen(listener).unwrap().run());

    let request = signed(post());
    let mut statuses = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..6 {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut connection = Connection(BufReader::new(stream));
        connection.send(&wire(&request)).await;
        statuses.push(connection.status().await);
        connections.push(connection);
    }
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401]);
    assert_eq!(threads.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_signature_that_goes_stale_during_the_body_is_refused() {
    Recorder::install();
    let second = Duration::from_secs(1);
    let options = || ValidateOptions::new().authorities(["host.example"]);
    for (sign_options, options, kind) in [
        (
            SignOptions::new(),
            options().max_time_diff(second),
            Kind::Stale,
        ),
        (
            SignOptions::new().expires_in(second),
            options(),
            Kind::Expired,
        ),
    ] {
        let request = signed_with(post(), &sign_options);
        let body = request.body().clone().into();
        let late = [Step::Late(Duration::from_millis(2_100)), Step::Data(body)];
        let validate = ValidateAuth::new(secrets(), options, Arc::new(Forgetful));
        let seen = ask(&validate, with_body(request, late)).await;
        assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
    }
}

/// A guard that answers later, as one on another machine does.
struct Remote;

impl ReplayGuard for Remote {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::pending(async {
            tokio::task::yield_now().await;
            Err(AuthError::replay_guard_unavailable("no route"))
        })
    }
}

#[tokio::test]
async fn a_guard_may_answer_later() {
    Recorder::install();
    let validate = ValidateAuth::new(secrets(), options(), Arc::new(Remote));
    let seen = ask(&validate, whole(signed(post()))).await;
    let refusal = (seen.refusal(), seen.calls);
    assert_eq!(refusal, (Some(Kind::ReplayGuardUnavailable), 0));
    assert_eq!(seen.response.headers()["retry-after"], "5");
}

#[tokio::test]
async fn of_two_requests_whose_bodies_come_at_once_one_is_accepted() {
    let validate = crate::support::actix::middleware();
    let request = signed(post());
    let slow = || {
        let body = request.body().clone().into();
        with_body(request.clone(), [Step::Wait, Step::Data(body)])
    };
    let (one, other) = tokio::join!(ask(&validate, slow()), ask(&validate, slow()));
    let mut refusals = [one.refusal(), other.refusal()];
    refusals.sort_by_key(Option::is_some);
    assert_eq!(refusals, [None, Some(Kind::Replayed)]);
}

/// Actix has told the peer to continue: what is used up is read to its end, and dropped.
#[tokio::test]
async fn a_refused_body_is_read_after_expect_too() {
    let validate = crate::support::actix::middleware();
    let request = signed(post());
    assert_eq!(ask(&validate, whole(request.clone())).await.refusal(), None);
    let seen = ask(&validate, expecting(whole(request))).await;
    let refusal = (seen.refusal(), seen.calls, seen.polls);
    assert_eq!(refusal, (Some(Kind::Replayed), 0, 2));
    assert!(!seen.response.headers().contains_key("connection"));
}

#[tokio::test]
async fn consumers_come_from_a_directory_at_once_or_later() {
    Recorder::install();
    for directory in [TestDirectory::new(), TestDirectory::waiting(3)] {
        let validate =
            ValidateAuth::with_directory(Arc::clone(&directory), options(), Arc::new(guard()));
        validate.check().unwrap();
        let by = |key_id: &str| whole(signed_with(post(), &sign_options().key_id(key_id)));
        let seen = ask(&validate, by("site-a")).await;
        assert_eq!((seen.refusal(), seen.calls), (None, 1));
        assert_eq!(seen.response.headers()["x-consumer"], "Shop A");
        assert_eq!(directory.take_asked(), 1);
        let mut answers = Vec::new();
        for (key_id, kind) in [
            ("nobody", Kind::UnknownKeyId),
            ("site-b", Kind::WrongMac),
            ("gone", Kind::Revoked),
        ] {
            let seen = ask(&validate, by(key_id)).await;
            assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
            let head = &seen.response;
            answers.push(format!("{} {:?}", head.status(), head.body()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        let seen = ask(&validate, by("down")).await;
        assert_eq!(seen.refusal(), Some(Kind::DirectoryUnavailable));
        assert_eq!(directory.take_asked(), 4);
        // What needs no secret is refused without a question.
        for request in [post(), stale()] {
            assert!(ask(&validate, whole(request)).await.refusal().is_some());
        }
        assert_eq!(directory.take_asked(), 0);
    }
    let listed = options().key_ids([("site-a", "a-secret")]);
    let validate = ValidateAuth::with_directory(TestDirectory::new(), listed, Arc::new(guard()));
    assert_eq!(validate.check().unwrap_err().kind(), Kind::Misconfigured);
}

/// The operator learns who still signs with a secret that a rotation has replaced.
#[tokio::test]
async fn a_previous_secret_is_accepted_and_told() {
    use crate::support::{request::signed_by, secret};

    Recorder::install();
    let directory = TestDirectory::new();
    let validate = ValidateAuth::with_directory(directory, options(), Arc::new(guard()));
    let input = r#"("@method" "@authority" "@path" "@query");created=1700000000;keyid="site-b""#;
    EVENTS.take();
    for (text, is_told) in [(secret::NEW, false), (secret::OLD, true)] {
        let request = signed_by(&secret::secret(text), crate::support::request::get(), input);
        assert_eq!(ask(&validate, whole(request)).await.refusal(), None);
        let events = EVENTS.take();
        assert_eq!(events.len(), usize::from(is_told), "{events:?}");
        if is_told {
            assert_eq!(events[0]["consumer"], "Shop B");
        }
    }
}
