//! Known answers of others, and requests that a site accepts.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{SignOptions, sign_request, validate_auth};
use http::Request;
use serde_json::{Value, json};

use crate::support::{
    message::{Also, request_json},
    node::Worker,
    request::{
        self, NOW, get, post, secrets, signed, signed_as, time, with_header, with_signature,
    },
};

#[test]
fn the_known_answers_of_others() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let rfc: Value = serde_json::from_str(include_str!("../../data/rfc9421-bases.json")).unwrap();
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
            "cookies in two lines",
            signed_as(
                with_header(with_header(get(), "cookie", "a=1"), "cookie", "b=2"),
                &format!(r#"("@method" "@target-uri" "cookie"){created}"#),
            ),
        ),
        (
            "types of RFC 9651",
            signed_as(
                get(),
                &format!(
                    r#"("@method" "@target-uri"){created};d=@-0;e=@1659578233;s=%"f%c3%bc%41""#
                ),
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
            with_signature(get(), "sig0", request::INPUT, &[7; 32]).also(|request| {
                sign_request(request, &secrets(), &request::sign_options()).unwrap();
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
        validate_auth(&request, &secrets(), &request::options())
            .unwrap_or_else(|error| panic!("{what}: {error:#}"));
        let answer = worker.validate(&request, json!({ "authorities": ["host.example"] }));
        assert_eq!(answer, json!({ "ok": true }), "{what}");
    }
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
    let oldest = || request::signed_with(post(), &SignOptions::new().at(time(NOW - 59)));
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
