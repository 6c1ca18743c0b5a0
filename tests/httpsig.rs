//! Both ways with another implementation of RFC 9421 and RFC 9530: the crates `httpsig` and `httpsig-hyper`.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_executor::block_on;
use hmac_auth::{
    AlgParameter, AuthErrorKind, DEFAULT_SECRET_NAME, DigestAlgorithm, MemorySecrets, Secret,
    SignOptions, ValidateOptions, sign_request,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::BodyExt;
use httpsig_hyper::{
    ContentDigestType, HyperSigResult, MessageSignatureReqSync, RequestContentDigest,
    prelude::{
        AlgorithmName, HttpSignatureParams, SharedKey, message_component::HttpMessageComponentId,
    },
};

const KEY: &[u8] = b"the key of both, at least 16 bytes";
const OTHER_KEY: &[u8] = b"a key of others, also long enough";
const URI: &str = "https://host.example/_functions/siteStats?year=2026&q=a%20b+c";
const BODY: &str = r#"{"month":11}"#;
const NOW: u64 = 1_800_000_000;
/// For `expires`, which `httpsig` compares with the clock.
const FAR: u64 = 1_000_000_000_000;

/// What `httpsig` can cover of a request with a body, in its usual order.
const COMPONENTS: [&str; 6] = [
    "@method",
    "@authority",
    "@path",
    "@query",
    "content-digest",
    "content-type",
];

// --- what we sign, they verify ---

/// Each way to sign a request, by name.
fn signed_by_us() -> Vec<(&'static str, Request<String>)> {
    let sign = |mut request: Request<String>, options: SignOptions| {
        sign_request(&mut request, &secrets(), &options.at(now())).expect("signed");
        request
    };
    let options = SignOptions::new;
    let far = Duration::from_secs(FAR - NOW);
    vec![
        ("get", sign(get(), options())),
        ("get, host in capitals", sign(in_capitals(get()), options())),
        ("post", sign(post(), options())),
        (
            "post, sha-512",
            sign(post(), options().digest(DigestAlgorithm::Sha512)),
        ),
        ("post, key id", sign(post(), options().key_id("site-a"))),
        (
            "post, alg",
            sign(post(), options().alg(AlgParameter::HmacSha256)),
        ),
        (
            "post, covered field",
            sign(post(), options().cover(X_TENANT)),
        ),
        (
            "post, everything",
            sign(
                post(),
                options()
                    .key_id("site-a")
                    .alg(AlgParameter::HmacSha256)
                    .tag("app")
                    .label("mine")
                    .expires_in(far)
                    .cover(X_TENANT)
                    .cover(header::ACCEPT)
                    .digest(DigestAlgorithm::Sha512),
            ),
        ),
    ]
}

#[test]
fn they_verify_what_we_sign() {
    for (name, request) in signed_by_us() {
        let label = they_verify(&request).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            label,
            if name == "post, everything" {
                "mine"
            } else {
                "sig1"
            },
            "{name}"
        );
        assert_eq!(
            they_verify_digest(request.clone()),
            request.headers().contains_key(CONTENT_DIGEST),
            "{name}"
        );
    }
}

