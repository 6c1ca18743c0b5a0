//! Thirty ways in which signature libraries have gone wrong, each as a test that fails if this one does the same.

mod common;

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    fmt::Debug,
    fs,
    process::Command,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use common::{
    INPUT, NOW, Random, SECRET, TestRequest, base_of, get, options, post, refusal, refusal_with,
    secret, secrets, sign_options, signed, signed_as, signed_by, signed_with, time, validate,
    with_header, with_signature,
};
use hmac_auth::{
    AlgParameter, AuthErrorKind, Claim, DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF,
    DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, DEFAULT_SECRET_NAME,
    DigestAlgorithm, EnvSecrets, FileSecrets, MIN_SECRET_LEN, MemoryReplayGuard, MemorySecrets,
    ReplayId, Secret, SecretEncoding, SecretError, SecretSet, SecretStore, SignOptions,
    ValidateOptions, Validated, VerifiedHead, generate_secret, sign_request,
    signature::{
        Component, RequestHead, ResponseHead, Scheme, SignatureBase, SignatureInput,
        SignatureInputs,
    },
    validate_auth,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, Version};

use AuthErrorKind as Kind;

/// The components that every signature of a request with a body must have, and the time.
const BODY_INPUT: &str = r#"("@method" "@authority" "@path" "content-digest");created=1700000000"#;

fn with_uri(mut request: TestRequest, uri: &str) -> TestRequest {
    *request.uri_mut() = uri.parse().expect("a valid URI");
    request
}

fn with_method(mut request: TestRequest, method: &Method) -> TestRequest {
    *request.method_mut() = method.clone();
    request
}

fn with_body(mut request: TestRequest, body: &[u8]) -> TestRequest {
    *request.body_mut() = body.to_vec();
    request
}

fn set(mut request: TestRequest, name: &'static str, value: &str) -> TestRequest {
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).expect("a valid value"));
    request
}

fn without(mut request: TestRequest, name: &str) -> TestRequest {
    request.headers_mut().remove(name);
    request
}

fn edited(request: &TestRequest, name: &'static str, edit: impl Fn(&str) -> String) -> TestRequest {
    let value = request.headers()[name].to_str().expect("ASCII");
    let new = edit(value);
    assert_ne!(new, value, "the edit has no effect");
    set(request.clone(), name, &new)
}

