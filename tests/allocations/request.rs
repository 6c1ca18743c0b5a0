//! How often the heap is asked for memory: at most twice for a validation, at most four times for a
//! signature.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, DigestAlgorithm, MemorySecrets, Secret, SecretStore,
    SignOptions, ValidateOptions, sign_request, validate_auth,
};
use http::{
    HeaderValue, Request,
    header::{ACCEPT, CACHE_CONTROL},
    request::Builder,
};

use crate::counting::counted;

const MAX_FOR_VALIDATION: usize = 2;
const MAX_FOR_SIGNATURE: usize = 4;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(
        DEFAULT_SECRET_NAME,
        Secret::from_text("a secret for the allocation tests").unwrap(),
    );
    secrets
}

fn options() -> ValidateOptions {
    ValidateOptions::new()
        .authorities(["api.example.com"])
        .at(now())
}

const URI: &str = "https://api.example.com/_functions/siteStats";

/// Requests of several shapes, the options to sign them with, and what they are.
fn messages() -> Vec<(&'static str, Builder, Vec<u8>, SignOptions)> {
    let json = || {
        Request::post(URI)
            .header("content-type", "application/json")
            .header("accept", "application/json")
    };
    let options = || SignOptions::new().key_id("site-a").at(now());
    let with_long_query = Request::post(format!("{URI}?q={}", "a".repeat(2_000)))
        .header("content-type", "application/json");
    let with_query = Request::get(format!("{URI}?month=11&year=2026"))
        .header("user-agent", "tests")
        .header("accept", "*/*");
    let origin_form = Request::get("/_functions/siteStats").header("host", "api.example.com");
    vec![
        (
            "GET without header fields",
            Request::get(URI),
            vec![],
            options(),
        ),
        ("GET with a query", with_query, vec![], options()),
        (
            "POST with a long query",
            with_long_query,
            vec![b'x'; 1024],
            options(),
        ),
        ("GET in origin form", origin_form, vec![], options()),
        (
            "GET without a key id",
            Request::get(URI),
            vec![],
            SignOptions::new().at(now()),
        ),
        (
            "GET with all parameters",
            Request::get(URI),
            vec![],
            options().tag("app").expires_in(Duration::from_secs(60)),
        ),
        ("POST", json(), vec![b'x'; 1024], options()),
        (
            "POST without header fields",
            Request::post(URI),
            vec![b'x'; 1024],
            options(),
        ),
        (
            "POST with sha-512",
            json(),
            vec![b'x'; 1024],
            options().digest(DigestAlgorithm::Sha512),
        ),
        (
            "POST with a covered field",
            json(),
            vec![b'x'; 1024],
            options().cover(ACCEPT),
        ),
    ]
}

fn signed(builder: Builder, body: Vec<u8>, options: &SignOptions) -> Request<Vec<u8>> {
    let mut request = builder.body(body).unwrap();
    sign_request(&mut request, &secrets(), options).unwrap();
    request
}

#[test]
fn validating_allocates_what_is_kept() {
    let (secrets, options) = (secrets(), options());
    for (name, builder, body, sign_options) in messages() {
        let request = signed(builder, body, &sign_options);
        let (count, validated) = counted(|| validate_auth(&request, &secrets, &options));
        validated.unwrap();
        assert!(count <= MAX_FOR_VALIDATION, "{name}: {count} allocations");
    }
}

#[test]
fn signing_allocates_one_buffer_and_room_for_the_fields() {
    let secrets = secrets();
    // The first signature of a thread also makes room for a batch of nonces.
    signed(Request::get(URI), vec![], &SignOptions::new());
    for (name, builder, body, options) in messages() {
        let mut request = builder.body(body).unwrap();
        let (count, result) = counted(|| sign_request(&mut request, &secrets, &options));
        result.unwrap();
        assert!(count <= MAX_FOR_SIGNATURE, "{name}: {count} allocations");
    }
    // A new batch of nonces costs no more.
    let options = SignOptions::new();
    for _ in 0..100 {
        let mut request = Request::get(URI).body(vec![]).unwrap();
        let (count, result) = counted(|| sign_request(&mut request, &secrets, &options));
        result.unwrap();
        assert!(count <= MAX_FOR_SIGNATURE, "{count} allocations");
    }
}

