//! The two functions of `examples/velo` under Node, with stand-ins for what Wix provides: against known answers, against the
//! crate request by request, and over HTTP both ways.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Json, Router, body::Bytes};
use base64::{Engine, engine::general_purpose::STANDARD};
use common::{
    NOW, Random, SECRET, TestRequest, get, post, secret, secrets, signed_as, time, with_header,
    with_signature,
};
use hmac_auth::{
    AlgParameter, DEFAULT_SECRET_NAME, DigestAlgorithm, MemorySecrets, Secret, SignOptions,
    ValidateOptions, sign_request,
    signature::{RequestHead, SIGNATURE, SIGNATURE_INPUT, Scheme, SignatureBase, SignatureInputs},
    tower::ValidateAuthLayer,
    validate_auth,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{CONTENT_TYPE, HOST},
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

mod common;

const INVALID: &str = r#"{"error":"Invalid authentication token"}"#;
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

#[test]
fn the_known_answers_of_others() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let rfc: Value = serde_json::from_str(include_str!("data/rfc9421-bases.json")).unwrap();
    let vectors = rfc["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 12);
    for vector in vectors {
        let mac = worker.ok(
            json!({ "operation": "mac", "key": rfc["key_b64"], "base": vector["signature_base"] }),
        );
        assert_eq!(
            mac, vector["hmac_test_shared_secret_b64"],
            "{}",
            vector["section"]
        );
    }

    // RFC 9421 section B.2.5, from the request on.
    let answer = worker.ok(json!({ "operation": "base", "key": rfc["key_b64"], "request": {
        "method": "POST",
        "url": "https://example.com/foo?param=Value&Pet=dog",
        "headers": {
            "host": "example.com",
            "date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "content-type": "application/json",
            "signature-input": r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        },
    }}));
    let vector = vectors
        .iter()
        .find(|vector| vector["rfc_hmac"] == true)
        .unwrap();
    assert_eq!(answer["base"], vector["signature_base"]);
    assert_eq!(
        answer["mac"],
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
    );

    // curl 8.22, its own test.
    let answer = worker.ok(json!({ "operation": "base", "key": STANDARD.encode([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].repeat(4)), "request": {
        "method": "GET",
        "url": "https://example.com:7000/5002/resource",
        "headers": { "signature-input": r#"sig1=("@method" "@authority" "@path");created=0;keyid="shared-key-1";alg="hmac-sha256""# },
    }}));
    assert_eq!(
        answer["base"],
        "\"@method\": GET\n\"@authority\": example.com:7000\n\"@path\": /5002/resource\n\
         \"@signature-params\": (\"@method\" \"@authority\" \"@path\");created=0;keyid=\"shared-key-1\";alg=\"hmac-sha256\""
    );
    assert_eq!(
        answer["mac"],
        "jvajJheXE4H/TqWfAn8m0d0Rx0XWYKADN/1P0qn+FLw="
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
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
    let empty_sha256 = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let other_sha512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    let right_sha256 = signed(post()).headers()[CONTENT_DIGEST]
        .to_str()
        .unwrap()
        .to_owned();
    let with_digest = |digest: &str| {
        let covered = r#""@method" "@authority" "@path" "content-digest""#;
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
            with_header(get(), "signature-input", "nonsense"),
        ),
        (
            "malformed_signature_input",
            "empty",
            with_header(get(), "signature-input", ""),
        ),
        (
            "malformed_signature_input",
            "no list",
            with_header(get(), "signature-input", "sig1=7"),
        ),
        (
            "malformed_signature_input",
            "repeated label",
            signed_as(signed(get()), common::INPUT),
        ),
        (
            "malformed_signature_input",
            "repeated component",
            with_header(get(), "signature-input", r#"a=("@path" "@path")"#),
        ),
        (
            "malformed_signature_input",
            "repeated parameter",
            with_header(get(), "signature-input", "a=();created=1;created=1"),
        ),
        (
            "malformed_signature_input",
            "17 labels",
            with_header(
                get(),
                "signature-input",
                &(0..17)
                    .map(|i| format!(r#"a{i}=();alg="x""#))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        ),
        (
            "malformed_signature_input",
            "33 components",
            with_header(
                get(),
                "signature-input",
                &format!(
                    "a=({})",
                    (0..33)
                        .map(|i| format!("\"a{i}\""))
                        .collect::<Vec<_>>()
                        .join(" ")
                ),
            ),
        ),
        (
            "malformed_signature_input",
            "8 KiB",
            with_header(get(), "signature-input", &format!("a=();nonce=\"{long}\"")),
        ),
        (
            "malformed_signature_input",
            "created as text",
            with_header(get(), "signature-input", r#"a=();created="1""#),
        ),
        (
            "malformed_signature_input",
            "created too long",
            with_header(get(), "signature-input", "a=();created=1234567890123456"),
        ),
        (
            "malformed_signature_input",
            "created with fraction",
            with_header(get(), "signature-input", "a=();created=1.0"),
        ),
        (
            "malformed_signature_input",
            "keyid as token",
            with_header(get(), "signature-input", "a=();keyid=a"),
        ),
        (
            "malformed_signature_input",
            "not ASCII",
            with_header(get(), "signature-input", "a=();nonce=\"\u{e9}\""),
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
            "no input",
            with_header(get(), "signature", &format!("a=:{mac}:")),
        ),
        (
            "too_many_candidates",
            "five",
            (0..5).fold(get(), |request, i| {
                with_signature(request, &format!("a{i}"), common::INPUT, &[7; 32])
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
            "conflicting_authority",
            "Host",
            with_header(signed(get()), "host", "other.example"),
        ),
        (
            "invalid_authority",
            "Host",
            with_header(signed(get()), "host", "user@host.example"),
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
                common::INPUT,
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
        assert_eq!(
            common::refusal(&request).as_str(),
            kind,
            "{what}: the crate says it differently"
        );
        let message = error["message"].as_str().unwrap();
        assert!(
            message.len() < 300 && message.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{what}: {message}"
        );
    }
}

#[test]
fn what_is_accepted() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let created = format!(";created={NOW}");
    for (what, request) in [
        (
            "as old as allowed",
            signed_as(
                get(),
                &format!(r#"("@method" "@target-uri");created={}"#, NOW - 60),
            ),
        ),
        (
            "as far ahead as allowed",
            signed_as(
                get(),
                &format!(r#"("@method" "@target-uri");created={}"#, NOW + 10),
            ),
        ),
        (
            "target URI",
            signed_as(get(), &format!(r#"("@method" "@target-uri"){created}"#)),
        ),
        (
            "query parameter",
            signed_as(
                get(),
                &format!(r#"("@method" "@target-uri" "@query-param";name="page"){created}"#),
            ),
        ),
        (
            "spelt otherwise",
            signed_as(
                get(),
                &format!(
                    r#"( "@method"   "@target-uri" );  x=?1; created={NOW};y=01.50;z=-0;w=:AA==:;v=a/b;u=?0"#
                ),
            ),
        ),
        (
            "beside the signature of somebody else",
            with_signature(
                signed(get()),
                "other",
                r#"("date");alg="ed25519""#,
                &[7; 64],
            ),
        ),
        (
            "the second of two",
            with_signature(get(), "sig0", common::INPUT, &[7; 32]).also(|request| {
                sign_request(request, &secrets(), &common::sign_options()).unwrap();
            }),
        ),
        (
            "host header",
            with_header(signed(get()), "host", "HOST.example:443"),
        ),
        ("two digests", {
            let digests = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:, md5=:AA==:, \
                           sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
            let mut request = signed_as(
                with_header(get(), "content-digest", digests),
                &format!(r#"("@method" "@target-uri" "content-digest"){created}"#),
            );
            *request.body_mut() = br#"{"hello": "world"}"#.to_vec();
            request
        }),
    ] {
        validate_auth(&request, &secrets(), &common::options())
            .unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let answer = worker.validate(&request, json!({ "authorities": ["host.example"] }));
        assert_eq!(answer, json!({ "ok": true }), "{what}");
    }
}

/// Requests of all shapes, and of each several with one thing changed: both implementations say the same, down to the kind.
#[test]
fn the_crate_and_the_site_agree() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let mut random = Random::new(7);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut request = random_request(&mut random);
        let options = random_sign_options(&mut random, &request);
        sign_request(&mut request, &secrets(), &options).unwrap();
        assert_eq!(verdict(&request), "accepted", "{request:?}");
        assert_eq!(worker.verdict(&request), "accepted", "{request:?}");
        accepted += 1;
        for _ in 0..6 {
            let Some(changed) = with_a_change(&mut random, &request) else {
                continue;
            };
            let expected = verdict(&changed);
            assert_ne!(expected, "accepted", "{changed:?}");
            assert_eq!(worker.verdict(&changed), expected, "{changed:?}");
            refused += 1;
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(refused > 1500, "{refused}");
}

/// Signature inputs as nobody would write them, most of them malformed, all with a right MAC if there can be one.
#[test]
fn the_crate_and_the_site_agree_about_syntax() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let mut random = Random::new(21);
    let mut verdicts = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..4000 {
        let mut request = with_header(with_header(get(), "x-trace", "a,b  c"), "x-empty", "");
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = "https://host.example/a%2Fb?page=2&q=a+b%20c&q&%70=%zz"
            .parse()
            .unwrap();
        let request = signed_as_is(request, &random_input(&mut random));
        let expected = verdict(&request);
        assert_eq!(
            worker.verdict(&request),
            expected,
            "{:?}",
            request.headers()
        );
        *verdicts.entry(expected).or_default() += 1;
    }
    println!("{verdicts:?}");
    for kind in [
        "accepted",
        "malformed_signature_input",
        "not_covered",
        "stale",
        "unsupported_component",
        "absent_component",
    ] {
        assert!(
            verdicts.get(kind).is_some_and(|count| *count > 10),
            "{verdicts:?}"
        );
    }
}

/// What `invoke` gives to `fetch` is accepted by the crate, and refused with any byte changed.
#[test]
fn the_crate_accepts_what_the_site_signs() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let mut random = Random::new(11);
    let urls = [
        "https://host.example",
        "https://HOST.example:443/a/../b/./c",
        "https://host.example:8443/a%2fb//c?x=1&x=2&x",
        "http://host.example:80/?",
        "https://host.example/_functions/ü?q=a b&ü='|\"<>{}^`\\#part",
        "https://[::1]:7000/%zz?%",
        "https://bücher.example/?a=b=c?d/e",
    ];
    let bodies = [
        "",
        "{\"a\":1}",
        "grüße 🙂\r\n",
        "\u{feff}bom",
        "lone \u{fffd}",
    ];
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..350 {
        let (url, body) = (
            urls[random.below(urls.len())],
            bodies[random.below(bodies.len())],
        );
        let method = if body.is_empty() {
            ["GET", "delete", "HEAD"][random.below(3)]
        } else {
            ["POST", "put", "patch"][random.below(3)]
        };
        let headers = match random.below(4) {
            0 => json!({}),
            1 => json!({ "Content-Type": "application/json", "X-Other": "ü" }),
            2 => json!({ "content-encoding": " identity ", "content-type": "" }),
            _ => json!({ "Authorization": "Bearer x", "Accept": "*/*" }),
        };
        let mut options = json!({});
        if random.below(2) == 0 {
            options["keyId"] = json!(r#"site "a" \ b"#);
        }
        let call = json!({
            "operation": "sign", "now": NOW, "url": url, "options": options,
            "fetchOptions": { "method": method, "headers": headers, "body": body, "redirect": "follow", "cache": "no-store" },
        });
        let sent = worker.ok(call);
        assert_eq!(
            (&sent["init"]["redirect"], &sent["init"]["cache"]),
            (&json!("manual"), &json!("no-store"))
        );
        let request = request_of(&sent);
        let scheme = if url.starts_with("http:") {
            Scheme::Http
        } else {
            Scheme::Https
        };
        let options = ValidateOptions::new().at(time(NOW)).external_scheme(scheme);
        let validated = validate_auth(&request, &secrets(), &options)
            .unwrap_or_else(|error| panic!("{error:#}: {sent}"));
        assert!(
            request.body() == body.as_bytes() && validated.nonce().is_some(),
            "{round}: {sent}"
        );
        accepted += 1;
        for _ in 0..4 {
            let Some(changed) = with_a_change(&mut random, &request) else {
                continue;
            };
            assert!(
                validate_auth(&changed, &secrets(), &options).is_err(),
                "{changed:?}"
            );
            refused += 1;
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(refused > 1000, "{refused}");
}

#[test]
fn the_order_of_what_is_signed_is_that_of_the_profile() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let fetch_options = json!({ "method": "POST", "headers": { "Content-Encoding": "identity", "Content-Type": "a/b" }, "body": "x" });
    let call = json!({
        "operation": "sign", "now": NOW, "url": "https://host.example/a?b", "options": { "keyId": "site-a" }, "fetchOptions": fetch_options,
    });
    let [first, second] = [worker.ok(call.clone()), worker.ok(call)].map(|sent| {
        sent["init"]["headers"]["signature-input"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    let (before, after) = (
        format!(
            r#"sig1=("@method" "@authority" "@path" "@query" "content-digest" "content-type" "content-encoding");created={NOW};nonce=""#
        ),
        r#"";keyid="site-a""#,
    );
    let nonce = first
        .strip_prefix(&before)
        .unwrap()
        .strip_suffix(after)
        .unwrap();
    assert_eq!(nonce.len(), 22, "{nonce}");
    assert!(
        nonce
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "{nonce}"
    );
    assert_ne!(first, second);

    // What `fetch` would add to a text is covered too.
    let call = json!({ "operation": "sign", "url": "https://host.example/", "fetchOptions": { "method": "POST", "body": "x" } });
    let headers = worker.ok(call)["init"]["headers"].take();
    assert_eq!(headers["content-type"], "text/plain;charset=UTF-8");
    assert!(
        headers["signature-input"]
            .as_str()
            .unwrap()
            .contains(r#""content-digest" "content-type")"#),
        "{headers}"
    );
}

#[test]
fn invoke_refuses_what_it_cannot_sign() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let url = "https://host.example/";
    let wrong_digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    for (url, fetch_options, options, complaint) in [
        ("/_functions/siteStats", json!({}), json!({}), "not a URL"),
        (
            "ftp://host.example/",
            json!({}),
            json!({}),
            "ftp: cannot be signed",
        ),
        (
            "https://user:pw@host.example/",
            json!({}),
            json!({}),
            "user information",
        ),
        (
            url,
            json!({ "body": { "a": 1 } }),
            json!({}),
            "JSON.stringify it",
        ),
        (
            url,
            json!({ "headers": { "Signature": "sig1=:AA==:" } }),
            json!({}),
            "signature is set by invoke",
        ),
        (
            url,
            json!({ "headers": { "A": "1", "a": "2" } }),
            json!({}),
            "given twice",
        ),
        (
            url,
            json!({ "headers": { "content-type": "ü" } }),
            json!({}),
            "not ASCII",
        ),
        (
            url,
            json!({ "headers": { "content-digest": wrong_digest }, "body": "x" }),
            json!({}),
            "not that of the body",
        ),
        (url, json!({}), json!({ "keyId": "ü" }), "`keyId`"),
        (
            url,
            json!({}),
            json!({ "secretname": "x" }),
            "no option `secretname`",
        ),
        (
            url,
            json!({}),
            json!({ "secretName": "unknown" }),
            r#""unknown" cannot be read from the Secrets Manager"#,
        ),
    ] {
        let answer = worker.call(json!({ "operation": "sign", "url": url, "fetchOptions": fetch_options, "options": options }));
        let message = answer["error"]["message"]
            .as_str()
            .unwrap_or_else(|| panic!("{complaint}: {answer}"));
        assert!(
            message.contains(complaint) && !message.contains("pw"),
            "{complaint}: {message}"
        );
    }
}

#[test]
fn secrets_are_never_weak_and_never_shown() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let name = DEFAULT_SECRET_NAME;
    for (secrets, complaint) in [
        (json!({}), "cannot be read"),
        (json!({ name: null }), "is not set"),
        (json!({ name: "" }), "has 0 bytes, at least 16 are needed"),
        (json!({ name: "fifteen bytes.." }), "has 15 bytes"),
    ] {
        for call in [
            json!({ "operation": "validate", "now": NOW, "request": request_json(&signed(get())) }),
            json!({ "operation": "sign", "url": "https://host.example/" }),
        ] {
            let mut call = call;
            call["secrets"] = secrets.clone();
            let error = worker.call(call)["error"].take();
            assert_eq!(
                (&error["kind"], &error["status"]),
                (&json!("secret_unavailable"), &json!(503))
            );
            assert!(
                error["message"].as_str().unwrap().contains(complaint),
                "{error}"
            );
            assert!(!error.to_string().contains("fifteen"), "{error}");
        }
    }
    // The sixteenth byte is enough, and counted are the bytes of UTF-8.
    let call = json!({ "operation": "sign", "url": "https://host.example/", "secrets": { name: "üüüüüüüü" }, "now": NOW });
    let sent = request_of(&worker.ok(call));
    let secrets = MemorySecrets::new();
    secrets.insert(name, Secret::from_text("üüüüüüüü").unwrap());
    validate_auth(&sent, &secrets, &ValidateOptions::new().at(time(NOW))).unwrap();
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    for (options, complaint) in [
        (
            json!({ "authorites": ["host.example"] }),
            "no option `authorites`",
        ),
        (
            json!({ "validTimeDiff": 1000 }),
            "no option `validTimeDiff`",
        ),
        (
            json!({ "authorities": [] }),
            "nobody could be accepted|no request could be accepted",
        ),
        (json!({ "authorities": null }), "`authorities` is"),
        (json!({ "authorities": "host.example" }), "`authorities` is"),
        (
            json!({ "authorities": ["https://host.example"] }),
            "is not `host` or `host:port`",
        ),
        (json!({ "keyIds": {} }), "nobody could be accepted"),
        (json!({ "keyIds": null }), "`keyIds` is"),
        (json!({ "keyIds": { "a": "" } }), "a secret has a name"),
        (json!({ "secretName": [] }), "a secret has a name"),
        (
            json!({ "secretName": ["a", "b", "c", "d", "e"] }),
            "a secret has a name",
        ),
        (json!({ "secretName": "" }), "a secret has a name"),
        (json!({ "maxTimeDiff": "60000" }), "`maxTimeDiff` is"),
        (json!({ "maxTimeDiff": -1 }), "`maxTimeDiff` is"),
        (json!({ "ignoreHostHeader": "no" }), "`ignoreHostHeader` is"),
        (json!({ "onceOnly": "no function" }), "`onceOnly` is"),
    ] {
        let error = worker.refuses(&signed(get()), options);
        assert_eq!(
            (&error["kind"], &error["status"]),
            (&json!("misconfigured"), &json!(503)),
            "{error}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(
            complaint
                .split('|')
                .any(|complaint| message.contains(complaint)),
            "{message}"
        );
    }
}

#[test]
fn options_are_obeyed() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let with_key_id =
        |key_id: &str| common::signed_with(get(), &common::sign_options().key_id(key_id));
    let key_ids = json!({ "keyIds": { "site-a": DEFAULT_SECRET_NAME, "site-b": ["other", DEFAULT_SECRET_NAME] } });
    assert_eq!(
        worker.validate(&with_key_id("site-a"), key_ids.clone()),
        json!({ "ok": true })
    );
    for key_id in ["site-c", "", "constructor", "__proto__"] {
        assert_eq!(
            worker.refuses(&with_key_id(key_id), key_ids.clone())["kind"],
            "unknown_key_id"
        );
    }
    assert_eq!(
        worker.refuses(&signed(get()), key_ids)["message"],
        "the key id is not listed here: keyid is absent"
    );

    // A rotation: signed with the new secret, with the old one, with neither.
    let rotated = json!({ DEFAULT_SECRET_NAME: "the new secret of the site", "old": SECRET });
    for (options, expected) in [
        (
            json!({ "secretName": [DEFAULT_SECRET_NAME, "old"] }),
            json!({ "ok": true }),
        ),
        (json!({ "secretName": "old" }), json!({ "ok": true })),
        (json!({}), json!("wrong_mac")),
    ] {
        let request = signed(get());
        let call = json!({ "operation": "validate", "now": NOW, "request": request_json(&request), "options": options, "secrets": rotated });
        let mut answer = worker.call(call);
        assert_eq!(
            if answer.get("ok").is_some() {
                answer
            } else {
                answer["error"]["kind"].take()
            },
            expected
        );
    }
    worker.call(json!({ "operation": "mac", "key": "", "base": "", "secrets": { DEFAULT_SECRET_NAME: SECRET } }));

    let aged = |age: i64| common::signed_with(get(), &SignOptions::new().at(time(NOW - age)));
    assert_eq!(
        worker.validate(&aged(2), json!({ "maxTimeDiff": 1500 })),
        json!({ "ok": true })
    );
    assert_eq!(
        worker.refuses(&aged(3), json!({ "maxTimeDiff": 1500 }))["message"],
        "the signature is too old: 3 s old, 2 s allowed"
    );
    assert_eq!(
        worker.validate(&aged(100), json!({ "maxTimeDiff": 100_000 })),
        json!({ "ok": true })
    );

    let behind = |host| with_header(signed(get()), "host", host);
    assert_eq!(
        worker.validate(
            &behind("inside.example"),
            json!({ "ignoreHostHeader": true })
        ),
        json!({ "ok": true })
    );
    let error = worker.refuses(
        &behind("inside.example"),
        json!({ "ignoreHostHeader": false }),
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .ends_with(r#""host.example" and "inside.example"; see `ignoreHostHeader`"#),
        "{error}"
    );
}

#[test]
fn a_mismatch_can_be_found() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let mut request = with_header(signed(get()), "cookie", "personal");
    *request.uri_mut() = "https://host.example/orders/?page=2".parse().unwrap();
    let error = worker.refuses(&request, json!({}));
    let message = error["message"].as_str().unwrap();
    assert!(
        message.ends_with(r#": seen here: "GET" "host.example" "/orders/""#),
        "{message}"
    );
    assert!(error["seen"].as_array().unwrap().is_empty());

    let error = worker.refuses(&request, json!({ "debugSignatureBase": true }));
    let base = error["seen"][0].as_str().unwrap();
    assert!(
        base.starts_with(
            "\"@method\": GET\n\"@authority\": host.example\n\"@path\": /orders/\n\"@query\": ?page=2\n\"@signature-params\": ("
        ),
        "{base}"
    );
    let mac = STANDARD.encode(secret().mac(base.as_bytes()).into_bytes());
    assert!(!error.to_string().contains(&mac) && !error.to_string().contains(SECRET));
}

#[test]
fn a_signature_counts_once() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let request = signed(post());
    worker.accepts(&request);
    let error = worker.refuses(&request, json!({}));
    assert_eq!(
        (&error["kind"], &error["status"]),
        (&json!("replayed"), &json!(401))
    );
    // What was refused did not count, and another spelling is the same signature.
    let mut changed = signed(post());
    let body = std::mem::replace(changed.body_mut(), b"other".to_vec());
    assert_eq!(worker.refuses(&changed, json!({}))["kind"], "wrong_digest");
    *changed.body_mut() = body;
    worker.accepts(&changed);
    let spelt = changed.headers()[SIGNATURE_INPUT]
        .to_str()
        .unwrap()
        .replacen('(', "(  ", 1)
        .replacen("sig1", "x", 1);
    let signature = changed.headers()[SIGNATURE]
        .to_str()
        .unwrap()
        .replacen("sig1", "x", 1);
    changed
        .headers_mut()
        .insert(SIGNATURE_INPUT, spelt.parse().unwrap());
    changed
        .headers_mut()
        .insert(SIGNATURE, signature.parse().unwrap());
    assert_eq!(worker.refuses(&changed, json!({}))["kind"], "replayed");

    let request = signed(get());
    assert_eq!(
        worker.validate(&request, json!({ "onceOnly": "inSet" })),
        json!({ "ok": true })
    );
    assert_eq!(
        worker.refuses(&request, json!({ "onceOnly": "inSet" }))["kind"],
        "replayed"
    );
    assert_eq!(
        worker.validate(&request, json!({ "onceOnly": "neverUsed" })),
        json!({ "ok": true })
    );
    assert_eq!(
        worker.refuses(&request, json!({ "onceOnly": "truthy" }))["kind"],
        "replayed"
    );
    let error = worker.refuses(&request, json!({ "onceOnly": "failing" }));
    assert_eq!(
        (&error["kind"], &error["status"], &error["cause"]),
        (
            &json!("replay_guard_unavailable"),
            &json!(503),
            &json!("Error: the collection is away")
        )
    );
}

#[test]
fn the_memory_of_a_process_is_bounded_and_forgets_nothing_that_is_fresh() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let [first, other] = [signed(get()), signed(get())];
    worker.accepts(&first);
    assert_eq!(
        worker.ok(json!({ "operation": "fill", "now": NOW, "count": 9_999 })),
        9_999
    );
    let error = worker.refuses(&other, json!({}));
    assert_eq!(
        (&error["kind"], &error["status"]),
        (&json!("replay_guard_full"), &json!(503))
    );
    assert_eq!(worker.refuses(&first, json!({}))["kind"], "replayed");
    for (later, kind) in [(60, json!("replay_guard_full")), (61, Value::Null)] {
        let request = common::signed_with(get(), &SignOptions::new().at(time(NOW + later)));
        let call = json!({ "operation": "validate", "now": NOW + later, "request": request_json(&request) });
        assert_eq!(worker.call(call)["error"]["kind"], kind, "{later} s later");
    }
}

#[test]
fn the_handler_reads_the_body_that_was_checked() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    for (body, text, json) in [
        (
            &br#"{"month":11}"#[..],
            r#"{"month":11}"#,
            json!({ "month": 11 }),
        ),
        ("grüße".as_bytes(), "grüße", Value::Null),
        (b"\xff\x00", "\u{fffd}\0", Value::Null),
        (b"", "", Value::Null),
    ] {
        let request = signed(
            Request::put("https://host.example/")
                .body(body.to_vec())
                .unwrap(),
        );
        let read = worker.ok(json!({ "operation": "validate", "now": NOW, "request": request_json(&request), "handler": true }));
        assert_eq!(
            read,
            json!({ "buffer": STANDARD.encode(body), "text": text, "json": json })
        );
    }
}

#[test]
fn a_body_may_be_slow_missing_or_not_replaceable() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let oldest = || common::signed_with(post(), &SignOptions::new().at(time(NOW - 59)));
    for (how, expected) in [
        (json!({ "slow": 1 }), json!({ "ok": true })),
        (json!({ "slow": 2 }), json!("stale")),
        (json!({ "frozen": true }), json!({ "ok": true })),
        (json!({ "broken": true }), json!("body_unreadable")),
        (json!({ "bodiless": true }), json!("wrong_digest")),
    ] {
        let mut answer =
            worker.call(json!({ "operation": "validate", "now": NOW, "request": request_json(&oldest()), "how": how }));
        assert_eq!(
            if answer.get("ok").is_some() {
                answer
            } else {
                answer["error"]["kind"].take()
            },
            expected,
            "{how}"
        );
    }
    let call = json!({ "operation": "validate", "now": NOW, "request": request_json(&signed(get())), "how": { "bodiless": true } });
    assert_eq!(worker.call(call), json!({ "ok": true }));
}

#[tokio::test]
async fn a_rust_consumer_calls_a_site() {
    let Some(site) = Site::start() else { return };
    let url = format!("{}/_functions/siteStats", site.url);
    let stats = r#"{"data":{"userCount":100,"monthlyRevenue":80091.23}}"#;
    for args in [vec!["GET", &url], vec!["GET", &url, "--key-id", "site-a"]] {
        let output = consumer(&args);
        assert_eq!(output, (Some(0), format!("200 OK\n{stats}\n")));
    }
    let odd = format!("{url}/a%2Fb/ü?q=a b&q=&q=%zz&ü='|");
    assert_eq!(
        consumer(&["GET", &odd]),
        (Some(0), format!("200 OK\n{stats}\n"))
    );
    for body in [r#"{"month":11}"#, r#"{"text":"grüße 🙂"}"#, "[1, 2]"] {
        let received: Value = serde_json::from_str(body).unwrap();
        let (code, printed) = consumer(&["POST", &url, "--data", body]);
        assert_eq!(
            (code, printed),
            (
                Some(0),
                format!("200 OK\n{}\n", json!({ "received": received }))
            )
        );
    }

    // With the library, what the example does not offer.
    for options in [
        SignOptions::new().digest(DigestAlgorithm::Sha512),
        SignOptions::new()
            .alg(AlgParameter::HmacSha256)
            .expires_in(Duration::from_secs(5))
            .tag("app")
            .label("other"),
        SignOptions::new().cover(HeaderName::from_static("x-trace")),
    ] {
        let mut request = with_header(
            Request::post(&url).body(b"{}".to_vec()).unwrap(),
            "x-trace",
            "7",
        );
        request
            .headers_mut()
            .append("x-trace", HeaderValue::from_static("8"));
        sign_request(&mut request, &secrets(), &options).unwrap();
        assert_eq!(send(request).await.0, StatusCode::OK);
    }
    assert_eq!(site.stop(), "");
}

#[tokio::test]
async fn a_site_refuses() {
    let Some(site) = Site::start() else { return };
    let url = format!("{}/_functions/siteStats", site.url);
    let uri = |text: String| text.parse::<Uri>().unwrap();
    let now = || {
        i64::try_from(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        )
        .unwrap()
    };
    let get = |query: &str| {
        Request::get(format!("{url}{query}"))
            .body(Vec::new())
            .unwrap()
    };
    let post = || Request::post(&url).body(b"{}".to_vec()).unwrap();
    let signed_at = |mut request: TestRequest, at: i64| {
        sign_request(&mut request, &secrets(), &SignOptions::new().at(time(at))).unwrap();
        request
    };
    let signed = |request: TestRequest| signed_at(request, now());
    let once = signed(get("?once"));
    assert_eq!(send(once.clone()).await.0, StatusCode::OK);

    let with_covered =
        |request, covered: &str| signed_as(request, &format!("({covered});created={}", now()));
    let cases = [
        ("missing_signature", get("")),
        (
            "wrong_mac",
            common::signed_by(
                &Secret::from_text("another secret of some length").unwrap(),
                get(""),
                &format!(r#"("@method" "@authority" "@path");created={}"#, now()),
            ),
        ),
        (
            "wrong_digest",
            signed(post()).also(|request| *request.body_mut() = b"[]".to_vec()),
        ),
        (
            "wrong_mac",
            signed(get("/a")).also(|request| *request.uri_mut() = uri(format!("{url}/b"))),
        ),
        (
            "wrong_mac",
            signed(get("?a=1&a=2"))
                .also(|request| *request.uri_mut() = uri(format!("{url}?a=2&a=1"))),
        ),
        (
            "wrong_mac",
            signed(get("?a=%20")).also(|request| *request.uri_mut() = uri(format!("{url}?a=+"))),
        ),
        (
            "wrong_mac",
            signed(get("")).also(|request| *request.method_mut() = Method::POST),
        ),
        ("stale", signed_at(get(""), now() - 70)),
        ("in_future", signed_at(get(""), now() + 30)),
        ("replayed", once),
        (
            "not_covered",
            with_covered(get("?a"), r#""@method" "@authority" "@path""#),
        ),
        (
            "body_not_covered",
            with_covered(post(), r#""@method" "@authority" "@path""#),
        ),
        (
            "malformed_signature_input",
            with_covered(get(""), r#""@method" "@authority" "@path""#).also(|request| {
                let value = request.headers()[SIGNATURE_INPUT]
                    .to_str()
                    .unwrap()
                    .to_owned()
                    + ";created=1";
                request
                    .headers_mut()
                    .insert(SIGNATURE_INPUT, value.parse().unwrap());
            }),
        ),
        (
            "malformed_digest",
            with_covered(
                with_header(post(), "content-digest", "sha-256=:AA==:"),
                r#""@method" "@authority" "@path" "content-digest""#,
            ),
        ),
        (
            "malformed_signature_input",
            signed(get("")).also(|request| *request = signed_twice(request)),
        ),
        (
            "malformed_signature",
            signed(get("")).also(|request| change_mac(request, |mac| mac.replace('=', ""))),
        ),
        (
            "malformed_signature",
            signed(get("")).also(|request| change_mac(request, |mac| mac[..40].to_owned())),
        ),
        ("unlisted_authority", {
            let mut request = signed(
                Request::get("https://other.example/_functions/siteStats")
                    .body(Vec::new())
                    .unwrap(),
            );
            request
                .headers_mut()
                .insert(HOST, HeaderValue::from_static("other.example"));
            *request.uri_mut() = uri(url.clone());
            request
        }),
    ];
    let expected: Vec<_> = cases.iter().map(|(kind, _)| *kind).collect();
    for (kind, request) in cases {
        let response = Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .execute(request.try_into().unwrap())
            .await
            .unwrap();
        let headers = response.headers().clone();
        assert_eq!(
            (response.status(), response.text().await.unwrap()),
            (StatusCode::UNAUTHORIZED, INVALID.to_owned()),
            "{kind}"
        );
        assert_eq!(headers["www-authenticate"], "Signature");
        assert!(
            headers["accept-signature"]
                .to_str()
                .unwrap()
                .starts_with(r#"sig1=("@method" "@authority" "@path""#)
        );
    }
    let log = site.stop();
    let kinds: Vec<_> = log
        .lines()
        .map(|line| {
            line.strip_prefix("request refused: ")
                .unwrap()
                .split(':')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(kinds, expected, "{log}");
}

#[tokio::test]
async fn a_site_calls_a_rust_host() {
    let Some(node) = node() else { return };
    let (authority, refusals) = rust_host().await;
    let mut worker = Worker::of(&node, &authority);
    let base = format!("http://{authority}");
    let calls = move || {
        assert_eq!(
            worker.ok(json!({ "operation": "siteStats" }))["uri"],
            "/_functions/siteStats"
        );
        let stats = json!({ "text": "grüße 🙂", "list": [1, 2] });
        let received = worker.ok(json!({ "operation": "sendSiteStats", "stats": stats }));
        assert_eq!(
            serde_json::from_str::<Value>(received["body"].as_str().unwrap()).unwrap(),
            stats
        );

        for (target, seen) in [
            ("?a=1&a=2&a=", "/?a=1&a=2&a="),
            (
                "/a%2Fb/../c%20d/é?q=x y&z=%2B+%zz#part",
                "/c%20d/%C3%A9?q=x%20y&z=%2B+%zz",
            ),
            ("//x/./y?", "//x/y"),
            (
                "/_functions/siteStats?'|\"",
                "/_functions/siteStats?%27|%22",
            ),
        ] {
            let answer =
                worker.ok(json!({ "operation": "invoke", "url": format!("{base}{target}") }));
            assert_eq!(answer["status"], 200, "{target}: {answer}");
            assert_eq!(
                serde_json::from_str::<Value>(answer["text"].as_str().unwrap()).unwrap()["uri"],
                *seen,
                "{target}"
            );
        }
        for (method, body) in [
            ("POST", ""),
            ("delete", ""),
            ("put", "x"),
            ("PATCH", "{}"),
            ("POST", "\u{0}ü"),
        ] {
            let fetch_options = json!({ "method": method, "body": body });
            let answer = worker
                .ok(json!({ "operation": "invoke", "url": base, "fetchOptions": fetch_options, "options": { "keyId": "a" } }));
            assert_eq!(answer["status"], 200, "{method}: {answer}");
            assert_eq!(
                serde_json::from_str::<Value>(answer["text"].as_str().unwrap()).unwrap()["body"],
                *body
            );
        }

        // A redirect is not followed.
        let answer = worker.ok(json!({ "operation": "invoke", "url": format!("{base}/redirect") }));
        assert_eq!(answer["status"], 307);

        // Refused, and the consumer sees the one answer.
        let other = json!({ DEFAULT_SECRET_NAME: "another secret of some length" });
        let answer = worker.ok(json!({ "operation": "invoke", "url": base, "secrets": other }));
        assert_eq!(answer, json!({ "status": 401, "text": INVALID }));
        let message = worker.call(json!({ "operation": "siteStats" }))["error"]["message"].take();
        assert_eq!(
            message,
            format!("{base}/_functions/siteStats has answered 401")
        );
        let call = json!({ "operation": "invoke", "url": base, "secrets": { DEFAULT_SECRET_NAME: SECRET }, "now": NOW });
        assert_eq!(worker.ok(call)["status"], 401);
    };
    tokio::task::spawn_blocking(calls).await.unwrap();
    assert_eq!(
        *refusals.lock().unwrap(),
        ["wrong_mac", "wrong_mac", "stale"]
    );
}

/// Answers every path with what it has received, to those who sign.
async fn rust_host() -> (String, Arc<Mutex<Vec<&'static str>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let refusals = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&refusals);
    let options = ValidateOptions::new()
        .external_scheme(Scheme::Http)
        .authorities([authority.as_str()]);
    let layer = ValidateAuthLayer::new(secrets(), options).map_refusal(move |answer, error, _| {
        seen.lock().unwrap().push(error.kind().as_str());
        answer
    });
    let echo = |uri: Uri, body: Bytes| async move {
        Json(json!({ "uri": uri.to_string(), "body": String::from_utf8_lossy(&body) }))
    };
    let redirect = || async { (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]) };
    let app = Router::new()
        .route("/redirect", axum::routing::get(redirect))
        .fallback(echo)
        .layer(layer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (authority, refusals)
}

/// `examples/velo` in Node, which does what it is told.
struct Worker {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    fn start() -> Option<Self> {
        node().map(|node| Self::of(&node, "www.example.com"))
    }

    /// On a site with another domain.
    fn of(node: &Node, site: &str) -> Self {
        let mut process = node
            .run("worker.mjs")
            .arg(site)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (
            process.stdin.take().unwrap(),
            BufReader::new(process.stdout.take().unwrap()),
        );
        Self {
            process,
            stdin,
            stdout,
        }
    }

    fn call(&mut self, call: impl Into<Value>) -> Value {
        let call = call.into();
        writeln!(self.stdin, "{call}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error} in {line:?} after {call}"))
    }

    fn ok(&mut self, call: impl Into<Value>) -> Value {
        let call = call.into();
        let mut answer = self.call(call.clone());
        assert!(answer.get("ok").is_some(), "{answer} after {call}");
        answer["ok"].take()
    }

    fn validate(&mut self, request: &TestRequest, options: impl Into<Value>) -> Value {
        self.call(json!({ "operation": "validate", "now": NOW, "request": request_json(request), "options": options.into() }))
    }

    fn accepts(&mut self, request: &TestRequest) {
        assert_eq!(self.validate(request, json!({})), json!({ "ok": true }));
    }

    /// The error; it has a kind, so it is a refusal and not a crash.
    fn refuses(&mut self, request: &TestRequest, options: impl Into<Value>) -> Value {
        let mut answer = self.validate(request, options);
        assert_eq!(
            answer["error"]["name"], "AuthError",
            "{answer} after {request:?}"
        );
        answer["error"].take()
    }

    fn verdict(&mut self, request: &TestRequest) -> String {
        let answer = self.validate(request, json!({ "onceOnly": "neverUsed" }));
        if answer == json!({ "ok": true }) {
            return "accepted".to_owned();
        }
        answer["error"]["kind"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Wix site with `examples/velo/http-functions.js`.
struct Site {
    process: Child,
    url: String,
}

impl Site {
    fn start() -> Option<Self> {
        let mut process = node()?
            .run("server.mjs")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            panic!(
                "the site did not start: {}",
                String::from_utf8_lossy(&process.wait_with_output().unwrap().stderr)
            );
        };
        Some(Self {
            process,
            url: url.to_owned(),
        })
    }

    /// What it has told its operator.
    fn stop(mut self) -> String {
        self.process.kill().unwrap();
        String::from_utf8(self.process.wait_with_output().unwrap().stderr).unwrap()
    }
}

/// How to start it, once it is known to be there.
struct Node {
    program: &'static str,
}

impl Node {
    fn run(&self, program: &str) -> Command {
        let mut command = Command::new(self.program);
        command.arg(format!("tests/velo/{program}"));
        command
            .env(
                "VELO_SECRETS",
                json!({ DEFAULT_SECRET_NAME: SECRET }).to_string(),
            )
            .env("NO_PROXY", "127.0.0.1");
        command.stdout(Stdio::piped());
        command
    }
}

/// Node, if there is one that can replace modules. Where checks must not be left out, its absence is an error.
fn node() -> Option<Node> {
    let version = Command::new("node")
        .arg("--version")
        .output()
        .ok()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let numbers = version.as_deref().and_then(|version| {
        let mut numbers = version
            .trim()
            .strip_prefix('v')?
            .split('.')
            .map_while(|number| number.parse::<u32>().ok());
        Some((numbers.next()?, numbers.next()?))
    });
    if numbers.is_some_and(|numbers| numbers >= (20, 6)) {
        return Some(Node { program: "node" });
    }
    let reason = format!(
        "examples/velo is tested with Node 20.6 or later, found {}",
        version.as_deref().unwrap_or("none").trim()
    );
    assert!(env::var_os("CI").is_none(), "{reason}");
    // Past the test harness, which hides what a passing test prints.
    io::stderr()
        .write_all(format!("SKIPPED: {reason}\n").as_bytes())
        .unwrap();
    None
}

/// The `consumer` example: its exit code and what it prints.
fn consumer(args: &[&str]) -> (Option<i32>, String) {
    // Cargo puts the examples beside the directory of this test.
    let build_dir = env::current_exe()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned();
    let program = build_dir
        .join("examples")
        .join(format!("consumer{}", env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "no {}: `cargo build --examples` makes it",
        program.display()
    );
    let output = Command::new(program)
        .args(args)
        .env("HMAC_AUTH_SECRET", SECRET)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
    )
}

async fn send(request: TestRequest) -> (StatusCode, String) {
    let response = Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .execute(request.try_into().unwrap())
        .await
        .unwrap();
    (response.status(), response.text().await.unwrap())
}

fn signed(request: TestRequest) -> TestRequest {
    common::signed(request)
}

/// Signed with the secret if it can be, otherwise with some MAC.
fn signed_as_is(request: TestRequest, input: &str) -> TestRequest {
    let Ok(value) = HeaderValue::try_from(format!("sig1={input}")) else {
        return request;
    };
    let headers = HeaderMap::from_iter([(SIGNATURE_INPUT, value)]);
    let base = SignatureInputs::new(&headers)
        .next()
        .and_then(Result::ok)
        .and_then(|parsed| SignatureBase::of_request(&RequestHead::from(&request), &parsed).ok());
    let mac = base.map_or([7; 32], |base| {
        secret().mac(base.as_str().as_bytes()).into_bytes()
    });
    with_signature(request, "sig1", input, &mac)
}

/// What the crate says, as a host without a list of authorities.
fn verdict(request: &TestRequest) -> String {
    match validate_auth(request, &secrets(), &ValidateOptions::new().at(time(NOW))) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.kind().as_str().to_owned(),
    }
}

/// What an HTTP function gets for this request. Field lines are trimmed and joined, as Node does it.
fn request_json(request: &TestRequest) -> Value {
    let mut headers = serde_json::Map::new();
    for name in request.headers().keys() {
        let lines: Vec<_> = request
            .headers()
            .get_all(name)
            .iter()
            .map(|line| {
                line.as_bytes()
                    .trim_ascii()
                    .iter()
                    .copied()
                    .map(char::from)
                    .collect::<String>()
            })
            .collect();
        headers.insert(name.to_string(), json!(lines.join(", ")));
    }
    json!({ "method": request.method().as_str(), "url": request.uri().to_string(), "headers": headers, "body": STANDARD.encode(request.body()) })
}

/// What `fetch` would send.
fn request_of(sent: &Value) -> TestRequest {
    let init = &sent["init"];
    let mut request = Request::builder()
        .method(init["method"].as_str().unwrap())
        .uri(sent["url"].as_str().unwrap());
    for (name, value) in init["headers"].as_object().unwrap() {
        let value: Vec<u8> = value
            .as_str()
            .unwrap()
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect();
        request = request.header(name, value);
    }
    request
        .body(
            init["body"]
                .as_str()
                .unwrap_or_default()
                .as_bytes()
                .to_vec(),
        )
        .unwrap()
}

fn random_request(random: &mut Random) -> TestRequest {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW", "get"];
    const AUTHORITIES: [&str; 6] = [
        "host.example",
        "HOST.example:443",
        "host.example:8443",
        "host.example:80",
        "[::1]:7000",
        "10.0.0.1:",
    ];
    const SEGMENTS: [&str; 12] = [
        "orders",
        "a%2Fb",
        "%2f",
        "%C3%BC",
        "..",
        ".",
        "",
        "x;y=1,z",
        "~_-",
        "a+b",
        "%zz",
        "a:b@c*'()!$&",
    ];
    const QUERIES: [&str; 9] = [
        "",
        "?",
        "?page=2",
        "?a=1&a=2&a=",
        "?q=%20+%2B",
        "?a=b=c&&",
        "?x?y/z:@",
        "?%C3%A9=%zz",
        "?=&==",
    ];
    let mut one_of = |of: &[&'static str]| of[random.below(of.len())];
    let path = [one_of(&SEGMENTS), one_of(&SEGMENTS), one_of(&SEGMENTS)].join("/");
    let uri = format!(
        "https://{}/{path}{}",
        one_of(&AUTHORITIES),
        one_of(&QUERIES)
    );
    let mut request = Request::builder()
        .method(one_of(&METHODS))
        .uri(uri)
        .version(Version::HTTP_2)
        .body(Vec::new())
        .unwrap();
    for (name, values) in [
        (
            "content-type",
            &["application/json", "text/plain; charset=\"utf-8\"", ""][..],
        ),
        ("content-encoding", &["identity", "br,  gzip"]),
        ("x-trace", &["a", "  b\tc  ", ""]),
        ("x-trace", &["d", ","]),
    ] {
        if random.below(2) == 0 {
            let value = values[random.below(values.len())];
            request
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
    }
    *request.body_mut() = match random.below(4) {
        0 => Vec::new(),
        1 => "{\"text\":\"grüße 🙂\"}".into(),
        2 => random.bytes(1),
        _ => {
            let len = random.below(300);
            random.bytes(len)
        }
    };
    request
}

fn random_sign_options(random: &mut Random, request: &TestRequest) -> SignOptions {
    let mut coin = || random.below(2) == 0;
    let mut options = SignOptions::new();
    if coin() {
        options = options.key_id(r#"site "a" \ b"#);
    }
    if coin() {
        options = options.tag("app");
    }
    if coin() {
        options = options.alg(AlgParameter::HmacSha256);
    }
    if coin() {
        options = options.digest(DigestAlgorithm::Sha512);
    }
    if coin() {
        options = options.expires_in(Duration::from_secs(100));
    }
    if coin() {
        options = options.label("*a-b.c_1");
    }
    if coin() && request.headers().contains_key("x-trace") {
        options = options.cover(HeaderName::from_static("x-trace"));
    }
    if coin() {
        options = options.cover(CONTENT_DIGEST);
    }
    let age = i64::try_from(random.below(71)).unwrap() - 10;
    options.at(time(NOW - age))
}

/// Changes one byte of something that is covered, or takes a covered field away, or doubles one. `None` if it cannot be done.
fn with_a_change(random: &mut Random, request: &TestRequest) -> Option<TestRequest> {
    let mut changed = request.clone();
    let printable: Vec<u8> = (b' '..=b'~').collect();
    match random.below(10) {
        0 => {
            let mut method = request.method().as_str().as_bytes().to_vec();
            change_with(random, &mut method, b"ABCDEFGabcdefg")?;
            *changed.method_mut() = Method::from_bytes(&method).ok()?;
        }
        1 => {
            let uri = request.uri().to_string();
            let start = uri.find("://").unwrap() + 3;
            let path = start + uri[start..].find('/').unwrap();
            let mut bytes = uri.into_bytes();
            change_with(random, &mut bytes[path..], b"abcxyz0129%/.;=&+~-_")?;
            let uri: Uri = String::from_utf8(bytes).unwrap().parse().ok()?;
            // An empty query says as much as none.
            let query = |uri: &Uri| uri.query().unwrap_or_default().to_owned();
            if (uri.path(), query(&uri)) == (request.uri().path(), query(request.uri())) {
                return None;
            }
            *changed.uri_mut() = uri;
        }
        2 => {
            if request.body().is_empty() {
                changed.body_mut().push(7);
            } else {
                let all: Vec<u8> = (0..=255).collect();
                change_with(random, changed.body_mut(), &all)?;
            }
        }
        choice => {
            let names = [
                "signature-input",
                "signature",
                "content-digest",
                "content-type",
                "content-encoding",
            ];
            let name = HeaderName::from_static(names[random.below(names.len())]);
            let value = request.headers().get(&name)?;
            let mut bytes = value.as_bytes().to_vec();
            match choice {
                3 => {
                    changed.headers_mut().remove(&name);
                }
                4 => {
                    changed.headers_mut().append(&name, value.clone());
                }
                _ if bytes.is_empty() => return None,
                _ => {
                    change_with(random, &mut bytes, &printable)?;
                    // White space around a value is not part of it.
                    if bytes.trim_ascii() == value.as_bytes().trim_ascii() {
                        return None;
                    }
                    changed
                        .headers_mut()
                        .insert(&name, HeaderValue::from_bytes(&bytes).ok()?);
                }
            }
        }
    }
    Some(changed)
}

fn change_with(random: &mut Random, text: &mut [u8], from: &[u8]) -> Option<()> {
    let at = random.below(text.len());
    let new = from[random.below(from.len())];
    (std::mem::replace(&mut text[at], new) != new).then_some(())
}

/// The value of a member of `Signature-Input`: mostly one that covers all there is, often with something odd in it.
fn random_input(random: &mut Random) -> String {
    const MORE: [&str; 24] = [
        r#""x-trace""#,
        r#""x-empty""#,
        r#""@scheme""#,
        r#""@target-uri""#,
        r#""@request-target""#,
        r#""@query-param";name="page""#,
        r#""@query-param";name="q""#,
        r#""@query-param";name="p""#,
        r#""@query-param""#,
        r#""@query-param";name=page"#,
        r#""@status""#,
        r#""date""#,
        r#""X-Trace""#,
        r#""""#,
        r#""constructor""#,
        r#""__proto__""#,
        r#""x-trace";sf"#,
        r#""x-trace";key="a""#,
        r#""x-trace";req"#,
        r#""@method";req"#,
        r#""a\"b""#,
        r#""a\b""#,
        "x-trace",
        r#""x-trace"; sf=?1;req"#,
    ];
    const PARAMETERS: [&str; 40] = [
        ";created=1700000000",
        ";created=1699999900",
        ";created=1700000100",
        ";created=01700000000",
        ";created=-1",
        ";created=-0",
        ";created=1.5",
        r#";created="1""#,
        ";created",
        ";created=?1",
        ";expires=1700000000",
        ";expires=1",
        ";expires=x",
        r#";alg="hmac-sha256""#,
        r#";alg="rsa-v1_5-sha256""#,
        ";alg=hmac-sha256",
        r#";keyid="a\"b\\c""#,
        r#";keyid="""#,
        ";keyid=:AA==:",
        r#";tag="t""#,
        ";tag",
        ";x",
        ";x=?1",
        ";x=?0",
        ";x=?2",
        ";y=1.50",
        ";y=-0.0",
        ";y=01.000",
        ";y=1.",
        ";y=1.1234",
        ";y=1234567890123.1",
        ";z=:AA==:",
        ";z=:AB==:",
        ";z=:AA=:",
        ";z=::",
        ";w=*a/b:c!",
        ";w=a=b",
        ";W=1",
        ";  v=7",
        " ;v=7",
    ];
    let mut input = "(".to_owned();
    let mut components = vec![
        r#""@method""#,
        r#""@authority""#,
        r#""@path""#,
        r#""@query""#,
    ];
    if random.below(6) == 0 {
        components.remove(random.below(4));
    }
    for _ in 0..random.below(3) {
        components.insert(
            random.below(components.len() + 1),
            MORE[random.below(MORE.len())],
        );
    }
    for (index, component) in components.iter().enumerate() {
        let separator = match random.below(20) {
            0 => "   ",
            1 if index == 0 => " ",
            2 if random.below(4) == 0 => "\t",
            _ if index == 0 => "",
            _ => " ",
        };
        input += separator;
        input += component;
    }
    input += if random.below(20) == 0 { " )" } else { ")" };
    if random.below(10) != 0 {
        input += ";created=1700000000";
    }
    for _ in 0..random.below(3) {
        input += PARAMETERS[random.below(PARAMETERS.len())];
    }
    if random.below(20) == 0 {
        let at = random.below(input.len());
        input.remove(at);
    }
    input
}

fn signed_twice(request: &TestRequest) -> TestRequest {
    let mut request = request.clone();
    let value = request.headers()[SIGNATURE_INPUT].clone();
    request.headers_mut().append(SIGNATURE_INPUT, value);
    request
}

fn change_mac(request: &mut TestRequest, change: impl Fn(&str) -> String) {
    let value = request.headers()[SIGNATURE].to_str().unwrap().to_owned();
    let mac = value
        .strip_prefix("sig1=:")
        .unwrap()
        .strip_suffix(':')
        .unwrap();
    request.headers_mut().insert(
        SIGNATURE,
        format!("sig1=:{}:", change(mac)).parse().unwrap(),
    );
}

/// One change in the middle of an expression.
trait Also: Sized {
    fn also(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Also for TestRequest {}
