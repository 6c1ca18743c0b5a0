//! Random input: nothing panics, and nothing is accepted.

use std::collections::BTreeSet;

use hmac_auth::{
    Claim, DEFAULT_SECRET_NAME, Secret, SecretSet, ValidateOptions, sign_request,
    signature::{Component, RequestHead, ResponseHead, Scheme, SignatureBase, SignatureInputs},
    validate_auth,
};
use http::{HeaderValue, Method, Response, Uri, Version};

use crate::support::{
    random::Random,
    request::{NOW, TestRequest, options, post, secret, secrets, sign_options, signed_with, time},
};

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

/// Bodies were read without limit, and strange input panicked, before anybody was
/// authenticated.
#[test]
pub(crate) fn pitfall_26_nothing_panics_and_nothing_random_is_accepted() {
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
