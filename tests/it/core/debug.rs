//! Neither `Debug` nor an error shows a secret or a MAC.

use std::{error::Error as StdError, fmt::Debug, fs};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac_auth::{
    Claim, DEFAULT_SECRET_NAME, EnvSecrets, FileSecrets, MemoryReplayGuard, ReplayGuard, Secret,
    SecretEncoding, SecretSet, SecretStore, UseOnce, sign_request,
    signature::{SignatureInput, SignatureInputs},
    testing::{TamperOptions, tampered, wrongly_signed},
    validate_auth,
};
use http::{HeaderName, HeaderValue};

use crate::support::request::{
    NOW, SECRET, TestRequest, get, options, post, secret, secrets, sign_options, signed,
    signed_with, time, validate, with_header,
};

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

/// Secrets were shown by `Debug`.
#[test]
pub(crate) fn pitfall_27_neither_secrets_nor_macs_are_shown() {
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
    let tamper_options = TamperOptions::new(secret()).sign_options(sign_options());
    both("TamperOptions", &tamper_options);
    both("Tampered", &tampered(&request));
    both("Tampered", &wrongly_signed(&get(), &tamper_options));
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
    let fingerprint = secret().fingerprint();
    assert_eq!(
        format!("{:?} {set:?}", secret()),
        format!("Secret({fingerprint}) SecretSet(current {fingerprint}, previous {fingerprint})")
    );

    errors_show_no_secrets(&request, &check);
}

/// What a developer prints to find an error says what it is.
#[test]
fn each_debug_output_says_what_it_has() {
    let request = signed_with(post(), &sign_options().key_id("site-a"));
    let options = options().key_ids([("site-a", DEFAULT_SECRET_NAME)]);
    let claim = Claim::parse(&request, &options).unwrap();
    let head = claim.verify_head(&SecretSet::new(secret())).unwrap();
    let validated = validate_auth(&request, &secrets(), &options).unwrap();
    let refusal = Secret::from_text("a secret of somebody else").unwrap();
    let refusal = claim.verify_head(&SecretSet::new(refusal)).unwrap_err();
    let shows = |value: &dyn Debug, expected: &str| {
        let text = format!("{value:?}");
        assert!(text.contains(expected), "{text} has no {expected}");
    };
    shows(
        &claim,
        r#"Claim { secret_name: "hmac-authentication-secret-key", input: SignatureInput { label: "sig1", value: "(\"@method\" "#,
    );
    shows(&claim.input().components(), r#"[Component("@method"), "#);
    let mut inputs = SignatureInputs::new(request.headers());
    assert!(inputs.next().is_some());
    shows(&inputs, r#"SignatureInputs { labels: ["sig1"], .. }"#);
    shows(&head, "VerifiedHead { covers_body: true, .. }");
    shows(&validated, r#"key_id: Some("site-a")"#);
    shows(&validated, &format!("created: {NOW}"));
    shows(&refusal, r#"detail: Some(""#);
    shows(
        &FileSecrets::new("/run/secrets"),
        r#"FileSecrets { directory: "/run/secrets", "#,
    );
    shows(
        validated.replay_id(),
        &format!("ReplayId {{ created: {NOW}, "),
    );
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    assert!(guard.is_empty());
    shows(&UseOnce::ready(Ok(())), "UseOnce(");
    guard.first_use(validated.clone()).unwrap();
    assert!(!guard.is_empty());
    shows(&guard.accept_once(validated.clone()), "AcceptOnce");
    shows(&guard, "MemoryReplayGuard { len: 1, consumers: 1, ");
    shows(&EnvSecrets::new("SECRET_"), r#""SECRET_""#);
    let fingerprint = secret().fingerprint();
    shows(&fingerprint, &fingerprint.to_string());
    let base = claim.signature_base().unwrap();
    shows(&base, r#"SignatureBase("\"@method\": POST\n"#);
    let redacted = base.to_string();
    let lines: Vec<&str> = redacted.lines().collect();
    assert_eq!(
        lines[..2],
        [r#""@method": POST"#, r#""@authority": host.example"#]
    );
    assert!(lines.contains(&r#""@query": <1 bytes>"#), "{redacted}");
}

/// Nonces that can be foreseen weaken a signature: the options say so.
#[test]
fn predictable_nonces_are_seen() {
    let random = format!("{:?}", sign_options());
    assert!(random.contains("nonces: Random"), "{random}");
    let given = format!("{:?}", sign_options().predictable_nonces(|| [1; 16]));
    assert!(given.contains("nonces: Given"), "{given}");
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