#[test]
fn they_find_our_key_id() {
    for (name, request) in signed_by_us() {
        let found = request.verify_message_signature_sync(&their_key(KEY), Some("site-a"));
        assert_eq!(
            found.is_ok(),
            matches!(name, "post, key id" | "post, everything"),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn they_refuse_what_is_changed_after_we_signed() {
    for (name, request) in signed_by_us() {
        for (change, apply) in changes() {
            let mut changed = request.clone();
            apply(&mut changed);
            assert!(they_verify(&changed).is_err(), "{name}: {change}");
        }
    }
    for (name, request) in signed_by_us()
        .into_iter()
        .filter(|(name, _)| name.starts_with("post"))
    {
        assert!(
            !they_verify_digest(request.map(|body| body + " ")),
            "{name}: the body"
        );
    }
}

#[test]
fn they_refuse_our_signature_under_another_key() {
    for (name, request) in signed_by_us() {
        assert!(
            request
                .verify_message_signature_sync(&their_key(OTHER_KEY), None)
                .is_err(),
            "{name}"
        );
    }
}

// --- what they sign, we accept ---

/// Each way for them to sign a request, by name.
fn signed_by_them() -> Vec<(&'static str, Request<String>)> {
    let reversed: Vec<_> = COMPONENTS.into_iter().rev().collect();
    let with_fields = [&COMPONENTS[..], &["x-tenant", "accept"]].concat();
    let target_uri = ["@method", "@target-uri", "content-digest"];
    vec![
        ("get", they_sign(get(), &COMPONENTS[..4], |_| {})),
        (
            "get, host in capitals",
            they_sign(in_capitals(get()), &COMPONENTS[..4], |_| {}),
        ),
        (
            "post",
            they_sign(
                digested(post(), &ContentDigestType::Sha256),
                &COMPONENTS,
                |_| {},
            ),
        ),
        (
            "post, sha-512",
            they_sign(
                digested(post(), &ContentDigestType::Sha512),
                &COMPONENTS,
                |_| {},
            ),
        ),
        (
            "post, any order",
            they_sign(
                digested(post(), &ContentDigestType::Sha256),
                &reversed,
                |_| {},
            ),
        ),
        (
            "post, target uri",
            they_sign(
                digested(post(), &ContentDigestType::Sha256),
                &target_uri,
                |_| {},
            ),
        ),
        (
            "post, everything",
            they_sign(
                digested(post(), &ContentDigestType::Sha256),
                &with_fields,
                |params| {
                    params
                        .set_key_info(&their_key(KEY))
                        .set_keyid("site-a")
                        .set_random_nonce()
                        .set_expires(FAR)
                        .set_tag("app");
                },
            ),
        ),
    ]
}

#[test]
fn we_accept_what_they_sign() {
    for (name, request) in signed_by_them() {
        let validated = we_validate(&request).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(validated.created().cast_unsigned(), NOW);
        let all = name == "post, everything";
        assert_eq!(validated.key_id(), all.then_some("site-a"), "{name}");
        assert_eq!(validated.tag(), all.then_some("app"), "{name}");
        assert_eq!(
            validated.expires().map(i64::cast_unsigned),
            all.then_some(FAR),
            "{name}"
        );
        assert_eq!(validated.nonce().is_some(), all, "{name}");
    }
}

#[test]
fn we_refuse_what_is_changed_after_they_signed() {
    for (name, request) in signed_by_them() {
        for (change, apply) in changes() {
            let mut changed = request.clone();
            apply(&mut changed);
            let error = we_validate(&changed).expect_err(change);
            assert_eq!(error, AuthErrorKind::WrongMac, "{name}: {change}");
        }
        let error = we_validate(&request.map(|body| body + " ")).expect_err("the body");
        // A request without a body has no digest, so no body may be added.
        assert_eq!(
            error,
            if name.starts_with("get") {
                AuthErrorKind::BodyNotCovered
            } else {
                AuthErrorKind::WrongDigest
            },
            "{name}"
        );
    }
}

#[test]
fn we_refuse_their_signature_under_another_key() {
    let mut request = get();
    let params = their_params(&COMPONENTS[..4]);
    request
        .set_message_signature_sync(&params, &their_key(OTHER_KEY), Some("sig1"))
        .expect("signed");
    assert_eq!(we_validate(&request).err(), Some(AuthErrorKind::WrongMac));
}

#[test]
fn we_refuse_what_they_sign_carelessly() {
    let body = || digested(post(), &ContentDigestType::Sha256);
    let cases = [
        // All of these are right under `httpsig`.
        (
            "nothing covered",
            they_sign(body(), &[], |_| {}),
            AuthErrorKind::NotCovered,
        ),
        (
            "no query",
            they_sign(
                body(),
                &["@method", "@authority", "@path", "content-digest"],
                |_| {},
            ),
            AuthErrorKind::NotCovered,
        ),
        (
            "no digest",
            they_sign(post(), &COMPONENTS[..4], |_| {}),
            AuthErrorKind::BodyNotCovered,
        ),
        // An absent field is an empty one to `httpsig`.
        (
            "absent field",
            they_sign(
                get(),
                &["@method", "@authority", "@path", "@query", "x-absent"],
                |_| {},
            ),
            AuthErrorKind::AbsentComponent,
        ),
        (
            "old",
            they_sign(get(), &COMPONENTS[..4], |params| {
                _ = params.set_created(NOW - 3600);
            }),
            AuthErrorKind::Stale,
        ),
        (
            "no time",
            they_sign(get(), &COMPONENTS[..4], |params| params.created = None),
            AuthErrorKind::MissingCreated,
        ),
    ];
    for (name, request, expected) in cases {
        they_verify(&request).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(we_validate(&request).err(), Some(expected), "{name}");
    }
}

// --- both ---

#[test]
fn a_field_may_change_exactly_if_it_is_not_covered() {
    let mut counts = [0, 0];
    for (name, request) in signed_by_us().into_iter().chain(signed_by_them()) {
        for field in [X_TENANT, header::CONTENT_TYPE, header::ACCEPT] {
            let covered = request.headers()[SIGNATURE_INPUT]
                .to_str()
                .expect("ASCII")
                .contains(&format!("\"{field}\""));
            let mut changed = request.clone();
            set(&mut changed, &field, "changed");
            assert_eq!(
                we_validate(&changed).err(),
                covered.then_some(AuthErrorKind::WrongMac),
                "{name}: {field}, here"
            );
            assert_eq!(
                they_verify(&changed).is_err(),
                covered,
                "{name}: {field}, there"
            );
            counts[usize::from(covered)] += 1;
        }
    }
    assert!(
        counts.iter().all(|count| *count >= 10),
        "both happen: {counts:?}"
    );
}

#[test]
fn both_signatures_stand_side_by_side() {
    let secrets = MemorySecrets::new();
    secrets.insert("ours", secret(KEY));
    secrets.insert("theirs", secret(OTHER_KEY));

    let mut request = post();
    sign_request(
        &mut request,
        &secrets,
        &SignOptions::new()
            .secret_name("ours")
            .key_id("us")
            .at(now()),
    )
    .expect("signed");
    let mut params = their_params(&COMPONENTS);
    params.set_keyid("them");
    request
        .set_message_signature_sync(&params, &their_key(OTHER_KEY), Some("sig2"))
        .expect("signed");

    for (key_id, secret_name, key, label) in [
        ("us", "ours", KEY, "sig1"),
        ("them", "theirs", OTHER_KEY, "sig2"),
    ] {
        let options = ValidateOptions::new()
            .key_ids([(key_id, secret_name)])
            .at(now());
        let validated = validate_auth(&request, &secrets, &options)
            .expect("each host finds the signature meant for it");
        assert_eq!(validated.key_id(), Some(key_id));
        let found = request
            .verify_message_signature_sync(&their_key(key), Some(key_id))
            .expect("so do they");
        assert_eq!(found, label);
    }
}

// --- requests ---

const X_TENANT: HeaderName = HeaderName::from_static("x-tenant");

fn get() -> Request<String> {
    request(Method::GET, "")
}

fn in_capitals(mut request: Request<String>) -> Request<String> {
    *request.uri_mut() = URI
        .replacen("host.example", "HOST.Example", 1)
        .parse()
        .expect("a URI");
    request
}

fn post() -> Request<String> {
    let mut request = request(Method::POST, BODY);
    set(&mut request, &header::CONTENT_TYPE, "application/json");
    request
}

fn request(method: Method, body: &str) -> Request<String> {
    let mut request = Request::builder()
        .method(method)
        .uri(URI)
        .body(body.to_owned())
        .expect("a request");
    set(&mut request, &X_TENANT, "a");
    request
        .headers_mut()
        .append(header::ACCEPT, HeaderValue::from_static("application/json"));
    request
        .headers_mut()
        .append(header::ACCEPT, HeaderValue::from_static("*/*"));
    request
}

fn set(request: &mut Request<String>, name: &HeaderName, value: &str) {
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).expect("a value"));
}

type Change = (&'static str, fn(&mut Request<String>));

/// The changes that neither side may accept, whoever has signed; the body is not among them.
fn changes() -> [Change; 6] {
    fn change_uri(request: &mut Request<String>, from: &str, to: &str) {
        let uri = request.uri().to_string().replacen(from, to, 1);
        *request.uri_mut() = uri.parse().expect("a URI");
    }
    fn change_value(request: &mut Request<String>, name: &HeaderName, from: &str, to: &str) {
        let value = request.headers()[name]
            .to_str()
            .expect("ASCII")
            .replacen(from, to, 1);
        set(request, name, &value);
    }
    [
        ("the method", |request| *request.method_mut() = Method::PUT),
        ("the authority", |request| {
            change_uri(request, "xample/", "xample.net/");
        }),
        ("the path", |request| {
            change_uri(request, "siteStats", "sitestats");
        }),
        ("the query", |request| {
            change_uri(request, "a%20b+c", "a+b+c");
        }),
        ("a parameter", |request| {
            change_value(
                request,
                &SIGNATURE_INPUT,
                &NOW.to_string(),
                &(NOW + 1).to_string(),
            );
        }),
        ("the MAC", |request| {
            // 32 bytes of canonical base64 again, and not the same.
            let mac = request.headers()[SIGNATURE]
                .to_str()
                .expect("ASCII")
                .split_once('=')
                .expect("a label")
                .1
                .to_owned();
            let first = if mac.starts_with(":A") { "B" } else { "A" };
            change_value(request, &SIGNATURE, &mac, &format!(":{first}{}", &mac[2..]));
        }),
    ]
}

// --- our side ---

fn secret(key: &[u8]) -> Secret {
    Secret::from_bytes(key).expect("long enough")
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret(KEY));
    secrets
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn we_validate(request: &Request<String>) -> Result<hmac_auth::Validated, AuthErrorKind> {
    validate_auth(request, &secrets(), &ValidateOptions::new().at(now()))
        .map_err(|error| error.kind())
}

// --- their side ---

fn their_key(key: &[u8]) -> SharedKey {
    SharedKey::from_base64(&AlgorithmName::HmacSha256, &STANDARD.encode(key)).expect("a key")
}

fn their_params(components: &[&str]) -> HttpSignatureParams {
    let components: Result<Vec<_>, _> = components
        .iter()
        .map(|name| HttpMessageComponentId::try_from(*name))
        .collect();
    let mut params =
        HttpSignatureParams::try_new(&components.expect("components")).expect("none is repeated");
    params.set_created(NOW);
    params
}

fn they_sign(
    mut request: Request<String>,
    components: &[&str],
    change: impl FnOnce(&mut HttpSignatureParams),
) -> Request<String> {
    let mut params = their_params(components);
    change(&mut params);
    request
        .set_message_signature_sync(&params, &their_key(KEY), Some("sig1"))
        .expect("signed");
    request
}

fn they_verify(request: &Request<String>) -> HyperSigResult<String> {
    request.verify_message_signature_sync(&their_key(KEY), None)
}

/// The request with the `Content-Digest` that they make.
fn digested(request: Request<String>, algorithm: &ContentDigestType) -> Request<String> {
    block_on(async {
        let (parts, body) = request
            .set_content_digest(algorithm)
            .await
            .expect("a digest")
            .into_parts();
        let body: Bytes = body.collect().await.expect("a body").to_bytes();
        Request::from_parts(parts, String::from_utf8(body.into()).expect("UTF-8"))
    })
}

/// Whether they find a `Content-Digest` that is that of the body.
fn they_verify_digest(request: Request<String>) -> bool {
    block_on(request.verify_content_digest()).is_ok()
}
