//! A host and requests of all shapes. It refuses those without a right MAC, which no input has, and
//! those with one that its policy forbids. It does no more than its limits allow, and says nothing
//! that it must not say.

use std::{
    cell::RefCell,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthError, AuthErrorKind, Claim, DEFAULT_SECRET_NAME, SecretError, SecretSet, SecretStore,
    ValidateOptions,
    signature::{CONTENT_DIGEST, MAX_BASE_LEN, SIGNATURE_INPUT, Scheme},
    validate_auth,
};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header::HOST};
use sfv::{InnerList, KeyRef, ListEntry};
use sha2::{Digest, Sha256};

use super::{choices::Choices, field, host};

/// How many signatures of a request may be meant for the host.
const MAX_CANDIDATES: usize = 4;

static OPTIONS: LazyLock<[ValidateOptions; 5]> = LazyLock::new(|| {
    let options = || ValidateOptions::new().at(host::now());
    [
        options(),
        options().authorities(["host.example", "[::1]:8080"]),
        options()
            .key_ids([("a", DEFAULT_SECRET_NAME), ("b", "secret of b")])
            .tag("app"),
        options()
            .external_scheme(Scheme::Http)
            .trust_forwarded_host(HeaderName::from_static("x-forwarded-host"))
            .accept_uncovered_content_type(),
        options()
            .require("@target-uri")
            .require("x-a")
            .require_if_present("x-b"),
    ]
});

/// A store that counts what it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl SecretStore for Counting {
    fn lookup(&self, _: &str) -> Result<SecretSet, SecretError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(host::SECRET.clone().into())
    }
}

/// Makes a request, and has it refused.
///
/// # Panics
///
/// If the host accepts it, or does or says what it must not.
pub fn run(data: &[u8]) {
    thread_local! {
        static REQUEST: RefCell<Request<Vec<u8>>> = RefCell::default();
    }
    REQUEST.with_borrow_mut(|request| {
        let mut choices = Choices::new(data);
        let policy = choices.below(OPTIONS.len());
        let is_signed = choices.once_in(2);
        if make(request, is_signed, &mut choices).is_none() {
            return;
        }
        if is_signed {
            if validate_auth(request, &*host::SECRETS, &OPTIONS[policy]).is_ok() {
                check_policy(request, policy);
            }
        } else {
            refuse(request, &OPTIONS[policy]);
        }
    });
}

/// One of the signatures of an accepted request is as the host demands.
fn check_policy(request: &Request<Vec<u8>>, policy: usize) {
    let lines = request.headers().get_all(SIGNATURE_INPUT).iter();
    let field = lines
        .map(HeaderValue::as_bytes)
        .collect::<Vec<_>>()
        .join(&b'\n');
    let inputs = field::dictionary(&field).expect("an accepted field");
    let is_allowed = |entry: &ListEntry| match entry {
        ListEntry::InnerList(list) => covers(request, list, policy) && is_fresh(list, policy),
        ListEntry::Item(_) => false,
    };
    assert!(
        inputs.values().any(is_allowed),
        "against policy {policy}: {request:?}"
    );
    if policy == 1 {
        let of_target = request
            .uri()
            .authority()
            .map(|authority| authority.as_str().as_bytes());
        let of_host = || request.headers()[HOST].as_bytes();
        let authority = of_target
            .unwrap_or_else(of_host)
            .trim_ascii()
            .to_ascii_lowercase();
        let listed: [&[u8]; 3] = [b"host.example", b"host.example:443", b"[::1]:8080"];
        assert!(
            listed.contains(&&authority[..]),
            "another host: {request:?}"
        );
    }
    if !request.body().is_empty() {
        let given = request.headers()[CONTENT_DIGEST].as_bytes();
        let right = STANDARD.encode(Sha256::digest(request.body()));
        let mut windows = given.windows(right.len());
        assert!(
            windows.any(|text| text == right.as_bytes()),
            "another body: {request:?}"
        );
    }
}

/// Whether a signature covers all that the host demands, and nothing that it cannot resolve.
fn covers(request: &Request<Vec<u8>>, list: &InnerList, policy: usize) -> bool {
    let has = |name: &str| request.headers().contains_key(name);
    let is_covered = |names: &[&str]| {
        list.items.iter().any(|item| {
            let name = item.bare_item.as_string().map(sfv::StringRef::as_str);
            item.params.is_empty() && name.is_some_and(|name| names.contains(&name))
        })
    };
    let mut parameters = list.items.iter().flat_map(|item| item.params.keys());
    let has_query = request.uri().query().is_some_and(|query| !query.is_empty());
    let has_body = !request.body().is_empty();
    is_covered(&["@method"])
        && is_covered(&["@authority", "@target-uri"])
        && is_covered(&["@path", "@target-uri", "@request-target"])
        && (!has_query || is_covered(&["@query", "@target-uri", "@request-target"]))
        && (!has_body || is_covered(&["content-digest"]))
        && (!has_body || !has("content-type") || policy == 3 || is_covered(&["content-type"]))
        && (!has_body || !has("content-encoding") || is_covered(&["content-encoding"]))
        && (policy != 4 || is_covered(&["@target-uri"]) && is_covered(&["x-a"]))
        && (policy != 4 || !has("x-b") || is_covered(&["x-b"]))
        && parameters.all(|key| matches!(key.as_str(), "bs" | "name"))
}