#[test]
fn refusing_allocates_no_more_than_accepting() {
    let other_secret = MemorySecrets::new();
    other_secret.insert(
        DEFAULT_SECRET_NAME,
        Secret::from_text("not the secret of the consumer").unwrap(),
    );
    let post = || Request::post(URI).header("content-type", "application/json");
    let signed = || {
        signed(
            post(),
            vec![b'x'; 1024],
            &SignOptions::new().key_id("site-a").at(now()),
        )
    };
    let with = |field: &'static str, from: &str, to: &str| {
        let mut request = signed();
        let value = request.headers()[field]
            .to_str()
            .unwrap()
            .replacen(from, to, 1);
        request
            .headers_mut()
            .insert(field, HeaderValue::try_from(value).unwrap());
        request
    };
    let later = options().at(now() + Duration::from_secs(3_600));
    let earlier = options().at(now() - Duration::from_secs(3_600));
    let others = options().key_ids([("site-b", DEFAULT_SECRET_NAME)]);
    let elsewhere = options().authorities(["example.org"]);
    let mut other_body = signed();
    other_body.body_mut()[0] = b'y';
    let secrets = secrets();
    let mut too_many = Vec::new();
    for (request, secrets, options, kind) in [
        (signed(), &other_secret, options(), AuthErrorKind::WrongMac),
        (signed(), &secrets, later, AuthErrorKind::Stale),
        (signed(), &secrets, earlier, AuthErrorKind::InFuture),
        (signed(), &secrets, others, AuthErrorKind::UnknownKeyId),
        (
            signed(),
            &secrets,
            elsewhere,
            AuthErrorKind::UnlistedAuthority,
        ),
        (other_body, &secrets, options(), AuthErrorKind::WrongDigest),
        (
            post().body(vec![]).unwrap(),
            &secrets,
            options(),
            AuthErrorKind::MissingSignature,
        ),
        (
            with("signature-input", ";keyid=", ";;keyid="),
            &secrets,
            options(),
            AuthErrorKind::MalformedSignatureInput,
        ),
        (
            with("signature", "=:", "=::"),
            &secrets,
            options(),
            AuthErrorKind::MalformedSignature,
        ),
        (
            with("signature", "sig1", "sig2"),
            &secrets,
            options(),
            AuthErrorKind::UnpairedLabel,
        ),
        (
            with("signature-input", "\"@path\" ", ""),
            &secrets,
            options(),
            AuthErrorKind::NotCovered,
        ),
        (
            with("signature-input", ")", " \"absent\")"),
            &secrets,
            options(),
            AuthErrorKind::AbsentComponent,
        ),
        (
            with("content-digest", "sha-256=", "sha-256=:"),
            &secrets,
            options(),
            AuthErrorKind::WrongMac,
        ),
    ] {
        let (count, result) = counted(|| validate_auth(&request, secrets, &options));
        assert_eq!(result.unwrap_err().kind(), kind);
        if count > MAX_FOR_VALIDATION {
            too_many.push((kind, count));
        }
    }
    assert!(
        too_many.is_empty(),
        "more than {MAX_FOR_VALIDATION} allocations: {too_many:?}"
    );
}

