//! One refusal of each kind over a real socket. The peer learns the status, and nothing of the kind.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use hmac_auth::{
    AuthError, AuthErrorKind as Kind, DEFAULT_SECRET_NAME, MemorySecrets, ValidateOptions,
    actix::ValidateAuth,
};
use http::HeaderValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    actix::actix_host,
    cases::Down,
    directory::TestDirectory,
    layers::guard,
    refusals::covering,
    request::{
        INPUT, NOW, TestRequest, get, options, post, secrets, sign_options, signed, signed_as,
        signed_with, time, with_header, with_signature,
    },
    server::Shared,
    wire::{CHUNKED, head, head_for, wire},
};

fn with(options: ValidateOptions) -> ValidateAuth {
    ValidateAuth::new(secrets(), options, Arc::new(guard()))
}

fn created(offset: i64) -> TestRequest {
    let input = INPUT.replace("1700000000", &(NOW + offset).to_string());
    signed_as(get(), &input)
}

fn with_field(value: &[u8]) -> TestRequest {
    let input = covering(r#""@method" "@authority" "@path" "@query" "x-site""#);
    let mut request = with_signature(get(), "sig1", &input, &[0; 32]);
    let value = HeaderValue::from_bytes(value).unwrap();
    request.headers_mut().insert("x-site", value);
    request
}

fn digest(value: &str) -> TestRequest {
    let input = covering(r#""@method" "@authority" "@path" "content-digest" "content-type""#);
    signed_as(with_header(post(), "content-digest", value), &input)
}

/// What is wrong with a request, on a host with the usual options.
fn bad_requests() -> Vec<(Kind, Vec<u8>)> {
    let mac = [7; 32];
    let many = ["a", "b", "c", "d", "e"]
        .iter()
        .fold(get(), |request, label| {
            with_signature(request, label, INPUT, &mac)
        });
    let as_input = |input: &str| wire(&signed_as(get(), input));
    let to = |target: &str, field: &str| head_for(&signed(get()), target, field, "");
    let host = "host: host.example\r\n";
    let mut wrong_body = signed(post());
    wrong_body.body_mut()[0] ^= 1;
    let cut = [&head(&signed(post()), CHUNKED)[..], b"5\r\n12345x"].concat();
    vec![
        (Kind::MissingSignature, wire(&get())),
        (
            Kind::MalformedSignatureInput,
            wire(&with_signature(get(), "sig1", "(", &mac)),
        ),
        (
            Kind::MalformedSignature,
            wire(&with_signature(get(), "sig1", INPUT, &mac[..31])),
        ),
        (
            Kind::UnpairedLabel,
            wire(&with_header(signed(get()), "signature-input", "a=()")),
        ),
        (Kind::TooManyCandidates, wire(&many)),
        (
            Kind::UnsupportedAlgorithm,
            as_input(&format!(r#"{INPUT};alg="hmac-sha512""#)),
        ),
        (
            Kind::UnsupportedComponent,
            wire(&with_signature(
                get(),
                "sig1",
                &covering(r#""@method" "@authority" "@path" "@query" "@status""#),
                &mac,
            )),
        ),
        (
            Kind::NotCovered,
            as_input(&covering(r#""@method" "@authority" "@path""#)),
        ),
        (
            Kind::MissingCreated,
            as_input(r#"("@method" "@authority" "@path" "@query")"#),
        ),
        (Kind::Stale, wire(&created(-61))),
        (Kind::InFuture, wire(&created(11))),
        (
            Kind::Expired,
            as_input(&format!("{INPUT};expires={}", NOW - 1)),
        ),
        (
            Kind::ConflictingAuthority,
            to("https://host.example/orders?page=2", "host: b.example\r\n"),
        ),
        (
            Kind::InvalidAuthority,
            to("https://user@host.example/orders?page=2", host),
        ),
        (
            Kind::UnlistedAuthority,
            to("/orders?page=2", "host: b.example\r\n"),
        ),
        (
            Kind::AbsentComponent,
            wire(&with_signature(
                get(),
                "sig1",
                &covering(r#""@method" "@authority" "@path" "@query" "x-site""#),
                &mac,
            )),
        ),
        (Kind::NotAscii, wire(&with_field("größer".as_bytes()))),
        (Kind::TooLarge, wire(&with_field(&[b'x'; 8 * 1024 + 1]))),
        (
            Kind::WrongMac,
            wire(&with_signature(get(), "sig1", INPUT, &mac)),
        ),
        (
            Kind::BodyTooLarge,
            head(&signed(post()), "content-length: 3000000\r\n"),
        ),
        (Kind::BodyNotCovered, wire(&signed_as(post(), INPUT))),
        (Kind::BodyUnreadable, cut),
        (Kind::MalformedDigest, wire(&digest("sha-256=:AAAA:"))),
        (
            Kind::UnsupportedDigest,
            wire(&digest("md5=:6TEzv9FRhYoxTUVfr2i/nA==:")),
        ),
        (Kind::WrongDigest, wire(&wrong_body)),
        (
            Kind::WrongDigest,
            [&head(&signed(post()), CHUNKED)[..], b"0\r\n\r\n"].concat(),
        ),
    ]
}

/// Hosts with which something is wrong, or that want more than the usual.
fn hosts() -> Vec<(Kind, ValidateAuth, TestRequest)> {
    let revoked = secrets();
    revoked.revoke(DEFAULT_SECRET_NAME);
    let guarded = |guard| ValidateAuth::new(secrets(), options(), Arc::new(guard));
    let by_down = signed_with(post(), &sign_options().key_id("down"));
    vec![
        (
            Kind::UnknownKeyId,
            with(options().key_ids([("site-a", DEFAULT_SECRET_NAME)])),
            signed(post()),
        ),
        (Kind::WrongTag, with(options().tag("ours")), signed(post())),
        (
            Kind::Revoked,
            ValidateAuth::new(revoked, options(), Arc::new(guard())),
            signed(post()),
        ),
        (
            Kind::BeforeGuardStart,
            guarded(guard().started_at(time(NOW + 1))),
            signed(post()),
        ),
        (
            Kind::ReplayGuardFull,
            guarded(guard().capacity(0)),
            signed(post()),
        ),
        (
            Kind::ReplayGuardUnavailable,
            ValidateAuth::new(secrets(), options(), Arc::new(Down)),
            signed(post()),
        ),
        (
            Kind::SecretUnavailable,
            ValidateAuth::new(MemorySecrets::new(), options(), Arc::new(guard())),
            signed(post()),
        ),
        (
            Kind::DirectoryUnavailable,
            ValidateAuth::with_directory(TestDirectory::waiting(2), options(), Arc::new(guard())),
            by_down,
        ),
        (
            Kind::Misconfigured,
            with(options().require("@status")),
            signed(post()),
        ),
    ]
}

fn start(validate: ValidateAuth) -> (SocketAddr, Shared) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Shared::default();
    let refused = seen.clone();
    let validate = validate.map_refusal(move |response, error, _| {
        refused.lock().unwrap().refused.push(error.kind());
        response
    });
    actix_host(listener, validate, Duration::from_secs(60), &seen);
    (address, seen)
}

/// The whole answer without its date. The connection ends with it.
async fn answer(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let lines = answer.split("\r\n");
    let kept: Vec<&str> = lines.filter(|line| !line.starts_with("date: ")).collect();
    let mut kept = kept.join("\n");
    // What actix adds about a body that it has broken off itself.
    if let Some(second) = kept[1..].find("HTTP/1.1 ") {
        kept.truncate(second + 1);
    }
    kept
}

#[tokio::test]
async fn each_kind_is_refused_over_a_socket() {
    let mut kinds = BTreeSet::new();
    let mut denials = BTreeSet::new();
    let mut check = async |(address, seen): &(SocketAddr, Shared), kind: Kind, request: &[u8]| {
        let answer = answer(*address, request).await;
        let refused = std::mem::take(&mut seen.lock().unwrap().refused);
        assert_eq!(refused, [kind], "{answer}");
        let status = AuthError::from(kind).status();
        let line = format!("HTTP/1.1 {} ", status.as_u16());
        assert!(answer.starts_with(&line), "{kind}: {answer}");
        assert!(answer.contains("cache-control: no-store"), "{answer}");
        if status == 401 {
            let mut lines: Vec<&str> = answer.lines().collect();
            lines.retain(|line| *line != "connection: close" && !line.contains("accept-signature"));
            lines.sort_unstable();
            denials.insert(lines.join("\n"));
        }
        kinds.insert(kind.as_str());
        assert_eq!(seen.lock().unwrap().handled.len(), 0);
    };
    let host = start(with(options()));
    for (kind, request) in bad_requests() {
        check(&host, kind, &request).await;
    }
    for (kind, validate, request) in hosts() {
        check(&start(validate), kind, &wire(&request)).await;
    }
    let request = wire(&signed(post()));
    assert!(answer(host.0, &request).await.starts_with("HTTP/1.1 200 "));
    host.1.lock().unwrap().handled.clear();
    check(&host, Kind::Replayed, &request).await;
    assert_eq!(denials.len(), 1, "{denials:#?}");

    // Actix itself keeps a length from being wrong, and trailers from anybody. Some versions ask for
    // one `Host`.
    assert_eq!(kinds.len(), 35, "{kinds:?}");
}