/// Whether a signature is fresh, and for this host.
fn is_fresh(list: &InnerList, policy: usize) -> bool {
    let get = |name: &str| list.params.get(KeyRef::from_str(name).expect("a key"));
    let time = |name: &str| get(name).and_then(|value| value.as_integer().map(i64::from));
    let text =
        |name: &str| get(name).and_then(|value| value.as_string().map(sfv::StringRef::as_str));
    let now = i64::try_from(host::NOW).expect("a time");
    time("created").is_some_and(|created| (now - 60..=now + 10).contains(&created))
        && time("expires").is_none_or(|expires| expires >= now)
        && text("alg").is_none_or(|alg| alg == "hmac-sha256")
        && (policy != 2 || matches!(text("keyid"), Some("a" | "b")) && text("tag") == Some("app"))
}

fn refuse(request: &Request<Vec<u8>>, options: &ValidateOptions) {
    let store = Counting::default();
    let Err(error) = validate_auth(request, &store, options) else {
        panic!("accepted without the secret");
    };
    let asked = store.0.into_inner();
    assert!(asked <= 2, "asked {asked} times for two secrets");
    check_answer(&error);
    if let Ok(mut claim) = Claim::parse(request, options) {
        let (mut candidates, mut signed) = (1, 0);
        loop {
            signed += claim.signature_base().map_or(0, |base| base.as_str().len());
            if !claim.advance() {
                break;
            }
            candidates += 1;
        }
        assert!(candidates <= MAX_CANDIDATES, "{candidates} candidates");
        assert!(signed <= MAX_BASE_LEN, "{signed} bytes to sign");
    }
}

/// The peer learns one of three things, and the operator reads printable ASCII of a limited length.
fn check_answer(error: &AuthError) {
    assert!(
        !matches!(
            error.kind(),
            AuthErrorKind::Misconfigured | AuthErrorKind::SecretUnavailable
        ),
        "{error:#}"
    );
    assert_eq!(error.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        error.public_body(),
        r#"{"error":"Invalid authentication token"}"#
    );
    let text = format!("{error:#}");
    assert!(text.chars().all(|char| !char.is_control()), "{text:?}");
    assert!(text.len() < 4096, "{} bytes", text.len());
}

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::HEAD,
    Method::OPTIONS,
    Method::CONNECT,
];

const URIS: [&str; 10] = [
    "https://host.example/path?q=1",
    "/path",
    "/",
    "*",
    "host.example:443",
    "http://[::1]:8080/a%2Fb//c?x=1&x=2&x",
    "https://user:password@host.example/",
    "https://HOST.example:0443/?",
    "/path?a=%zz&b=+&c",
    "https://a",
];

const HOSTS: [&str; 5] = [
    "host.example",
    "HOST.example:443",
    "[::1]:8080",
    "a@b",
    "other.example",
];

/// Fields beside those of the signature.
const FIELDS: [&str; 12] = [
    "x-a",
    "x-b",
    "host",
    "content-type",
    "content-encoding",
    "content-digest",
    "content-length",
    "x-forwarded-host",
    "cookie",
    "signature",
    "signature-input",
    "date",
];

/// Lists of components. A host requires the first.
const LISTS: [&str; 8] = [
    r#"("@method" "@authority" "@path" "@query")"#,
    r#"("@method" "@authority" "@path" "@query" "content-digest" "content-type" "content-encoding")"#,
    r#"("@method" "@target-uri" "x-a" "x-b")"#,
    r#"("@method" "@target-uri" "content-digest" "x-a";bs "x-b" "x-a")"#,
    r#"("@method" "@authority" "@path" "@query" "@query-param";name="x" "@scheme")"#,
    r#"( "@method"  "@authority" "@request-target" )"#,
    r#"("@method" "@authority" "@path" "@query" "@status")"#,
    r#"("@method" "@authority" "@path")"#,
];

/// Parameters of a signature, most of which a host accepts.
const PARAMETERS: [&str; 12] = [
    ";created=1800000000",
    ";keyid=\"a\"",
    ";tag=\"app\"",
    ";alg=\"hmac-sha256\"",
    ";nonce=\"n\"",
    ";expires=1800000060",
    ";created=1799999930",
    ";created=-999999999999999",
    ";keyid=\"b\"",
    ";alg=\"ed25519\"",
    "; x=@1;y=%\"%c3%bc\"",
    ";created=1.5",
];

const LABELS: [&str; 4] = ["sig1", "a", "b", "*"];