/// Nothing is boxed on the way: a layer allocates for its checks and for the stored proof only.
#[test]
fn the_layer_allocates_as_often_as_the_same_steps_by_hand() {
    use std::{
        convert::Infallible,
        future::{Future, ready},
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use bytes::Bytes;
    use hmac_auth::{ReplayGuard, ReplayId, UseOnce, tower::ValidateAuthLayer};
    use http::Response;
    use http_body_util::Full;
    use tower::{Layer, Service, service_fn};

    /// It allocates nothing. How often the guard in memory does depends on what is in it.
    struct EachIsNew;

    impl ReplayGuard for EachIsNew {
        fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
            UseOnce::ready(Ok(()))
        }
    }

    let (secrets, options) = (secrets(), options());
    let mut service = ValidateAuthLayer::new(self::secrets(), options.clone())
        .replay_guard(EachIsNew)
        .layer(service_fn(|_: Request<Full<Bytes>>| {
            ready(Ok::<_, Infallible>(Response::new(Bytes::new())))
        }));
    for (what, builder, body, sign_options) in messages() {
        let request = signed(builder, body, &sign_options).map(Bytes::from);

        let mut again = request.clone();
        let (by_hand, ()) = counted(|| {
            let validated = validate_auth(&again, &secrets, &options).unwrap();
            again.extensions_mut().insert(validated.clone());
            // The answer has a field for caches, and the proof for those outside of the layer.
            let mut response = Response::new(Bytes::new());
            let private = HeaderValue::from_static("private");
            response.headers_mut().insert(CACHE_CONTROL, private);
            response.extensions_mut().insert(validated);
        });

        let request = request.map(Full::new);
        let (in_layer, answer) = counted(|| {
            let answer = pin!(service.call(request));
            answer.poll(&mut Context::from_waker(Waker::noop()))
        });
        let Poll::Ready(Ok(response)) = answer else {
            panic!("{what}: not answered at once")
        };
        assert_eq!(response.status(), 200, "{what}");
        assert_eq!(in_layer, by_hand, "{what}");
    }
}

/// A directory that has the answer at hand costs no allocation that a list of key ids does not cost,
/// but for counting the answer.
#[test]
fn a_directory_that_answers_at_once_allocates_nothing() {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use hmac_auth::{CachedDirectory, Claim, Consumer, ConsumerDirectory, FindConsumer};

    struct One(Consumer);

    impl ConsumerDirectory for One {
        fn find(&self, _key_id: &str) -> FindConsumer {
            FindConsumer::ready(Ok(Some(self.0.clone())))
        }
    }

    let secrets = secrets();
    let set = secrets.lookup(DEFAULT_SECRET_NAME).unwrap();
    let one = || One(Consumer::new("site-a", set.clone()));
    let cached = CachedDirectory::new(one());
    let listed = options().key_ids([("site-a", DEFAULT_SECRET_NAME)]);
    let found = options().consumer_directory();
    for (what, builder, body, sign_options) in messages() {
        let request = signed(builder, body, &sign_options.key_id("site-a"));
        let by_list = || {
            let claim = Claim::parse(&request, &listed).unwrap();
            let mut head = claim.verify_head(&set).unwrap();
            head.update(request.body());
            head.finish().unwrap()
        };
        // The first time, the library may make what the whole process then has.
        by_list();
        let (of_list, _) = counted(by_list);
        let verify = |directory: &dyn ConsumerDirectory| {
            let claim = Claim::parse(&request, &found).unwrap();
            let verified = pin!(claim.verify_in(directory));
            let Poll::Ready(head) = verified.poll(&mut Context::from_waker(Waker::noop())) else {
                panic!("{what}: not answered at once")
            };
            let mut head = head.unwrap();
            head.update(request.body());
            head.finish().unwrap()
        };
        // Afterwards, the cache knows the consumer.
        let _ = verify(&cached);
        // The cache and what asks it count their answers: an allocation for the label of each.
        for (counts, directory) in [(1, &one() as &dyn ConsumerDirectory), (2, &cached)] {
            let (of_directory, _) = counted(|| verify(directory));
            let of_metrics = if cfg!(feature = "metrics") { counts } else { 0 };
            assert_eq!(of_directory, of_list + of_metrics, "{what}");
        }
    }
}
