//! Each refusal of a site has its kind, and the crate says the same.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use serde_json::json;

use crate::support::{
    message::{Also, CONTENT_DIGEST, signed_as_is},
    node::Worker,
    request::{self, NOW, TestRequest, get, post, signed, signed_as, with_header, with_signature},
};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_refusal_has_its_kind() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    for signed in [signed(get()), signed(post())] {
        worker.accepts(&signed);
    }
    let input = |components: &str, parameters: &str| format!("({components}){parameters}");
    let created = format!(";created={NOW}");
    let all = r#""@method" "@authority" "@path" "@query""#;
    let signed_get =
        |components: &str, parameters: &str| signed_as(get(), &input(components, parameters));
    let replaced = |request: TestRequest, name: HeaderName, from: &str, to: &str| {
        let mut request = request;
        let value = request.headers()[&name].to_str().unwrap().replace(from, to);
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let with_uri = |uri: &str| {
        let mut request = signed(get());
        *request.uri_mut() = uri.parse().unwrap();
        request
    };
    let with_mac = |mac: &str| {
        with_header(
            with_header(
                get(),
                "signature-input",
                &format!("a={}", input(all, &created)),
            ),
            "signature",
            mac,
        )
    };
    let mac = STANDARD.encode([7; 32]);
    let with_input = |input: &str| {
        let signature = format!("a=:{}:", STANDARD.encode([7; 32]));
        with_header(
            with_header(get(), "signature-input", input),
            "signature",
            &signature,
        )
    };
    let empty_sha256 = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let other_sha512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    let right_sha256 = signed(post()).headers()[CONTENT_DIGEST]
        .to_str()
        .unwrap()
        .to_owned();
    let with_digest = |digest: &str| {
        let covered = r#""@method" "@authority" "@path" "content-digest" "content-type""#;
        signed_as(
            with_header(post(), "content-digest", digest),
            &input(covered, &created),
        )
    };
    let mut other_method = signed(get());
    *other_method.method_mut() = Method::DELETE;
    let mut other_body = signed(post());
    other_body.body_mut()[9] ^= 1;
    let long = "x".repeat(8200);

    let long_fields = ["x-a", "x-b", "x-c", "x-d", "x-e"];
    let five_long_fields = long_fields.into_iter().fold(get(), |request, name| {
        with_header(request, name, &long[..8000])
    });
    let five_long_fields = signed_as_is(
        five_long_fields,
        &input(
            &format!("{all} \"{}\"", long_fields.join("\" \"")),
            &created,
        ),
    );
    let query_params = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
        .map(|name| format!(r#""@query-param";name="{name}""#));
    let mut nine_query_params = get();
    *nine_query_params.uri_mut() = "https://host.example/orders?a&b&c&d&e&f&g&h&i"
        .parse()
        .unwrap();
    let nine_query_params = signed_as_is(
        nine_query_params,
        &input(&format!("{all} {}", query_params.join(" ")), &created),
    );

    for (kind, what, request) in vec![
        ("missing_signature", "unsigned", get()),
        (
            "malformed_signature_input",
            "nonsense",
            with_input("=nonsense"),
        ),
        ("malformed_signature_input", "empty", with_input("")),
        ("malformed_signature_input", "no list", with_input("a=7")),
        (
            "malformed_signature_input",
            "repeated label",
            signed_as(signed(get()), request::INPUT),
        ),
        (
            "malformed_signature_input",
            "repeated component",
            with_input(r#"a=("@path" "@path")"#),
        ),
        (
            "malformed_signature_input",
            "repeated parameter",
            with_input("a=();created=1;created=1"),
        ),
        (
            "malformed_signature_input",
            "17 labels",
            with_input(
                &(0..17)
                    .map(|i| format!(r#"a{i}=();alg="x""#))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        ),
        (
            "malformed_signature_input",
            "33 components",
            with_input(&format!(
                "a=({})",
                (0..33)
                    .map(|i| format!("\"a{i}\""))
                    .collect::<Vec<_>>()
                    .join(" ")
            )),
        ),
        (
            "malformed_signature_input",
            "8 KiB",
            with_input(&format!("a=();nonce=\"{long}\"")),
        ),
        (
            "malformed_signature_input",
            "created as text",
            with_input(r#"a=();created="1""#),
        ),
        (
            "malformed_signature_input",
            "created too long",
            with_input("a=();created=1234567890123456"),
        ),
        (
            "malformed_signature_input",
            "created with fraction",
            with_input("a=();created=1.0"),
        ),
        (
            "malformed_signature_input",
            "keyid as token",
            with_input("a=();keyid=a"),
        ),
        (
            "malformed_signature_input",
            "not ASCII",
            with_input("a=();nonce=\"\u{e9}\""),
        ),
        (
            "malformed_signature",
            "repeated label",
            with_mac(&format!("a=:{mac}:, a=:{mac}:")),
        ),
        ("malformed_signature", "no base64", with_mac("a=7")),
        (
            "malformed_signature",
            "31 bytes",
            with_mac(&format!("a=:{}:", STANDARD.encode([7; 31]))),
        ),
        (
            "malformed_signature",
            "33 bytes",
            with_mac(&format!("a=:{}:", STANDARD.encode([7; 33]))),
        ),
        ("malformed_signature", "no bytes", with_mac("a=::")),
        (
            "malformed_signature",
            "no padding",
            with_mac(&format!("a=:{}:", mac.trim_end_matches('='))),
        ),
        (
            "malformed_signature",
            "unused bits",
            with_mac(&format!("a=:{}:", mac.replace("c=", "d="))),
        ),
        (
            "malformed_signature",
            "with a parameter",
            with_mac(&format!("a=:{mac}:;x")),
        ),
        (
            "unpaired_label",
            "other label",
            with_mac(&format!("b=:{mac}:")),
        ),
        (
            "unpaired_label",
            "one too many",
            with_mac(&format!("a=:{mac}:, b=:{mac}:")),
        ),
        (
            "unpaired_label",
            "no signature",
            with_header(get(), "signature-input", "a=()"),
        ),
        (
            "unpaired_label",
            "no value, which is true",
            with_header(get(), "signature-input", "nonsense"),
        ),
        (
            "malformed_signature",
            "one too many, which is no byte sequence",
            with_mac(&format!("a=:{mac}:, b=1")),
        ),
        (
            "unpaired_label",
            "no input",
            with_header(get(), "signature", &format!("a=:{mac}:")),
        ),
        (
            "too_many_candidates",
            "five",
            (0..5).fold(get(), |request, i| {
                with_signature(request, &format!("a{i}"), request::INPUT, &[7; 32])
            }),
        ),
        (
            "unsupported_algorithm",
            "ed25519",
            signed_get(all, &format!(r#"{created};alg="ed25519""#)),
        ),
        ("not_covered", "nothing", signed_get("", &created)),
        (
            "not_covered",
            "no method",
            signed_get(r#""@authority" "@path" "@query""#, &created),
        ),
        (
            "not_covered",
            "no authority",
            signed_get(r#""@method" "@request-target""#, &created),
        ),
        (
            "not_covered",
            "no path",
            signed_get(r#""@method" "@authority" "@query""#, &created),
        ),
        (
            "not_covered",
            "no query",
            signed_get(r#""@method" "@authority" "@path""#, &created),
        ),
        ("missing_created", "none", signed_get(all, "")),
        (
            "stale",
            "61 s",
            signed_get(all, &format!(";created={}", NOW - 61)),
        ),
        (
            "stale",
            "the earliest",
            signed_get(all, ";created=-999999999999999"),
        ),
        (
            "in_future",
            "11 s",
            signed_get(all, &format!(";created={}", NOW + 11)),
        ),
        (
            "in_future",
            "the latest",
            signed_get(all, ";created=999999999999999"),
        ),
        (
            "expired",
            "a second ago",
            signed_get(all, &format!("{created};expires={}", NOW - 1)),
        ),
        (
            "in_future",
            "in milliseconds",
            signed_get(all, &format!(";created={NOW}123")),
        ),
        (
            "not_covered",
            "a type that was added",
            with_header(with_digest(&right_sha256), "content-encoding", "gzip"),
        ),
        (
            "conflicting_authority",
            "Host",
            with_header(signed(get()), "host", "other.example"),
        ),
        (
            "invalid_authority",
            "Host",
            with_header(signed(get()), "host", "alice:password@host.example"),
        ),
        (
            "unlisted_authority",
            "other",
            with_uri("https://other.example/orders?page=2"),
        ),
        (
            "unsupported_component",
            "status",
            signed_as_is(
                get(),
                &input(
                    r#""@method" "@authority" "@path" "@query" "@status""#,
                    &created,
                ),
            ),
        ),
        (
            "unsupported_component",
            "sf",
            signed_as_is(
                get(),
                &input(
                    r#""@method" "@authority" "@path" "@query" "date";sf"#,
                    &created,
                ),
            ),
        ),
        (
            "absent_component",
            "field",
            signed_as_is(get(), &input(&format!(r#"{all} "date""#), &created)),
        ),
        (
            "absent_component",
            "constructor",
            signed_as_is(get(), &input(&format!(r#"{all} "constructor""#), &created)),
        ),
        (
            "not_ascii",
            "field",
            signed_as_is(
                with_header(get(), "x-name", "\u{e9}"),
                &input(&format!(r#"{all} "x-name""#), &created),
            ),
        ),
        (
            "too_large",
            "field",
            signed_as_is(
                with_header(get(), "x-name", &long),
                &input(&format!(r#"{all} "x-name""#), &created),
            ),
        ),
        ("too_large", "five fields", five_long_fields),
        ("too_large", "nine query parameters", nine_query_params),
        ("wrong_mac", "other method", other_method),
        (
            "wrong_mac",
            "other path",
            with_uri("https://host.example/order?page=2"),
        ),
        (
            "wrong_mac",
            "other spelling of the path",
            with_uri("https://host.example/%6frders?page=2"),
        ),
        (
            "wrong_mac",
            "other query",
            with_uri("https://host.example/orders?page=3"),
        ),
        (
            "wrong_mac",
            "other order",
            with_uri("https://host.example/orders?page=2&"),
        ),
        (
            "not_covered",
            "body needs more than method",
            signed_as(post(), &input(r#""@method""#, &created)),
        ),
        (
            "body_not_covered",
            "no digest",
            signed_as(
                post(),
                &input(r#""@method" "@authority" "@path""#, &created),
            ),
        ),
        (
            "body_not_covered",
            "digest not signed",
            signed_as(
                with_header(
                    post(),
                    "content-digest",
                    "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
                ),
                &input(r#""@method" "@authority" "@path""#, &created),
            ),
        ),
        ("wrong_digest", "other body", other_body),
        (
            "wrong_digest",
            "of the empty body",
            with_digest(empty_sha256),
        ),
        (
            "wrong_digest",
            "not covered, without a body",
            signed_as(
                with_header(
                    get(),
                    "content-digest",
                    "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
                ),
                request::INPUT,
            ),
        ),
        (
            "wrong_digest",
            "the second of two",
            with_digest(&format!("{right_sha256}, {other_sha512}")),
        ),
        (
            "malformed_digest",
            "too short",
            with_digest("sha-512=:AA==:"),
        ),
        ("malformed_digest", "no base64", with_digest("sha-256=abc")),
        (
            "malformed_digest",
            "twice",
            with_digest(&format!("{empty_sha256}, {empty_sha256}")),
        ),
        (
            "unsupported_digest",
            "md5",
            with_digest("md5=:AAAAAAAAAAAAAAAAAAAAAA==:"),
        ),
        (
            "wrong_mac",
            "digest exchanged",
            signed(post()).also(|request| {
                _ = request
                    .headers_mut()
                    .insert(CONTENT_DIGEST, HeaderValue::from_static(empty_sha256));
            }),
        ),
        (
            "wrong_mac",
            "content type exchanged",
            replaced(signed(post()), CONTENT_TYPE, "json", "xml"),
        ),
    ] {
        let error = worker.refuses(&request, json!({ "authorities": ["HOST.example:443"] }));
        assert_eq!(error["kind"], kind, "{what}: {error}");
        assert_eq!(error["status"], 401, "{what}: {error}");
        let here = request::validate(&request).expect_err(what);
        assert_eq!(
            here.kind().as_str(),
            kind,
            "{what}: the crate says it differently"
        );
        let (message, here) = (error["message"].as_str().unwrap(), here.to_string());
        // What only the crate can be told.
        let here = here
            .split("; if a proxy has changed `Host`")
            .next()
            .unwrap();
        let last_two = |text: &str| {
            text.rsplit(": ")
                .take(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let says_the_same = match kind {
            // The remedies are options, and each side has its own.
            "conflicting_authority" => true,
            "unlisted_authority" | "wrong_mac" => last_two(message) == last_two(here),
            "not_ascii" => here.starts_with(message),
            _ => message.starts_with(here),
        };
        assert!(says_the_same, "{what}: {message}, but the crate: {here}");
        let is_safe = |c: char| matches!(c, ' '..='~' | '…');
        assert!(
            message.chars().count() < 320 && message.chars().all(is_safe),
            "{what}: {message}"
        );
        assert!(
            !message.contains("alice") && !message.contains("password"),
            "{message}"
        );
    }
}