/// Makes the request that the choices describe; `None` if there is none.
fn make(request: &mut Request<Vec<u8>>, is_signed: bool, choices: &mut Choices<'_>) -> Option<()> {
    *request.method_mut() = METHODS[choices.below(METHODS.len())].clone();
    *request.version_mut() = choices.one_of(&[Version::HTTP_11, Version::HTTP_2, Version::HTTP_10]);
    *request.uri_mut() = if choices.once_in(4) {
        Uri::try_from(choices.text()).ok()?
    } else {
        Uri::from_static(choices.one_of(&URIS))
    };
    request.body_mut().clear();
    request.body_mut().extend_from_slice(choices.text());
    let digest = STANDARD.encode(Sha256::digest(request.body()));
    request.headers_mut().clear();
    if choices.below(4) < 3 {
        add(request, "host", choices.one_of(&HOSTS).as_bytes())?;
    }
    for _ in 0..choices.below(5) {
        let name = choices.one_of(&FIELDS);
        let times = if choices.once_in(8) {
            choices.below(40)
        } else {
            1
        };
        // The byte 1 stands for the digest of the body.
        let value = host::with_texts(choices.text(), &[&digest]);
        add(request, name, &value.repeat(times))?;
    }
    add_signatures(request, is_signed, choices)
}

/// Adds both fields. The MAC of the first signature is right if it is to be signed.
fn add_signatures(
    request: &mut Request<Vec<u8>>,
    is_signed: bool,
    choices: &mut Choices<'_>,
) -> Option<()> {
    // Mostly one.
    let count = choices.one_of(&[1, 1, 1, 2, 3, 5, 17, 0]);
    let mut inputs = Vec::new();
    let mut labels = Vec::new();
    for index in 0..count {
        if index > 0 {
            inputs.extend_from_slice(b", ");
        }
        let label = match choices.below(5) {
            4 => choices.text().to_vec(),
            known => [LABELS[known].as_bytes(), index.to_string().as_bytes()].concat(),
        };
        add_input(&mut inputs, &label, choices);
        labels.push(label);
    }
    if count == 0 {
        return Some(());
    }
    add(request, "signature-input", &inputs)?;
    let right = if is_signed {
        host::mac_of(&(&*request).into(), request.headers())
    } else {
        None
    };
    let mut signatures = Vec::new();
    for (index, label) in labels.iter().enumerate() {
        if index > 0 {
            signatures.extend_from_slice(b", ");
        }
        signatures.extend_from_slice(label);
        match right {
            Some(mac) if index == 0 => {
                signatures.extend_from_slice(format!("=:{}:", STANDARD.encode(mac)).as_bytes());
            }
            _ => add_mac(&mut signatures, choices),
        }
    }
    add(request, "signature", &signatures)
}

fn add_input(inputs: &mut Vec<u8>, label: &[u8], choices: &mut Choices<'_>) {
    inputs.extend_from_slice(label);
    inputs.push(b'=');
    match choices.below(11) {
        8 => inputs.extend_from_slice(choices.text()),
        9 => {
            // Of one component many.
            let (component, times) = (choices.text(), choices.below(40));
            inputs.push(b'(');
            for number in 0..times {
                inputs.extend_from_slice(component);
                inputs.extend_from_slice(format!(";name=\"{number}\" ").as_bytes());
            }
            inputs.push(b')');
        }
        10 => {
            inputs.extend_from_slice(br#"("@method" "@target-uri" "#);
            inputs.extend_from_slice(choices.text());
            inputs.push(b')');
        }
        known => inputs.extend_from_slice(LISTS[known].as_bytes()),
    }
    if !choices.once_in(8) {
        inputs.extend_from_slice(PARAMETERS[0].as_bytes());
    }
    for _ in 0..choices.below(4) {
        match choices.below(PARAMETERS.len() + 1) {
            12 => inputs.extend_from_slice(choices.text()),
            known => inputs.extend_from_slice(PARAMETERS[known].as_bytes()),
        }
    }
}

/// Adds a MAC that nobody has made: mostly, 32 bytes.
fn add_mac(signatures: &mut Vec<u8>, choices: &mut Choices<'_>) {
    match choices.below(6) {
        0 => signatures.extend_from_slice(b"=::"),
        1 => {
            signatures.push(b'=');
            signatures.extend_from_slice(choices.text());
        }
        _ => {
            let (first, len) = (choices.byte(), choices.one_of(&[32, 32, 32, 31, 33, 64]));
            let mac = STANDARD.encode(vec![first; len]);
            signatures.extend_from_slice(format!("=:{mac}:").as_bytes());
        }
    }
}

/// Adds a line; `None` if it is no value of a header.
fn add(request: &mut Request<Vec<u8>>, name: &'static str, value: &[u8]) -> Option<()> {
    let value = HeaderValue::from_bytes(value).ok()?;
    request
        .headers_mut()
        .append(HeaderName::from_static(name), value);
    Some(())
}