/// The `Content-Digest` that the crate gives this body.
fn digest_of(body: &[u8], algorithm: DigestAlgorithm) -> String {
    let request = signed_with(with_body(post(), body), &sign_options().digest(algorithm));
    request.headers()["content-digest"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// Whether a type implements a trait, found out without needing it to.
macro_rules! implements {
    ($type:ty: $($bound:tt)+) => {{
        #[allow(dead_code, reason = "one of the two is not looked at")]
        trait Otherwise { const ANSWER: bool = false; }
        struct Question<T: ?Sized>(std::marker::PhantomData<T>);
        impl<T: ?Sized> Otherwise for Question<T> {}
        #[allow(dead_code, reason = "one of the two is not looked at")]
        impl<T: ?Sized + $($bound)+> Question<T> { const ANSWER: bool = true; }
        (concat!(stringify!($type), ": ", stringify!($($bound)+)), <Question<$type>>::ANSWER)
    }};
}

/// 1. The MAC of the empty string was appended to the message: anybody could sign. Round trips did not show it.
#[test]
fn pitfall_01_known_answers_of_others() {
    // RFC 9421 B.2.5.
    let key =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    let request = Request::post("https://example.com/foo?param=Value&Pet=dog")
        .header("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .header("content-type", "application/json")
        .body(Vec::new())
        .unwrap();
    let input =
        r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
                \"@authority\": example.com\n\
                \"content-type\": application/json\n\
                \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
    assert_eq!(base_of(&request, input), base);
    let mac = Secret::from_base64(key)
        .unwrap()
        .mac(base.as_bytes())
        .into_bytes();
    assert_eq!(
        STANDARD.encode(mac),
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
    );

    // A request that curl has signed, all the way through.
    let curl = Request::get("/5002/resource")
        .header("host", "example.com:7000")
        .header("signature-input", r#"sig1=("@method" "@authority" "@path");created=0;keyid="shared-key-1";alg="hmac-sha256""#)
        .header("signature", "sig1=:jvajJheXE4H/TqWfAn8m0d0Rx0XWYKADN/1P0qn+FLw=:")
        .body(Vec::new())
        .unwrap();
    let store = MemorySecrets::new();
    store.insert(
        DEFAULT_SECRET_NAME,
        Secret::from_hex(&"0123456789abcdef".repeat(4)).unwrap(),
    );
    let at_zero = ValidateOptions::new().at(time(0));
    validate_auth(&curl, &store, &at_zero).unwrap();
    assert_eq!(
        validate_auth(&curl, &secrets(), &at_zero)
            .unwrap_err()
            .kind(),
        Kind::WrongMac
    );

    // What the broken library would have sent and accepted.
    let secret = secret();
    let base = base_of(&get(), INPUT);
    for forged in [
        [base.as_bytes(), &secret.mac(b"").into_bytes()].concat(),
        secret.mac(b"").into_bytes().to_vec(),
        base.into_bytes(),
    ] {
        assert!(validate(&with_signature(get(), "sig1", INPUT, &forged)).is_err());
    }
    let sent = signed(get()).headers()["signature"]
        .to_str()
        .unwrap()
        .to_owned();
    let mac = sent
        .strip_prefix("sig1=:")
        .and_then(|rest| rest.strip_suffix(':'))
        .unwrap();
    assert_eq!(STANDARD.decode(mac).unwrap().len(), 32);
    // What is sent is the MAC of the base, nothing more and nothing less.
    let request = signed(get());
    let input = request.headers()["signature-input"]
        .to_str()
        .unwrap()
        .strip_prefix("sig1=")
        .unwrap();
    let expected = STANDARD.encode(secret.mac(base_of(&request, input).as_bytes()).into_bytes());
    assert_eq!(request.headers()["signature"], format!("sig1=:{expected}:"));
}

/// 2. The check of the digest was always true.
#[test]
fn pitfall_02_one_changed_byte_of_the_body_is_refused() {
    use DigestAlgorithm::{Sha256, Sha512};

    let body = post().into_body();
    let both = [digest_of(&body, Sha256), digest_of(&body, Sha512)].join(", ");
    for request in [
        signed_with(post(), &sign_options().digest(Sha256)),
        signed_with(post(), &sign_options().digest(Sha512)),
        signed(set(post(), "content-digest", &both)),
    ] {
        validate(&request).unwrap();
        for index in 0..body.len() {
            let mut changed = body.clone();
            changed[index] ^= 0x80;
            assert_eq!(
                refusal(&with_body(request.clone(), &changed)),
                Kind::WrongDigest,
                "byte {index}"
            );
            // In pieces, as it is streamed.
            let options = options();
            let claim = Claim::parse(&request, &options).unwrap();
            let mut head = claim.verify_head(&SecretSet::new(secret())).unwrap();
            changed.chunks(5).for_each(|piece| head.update(piece));
            assert_eq!(
                head.finish().unwrap_err().kind(),
                Kind::WrongDigest,
                "byte {index}"
            );
        }
        assert_eq!(refusal(&with_body(request.clone(), b"")), Kind::WrongDigest);
        assert_eq!(
            refusal(&with_body(request, &[&body[..], b"x"].concat())),
            Kind::WrongDigest
        );
    }
    // Of two digests, each must be right.
    let [wrong256, wrong512] =
        [Sha256, Sha512].map(|algorithm| digest_of(b"another body", algorithm));
    for digests in [
        [wrong256, digest_of(&body, Sha512)],
        [digest_of(&body, Sha256), wrong512],
    ] {
        let request = signed_as(
            set(post(), "content-digest", &digests.join(", ")),
            BODY_INPUT,
        );
        assert_eq!(refusal(&request), Kind::WrongDigest);
    }
}

/// 3. A covered field that was absent was read as empty, `()` was accepted, and there was no limit of age.
#[test]
fn pitfall_03_absence_is_an_error_and_coverage_and_age_are_enforced() {
    let site = HeaderName::from_static("x-site");
    let empty = signed_with(set(get(), "x-site", ""), &sign_options().cover(site));
    validate(&empty).unwrap();
    assert_eq!(refusal(&without(empty, "x-site")), Kind::AbsentComponent);

    assert_eq!(
        refusal(&signed_as(get(), "();created=1700000000")),
        Kind::NotCovered
    );
    for input in ["()", r#"("@method" "@authority" "@path" "@query")"#] {
        assert!(
            matches!(
                refusal(&signed_as(get(), input)),
                Kind::NotCovered | Kind::MissingCreated
            ),
            "{input}"
        );
    }
    let signed_at = |at| signed_with(get(), &SignOptions::new().at(time(at)));
    validate(&signed_at(NOW - 60)).unwrap();
    assert_eq!(refusal(&signed_at(NOW - 61)), Kind::Stale);
    assert_eq!(refusal(&signed_at(NOW - 86_400)), Kind::Stale);
}

/// 4. A missing `Content-Digest` and repeated components were accepted.
#[test]
fn pitfall_04_a_body_needs_a_covered_digest_and_nothing_is_repeated() {
    let digest = digest_of(post().body(), DigestAlgorithm::Sha256);
    let with_digest = || set(post(), "content-digest", &digest);
    validate(&signed_as(with_digest(), BODY_INPUT)).unwrap();

    let uncovered = r#"("@method" "@authority" "@path");created=1700000000"#;
    assert_eq!(refusal(&signed_as(post(), uncovered)), Kind::BodyNotCovered);
    assert_eq!(
        refusal(&signed_as(with_digest(), uncovered)),
        Kind::BodyNotCovered
    );
    let removed = without(signed_as(with_digest(), BODY_INPUT), "content-digest");
    assert_eq!(refusal(&removed), Kind::AbsentComponent);
    // Covered, but with parameters that change what is covered.
    let bytes = BODY_INPUT.replace(r#""content-digest""#, r#""content-digest";bs"#);
    assert_eq!(
        refusal(&signed_as(with_digest(), &bytes)),
        Kind::BodyNotCovered
    );

    for repeated in [
        r#"("@method" "@authority" "@path" "@query" "@path");created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a" "a");created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a";bs "a";bs);created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a";bs "a";bs=?1);created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a";bs;req "a";req;bs);created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query");created=1700000000;created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query");created=1700000000;keyid="a";keyid="a""#,
    ] {
        let request = with_signature(get(), "sig1", repeated, &[0; 32]);
        assert_eq!(
            refusal(&request),
            Kind::MalformedSignatureInput,
            "{repeated}"
        );
    }
    // The right digest and a wrong one under one name, in one line and in two.
    let zeros = format!("sha-256=:{}=:", "A".repeat(43));
    for lines in [
        vec![format!("{digest}, {zeros}")],
        vec![format!("{zeros}, {digest}")],
        vec![zeros.clone(), digest.clone()],
    ] {
        let request = lines.iter().fold(post(), |request, line| {
            with_header(request, "content-digest", line)
        });
        assert_eq!(
            refusal(&signed_as(request, BODY_INPUT)),
            Kind::MalformedDigest
        );
    }
}

/// 5. MACs were compared with `==`, which takes longer the more bytes are right.
///
/// No type that holds a MAC can be compared with `==`, and a comparison looks at every bit.
#[test]
fn pitfall_05_each_bit_of_a_mac_is_compared() {
    for (question, answer) in [
        implements!(Secret: PartialEq),
        implements!(SecretSet: PartialEq),
        implements!(ReplayId: PartialEq),
        implements!(Validated: PartialEq),
        implements!(VerifiedHead: PartialEq),
    ] {
        assert!(!answer, "{question}");
    }
    assert!(
        implements!(SignatureBase: PartialEq).1,
        "the question itself does not work"
    );

    // The comparison looks at all of it.
    let request = signed(get());
    let signature = request.headers()["signature"].to_str().unwrap();
    let mac = STANDARD
        .decode(
            signature
                .strip_prefix("sig1=:")
                .unwrap()
                .strip_suffix(':')
                .unwrap(),
        )
        .unwrap();
    let input = request.headers()["signature-input"]
        .to_str()
        .unwrap()
        .strip_prefix("sig1=")
        .unwrap();
    for bit in 0..256 {
        let mut other = mac.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            refusal(&with_signature(get(), "sig1", input, &other)),
            Kind::WrongMac,
            "bit {bit}"
        );
    }
}

/// 6. MACs were compared up to the end of the shorter one, so that an empty one was right.
#[test]
fn pitfall_06_a_mac_of_any_other_length_is_refused() {
    let mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    for len in 0..32 {
        assert_eq!(
            refusal(&with_signature(get(), "sig1", INPUT, &mac[..len])),
            Kind::MalformedSignature,
            "{len}"
        );
        assert_eq!(
            refusal(&with_signature(get(), "sig1", INPUT, &mac[32 - len..])),
            Kind::MalformedSignature,
            "{len}"
        );
    }
    for more in 1..=64 {
        let longer = [&mac[..], &vec![0; more]].concat();
        assert_eq!(
            refusal(&with_signature(get(), "sig1", INPUT, &longer)),
            Kind::MalformedSignature,
            "{more}"
        );
    }
    assert_eq!(
        refusal(&with_signature(get(), "sig1", INPUT, &[mac, mac].concat())),
        Kind::MalformedSignature
    );
    validate(&with_signature(get(), "sig1", INPUT, &mac)).unwrap();
}

/// 7. The time of a comparison told how much of a guess was right.
///
/// Measures `verify_head`, which computes the MAC and compares it, with guesses that are wrong from the first byte on and with
/// guesses that are wrong in the last byte only.
///
/// An early exit in a loop over the bytes makes a difference of some hundred nanoseconds in a debug build and of some nanoseconds
/// in a release build, a few percent of the whole in both; from about one percent on it is seen. A comparison in one
/// or two steps, as `==` on arrays does it, is not seen.
#[test]
fn pitfall_07_time_does_not_tell_how_much_of_a_guess_is_right() {
    // One difference may be an accident of a busy machine, and one that is missed as well: the first to be sure decides.
    let (mut seen, mut missed) = (Vec::new(), 0);
    while seen.len() < 3 && missed < 2 {
        match significant_difference() {
            Some(share) => seen.push(share),
            None => missed += 1,
        }
    }
    assert!(
        missed == 2,
        "a guess that is right up to its last byte takes longer, by these shares: {seen:?}"
    );
}

/// By which share a guess that is wrong at its end takes longer, if that can be told.
fn significant_difference() -> Option<f64> {
    const ROUNDS: usize = 151;

    let set = SecretSet::new(secret());
    let options = options();
    let mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    let guess = |index: usize| {
        let mut guess = mac;
        guess[index] ^= 0x01;
        with_signature(get(), "sig1", INPUT, &guess)
    };
    let mut shares = Vec::new();
    for round in 0..ROUNDS {
        // New allocations in another order for each round, so that no place in memory favours one side.
        let first_is_early = round % 2 == 0;
        let requests = if first_is_early {
            [guess(0), guess(31)]
        } else {
            [guess(31), guess(0)]
        };
        let claims =
            [&requests[0], &requests[1]].map(|request| Claim::parse(request, &options).unwrap());
        let mut best = [Duration::MAX; 2];
        for _ in 0..48 {
            for (claim, best) in claims.iter().zip(&mut best) {
                let start = Instant::now();
                for _ in 0..4 {
                    assert!(std::hint::black_box(claim).verify_head(&set).is_err());
                }
                *best = start.elapsed().min(*best);
            }
        }
        let [early, late] = if first_is_early {
            best
        } else {
            [best[1], best[0]]
        };
        shares.push((late.as_secs_f64() - early.as_secs_f64()) / early.as_secs_f64());
    }
    shares.sort_by(f64::total_cmp);
    let median = shares[ROUNDS / 2];
    let slower = shares.iter().filter(|share| **share > 0.0).count();
    // Of 151 coins, 107 fall on one side once in three million times.
    (slower >= 107 && median > 0.003).then_some(median)
}

/// 8. An unknown key became an empty key.
#[test]
fn pitfall_08_an_unknown_key_id_never_falls_back() {
    for len in 0..MIN_SECRET_LEN {
        assert!(
            matches!(Secret::from_bytes(&vec![b'x'; len]), Err(SecretError::TooShort { len: found }) if found == len)
        );
        assert!(Secret::from_text(&"x".repeat(len)).is_err());
        assert!(Secret::from_hex(&"ab".repeat(len)).is_err());
        assert!(Secret::from_base64(&STANDARD.encode(vec![7; len])).is_err());
    }
    // HMAC pads its key with zeros: this one gives the MACs of the empty key.
    let empty = Secret::from_bytes(&[0; 16]).unwrap();
    let store = secrets();
    store.insert(
        "secret-a",
        Secret::from_text("the secret of site a").unwrap(),
    );
    let options = options().key_ids([("site-a", "secret-a"), ("site-b", "secret-b")]);
    for key in [&empty, &secret()] {
        for (key_id, expected) in [
            (r#";keyid="site-a""#, Kind::WrongMac),
            // Listed, but its secret is not there.
            (r#";keyid="site-b""#, Kind::SecretUnavailable),
            (r#";keyid="site-c""#, Kind::UnknownKeyId),
            (r#";keyid="""#, Kind::UnknownKeyId),
            (r#";keyid="SITE-A""#, Kind::UnknownKeyId),
            (r#";keyid="site-a ""#, Kind::UnknownKeyId),
            ("", Kind::UnknownKeyId),
        ] {
            let request = signed_by(key, get(), &format!("{INPUT}{key_id}"));
            assert_eq!(
                validate_auth(&request, &store, &options)
                    .unwrap_err()
                    .kind(),
                expected,
                "{key_id}"
            );
        }
    }
    // The shared mode has no fallback either.
    let nothing = MemorySecrets::new();
    let request = signed_by(&empty, get(), INPUT);
    assert_eq!(
        validate_auth(&request, &nothing, &common::options())
            .unwrap_err()
            .kind(),
        Kind::SecretUnavailable
    );
}

/// 9. A secret that was not set became an empty HMAC key.
#[test]
fn pitfall_09_an_unset_variable_and_an_empty_file_are_errors() {
    const CHILD: &str = "PITFALL_09_CHILD";
    // The variables of a process can only be set from outside, so this test runs itself with them.
    if std::env::var_os(CHILD).is_some() {
        let store = EnvSecrets::new("PITFALL_09_");
        store.lookup("good").unwrap();
        for name in ["empty", "short", "previous-is-empty"] {
            let error = store.lookup(name).unwrap_err();
            assert!(
                matches!(&error, SecretError::Unusable { source, .. } if matches!(**source, SecretError::TooShort { .. })),
                "{name}: {error:?}"
            );
        }
        assert!(matches!(
            store.lookup("unset").unwrap_err(),
            SecretError::NotFound { .. }
        ));
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "pitfall_09_an_unset_variable_and_an_empty_file_are_errors",
        ])
        .envs([
            (CHILD, "1"),
            ("PITFALL_09_GOOD", SECRET),
            ("PITFALL_09_EMPTY", ""),
            ("PITFALL_09_SHORT", "fifteen bytes.."),
        ])
        .envs([
            ("PITFALL_09_PREVIOUS_IS_EMPTY", SECRET),
            ("PITFALL_09_PREVIOUS_IS_EMPTY_PREVIOUS", ""),
        ])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}{}",
        String::from_utf8_lossy(&child.stderr)
    );

    let directory = tempfile::tempdir().unwrap();
    let store = FileSecrets::new(directory.path());
    for (name, content) in [
        ("empty", ""),
        ("newline", "\n"),
        ("crlf", "\r\n"),
        ("short", "fifteen bytes..\n"),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
        let error = store.lookup(name).unwrap_err();
        assert!(
            matches!(&error, SecretError::Unusable { source, .. } if matches!(**source, SecretError::TooShort { .. })),
            "{name}: {error:?}"
        );
        // Neither side goes on without it.
        let options = options().secret_name(name);
        assert_eq!(
            validate_auth(&signed(get()), &store, &options)
                .unwrap_err()
                .kind(),
            Kind::SecretUnavailable
        );
        assert!(sign_request(&mut get(), &store, &sign_options().secret_name(name)).is_err());
    }
    fs::write(directory.path().join("good"), SECRET).unwrap();
    fs::write(directory.path().join("good.previous"), "").unwrap();
    assert!(
        store.lookup("good").is_err(),
        "an empty previous secret is left out"
    );
    fs::remove_file(directory.path().join("good.previous")).unwrap();
    store.lookup("good").unwrap();
    assert!(matches!(
        store.lookup("unset").unwrap_err(),
        SecretError::NotFound { .. }
    ));
}

/// 10. A secret was part of the program.
#[test]
fn pitfall_10_there_is_no_default_secret() {
    let directory = tempfile::tempdir().unwrap();
    let stores: [&dyn SecretStore; 4] = [
        &MemorySecrets::new(),
        &MemorySecrets::default(),
        &EnvSecrets::new("PITFALL_10_UNSET_"),
        &FileSecrets::new(directory.path()),
    ];
    for store in stores {
        assert!(matches!(
            store.lookup(DEFAULT_SECRET_NAME),
            Err(SecretError::NotFound { .. })
        ));
        assert!(sign_request(&mut get(), store, &sign_options()).is_err());
        assert_eq!(
            validate_auth(&signed(get()), store, &options())
                .unwrap_err()
                .kind(),
            Kind::SecretUnavailable
        );
    }
    let generated: BTreeSet<String> = (0..100).map(|_| generate_secret().unwrap()).collect();
    assert_eq!(generated.len(), 100, "generated secrets are new each time");
    assert!(
        generated
            .iter()
            .all(|text| URL_SAFE_NO_PAD.decode(text).unwrap().len() == 32)
    );
    assert!(implements!(MemorySecrets: Default).1);
    for (question, answer) in [
        implements!(Secret: Default),
        implements!(SecretSet: Default),
    ] {
        assert!(!answer, "{question}");
    }
}

/// 11. A parser took the secret and never used it.
#[test]
fn pitfall_11_a_proof_only_comes_out_of_a_verification() {
    for (question, answer) in [
        implements!(Validated: Default),
        implements!(VerifiedHead: Default),
        implements!(VerifiedHead: Clone),
        implements!(ReplayId: Default),
        implements!(Validated: for<'a> From<Claim<'a>>),
        implements!(Validated: From<ReplayId>),
        implements!(Validated: From<VerifiedHead>),
        implements!(Validated: From<String>),
    ] {
        assert!(!answer, "{question}");
    }
    // Both ways to a proof look at the secret that they are given.
    let request = signed(post());
    let options = options();
    let others = [
        "another secret of good length",
        &SECRET.to_uppercase(),
        &format!("{SECRET} "),
        &SECRET[1..],
    ];
    for other in others.map(|text| Secret::from_text(text).unwrap()) {
        let store = MemorySecrets::new();
        store.insert(DEFAULT_SECRET_NAME, other.clone());
        assert_eq!(
            validate_auth(&request, &store, &options)
                .unwrap_err()
                .kind(),
            Kind::WrongMac
        );
        let claim = Claim::parse(&request, &options).unwrap();
        let full =
            SecretSet::with_previous(other.clone(), [other.clone(), other.clone(), other]).unwrap();
        assert_eq!(claim.verify_head(&full).unwrap_err().kind(), Kind::WrongMac);
    }
    // And both look at the body.
    let mut head = Claim::parse(&request, &options)
        .unwrap()
        .verify_head(&SecretSet::new(secret()))
        .unwrap();
    assert_eq!(head.finish().unwrap_err().kind(), Kind::WrongDigest);
    head = Claim::parse(&request, &options)
        .unwrap()
        .verify_head(&SecretSet::new(secret()))
        .unwrap();
    head.update(request.body());
    head.finish().unwrap();
}

/// 12. The request chose the algorithm.
#[test]
fn pitfall_12_the_request_does_not_choose_the_algorithm() {
    validate(&signed_as(get(), INPUT)).unwrap();
    validate(&signed_as(get(), &format!(r#"{INPUT};alg="hmac-sha256""#))).unwrap();
    validate(&signed_with(
        get(),
        &sign_options().alg(AlgParameter::HmacSha256),
    ))
    .unwrap();
    for alg in [
        "",
        "none",
        "NONE",
        "hmac-sha1",
        "hmac-sha512",
        "hmac-sha384",
        "HMAC-SHA256",
        "hmac-sha256 ",
        "hmac_sha256",
        "sha256",
    ] {
        // The MAC is right: only the name of the algorithm is not.
        let input = format!(r#"{INPUT};alg="{alg}""#);
        assert_eq!(
            refusal(&signed_as(get(), &input)),
            Kind::UnsupportedAlgorithm,
            "{alg}"
        );
        for mac in [&[][..], &[0; 20], &[0; 32], &[0; 64]] {
            assert!(
                validate(&with_signature(get(), "sig1", &input, mac)).is_err(),
                "{alg}"
            );
        }
    }
    for not_a_string in ["hmac-sha256", "1", "?1", ":aG1hYy1zaGEyNTY=:"] {
        let request = with_signature(
            get(),
            "sig1",
            &format!("{INPUT};alg={not_a_string}"),
            &[0; 32],
        );
        assert_eq!(
            refusal(&request),
            Kind::MalformedSignatureInput,
            "{not_a_string}"
        );
    }
}

/// 13. A public key was used as an HMAC key.
#[test]
fn pitfall_13_no_public_key_is_a_secret() {
    let public_key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";
    let confused = Secret::from_text(public_key).unwrap();
    let listed = options().key_ids([("site-a", DEFAULT_SECRET_NAME)]);
    for alg in [
        "rsa-pss-sha512",
        "rsa-v1_5-sha256",
        "ecdsa-p256-sha256",
        "ecdsa-p384-sha384",
        "ed25519",
    ] {
        for key in [&confused, &secret()] {
            let input = format!(r#"{INPUT};alg="{alg}";keyid="site-a""#);
            assert_eq!(
                refusal(&signed_by(key, get(), &input)),
                Kind::UnsupportedAlgorithm,
                "{alg}"
            );
            assert_eq!(
                refusal_with(&signed_by(key, get(), &input), &listed),
                Kind::UnsupportedAlgorithm,
                "{alg}"
            );
        }
    }
    // Called HMAC, it is just a wrong secret.
    let input = format!(r#"{INPUT};alg="hmac-sha256";keyid="site-a""#);
    assert_eq!(
        refusal(&signed_by(&confused, get(), &input)),
        Kind::WrongMac
    );
    assert_eq!(
        refusal_with(&signed_by(&confused, get(), &input), &listed),
        Kind::WrongMac
    );
}

/// A store that notes for which names it was asked.
struct Noting(MemorySecrets, Mutex<Vec<String>>);

impl Noting {
    fn new(secrets: MemorySecrets) -> Self {
        Self(secrets, Mutex::default())
    }

    /// The names since the last time.
    fn names(&self) -> Vec<String> {
        std::mem::take(&mut *self.1.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SecretStore for Noting {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        self.1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.to_owned());
        self.0.lookup(name)
    }
}

/// 14. The sender chose the key to verify with.
#[test]
fn pitfall_14_a_key_id_only_selects_from_the_hosts_list() {
    let all = secrets();
    for name in ["secret-a", "secret-b", "admin", "site-a"] {
        all.insert(
            name,
            Secret::from_text(&format!("the secret named {name}")).unwrap(),
        );
    }
    let secret_named = |name: &str| Secret::from_text(&format!("the secret named {name}")).unwrap();
    let store = Noting::new(all);
    let listed = options().key_ids([("site-a", "secret-a"), ("site-b", "secret-b")]);

    // The name of a secret is no key id, and a path is none either.
    for key_id in [
        "admin",
        "secret-a",
        DEFAULT_SECRET_NAME,
        "../secret-a",
        "site-c",
    ] {
        let request = signed_by(
            &secret_named("admin"),
            get(),
            &format!(r#"{INPUT};keyid="{key_id}""#),
        );
        assert_eq!(
            validate_auth(&request, &store, &listed).unwrap_err().kind(),
            Kind::UnknownKeyId,
            "{key_id}"
        );
        assert!(store.names().is_empty(), "{key_id}: asked for a secret");
    }
    // One consumer cannot pass as another, nor with a secret that happens to be named as the key id.
    for (key_id, name, expected) in [
        ("site-a", "secret-a", None),
        ("site-b", "secret-b", None),
        ("site-a", "secret-b", Some(Kind::WrongMac)),
        ("site-b", "secret-a", Some(Kind::WrongMac)),
        ("site-a", "site-a", Some(Kind::WrongMac)),
        ("site-a", "admin", Some(Kind::WrongMac)),
    ] {
        let request = signed_by(
            &secret_named(name),
            get(),
            &format!(r#"{INPUT};keyid="{key_id}""#),
        );
        let outcome = validate_auth(&request, &store, &listed);
        assert_eq!(
            outcome.as_ref().err().map(hmac_auth::AuthError::kind),
            expected,
            "{key_id} {name}"
        );
        assert_eq!(store.names(), [key_id.replace("site", "secret")]);
        if let Ok(validated) = outcome {
            assert_eq!(
                (validated.key_id(), validated.consumer()),
                (Some(key_id), key_id)
            );
        }
    }
    // With one secret for all, the key id has no say at all.
    for key_id in ["admin", "secret-a", "../secret-a", ""] {
        let request = signed_by(
            &secret_named("admin"),
            get(),
            &format!(r#"{INPUT};keyid="{key_id}""#),
        );
        assert_eq!(
            validate_auth(&request, &store, &options())
                .unwrap_err()
                .kind(),
            Kind::WrongMac,
            "{key_id}"
        );
        assert_eq!(store.names(), [DEFAULT_SECRET_NAME]);
    }
}

/// 15. The names of the fields were outside of the MAC.
#[test]
fn pitfall_15_names_of_covered_fields_are_signed() {
    let amount = HeaderName::from_static("x-amount");
    let limit = HeaderName::from_static("x-limit");
    let request = with_header(with_header(get(), "x-amount", "100"), "x-limit", "100");
    let request = signed_with(request, &sign_options().cover(amount.clone()).cover(limit));
    validate(&request).unwrap();

    // The same values in the same order under other names.
    let renamed = edited(&request, "signature-input", |input| {
        input.replace("x-limit", "x-other")
    });
    let renamed = with_header(without(renamed, "x-limit"), "x-other", "100");
    assert_eq!(refusal(&renamed), Kind::WrongMac);
    let swapped = edited(&request, "signature-input", |input| {
        input
            .replace("x-amount", "x-")
            .replace("x-limit", "x-amount")
            .replace("\"x-\"", "\"x-limit\"")
    });
    assert_eq!(refusal(&swapped), Kind::WrongMac);
    assert_eq!(
        refusal(&with_header(
            without(request.clone(), "x-limit"),
            "x-other",
            "100"
        )),
        Kind::AbsentComponent
    );
    // A field under the name of a derived component, and the other way round.
    for (from, to) in [
        ("@method", "method"),
        ("@path", "path"),
        ("@query", "query"),
    ] {
        let renamed = edited(&request, "signature-input", |input| input.replace(from, to));
        let fields = [("method", "GET"), ("path", "/orders"), ("query", "?page=2")];
        let renamed = fields.into_iter().fold(renamed, |request, (name, value)| {
            with_header(request, name, value)
        });
        assert!(matches!(refusal(&renamed), Kind::NotCovered), "{from}");
    }
}

/// 16. Fields ran into each other, so that two requests had one signature.
#[test]
fn pitfall_16_no_two_requests_have_one_signature_base() {
    let input = r#"("@method" "@authority" "@path" "@query" "a" "b");created=1700000000"#;
    let build = |target: &str, a: &[&str], b: &[&str]| {
        let mut request = with_uri(get(), &format!("https://host.example{target}"));
        for (name, lines) in [("a", a), ("b", b)] {
            for line in lines {
                request = with_header(request, name, line);
            }
        }
        request
    };
    let requests = [
        build("/x?y", &["1"], &["2"]),
        build("/x?y", &["12"], &[""]),
        build("/x?y", &[""], &["12"]),
        build("/x?y", &["1", "2"], &[""]),
        build("/x?y", &["1,2"], &[""]),
        build("/x?y", &["1", "", "2"], &[""]),
        build("/x?y", &["1", "2", ""], &[""]),
        build("/x?y", &["1\"b\": 2"], &[""]),
        build("/x?y", &["1 \"b\": 2"], &["2"]),
        build("/x?y", &["1\t\"b\": 2"], &["2"]),
        build("/x?y", &["1\\n\"b\": 2"], &["2"]),
        build("/x?y", &["1%0A\"b\": 2"], &["2"]),
        build("/x", &["1"], &["2"]),
        build("/x%3Fy", &["1"], &["2"]),
        build("/x?y?", &["1"], &["2"]),
        build("/?x?y", &["1"], &["2"]),
        build("/x%0A%22@query%22:%20?y", &["1"], &["2"]),
    ];
    let signed: Vec<_> = requests
        .iter()
        .map(|request| signed_as(request.clone(), input))
        .collect();
    let bases: BTreeSet<_> = requests
        .iter()
        .map(|request| base_of(request, input))
        .collect();
    assert_eq!(bases.len(), requests.len());
    for (index, request) in signed.iter().enumerate() {
        validate(request).unwrap();
        for (other_index, other) in signed.iter().enumerate() {
            let mixed = set(
                other.clone(),
                "signature",
                request.headers()["signature"].to_str().unwrap(),
            );
            assert_eq!(
                validate(&mixed).is_ok(),
                index == other_index,
                "{index} {other_index}"
            );
        }
        // One line for each component: no value has added one.
        assert_eq!(base_of(&requests[index], input).lines().count(), 7);
    }
    // A quoted parameter cannot end early.
    let bases: BTreeSet<_> = [
        r#";keyid="a";tag="b""#,
        r#";keyid="a\";tag=\"b""#,
        r#";keyid="a\\";tag="b""#,
        r#";keyid="a;tag=b""#,
    ]
    .map(|params| base_of(&get(), &format!("{INPUT}{params}")))
    .into();
    assert_eq!(bases.len(), 4);

    // Line breaks cannot be in a value, and what is not ASCII is refused on either side.
    assert!(
        HeaderValue::from_bytes(b"1\n\"b\": 2").is_err()
            && HeaderValue::from_bytes(b"1\r\"b\": 2").is_err()
    );
    for value in ["\u{85}", "gr\u{f6}\u{df}er", "\u{2028}"]
        .map(str::as_bytes)
        .into_iter()
        .chain([&b"\xff"[..], b"\x80"])
    {
        let mut request = get();
        request
            .headers_mut()
            .insert("a", HeaderValue::from_bytes(value).unwrap());
        let covering = sign_options().cover(HeaderName::from_static("a"));
        assert!(
            sign_request(&mut request.clone(), &secrets(), &covering).is_err(),
            "{value:?}"
        );
        let request = with_signature(with_header(request, "b", ""), "sig1", input, &[0; 32]);
        assert_eq!(refusal(&request), Kind::NotAscii, "{value:?}");
    }
    for target in ["/gr\u{f6}\u{df}er?y", "/x?gr\u{f6}\u{df}er"] {
        let request = with_signature(build(target, &["1"], &["2"]), "sig1", input, &[0; 32]);
        assert_eq!(refusal(&request), Kind::NotAscii, "{target}");
    }
}

/// 17. One kind of request took another path, which skipped the check; one fact was taken from two sources.
#[test]
fn pitfall_17_every_request_takes_the_one_path() {
    // No other form of authentication is an entrance.
    let bare = |name, value: &str| with_header(get(), name, value);
    for request in [
        get(),
        post(),
        bare(
            "authorization",
            "Signature keyId=\"site-a\",signature=\"AAAA\"",
        ),
        bare("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),
        bare(
            "authorization",
            &format!("Basic {}", STANDARD.encode(SECRET)),
        ),
        bare("x-signature", "AAAA"),
        bare("content-encoding", "aws-chunked"),
        bare("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        bare("x-http-method-override", "OPTIONS"),
        bare("upgrade", "websocket"),
        with_uri(
            get(),
            "https://host.example/?signature=x&Signature-Input=x&X-Amz-Signature=x",
        ),
        with_uri(get(), "https://host.example/health"),
        with_uri(get(), "https://host.example/.well-known/x"),
        with_uri(get(), "https://localhost/orders"),
        with_uri(get(), "/orders"),
        with_method(get(), &Method::OPTIONS),
    ] {
        assert_eq!(refusal(&request), Kind::MissingSignature, "{request:?}");
    }

    // The way in phases gives the same answers as the one in one step.
    let good = signed(post());
    let cases = [
        good.clone(),
        with_body(good.clone(), b"other"),
        with_body(good.clone(), b""),
        without(good.clone(), "content-digest"),
        without(good.clone(), "signature"),
        with_uri(good.clone(), "https://host.example/other"),
        with_header(good.clone(), "host", "other.example"),
        edited(&good, "signature", |signature| {
            signature.replace("sig1", "sig2")
        }),
        signed_as(
            post(),
            r#"("@method" "@authority" "@path");created=1700000000"#,
        ),
        signed_as(get(), "();created=1700000000"),
        signed_with(post(), &SignOptions::new().at(time(NOW - 61))),
    ];
    let mut kinds = BTreeSet::new();
    for request in cases {
        let one_step = validate(&request).err().map(|error| error.kind());
        assert_eq!(in_phases(&request), one_step, "{request:?}");
        kinds.extend(one_step.map(AuthErrorKind::as_str));
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");

    // Each fact has one source; where there are two, they must agree.
    let conflict = with_header(signed(get()), "host", "other.example");
    assert_eq!(refusal(&conflict), Kind::ConflictingAuthority);
    let same = with_header(signed(get()), "host", "host.example");
    validate(&same).unwrap();
    let forwarded = with_header(
        with_header(signed(get()), "x-forwarded-host", "other.example"),
        "forwarded",
        "host=other.example",
    );
    assert_eq!(
        validate(&forwarded).unwrap().secret_name(),
        DEFAULT_SECRET_NAME
    );
    let other = with_uri(
        with_header(signed(get()), "x-forwarded-host", "host.example"),
        "https://other.example/orders?page=2",
    );
    assert_eq!(refusal(&other), Kind::UnlistedAuthority);
}

fn in_phases(request: &TestRequest) -> Option<Kind> {
    let options = options();
    let claim = match Claim::parse(request, &options) {
        Ok(claim) => claim,
        Err(error) => return Some(error.kind()),
    };
    let mut head = match claim.verify_head(&SecretSet::new(secret())) {
        Ok(head) => head,
        Err(error) => return Some(error.kind()),
    };
    request
        .body()
        .iter()
        .for_each(|byte| head.update(std::slice::from_ref(byte)));
    head.finish().err().map(|error| error.kind())
}

/// 18. `HEAD` was let through.
#[test]
fn pitfall_18_every_method_is_checked_alike() {
    let names = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "QUERY",
        "PROPFIND", "head", "x",
    ];
    let methods = names.map(|name| Method::from_bytes(name.as_bytes()).unwrap());
    for method in &methods {
        for request in [with_method(get(), method), with_method(post(), method)] {
            assert_eq!(refusal(&request), Kind::MissingSignature, "{method}");
            let good = signed(request.clone());
            validate(&good).unwrap();
            let changed = with_body(good.clone(), b"other");
            assert!(
                matches!(refusal(&changed), Kind::WrongDigest | Kind::BodyNotCovered),
                "{method}"
            );
            assert_eq!(
                refusal(&with_uri(good.clone(), "https://host.example/other?page=2")),
                Kind::WrongMac,
                "{method}"
            );
            let uncovered = signed_as(
                request,
                r#"("@authority" "@path" "@query");created=1700000000"#,
            );
            assert_eq!(refusal(&uncovered), Kind::NotCovered, "{method}");
            for other in methods.iter().filter(|other| *other != method) {
                assert_eq!(
                    refusal(&with_method(good.clone(), other)),
                    Kind::WrongMac,
                    "{method} as {other}"
                );
            }
        }
    }
}

/// 19. The client said which service its request was for.
#[test]
fn pitfall_19_a_request_for_another_service_is_refused() {
    let to = |authority: &str| {
        signed(with_uri(
            get(),
            &format!("https://{authority}/orders?page=2"),
        ))
    };
    let http1 = |host: &str| signed(with_header(with_uri(get(), "/orders?page=2"), "host", host));
    for own in ["host.example", "HOST.example", "host.example:443"] {
        validate(&to(own)).unwrap();
        validate(&http1(own)).unwrap();
    }
    for other in [
        "other.example",
        "host.example.",
        "host.example.evil.example",
        "evil-host.example",
        "api.host.example",
        "host",
        "host.example:8443",
        "host.example:80",
        "host.example:0443",
        "[::1]",
    ] {
        assert_eq!(refusal(&to(other)), Kind::UnlistedAuthority, "{other}");
        assert_eq!(refusal(&http1(other)), Kind::UnlistedAuthority, "{other}");
        // What was signed for another service cannot be sent here, nor the other way round.
        let replayed = with_uri(to(other), "https://host.example/orders?page=2");
        assert_eq!(refusal(&replayed), Kind::WrongMac, "{other}");
        assert_eq!(
            refusal(&with_header(to(other), "host", "host.example")),
            Kind::ConflictingAuthority,
            "{other}"
        );
        assert_eq!(
            refusal(&with_header(signed(get()), "host", other)),
            Kind::ConflictingAuthority,
            "{other}"
        );
    }
    for invalid in [
        "user@host.example",
        "host.example@other.example",
        "host.example:https",
        "",
    ] {
        let request = with_signature(
            with_header(with_uri(get(), "/orders?page=2"), "host", invalid),
            "sig1",
            INPUT,
            &[0; 32],
        );
        assert_eq!(refusal(&request), Kind::InvalidAuthority, "{invalid}");
    }
    // Without a list, the authority is signed all the same.
    let anywhere = ValidateOptions::new().at(time(NOW));
    let replayed = with_uri(to("other.example"), "https://host.example/orders?page=2");
    assert_eq!(refusal_with(&replayed, &anywhere), Kind::WrongMac);
}

/// A store that is never there.
struct Failing;

impl SecretStore for Failing {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        Err(SecretError::Unavailable {
            name: name.to_owned(),
            source: "the vault is sealed".into(),
        })
    }
}

/// 20. The check of the nonce that nobody had configured said yes.
#[test]
fn pitfall_20_no_default_says_yes() {
    // A guard that nobody has configured remembers.
    for guard in [MemoryReplayGuard::new(), MemoryReplayGuard::default()] {
        let mut request = get();
        sign_request(&mut request, &secrets(), &SignOptions::new()).unwrap();
        let live = ValidateOptions::new().authorities(["host.example"]);
        let validated = validate_auth(&request, &secrets(), &live).unwrap();
        guard.first_use(validated.clone()).unwrap();
        assert_eq!(
            guard.first_use(validated.clone()).unwrap_err().kind(),
            Kind::Replayed
        );
        let again = validate_auth(&request, &secrets(), &live).unwrap();
        assert_eq!(
            guard.first_use(again.clone()).unwrap_err().kind(),
            Kind::Replayed
        );
    }
    assert_eq!(DEFAULT_REPLAY_CAPACITY, 1 << 20);
    assert_eq!(DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, 1 << 19);

    // A store that fails does not let pass.
    assert_eq!(
        validate_auth(&signed(get()), &Failing, &options())
            .unwrap_err()
            .kind(),
        Kind::SecretUnavailable
    );
}

/// 21. A full cache forgot nonces that were still good, and so did a restart.
#[test]
fn pitfall_21_the_guard_forgets_nothing_that_is_fresh() {
    let validated = |index: usize, at: i64| {
        let request = signed_as(
            get(),
            &format!(
                r#"{};nonce="{index}""#,
                INPUT.replace("1700000000", &at.to_string())
            ),
        );
        validate_auth(&request, &secrets(), &options().at(time(at))).unwrap()
    };
    let kind =
        |outcome: Result<Validated, hmac_auth::AuthError>| outcome.err().map(|error| error.kind());
    let guard = MemoryReplayGuard::new().started_at(time(NOW)).capacity(50);
    for index in 0..50 {
        assert_eq!(
            kind(guard.first_use(validated(index, NOW))),
            None,
            "{index}"
        );
    }
    for index in 50..100 {
        assert_eq!(
            kind(guard.first_use(validated(index, NOW))),
            Some(Kind::ReplayGuardFull),
            "{index}"
        );
        // Nor later, as long as the first ones could be replayed.
        assert_eq!(
            kind(guard.first_use(validated(index, NOW + 60))),
            Some(Kind::ReplayGuardFull),
            "{index}"
        );
    }
    for index in 0..50 {
        assert_eq!(
            kind(guard.first_use(validated(index, NOW))),
            Some(Kind::Replayed),
            "{index}"
        );
    }
    assert_eq!(guard.len(), 50);
    // When they are stale, there is room again.
    assert_eq!(kind(guard.first_use(validated(100, NOW + 61))), None);
    // One consumer does not take the room of the others.
    let guard = MemoryReplayGuard::new()
        .started_at(time(NOW))
        .capacity_per_consumer(1);
    assert_eq!(kind(guard.first_use(validated(0, NOW))), None);
    assert_eq!(
        kind(guard.first_use(validated(1, NOW))),
        Some(Kind::ReplayGuardFull)
    );

    // After a restart: what was made before it may have been used before it.
    let restarted = MemoryReplayGuard::new().started_at(time(NOW + 30));
    for at in [NOW, NOW + 29] {
        assert_eq!(
            kind(restarted.first_use(validated(0, at))),
            Some(Kind::BeforeGuardStart)
        );
    }
    assert_eq!(kind(restarted.first_use(validated(0, NOW + 30))), None);
    let weakened = MemoryReplayGuard::new()
        .started_at(time(NOW + 30))
        .accept_replays_across_restarts();
    assert_eq!(kind(weakened.first_use(validated(0, NOW))), None);
}

/// 22. A nonce was remembered before the MAC was checked, so that a forgery could use it up.
#[test]
fn pitfall_22_a_forgery_does_not_use_up_the_signature() {
    let guard = MemoryReplayGuard::new().started_at(time(NOW - 60));
    let handle = |request: &TestRequest| {
        validate(request).and_then(|validated| guard.first_use(validated.clone()))
    };
    let good = signed(post());
    for forged in [
        with_body(good.clone(), b"other"),
        with_uri(good.clone(), "https://host.example/other"),
        edited(&good, "signature", |signature| {
            signature.replacen(':', ":AAAA", 1)
        }),
        without(good.clone(), "content-digest"),
        with_signature(get(), "sig1", INPUT, &[0; 32]),
    ] {
        assert!(!matches!(
            handle(&forged).unwrap_err().kind(),
            Kind::Replayed | Kind::ReplayGuardFull
        ));
        assert!(guard.is_empty(), "a forgery was remembered");
    }
    handle(&good).unwrap();
    assert_eq!(handle(&good).unwrap_err().kind(), Kind::Replayed);
    assert_eq!(guard.len(), 1);
    // A forgery of what was used is still just a forgery.
    assert_eq!(
        handle(&with_body(good, b"other")).unwrap_err().kind(),
        Kind::WrongDigest
    );
}

/// 23. Freshness came from a field that was not signed.
#[test]
fn pitfall_23_freshness_comes_from_the_signature_alone() {
    let old = signed_with(get(), &SignOptions::new().at(time(NOW - 3_600)));
    assert_eq!(refusal(&old), Kind::Stale);
    for (name, value) in [
        ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("x-timestamp", "1700000000"),
        ("x-created", "1700000000"),
        ("created", "1700000000"),
        ("expires", "1700000060"),
        ("x-date", "1700000000"),
    ] {
        assert_eq!(
            refusal(&with_header(old.clone(), name, value)),
            Kind::Stale,
            "{name}"
        );
        let covered = sign_options().cover(HeaderName::try_from(name).unwrap());
        validate(&signed_with(with_header(get(), name, value), &covered)).unwrap();
        // Covered, it still says nothing about the signature.
        let input = format!(r#"("@method" "@authority" "@path" "@query" "{name}")"#);
        assert_eq!(
            refusal(&signed_as(with_header(get(), name, value), &input)),
            Kind::MissingCreated,
            "{name}"
        );
        let stale = format!("{input};created={}", NOW - 61);
        assert_eq!(
            refusal(&signed_as(with_header(get(), name, value), &stale)),
            Kind::Stale,
            "{name}"
        );
    }
    let renewed = edited(&old, "signature-input", |input| {
        input.replace(&(NOW - 3_600).to_string(), &NOW.to_string())
    });
    assert_eq!(refusal(&renewed), Kind::WrongMac);
    let removed = edited(&old, "signature-input", |input| {
        input.replace(&format!(";created={}", NOW - 3_600), "")
    });
    assert_eq!(refusal(&removed), Kind::MissingCreated);
    let prolonged = signed_with(get(), &sign_options().expires_in(Duration::ZERO));
    let prolonged = edited(&prolonged, "signature-input", |input| {
        input.replace("expires=17", "expires=18")
    });
    assert_eq!(refusal(&prolonged), Kind::WrongMac);
    let freed = signed_with(get(), &sign_options().expires_in(Duration::ZERO));
    let freed = edited(&freed, "signature-input", |input| {
        input.replace(";expires=1700000000", "")
    });
    assert_eq!(refusal(&freed), Kind::WrongMac);
}

/// 24. The nonce was not signed.
#[test]
fn pitfall_24_the_nonce_is_signed() {
    let request = signed(get());
    let nonce = validate(&request)
        .unwrap()
        .nonce()
        .expect("there is a nonce")
        .to_owned();
    assert_eq!(URL_SAFE_NO_PAD.decode(&nonce).unwrap().len(), 16);
    let last_line = base_of(
        &request,
        request.headers()["signature-input"]
            .to_str()
            .unwrap()
            .strip_prefix("sig1=")
            .unwrap(),
    );
    assert!(
        last_line
            .lines()
            .last()
            .unwrap()
            .contains(&format!("nonce=\"{nonce}\""))
    );

    let other = validate(&signed(get()))
        .unwrap()
        .nonce()
        .unwrap()
        .to_owned();
    assert_ne!(other, nonce);
    for changed in [
        format!(";nonce=\"{other}\""),
        ";nonce=\"\"".to_owned(),
        String::new(),
    ] {
        let changed = edited(&request, "signature-input", |input| {
            input.replace(&format!(";nonce=\"{nonce}\""), &changed)
        });
        assert_eq!(refusal(&changed), Kind::WrongMac);
    }
    // Equal requests of one second differ by it, so that none is taken for a replay of another.
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    let nonces: BTreeSet<String> = (0..1_000)
        .map(|_| {
            let validated = validate(&signed(get())).unwrap();
            guard.first_use(validated.clone()).unwrap();
            validated.nonce().unwrap().to_owned()
        })
        .collect();
    assert_eq!((nonces.len(), guard.len()), (1_000, 1_000));
}

/// 25. `NaN` and the smallest integer were fresh, or a panic.
#[test]
fn pitfall_25_extreme_times_are_refused_without_overflow() {
    for (created, expected) in [
        ("NaN", Kind::MalformedSignatureInput),
        ("inf", Kind::MalformedSignatureInput),
        ("-inf", Kind::MalformedSignatureInput),
        ("1e9", Kind::MalformedSignatureInput),
        ("1700000000.0", Kind::MalformedSignatureInput),
        ("1700000000.5", Kind::MalformedSignatureInput),
        ("\"1700000000\"", Kind::MalformedSignatureInput),
        ("?1", Kind::MalformedSignatureInput),
        ("9223372036854775807", Kind::MalformedSignatureInput),
        ("-9223372036854775808", Kind::MalformedSignatureInput),
        ("18446744073709551616", Kind::MalformedSignatureInput),
        ("1000000000000000", Kind::MalformedSignatureInput),
        ("-1000000000000000", Kind::MalformedSignatureInput),
        ("999999999999999", Kind::InFuture),
        ("-999999999999999", Kind::Stale),
        ("0", Kind::Stale),
        ("-0", Kind::Stale),
        ("-1", Kind::Stale),
    ] {
        let input = INPUT.replace("1700000000", created);
        let request = with_signature(get(), "sig1", &input, &[0; 32]);
        assert_eq!(refusal(&request), expected, "{created}");
        let request = with_signature(
            get(),
            "sig1",
            &format!("{INPUT};expires={created}"),
            &[0; 32],
        );
        let expected = match expected {
            Kind::Stale => Kind::Expired,
            // Far from expired: the MAC decides.
            Kind::InFuture => Kind::WrongMac,
            malformed => malformed,
        };
        assert_eq!(refusal(&request), expected, "expires {created}");
    }
    // The widest windows and the ends of time.
    for at in [time(0), time(i64::MAX / 2), time(-i64::MAX / 2)] {
        for created in ["999999999999999", "-999999999999999"] {
            for limit in [Duration::ZERO, Duration::MAX] {
                let request = signed_as(get(), &INPUT.replace("1700000000", created));
                let options = options().at(at).max_time_diff(limit).max_clock_skew(limit);
                assert_eq!(
                    validate_auth(&request, &secrets(), &options).is_ok(),
                    limit == Duration::MAX,
                    "{at:?} {created}"
                );
            }
        }
    }
}

/// Pieces of signature fields, to make texts that get further than random bytes.
const PIECES: &[&str] = &[
    "sig1",
    "=",
    "(",
    ")",
    "\"@method\"",
    "\"@authority\"",
    "\"@path\"",
    "\"@query\"",
    "\"content-digest\"",
    " ",
    ";",
    ";created=",
    "1700000000",
    ";expires=",
    ";nonce=",
    ";keyid=",
    ";alg=",
    ";tag=",
    "\"",
    "\\",
    ":",
    "::",
    ",",
    ", ",
    "\t",
    "?1",
    "?0",
    "-",
    ".",
    "1.5",
    "AAAA",
    "=:",
    "sha-256",
    "sha-512",
    ";bs",
    ";req",
    ";sf",
    ";key=",
    ";name=",
    "\"@query-param\";name=\"page\"",
    "\"@target-uri\"",
    "\"@request-target\"",
    "\"@scheme\"",
    "\"@status\"",
    "*",
    "a",
    "\u{e9}",
    "999999999999999",
    "host.example",
    "@",
    "[",
    "]",
    "/",
    "%",
    "%2F",
    "&",
    "#",
    "443",
    "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
];

fn random_text(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => {
            let len = random.below(40);
            random.bytes(len)
        }
        _ => (0..random.below(24))
            .flat_map(|_| PIECES[random.below(PIECES.len())].bytes())
            .collect(),
    }
}

/// A text near `text`: some bytes changed, left out, or put in.
fn near(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        match random.below(3) {
            0 if at < text.len() => text[at] = random.bytes(1)[0],
            1 if at < text.len() => drop(text.remove(at)),
            _ => {
                let piece = random_text(random);
                text.splice(at..at, piece.into_iter().take(8))
                    .for_each(drop);
            }
        }
    }
    text
}

/// 26. Bodies were read without limit, and strange input panicked, before anybody was authenticated.
#[test]
fn pitfall_26_nothing_panics_and_nothing_random_is_accepted() {
    const RUNS: usize = 8_000;

    let mut random = Random::new(0x5eed_0026);
    let good = signed_with(post(), &sign_options().key_id("site-a"));
    let names = [
        "signature-input",
        "signature",
        "content-digest",
        "host",
        "content-type",
    ];
    let hosts = [
        options(),
        ValidateOptions::new().at(time(NOW)),
        options()
            .key_ids([("site-a", DEFAULT_SECRET_NAME)])
            .tag("a"),
        options()
            .require("@target-uri")
            .require("x-site")
            .external_scheme(Scheme::Http),
    ];
    let (mut kinds, mut accepted) = (BTreeSet::new(), 0);
    for run in 0..RUNS {
        let mut request = good.clone();
        for _ in 0..=random.below(2) {
            let name = names[random.below(names.len())];
            let old = request
                .headers()
                .get(name)
                .map_or(Vec::new(), |value| value.as_bytes().to_vec());
            let value = if run % 2 == 0 {
                near(&mut random, &old)
            } else {
                random_text(&mut random)
            };
            let Ok(value) = HeaderValue::from_bytes(&value) else {
                continue;
            };
            if random.below(8) == 0 {
                request.headers_mut().append(name, value);
            } else {
                request.headers_mut().insert(name, value);
            }
        }
        match random.below(8) {
            0 => *request.body_mut() = random_text(&mut random),
            1 => {
                let text = [b"/".to_vec(), random_text(&mut random)].concat();
                *request.uri_mut() = Uri::try_from(text).unwrap_or_default();
            }
            2 => *request.version_mut() = Version::HTTP_11,
            3 => *request.method_mut() = Method::CONNECT,
            _ => {}
        }
        exercise(&request, random.below(1_000));
        let Err(error) = validate_auth(&request, &secrets(), &hosts[run % hosts.len()]) else {
            // Only what is not covered, or means the same, was changed.
            assert_eq!(
                (request.method(), request.body()),
                (good.method(), good.body()),
                "{request:?}"
            );
            assert_eq!(request.uri(), good.uri());
            for name in ["content-digest", "content-type"] {
                let value = request.headers()[name].as_bytes().trim_ascii();
                assert_eq!(value, good.headers()[name].as_bytes(), "{request:?}");
            }
            accepted += 1;
            continue;
        };
        let _ = (
            error.to_response(&hosts[0]),
            error.to_string(),
            format!("{error:?}"),
        );
        kinds.insert(error.kind().as_str());
    }
    assert!(
        kinds.len() >= 15,
        "the texts are too random to get far: {kinds:?}"
    );
    assert!(accepted < RUNS / 10, "{accepted}");
}

/// All that a peer's text gets into, besides the validation.
fn exercise(request: &TestRequest, cut: usize) {
    let head = RequestHead::from(request);
    let response = Response::builder()
        .header("content-type", "text/plain")
        .body(())
        .unwrap();
    for input in SignatureInputs::new(request.headers()).filter_map(Result::ok) {
        let _ = (
            input.key_id(),
            input.nonce(),
            input.alg(),
            input.tag(),
            input.expires(),
            format!("{input:?}"),
        );
        if let Ok(base) = SignatureBase::of_request(&head, &input) {
            let _ = format!("{base} {base:?}");
        }
        let _ = SignatureBase::of_response(&ResponseHead::from(&response).request(head), &input);
    }
    for value in request.headers().values() {
        let text = String::from_utf8_lossy(value.as_bytes());
        if let Ok(component) = Component::parse(&text) {
            let _ = (component.to_string(), component.is_plain());
        }
        let _ = (
            Secret::from_hex(&text),
            Secret::from_base64(&text),
            options().tag(&*text).require(&*text).authorities([&*text]),
        );
        let options = sign_options().key_id(&*text).tag(&*text).label("b");
        let _ = sign_request(&mut request.clone(), &secrets(), &options);
    }
    let options = ValidateOptions::new().at(time(NOW));
    if let Ok(mut claim) = Claim::parse(request, &options) {
        let _ = (
            claim.signature_base().map(|base| base.to_string()),
            claim.key_id(),
            format!("{claim:?}"),
        );
        if let Ok(mut head) = claim.verify_head(&SecretSet::new(secret())) {
            head.update(&request.body()[..cut.min(request.body().len())]);
            let _ = head.finish();
        }
        while claim.advance() {
            assert!(claim.secret_name() == DEFAULT_SECRET_NAME);
        }
    }
}

/// Limits: what is too large is refused by the head alone, before a secret is asked for or a body is read.
#[test]
fn pitfall_26_the_head_is_judged_before_the_body_and_within_limits() {
    let store = Noting::new(secrets());
    let large = "x".repeat(8 * 1024);
    let labels: Vec<String> = (0..17)
        .map(|index| format!("s{index}=();alg=\"ed25519\""))
        .collect();
    let components: Vec<String> = (0..33).map(|index| format!("\"x-{index}\"")).collect();
    let params: Vec<String> = (0..17).map(|index| format!(";p{index}")).collect();
    for input in [
        format!("sig1={INPUT};nonce=\"{large}\""),
        format!("sig1={}", "(".repeat(8 * 1024)),
        format!("sig1=({})", " ".repeat(8 * 1024)),
        labels.join(", "),
        format!("sig1=({});created=1700000000", components.join(" ")),
        format!("sig1={INPUT}{}", params.concat()),
    ] {
        let request = set(
            set(post(), "signature-input", &input),
            "signature",
            "sig1=::",
        );
        let refusal = validate_auth(&request, &store, &options()).unwrap_err();
        assert_eq!(
            refusal.kind(),
            Kind::MalformedSignatureInput,
            "{}",
            &input[..40]
        );
    }
    let request = set(
        set(post(), "signature-input", &format!("sig1={INPUT}")),
        "signature",
        &format!("sig1=:{large}:"),
    );
    assert_eq!(
        validate_auth(&request, &store, &options())
            .unwrap_err()
            .kind(),
        Kind::MalformedSignature
    );
    // In many lines it is not smaller.
    let request = (0..9).fold(get(), |request, index| {
        with_signature(
            request,
            &format!("s{index}"),
            &format!("();alg=\"ed25519\";x=\"{}\"", "x".repeat(1_000)),
            &[],
        )
    });
    assert_eq!(
        validate_auth(&request, &store, &options())
            .unwrap_err()
            .kind(),
        Kind::MalformedSignatureInput
    );
    assert!(store.names().is_empty(), "asked for a secret");

    // A covered field of any size is not copied without limit.
    let input =
        r#"("@method" "@authority" "@path" "@query" "a" "b" "c" "d" "e");created=1700000000"#;
    let request = with_signature(get(), "sig1", input, &[0; 32]);
    let huge = with_header(request.clone(), "a", &"x".repeat(1 << 20));
    assert_eq!(refusal(&huge), Kind::TooLarge);
    let many = ["a", "b", "c", "d", "e"]
        .iter()
        .fold(request, |request, name| {
            with_header(request, name, &"x".repeat(8_000))
        });
    assert_eq!(refusal(&many), Kind::TooLarge);

    // A wrong MAC is found without the body, and a body that is not covered is not hashed to the end.
    let (parts, body) = with_signature(post(), "sig1", BODY_INPUT, &[0; 32]).into_parts();
    let options = options();
    let claim = Claim::parse(&parts, &options).unwrap();
    assert_eq!(
        claim
            .verify_head(&SecretSet::new(secret()))
            .unwrap_err()
            .kind(),
        Kind::AbsentComponent
    );
    let parts = set(
        Request::from_parts(parts, body),
        "content-digest",
        "sha-256=nonsense",
    )
    .into_parts()
    .0;
    let claim = Claim::parse(&parts, &options).unwrap();
    assert_eq!(
        claim
            .verify_head(&SecretSet::new(secret()))
            .unwrap_err()
            .kind(),
        Kind::WrongMac,
        "not even its digest is read"
    );
}

/// What a secret or a MAC may look like in a text.
struct Spellings(Vec<String>);

impl Spellings {
    fn of(bytes: &[u8]) -> Self {
        let hex = bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat();
        let decimal = format!("{bytes:?}");
        let inside = decimal.trim_matches(['[', ']']).to_owned();
        let mut all = vec![
            hex.to_uppercase(),
            hex.clone(),
            format!("{bytes:02x?}").trim_matches(['[', ']']).to_owned(),
            format!("{bytes:x?}").trim_matches(['[', ']']).to_owned(),
            inside.replace(", ", ","),
            inside.replace(", ", " "),
            // `{:#?}` has one line for each.
            inside.replace(", ", ""),
            inside,
            STANDARD.encode(bytes),
            STANDARD.encode(bytes).trim_end_matches('=').to_owned(),
            URL_SAFE_NO_PAD.encode(bytes),
            bytes.escape_ascii().to_string(),
        ];
        all.extend(String::from_utf8(bytes.to_vec()));
        // The first half of it is too much.
        let halves: Vec<String> = all
            .iter()
            .filter(|text| text.is_ascii())
            .map(|text| text[..text.len() / 2].to_owned())
            .collect();
        all.extend(halves);
        Self(all)
    }

    fn are_in(&self, text: &str) -> Option<&String> {
        let joined: String = text
            .split_whitespace()
            .map(|word| word.trim_end_matches(','))
            .collect();
        self.0
            .iter()
            .find(|spelling| text.contains(spelling.as_str()) || joined.contains(spelling.as_str()))
    }
}

/// 27. Secrets were shown by `Debug`.
#[test]
fn pitfall_27_neither_secrets_nor_macs_are_shown() {
    const KEY_ID: &str = "site-a";

    let request = signed_with(
        with_header(post(), "x-token", "a token of the peer"),
        &sign_options()
            .key_id(KEY_ID)
            .cover(HeaderName::from_static("x-token")),
    );
    let options = options().key_ids([(KEY_ID, DEFAULT_SECRET_NAME)]);
    let validated = validate_auth(&request, &secrets(), &options).unwrap();
    let forbidden = [
        Spellings::of(SECRET.as_bytes()),
        Spellings::of(validated.replay_id().as_bytes()),
        Spellings::of(b"a token of the peer"),
    ];
    let check = |what: &str, text: &str| {
        let found = forbidden
            .iter()
            .find_map(|spellings| spellings.are_in(text));
        assert!(found.is_none(), "{what} shows {found:?}: {text}");
    };
    let both = |what: &str, value: &dyn Debug| {
        check(what, &format!("{value:?}"));
        check(what, &format!("{value:#?}"));
    };

    // The look-out works.
    let mac = validated.replay_id().as_bytes();
    for text in [
        format!("{mac:?}"),
        format!("{mac:#?}"),
        format!("{mac:x?}"),
        STANDARD.encode(mac),
        format!("{:?}", SECRET.as_bytes()),
    ] {
        assert!(
            forbidden
                .iter()
                .any(|spellings| spellings.are_in(&text).is_some()),
            "{text}"
        );
    }

    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(DEFAULT_SECRET_NAME), SECRET).unwrap();
    let files = FileSecrets::new(directory.path());
    files.lookup(DEFAULT_SECRET_NAME).unwrap();
    let env = EnvSecrets::new("PITFALL_27_");
    let set = SecretSet::with_previous(secret(), [secret()]).unwrap();
    let memory = secrets();
    memory.insert_set("rotated", set.clone());
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    guard.first_use(validated.clone()).unwrap();
    let claim = Claim::parse(&request, &options).unwrap();
    let head = claim.verify_head(&SecretSet::new(secret())).unwrap();
    let base = claim.signature_base().unwrap();
    assert!(
        base.as_str().contains("a token of the peer"),
        "the base holds what must not be shown"
    );
    let input: &SignatureInput<'_> = claim.input();

    both("Secret", &secret());
    both("SecretSet", &set);
    both("MemorySecrets", &memory);
    both("EnvSecrets", &env);
    both("FileSecrets", &files);
    both("SignOptions", &sign_options().key_id(KEY_ID));
    both("ValidateOptions", &options);
    both("Claim", &claim);
    both("SignatureInput", &input);
    both("VerifiedHead", &head);
    both("Validated", &validated);
    both("ReplayId", validated.replay_id());
    both("MemoryReplayGuard", &guard);
    both("SignatureBase", &base);
    check("SignatureBase", &base.to_string());
    // Whoever logs the request that was just signed does not log its MAC.
    check(
        "Signature",
        &format!("{:?}", request.headers()["signature"]),
    );
    assert_eq!(
        format!("{:?} {set:?}", secret()),
        "Secret(..) SecretSet(1 current, 1 previous)"
    );

    errors_show_no_secrets(&request, &check);
}

fn errors_show_no_secrets(request: &TestRequest, check: &impl Fn(&str, &str)) {
    let show = |what: &str, error: &(dyn StdError + 'static)| {
        check(what, &format!("{error:?}"));
        check(what, &format!("{error:#?}"));
        for error in std::iter::successors(Some(error), |error| (*error).source()) {
            check(what, &error.to_string());
        }
    };
    // A secret in the wrong encoding, too short, or one too many.
    let hex = Secret::from_hex(SECRET).unwrap_err();
    let base64 = Secret::from_base64(SECRET).unwrap_err();
    let many =
        SecretSet::with_previous(secret(), std::iter::repeat_with(secret).take(9)).unwrap_err();
    for error in [
        &hex,
        &base64,
        &many,
        &Secret::from_hex(&format!("{SECRET}00")).unwrap_err(),
    ] {
        show("SecretError", error);
    }
    let directory = tempfile::tempdir().unwrap();
    for (name, content, encoding) in [
        ("hex", SECRET.as_bytes().to_vec(), SecretEncoding::Hex),
        ("base64", SECRET.as_bytes().to_vec(), SecretEncoding::Base64),
        (
            "bytes",
            [SECRET.as_bytes(), b"\xff"].concat(),
            SecretEncoding::Text,
        ),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
        let store = FileSecrets::new(directory.path()).encoding(encoding);
        show("SecretError", &store.lookup(name).unwrap_err());
        show(
            "SignError",
            &sign_request(&mut get(), &store, &sign_options().secret_name(name)).unwrap_err(),
        );
        show(
            "AuthError",
            &validate_auth(&signed(get()), &store, &options().secret_name(name)).unwrap_err(),
        );
    }
    // Errors about a request that carries a good MAC.
    for name in [
        "signature-input",
        "signature",
        "content-digest",
        "x-token",
        "content-type",
    ] {
        let value = request.headers()[name].as_bytes();
        for at in 0..=value.len() {
            let mut mutant = request.clone();
            let changed = [&value[..at], b"\x80", &value[at..]].concat();
            mutant
                .headers_mut()
                .insert(name, HeaderValue::from_bytes(&changed).unwrap());
            let error = validate_auth(&mutant, &secrets(), &options()).unwrap_err();
            show("AuthError", &error);
            check("AuthError", &format!("{:?}", error.to_response(&options())));
            if let Err(error) = sign_request(&mut mutant, &secrets(), &sign_options()) {
                show("SignError", &error);
            }
        }
    }
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    let validated = validate(request).unwrap();
    guard.first_use(validated.clone()).unwrap();
    show(
        "AuthError",
        &guard.first_use(validated.clone()).unwrap_err(),
    );
}

/// 28. Two parsers read one message in two ways.
#[test]
fn pitfall_28_what_is_signed_is_what_the_handler_sees() {
    // Twice the same `Host` is once too often: some readers take the first and some the last.
    let host = |hosts: &[&str]| {
        let request = hosts
            .iter()
            .fold(with_uri(get(), "/orders?page=2"), |request, host| {
                with_header(request, "host", host)
            });
        with_signature(
            request,
            "sig1",
            INPUT,
            &secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes(),
        )
    };
    validate(&host(&["host.example"])).unwrap();
    assert_eq!(
        refusal(&host(&["host.example", "host.example"])),
        Kind::ConflictingAuthority
    );
    assert_eq!(
        refusal(&host(&["host.example", "other.example"])),
        Kind::ConflictingAuthority
    );
    assert_eq!(
        refusal(&host(&["other.example", "host.example"])),
        Kind::ConflictingAuthority
    );
    assert_eq!(
        refusal(&host(&["host.example, other.example"])),
        Kind::InvalidAuthority
    );

    // A member of a dictionary twice: RFC 8941 lets the last one win, others take the first.
    let good = signed(get());
    let twice = |name: &'static str, other: &str| {
        let value = good.headers()[name].to_str().unwrap();
        [format!("{value}, {other}"), format!("{other}, {value}")]
            .map(|value| refusal(&set(good.clone(), name, &value)))
    };
    assert_eq!(
        twice("signature-input", "sig1=()"),
        [Kind::MalformedSignatureInput; 2]
    );
    assert_eq!(twice("signature", "sig1=::"), [Kind::MalformedSignature; 2]);
    // A query parameter twice.
    let input =
        r#"("@method" "@authority" "@path" "@query" "@query-param";name="a");created=1700000000"#;
    let once = with_uri(get(), "https://host.example/?a=1&b=2");
    validate(&signed_as(once, input)).unwrap();
    for query in ["a=1&a=2", "a=1&%61=2", "b=1", "a%20=1", "A=1"] {
        let request = with_uri(get(), &format!("https://host.example/?{query}"));
        assert_eq!(
            refusal(&with_signature(request, "sig1", input, &[0; 32])),
            Kind::AbsentComponent,
            "{query}"
        );
    }

    // The base has the values of the request as they stand in it, all lines of them.
    let request = with_uri(get(), "https://host.example/a%2Fb/../c;d//?q=%61+b&&");
    let request = with_header(with_header(request, "x-site", "a,b"), "x-site", "\"c, d\"");
    let request = signed_with(
        request,
        &sign_options().cover(HeaderName::from_static("x-site")),
    );
    let options = options();
    let base = Claim::parse(&request, &options)
        .unwrap()
        .signature_base()
        .unwrap();
    let lines: Vec<&str> = base.as_str().lines().collect();
    assert_eq!(
        lines[..5],
        [
            "\"@method\": GET",
            "\"@authority\": host.example",
            &format!("\"@path\": {}", request.uri().path()),
            &format!("\"@query\": ?{}", request.uri().query().unwrap()),
            "\"x-site\": a,b, \"c, d\"",
        ]
    );
    assert_eq!(
        lines[2..4],
        ["\"@path\": /a%2Fb/../c;d//", "\"@query\": ?q=%61+b&&"]
    );
    let covered: Vec<String> = validate(&request)
        .unwrap()
        .components()
        .map(|component| component.to_string())
        .collect();
    assert_eq!(
        covered,
        lines[..5]
            .iter()
            .map(|line| line.split_once(": ").unwrap().0)
            .collect::<Vec<_>>()
    );
}

/// One row of the table of row 29: what is wrong, a request with that alone, and how it is refused.
type Row = (&'static str, TestRequest, ValidateOptions, Kind);

fn assert_rows(rows: Vec<Row>) {
    // What every row would be without its one mistake.
    validate(&signed_as(get(), INPUT)).unwrap();
    for (what, request, options, kind) in rows {
        assert_eq!(refusal_with(&request, &options), kind, "{what}");
    }
}

/// 29. An inverted condition made a check unreachable. Here each check is the only one that can refuse.
#[test]
fn pitfall_29_each_check_of_the_candidates_refuses_alone() {
    let mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    let good = || signed_as(get(), INPUT);
    let also = |param: &str| signed_as(get(), &format!("{INPUT}{param}"));
    let listed = || options().key_ids([("site-a", DEFAULT_SECRET_NAME)]);
    let tagged = || options().tag("orders");
    let copies = |count: usize| {
        (0..count).fold(get(), |request, index| {
            with_signature(request, &format!("s{index}"), INPUT, &mac)
        })
    };
    let parameter = edited(&good(), "signature", |signature| format!("{signature};x"));
    validate_auth(&also(r#";keyid="site-a""#), &secrets(), &listed()).unwrap();
    validate_auth(&also(r#";tag="orders""#), &secrets(), &tagged()).unwrap();
    validate(&copies(4)).unwrap();
    assert_rows(vec![
        ("no fields", get(), options(), Kind::MissingSignature),
        (
            "no Signature",
            without(good(), "signature"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "no Signature-Input",
            without(good(), "signature-input"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "syntax of the input",
            edited(&good(), "signature-input", |input| format!("{input};")),
            options(),
            Kind::MalformedSignatureInput,
        ),
        (
            "syntax of the signature",
            edited(&good(), "signature", |signature| format!("{signature};")),
            options(),
            Kind::MalformedSignature,
        ),
        (
            "31 bytes",
            with_signature(get(), "sig1", INPUT, &mac[..31]),
            options(),
            Kind::MalformedSignature,
        ),
        (
            "33 bytes",
            with_signature(get(), "sig1", INPUT, &[&mac[..], b"x"].concat()),
            options(),
            Kind::MalformedSignature,
        ),
        (
            "a parameter of the signature",
            parameter,
            options(),
            Kind::MalformedSignature,
        ),
        (
            "a label in the input only",
            with_header(good(), "signature-input", "other=()"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "a label in the signature only",
            with_header(good(), "signature", "other=::"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "five candidates",
            copies(5),
            options(),
            Kind::TooManyCandidates,
        ),
        (
            "another key id",
            also(r#";keyid="site-b""#),
            listed(),
            Kind::UnknownKeyId,
        ),
        ("no key id", good(), listed(), Kind::UnknownKeyId),
        (
            "another tag",
            also(r#";tag="order""#),
            tagged(),
            Kind::WrongTag,
        ),
        ("no tag", good(), tagged(), Kind::WrongTag),
        (
            "another algorithm",
            also(r#";alg="ed25519""#),
            options(),
            Kind::UnsupportedAlgorithm,
        ),
    ]);
}

#[test]
fn pitfall_29_each_check_of_the_coverage_refuses_alone() {
    let covering = |request: TestRequest, components: &str| {
        signed_as(request, &format!("({components});created={NOW}"))
    };
    let query = |components| covering(get(), components);
    let digest = || {
        set(
            post(),
            "content-digest",
            &digest_of(post().body(), DigestAlgorithm::Sha256),
        )
    };
    let site = || with_header(get(), "x-site", "a");
    let all = r#""@method" "@authority" "@path" "@query""#;
    // What satisfies instead.
    for components in [
        r#""@method" "@target-uri""#,
        r#""@method" "@authority" "@request-target""#,
    ] {
        validate(&query(components)).unwrap();
    }
    validate(&covering(
        with_uri(get(), "https://host.example/orders?"),
        r#""@method" "@authority" "@path""#,
    ))
    .unwrap();
    for (request, components, required) in [
        (
            site(),
            r#""@method" "@authority" "@path" "@query" "x-site""#,
            "x-site",
        ),
        (
            get(),
            r#""@method" "@authority" "@path" "@query" "@scheme""#,
            "@scheme",
        ),
        (get(), r#""@method" "@target-uri""#, "@target-uri"),
        (
            get(),
            r#""@method" "@authority" "@request-target""#,
            "@request-target",
        ),
        (
            digest(),
            r#""@method" "@authority" "@path" "content-digest""#,
            "content-digest",
        ),
    ] {
        validate_auth(
            &covering(request, components),
            &secrets(),
            &options().require(required),
        )
        .unwrap();
    }
    let mut rows: Vec<Row> = vec![
        (
            "@method",
            query(r#""@authority" "@path" "@query""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@authority",
            query(r#""@method" "@path" "@query""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@path",
            query(r#""@method" "@authority" "@query""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@query",
            query(r#""@method" "@authority" "@path""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@method beside @target-uri",
            query(r#""@target-uri""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@authority beside @request-target",
            query(r#""@method" "@request-target""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "one parameter of the query",
            query(r#""@method" "@authority" "@path" "@query-param";name="page""#),
            options(),
            Kind::NotCovered,
        ),
        (
            "@path by @target-uri only",
            query(all),
            options().require("@target-uri"),
            Kind::NotCovered,
        ),
        (
            "@path by @request-target only",
            query(all),
            options().require("@request-target"),
            Kind::NotCovered,
        ),
        (
            "@scheme",
            query(r#""@method" "@target-uri""#),
            options().require("@scheme"),
            Kind::NotCovered,
        ),
        (
            "a field",
            covering(site(), all),
            options().require("x-site"),
            Kind::NotCovered,
        ),
        (
            "a field that is absent",
            query(all),
            options().require("x-site"),
            Kind::NotCovered,
        ),
        (
            "a field as bytes",
            covering(site(), &format!(r#"{all} "x-site";bs"#)),
            options().require("x-site"),
            Kind::NotCovered,
        ),
        (
            "another field",
            covering(site(), &format!(r#"{all} "x-site""#)),
            options().require("x-sit"),
            Kind::NotCovered,
        ),
        (
            "a digest, without a body",
            query(all),
            options().require("content-digest"),
            Kind::NotCovered,
        ),
        (
            "the query when required",
            covering(post(), r#""@method" "@authority" "@path""#),
            options().require("@query"),
            Kind::NotCovered,
        ),
        (
            "a digest, with a body",
            covering(post(), r#""@method" "@authority" "@path""#),
            options(),
            Kind::BodyNotCovered,
        ),
        (
            "a digest that is there",
            covering(digest(), r#""@method" "@authority" "@path""#),
            options(),
            Kind::BodyNotCovered,
        ),
    ];
    // These have no base that could be signed.
    for (component, kind) in [
        (r#""@status""#, Kind::UnsupportedComponent),
        (r#""@unknown""#, Kind::UnsupportedComponent),
        (r#""X-Site""#, Kind::UnsupportedComponent),
        (r#""x-site";sf"#, Kind::UnsupportedComponent),
        (r#""x-site";key="a""#, Kind::UnsupportedComponent),
        (r#""x-site";tr"#, Kind::UnsupportedComponent),
        (r#""x-site";req"#, Kind::UnsupportedComponent),
        (r#""x-site";unknown"#, Kind::UnsupportedComponent),
        (r#""x-site";bs=?0"#, Kind::UnsupportedComponent),
        (r#""@path";bs"#, Kind::UnsupportedComponent),
        (r#""@query-param""#, Kind::UnsupportedComponent),
        (r#""x-site";name="a""#, Kind::UnsupportedComponent),
        (r#""x-absent""#, Kind::AbsentComponent),
        (r#""@query-param";name="absent""#, Kind::AbsentComponent),
    ] {
        // `@path` may be there twice if one of them is something else.
        let input = format!("({all} {component});created={NOW}");
        rows.push((
            "an unusable component",
            with_signature(site(), "sig1", &input, &[0; 32]),
            options(),
            kind,
        ));
    }
    assert_rows(rows);
}

#[test]
fn pitfall_29_each_check_of_time_authority_and_content_refuses_alone() {
    let created =
        |created: i64| signed_as(get(), &INPUT.replace("1700000000", &created.to_string()));
    let to = |uri: &str| signed_as(with_uri(get(), uri), INPUT);
    let unsigned = |request| with_signature(request, "sig1", INPUT, &[0; 32]);
    let host = |request: TestRequest, host: &str| with_header(request, "host", host);
    let local = || with_uri(get(), "/orders?page=2");
    let digest = |value: &str| signed_as(set(post(), "content-digest", value), BODY_INPUT);
    let right = digest_of(post().body(), DigestAlgorithm::Sha256);
    validate(&digest(&right)).unwrap();
    validate(&digest(&format!("{right}, md5=:AAAA:, unknown=::"))).unwrap();
    let mut wrong_mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    wrong_mac[31] ^= 1;
    let sha512_of_another = digest_of(b"another", DigestAlgorithm::Sha512);
    assert_rows(vec![
        (
            "no created",
            signed_as(get(), r#"("@method" "@authority" "@path" "@query")"#),
            options(),
            Kind::MissingCreated,
        ),
        ("too old", created(NOW - 61), options(), Kind::Stale),
        ("too new", created(NOW + 11), options(), Kind::InFuture),
        (
            "expired",
            signed_as(get(), &format!("{INPUT};expires={}", NOW - 1)),
            options(),
            Kind::Expired,
        ),
        (
            "no authority",
            unsigned(local()),
            options(),
            Kind::MissingAuthority,
        ),
        (
            "two authorities",
            host(signed_as(get(), INPUT), "other.example"),
            options(),
            Kind::ConflictingAuthority,
        ),
        (
            "two Host fields",
            host(host(unsigned(local()), "host.example"), "host.example"),
            options(),
            Kind::ConflictingAuthority,
        ),
        (
            "user information",
            unsigned(with_uri(get(), "https://me@host.example/")),
            options(),
            Kind::InvalidAuthority,
        ),
        (
            "an empty Host",
            unsigned(host(local(), "")),
            options(),
            Kind::InvalidAuthority,
        ),
        (
            "an authority that is not listed",
            to("https://other.example/orders?page=2"),
            options(),
            Kind::UnlistedAuthority,
        ),
        (
            "a port that is not listed",
            to("https://host.example:444/orders?page=2"),
            options(),
            Kind::UnlistedAuthority,
        ),
        (
            "the last bit of the MAC",
            with_signature(get(), "sig1", INPUT, &wrong_mac),
            options(),
            Kind::WrongMac,
        ),
        (
            "another secret",
            signed_by(&Secret::from_bytes(&[7; 32]).unwrap(), get(), INPUT),
            options(),
            Kind::WrongMac,
        ),
        (
            "syntax of the digest",
            digest("sha-256=nonsense"),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "length of the digest",
            digest("sha-256=:AAAA:"),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "length of a second digest",
            digest(&format!("{right}, sha-512=:AAAA:")),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "a digest twice",
            digest(&format!("{right}, {right}")),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "deprecated digests only",
            digest("md5=:AAAA:, sha=:AAAA:, unixsum=:AAAA:"),
            options(),
            Kind::UnsupportedDigest,
        ),
        (
            "digest of another body",
            digest(&digest_of(b"another", DigestAlgorithm::Sha256)),
            options(),
            Kind::WrongDigest,
        ),
        (
            "sha-512 of another body",
            digest(&sha512_of_another),
            options(),
            Kind::WrongDigest,
        ),
        (
            "a second digest",
            digest(&format!("{right}, {sha512_of_another}")),
            options(),
            Kind::WrongDigest,
        ),
        (
            "a digest without a body",
            with_header(signed_as(get(), INPUT), "content-digest", &right),
            options(),
            Kind::WrongDigest,
        ),
        (
            "options",
            signed_as(get(), INPUT),
            options().require("@status"),
            Kind::Misconfigured,
        ),
    ]);
    let unknown = options().secret_name("unknown");
    assert_eq!(
        refusal_with(&signed_as(get(), INPUT), &unknown),
        Kind::SecretUnavailable
    );
}

/// Previous secrets are accepted as long as they are in the set, and not after.
#[test]
fn pitfall_29_each_secret_of_the_set_counts_and_no_other() {
    let named = |index: usize| Secret::from_text(&format!("secret number {index:04}")).unwrap();
    let store = MemorySecrets::new();
    store.insert(DEFAULT_SECRET_NAME, named(0));
    for current in 1..=6 {
        store.rotate(DEFAULT_SECRET_NAME, named(current)).unwrap();
        for index in 0..=7 {
            let accepted =
                validate_auth(&signed_by(&named(index), get(), INPUT), &store, &options()).is_ok();
            assert_eq!(
                accepted,
                index <= current && index + 3 >= current,
                "{index} of {current}"
            );
        }
        let mut request = get();
        sign_request(&mut request, &store, &sign_options()).unwrap();
        let only = MemorySecrets::new();
        only.insert(DEFAULT_SECRET_NAME, named(current));
        validate_auth(&request, &only, &options()).unwrap();
    }
    store.retire(DEFAULT_SECRET_NAME).unwrap();
    for index in 0..=7 {
        assert_eq!(
            validate_auth(&signed_by(&named(index), get(), INPUT), &store, &options()).is_ok(),
            index == 6,
            "{index}"
        );
    }
}

/// 30. A setting that was not there disabled a check.
#[test]
fn pitfall_30_defaults_are_strict_and_weakening_is_spelled_out() {
    assert_eq!(DEFAULT_MAX_TIME_DIFF, Duration::from_secs(60));
    assert_eq!(DEFAULT_MAX_CLOCK_SKEW, Duration::from_secs(10));
    assert_eq!(MIN_SECRET_LEN, 16);
    // With nothing configured at all but the time, every check is made.
    for defaults in [
        ValidateOptions::new().at(time(NOW)),
        ValidateOptions::default().at(time(NOW)),
    ] {
        validate_auth(&signed_as(get(), INPUT), &secrets(), &defaults).unwrap();
        let created = |at: i64| signed_as(get(), &INPUT.replace("1700000000", &at.to_string()));
        let components =
            |components: &str| signed_as(get(), &format!("({components});created={NOW}"));
        for (request, kind) in [
            (get(), Kind::MissingSignature),
            (created(NOW - 61), Kind::Stale),
            (created(NOW + 11), Kind::InFuture),
            (
                components(r#""@authority" "@path" "@query""#),
                Kind::NotCovered,
            ),
            (
                components(r#""@method" "@path" "@query""#),
                Kind::NotCovered,
            ),
            (
                components(r#""@method" "@authority" "@query""#),
                Kind::NotCovered,
            ),
            (
                components(r#""@method" "@authority" "@path""#),
                Kind::NotCovered,
            ),
            (
                signed_as(get(), r#"("@method" "@authority" "@path" "@query")"#),
                Kind::MissingCreated,
            ),
            (
                signed_as(get(), &format!(r#"{INPUT};alg="none""#)),
                Kind::UnsupportedAlgorithm,
            ),
            (
                signed_as(
                    post(),
                    r#"("@method" "@authority" "@path");created=1700000000"#,
                ),
                Kind::BodyNotCovered,
            ),
            (with_body(signed(post()), b"other"), Kind::WrongDigest),
            (
                with_header(signed(get()), "host", "other.example"),
                Kind::ConflictingAuthority,
            ),
            (
                with_uri(signed(get()), "https://other.example/orders?page=2"),
                Kind::WrongMac,
            ),
            (
                with_signature(get(), "sig1", INPUT, &[]),
                Kind::MalformedSignature,
            ),
            (
                with_signature(get(), "sig1", INPUT, &[0; 32]),
                Kind::WrongMac,
            ),
        ] {
            assert_eq!(refusal_with(&request, &defaults), kind);
        }
    }
    // An empty setting is not the same as none, and a wrong one does not go unnoticed.
    let nobody: [(&str, &str); 0] = [];
    let nowhere: [&str; 0] = [];
    for (what, options) in [
        ("no key ids", options().key_ids(nobody)),
        ("no authorities", options().authorities(nowhere)),
        ("an empty authority", options().authorities([""])),
        (
            "an authority with a scheme",
            options().authorities(["https://host.example"]),
        ),
        (
            "an authority with a path",
            options().authorities(["host.example/"]),
        ),
        ("a wildcard", options().authorities(["*"])),
        (
            "a wildcard label",
            options().authorities(["host.example", "*.host.example"]),
        ),
        ("a component that is none", options().require("@nonsense")),
        ("a field in upper case", options().require("Content-Type")),
        ("an empty component", options().require("")),
        ("a tag that nobody can send", options().tag("\u{e9}")),
        (
            "corrected too late",
            options()
                .key_ids(nobody)
                .key_ids([("site-a", DEFAULT_SECRET_NAME)]),
        ),
    ] {
        assert_eq!(
            options.check().unwrap_err().kind(),
            Kind::Misconfigured,
            "{what}"
        );
        let request = signed_as(get(), &format!(r#"{INPUT};keyid="site-a""#));
        assert_eq!(
            refusal_with(&request, &options),
            Kind::Misconfigured,
            "{what}"
        );
    }
    // Zero is not "no limit".
    let zero = options()
        .max_time_diff(Duration::ZERO)
        .max_clock_skew(Duration::ZERO);
    assert_eq!(
        refusal_with(
            &signed_as(get(), &INPUT.replace("1700000000", "1699999999")),
            &zero
        ),
        Kind::Stale
    );
    let full = MemoryReplayGuard::new().started_at(time(NOW)).capacity(0);
    assert_eq!(
        full.first_use(validate(&signed(get())).unwrap())
            .unwrap_err()
            .kind(),
        Kind::ReplayGuardFull
    );
    // An empty tag is a tag.
    assert_eq!(
        refusal_with(&signed_as(get(), INPUT), &options().tag("")),
        Kind::WrongTag
    );
    // An empty key id that was listed is a key id, and a missing one is not.
    let empty = options().key_ids([("", DEFAULT_SECRET_NAME)]);
    assert_eq!(
        refusal_with(&signed_as(get(), INPUT), &empty),
        Kind::UnknownKeyId
    );
    validate_auth(
        &signed_as(get(), &format!(r#"{INPUT};keyid="""#)),
        &secrets(),
        &empty,
    )
    .unwrap();
}
