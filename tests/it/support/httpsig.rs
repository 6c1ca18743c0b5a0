//! Messages signed and verified by the crates `httpsig` and `httpsig-hyper`.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_executor::block_on;
use hmac_auth::{
    AlgParameter, AuthErrorKind, DEFAULT_SECRET_NAME, DigestAlgorithm, MemorySecrets, Secret,
    SignOptions, ValidateOptions, sign_request,
    signature::{SIGNATURE, SIGNATURE_INPUT},
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

pub(crate) const KEY: &[u8] = b"the key of both, at least 16 bytes";

pub(crate) const OTHER_KEY: &[u8] = b"a key of others, also long enough";

pub(crate) const URI: &str = "https://host.example/_functions/siteStats?year=2026&q=a%20b+c";

pub(crate) const BODY: &str = r#"{"month":11}"#;

pub(crate) const NOW: u64 = 1_800_000_000;

/// For `expires`, which `httpsig` compares with the clock.
pub(crate) const FAR: u64 = 1_000_000_000_000;

/// What `httpsig` can cover of a request with a body, in its usual order.
pub(crate) const COMPONENTS: [&str; 6] = [
    "@method",
    "@authority",
    "@path",
    "@query",
    "content-digest",
    "content-type",
];

/// Each way to sign a request, by name.
pub(crate) fn signed_by_us() -> Vec<(&'static str, Request<String>)> {
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

/// Each way for them to sign a request, by name.
pub(crate) fn signed_by_them() -> Vec<(&'static str, Request<String>)> {
    let reversed: Vec<_> = COMPONENTS.into_iter().rev().collect();
    let with_fields = [&COMPONENTS[..], &["x-tenant", "accept"]].concat();
    let target_uri = ["@method", "@target-uri", "content-digest", "content-type"];
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

pub(crate) const X_TENANT: HeaderName = HeaderName::from_static("x-tenant");

pub(crate) fn get() -> Request<String> {
    request(Method::GET, "")
}

pub(crate) fn in_capitals(mut request: Request<String>) -> Request<String> {
    *request.uri_mut() = URI
        .replacen("host.example", "HOST.Example", 1)
        .parse()
        .expect("a URI");
    request
}

pub(crate) fn post() -> Request<String> {
    let mut request = request(Method::POST, BODY);
    set(&mut request, &header::CONTENT_TYPE, "application/json");
    request
}

pub(crate) fn request(method: Method, body: &str) -> Request<String> {
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

pub(crate) fn set(request: &mut Request<String>, name: &HeaderName, value: &str) {
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).expect("a value"));
}

pub(crate) type Change = (&'static str, fn(&mut Request<String>));

/// The changes that neither side may accept, whoever has signed; the body is not among them.
pub(crate) fn changes() -> [Change; 6] {
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

pub(crate) fn secret(key: &[u8]) -> Secret {
    Secret::from_bytes(key).expect("long enough")
}

pub(crate) fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret(KEY));
    secrets
}

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) fn we_validate(
    request: &Request<String>,
) -> Result<hmac_auth::Validated, AuthErrorKind> {
    validate_auth(request, &secrets(), &ValidateOptions::new().at(now()))
        .map_err(|error| error.kind())
}

pub(crate) fn their_key(key: &[u8]) -> SharedKey {
    SharedKey::from_base64(&AlgorithmName::HmacSha256, &STANDARD.encode(key)).expect("a key")
}

pub(crate) fn their_params(components: &[&str]) -> HttpSignatureParams {
    let components: Result<Vec<_>, _> = components
        .iter()
        .map(|name| HttpMessageComponentId::try_from(*name))
        .collect();
    let mut params =
        HttpSignatureParams::try_new(&components.expect("components")).expect("none is repeated");
    params.set_created(NOW);
    params
}

pub(crate) fn they_sign(
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

pub(crate) fn they_verify(request: &Request<String>) -> HyperSigResult<String> {
    request.verify_message_signature_sync(&their_key(KEY), None)
}

/// The request with the `Content-Digest` that they make.
pub(crate) fn digested(request: Request<String>, algorithm: &ContentDigestType) -> Request<String> {
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
pub(crate) fn they_verify_digest(request: Request<String>) -> bool {
    block_on(request.verify_content_digest()).is_ok()
}
