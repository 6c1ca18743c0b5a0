//! Signed responses, both ways between the crate and a site, and what a site refuses.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind, ResponseErrorKind, ValidateOptions, sign_response,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT, Scheme},
    validate_auth,
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    exchange::{
        TestResponse, check, created, proven, refusal, response_options, sent_with,
        sign_response_options,
    },
    message::request_json,
    node::Worker,
    request::{NOW, TestRequest, get, post, secrets, sign_options, signed_as, time},
};

/// The answer of a site to a request, or its error.
fn answered(worker: &mut Worker, request: &TestRequest, answer: &Value) -> Value {
    worker.call(json!({
        "operation": "answer", "now": NOW, "request": request_json(request), "options": {},
        "answer": answer,
    }))
}

fn response_of(answer: &Value) -> TestResponse {
    let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in answer["headers"].as_object().unwrap() {
        response = response.header(name, value.as_str().unwrap());
    }
    let body = answer["body"].as_str().unwrap().as_bytes().to_vec();
    response.body(body).unwrap()
}

#[test]
fn the_crate_accepts_what_a_site_answers() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let answers = [
        json!({ "status": 200, "body": { "a": "ü" } }),
        json!({ "status": 201, "headers": { "Location": " /x ", "X-Y": 1 }, "body": "text" }),
        json!({ "status": 204 }),
        json!({ "status": 404, "headers": { "Content-Type": "a/b" }, "body": "no" }),
        json!({ "status": 500, "headers": { "content-encoding": "identity" }, "body": [] }),
    ];
    let odd = sign_options()
        .key_id("a \"b\" \\c")
        .tag("t")
        .label("mine")
        .cover("@target-uri")
        .cover(r#""@query-param";name="page""#);
    for options in [sign_options(), odd] {
        for request in [get(), post_with_page()] {
            for answer in &answers {
                let (sent, request) = sent_with(request.clone(), &options);
                let signed = answered(&mut worker, &request, answer)["ok"].take();
                let response = response_of(&signed);
                check(&response, &sent).unwrap_or_else(|error| panic!("{signed}: {error}"));
                let mut changed = response.clone();
                *changed.status_mut() = StatusCode::ACCEPTED;
                let error = check(&changed, &sent).unwrap_err();
                assert_eq!(error.kind(), ResponseErrorKind::WrongStatus);
            }
        }
    }
}

fn post_with_page() -> TestRequest {
    let (mut parts, body) = post().into_parts();
    parts.uri = "https://host.example/orders?page=2".parse().unwrap();
    Request::from_parts(parts, body)
}

#[test]
fn a_site_covers_what_a_signed_accept_signature_asks_for() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let options = response_options().cover(http::header::ETAG);
    let mut request = get();
    let asked = options.accept_signature().unwrap();
    request.headers_mut().insert("accept-signature", asked);
    let answer = json!({ "status": 200, "headers": { "etag": "\"7\"" }, "body": "text" });
    for (covered, expected) in [(true, None), (false, Some(ResponseErrorKind::NotCovered))] {
        let signing = sign_options();
        let signing = if covered {
            signing.cover("accept-signature")
        } else {
            signing
        };
        let (sent, request) = sent_with(request.clone(), &signing);
        let response = response_of(&answered(&mut worker, &request, &answer)["ok"]);
        let result = hmac_auth::validate_response(&response, &sent, &options);
        assert_eq!(result.err().map(|error| error.kind()), expected);
    }
}

#[test]
fn a_site_signs_nothing_without_a_proof_or_a_nonce() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let answer = json!({ "status": 200, "body": "text" });
    let call = json!({
        "operation": "answer", "now": NOW, "request": request_json(&get()), "options": {},
        "answer": answer, "unproven": true,
    });
    assert_eq!(worker.call(call)["error"]["name"], "TypeError");

    let input = "(\"@method\" \"@authority\" \"@path\" \"@query\");created=1700000000";
    let answer = answered(&mut worker, &signed_as(get(), input), &answer)["ok"].take();
    assert_eq!(answer["headers"].get("signature"), None, "{answer}");

    for headers in [
        json!({ "Signature": "x=:AAAA:" }),
        json!({ "content-digest": "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:" }),
        json!({ "location": "/größe" }),
    ] {
        let answer = json!({ "status": 200, "headers": headers, "body": "text" });
        // Each is another request for the site.
        let (_, request) = sent_with(get(), &sign_options());
        let answer = answered(&mut worker, &request, &answer);
        assert_eq!(answer["error"]["name"], "TypeError", "{answer}");
    }
}

/// What `invoke` sends, as the host gets it.
fn asked(worker: &mut Worker, options: Value) -> TestRequest {
    let mut options = options;
    options["requireSignedResponse"] = true.into();
    let call = worker.ok(json!({
        "operation": "exchange", "now": NOW, "url": "https://host.example/orders?page=2",
        "fetchOptions": { "method": "POST", "body": "{}", "headers": { "content-type": "a/b" } },
        "options": options,
    }));
    let mut request = Request::post(call["url"].as_str().unwrap());
    for (name, value) in call["init"]["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(b"{}".to_vec()).unwrap()
}

/// Gives a response to `invoke`.
fn give(worker: &mut Worker, response: &TestResponse) -> Value {
    let mut headers = serde_json::Map::new();
    for name in response.headers().keys() {
        let lines = response.headers().get_all(name).iter();
        let lines: Vec<_> = lines
            .map(|line| {
                line.as_bytes()
                    .iter()
                    .copied()
                    .map(char::from)
                    .collect::<String>()
            })
            .collect();
        headers.insert(name.to_string(), lines.join(", ").into());
    }
    worker.call(json!({
        "operation": "answered", "now": NOW, "status": response.status().as_u16(),
        "headers": headers, "body": STANDARD.encode(response.body()),
    }))
}

/// An answer that the crate has signed.
fn answer(request: &TestRequest, response: TestResponse) -> TestResponse {
    let options = ValidateOptions::new().at(time(NOW));
    let validated = validate_auth(request, &secrets(), &options).unwrap();
    let mut response = response;
    sign_response(&mut response, &validated, &sign_response_options()).unwrap();
    response
}

#[test]
fn a_site_accepts_what_the_crate_answers() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    for status in [200, 201, 404, 500] {
        for options in [json!({}), json!({ "keyId": "a \"b\" \\c" })] {
            let request = asked(&mut worker, options);
            assert_eq!(request.headers()["accept-encoding"], "identity");
            let mut response = created();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let given = give(&mut worker, &answer(&request, response));
            let expected = json!({
                "ok": { "ok": status < 300, "status": status, "text": "{\"id\":7}" }
            });
            assert_eq!(given, expected);
        }
    }
}

type Change = fn(&mut TestResponse);

fn edit(response: &mut TestResponse, name: HeaderName, from: &str, to: &str) {
    let line = response.headers()[&name]
        .to_str()
        .unwrap()
        .replace(from, to);
    let line = HeaderValue::try_from(line).unwrap();
    response.headers_mut().insert(name, line);
}

/// The same changes for both, and the same kinds.
#[test]
fn the_crate_and_the_site_agree_about_changed_responses() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let changes: [(&str, Change); 27] = [
        ("wrong_status", |response| {
            *response.status_mut() = StatusCode::OK;
        }),
        ("wrong_digest", |response| response.body_mut().push(b' ')),
        ("wrong_digest", |response| response.body_mut().clear()),
        ("absent_component", |response| {
            drop(response.headers_mut().remove("location"));
        }),
        ("absent_component", |response| {
            drop(response.headers_mut().remove("content-type"));
        }),
        ("absent_component", |response| {
            drop(response.headers_mut().remove(CONTENT_DIGEST));
        }),
        ("wrong_mac", |response| {
            edit(response, http::header::LOCATION, "7", "8");
        }),
        ("unpaired_label", |response| {
            drop(response.headers_mut().remove(SIGNATURE));
        }),
        ("unpaired_label", |response| {
            drop(response.headers_mut().remove(SIGNATURE_INPUT));
        }),
        ("unpaired_label", |response| {
            edit(response, SIGNATURE, "sig1", "sig2");
        }),
        ("wrong_label", |response| {
            edit(response, SIGNATURE, "sig1", "sig2");
            edit(response, SIGNATURE_INPUT, "sig1", "sig2");
        }),
        ("unsigned", |response| response.headers_mut().clear()),
        ("unsigned_refusal", |response| {
            response.headers_mut().clear();
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }),
        ("malformed_signature_input", |response| {
            edit(response, SIGNATURE_INPUT, "(", "");
        }),
        ("malformed_signature", |response| {
            edit(response, SIGNATURE, "=:", "=::");
        }),
        ("malformed_signature", |response| {
            edit(response, SIGNATURE, "=:", "=:AAAA");
        }),
        ("missing_nonce", |response| {
            edit(response, SIGNATURE_INPUT, ";nonce", ";other");
        }),
        ("other_request", |response| {
            edit(response, SIGNATURE_INPUT, ";nonce=\"", ";nonce=\"x");
        }),
        ("replayed", |response| {
            edit(response, SIGNATURE_INPUT, ";nonce=\"", ";nonce=\"x");
            edit(response, SIGNATURE_INPUT, "created=17", "created=16");
        }),
        // Nobody can tell how old it is.
        ("other_request", |response| {
            edit(response, SIGNATURE_INPUT, ";nonce=\"", ";nonce=\"x");
            edit(response, SIGNATURE_INPUT, ";created", ";other");
        }),
        ("missing_created", |response| {
            edit(response, SIGNATURE_INPUT, ";created", ";other");
        }),
        ("stale", |response| {
            edit(response, SIGNATURE_INPUT, "created=17", "created=16");
        }),
        ("in_future", |response| {
            edit(response, SIGNATURE_INPUT, "created=17", "created=18");
        }),
        ("wrong_key_id", |response| {
            edit(
                response,
                SIGNATURE_INPUT,
                ";created",
                ";keyid=\"b\";created",
            );
        }),
        ("wrong_tag", |response| {
            edit(response, SIGNATURE_INPUT, ";created", ";tag=\"b\";created");
        }),
        ("not_covered", |response| {
            edit(response, SIGNATURE_INPUT, " \"@path\";req", "");
        }),
        ("not_covered", |response| {
            edit(response, SIGNATURE_INPUT, "\"@status\" ", "");
        }),
    ];
    for (kind, change) in changes {
        let (sent, validated) = proven(get());
        let mut ours = crate::support::exchange::answer(created(), &validated);
        change(&mut ours);
        assert_eq!(refusal(&ours, &sent).as_str(), kind);

        let request = asked(&mut worker, json!({}));
        let mut response = answer(&request, created());
        change(&mut response);
        let given = give(&mut worker, &response);
        let error = &given["error"];
        assert_eq!(error["name"], "ResponseError", "{kind}: {given}");
        assert_eq!(error["kind"], kind, "{given}");
        assert_eq!(error["status"], response.status().as_u16());
    }
}

#[test]
fn a_response_without_content_needs_no_body() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    let head = Request::head("https://host.example/orders").body(Vec::new());
    for (request, status) in [(head.unwrap(), 200), (get(), 204), (get(), 304)] {
        let (sent, request) = sent_with(request, &sign_options());
        let headers = json!({ "content-digest": digest });
        let given = json!({ "status": status, "headers": headers });
        let signed = answered(&mut worker, &request, &given)["ok"].take();
        check(&response_of(&signed), &sent).unwrap();
    }
    let request = asked(&mut worker, json!({}));
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let mut response = answer(&request, response);
    response.body_mut().push(b'x');
    assert_eq!(
        give(&mut worker, &response)["error"]["kind"],
        "body_not_covered"
    );
}

/// The request asks for further fields, and the answer has to cover them.
#[test]
fn a_site_asks_for_further_fields_and_checks_them() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    for (edit, expected) in [
        (None, None),
        (Some("\"8\""), Some("wrong_mac")),
        (Some(""), Some("absent_component")),
    ] {
        let request = asked(&mut worker, json!({ "coverInResponse": ["etag", "x-y"] }));
        let value = &request.headers()["accept-signature"];
        assert_eq!(value, "sig1=(\"@status\" \"etag\" \"x-y\")");
        let mut response = created();
        let etag = HeaderValue::from_static("\"7\"");
        response.headers_mut().insert("etag", etag);
        let mut response = answer(&request, response);
        match edit {
            Some("") => drop(response.headers_mut().remove("etag")),
            Some(other) => {
                let other = HeaderValue::from_static(other);
                response.headers_mut().insert("etag", other);
            }
            None => {}
        }
        let given = give(&mut worker, &response);
        assert_eq!(given["error"]["kind"].as_str(), expected, "{given}");
    }
    // Somebody adds it on the way.
    let request = asked(&mut worker, json!({ "coverInResponse": ["etag"] }));
    let mut response = answer(&request, created());
    let etag = HeaderValue::from_static("\"7\"");
    response.headers_mut().insert("etag", etag);
    let given = give(&mut worker, &response);
    assert_eq!(given["error"]["kind"], "not_covered", "{given}");

    for (fields, requires) in [
        (json!([]), true),
        (json!(["ETag"]), true),
        (json!(["@status"]), true),
        (json!(["signature"]), true),
        (json!(["etag", "etag"]), true),
        (json!(null), true),
        (json!(["etag"]), false),
    ] {
        let options = json!({ "coverInResponse": fields, "requireSignedResponse": requires });
        let called = calls(&mut worker, &options, &json!([]));
        assert_eq!(called["error"]["name"], "TypeError", "{options}: {called}");
    }
}

/// What `invoke` sends to a host that gives these answers.
fn calls(worker: &mut Worker, options: &Value, answers: &Value) -> Value {
    worker.call(json!({
        "operation": "calls", "now": NOW, "url": "https://host.example/orders",
        "fetchOptions": { "headers": { "x-tenant": "7", "x-name": "\u{e9}", "x-other": "8" } },
        "options": options, "answers": answers,
    }))
}

/// A refusal may add what the request has, once, and nothing else.
#[test]
fn a_site_signs_once_more_as_a_refusal_asks() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let refusal = |status: u16, asks: &str| json!({ "status": status, "headers": { "accept-signature": asks } });
    let retry = json!({ "retryAsAsked": true, "keyId": "site-a" });
    let plain = "(\"@method\" \"@authority\" \"@path\" \"@query\"";
    let asks = "sig1=(\"@method\" \"x-tenant\" \"x-absent\" \"x-name\" \"signature\" \"@status\" \
                \"x-other\";bs);created;keyid=\"site-a\", b=(\"x-other\");tag=\"theirs\"";
    for status in [400, 401] {
        // The second refusal is the last one, although it asks for still more.
        let answers = json!(
            [refusal(status, asks), refusal(status, "a=(\"x-other\")"), {
            }]
        );
        let called = calls(&mut worker, &retry, &answers)["ok"].take();
        assert_eq!(called["status"], status, "{called}");
        let inputs: Vec<_> = (called["calls"].as_array().unwrap().iter())
            .map(|call| call["init"]["headers"]["signature-input"].as_str().unwrap())
            .collect();
        let [first, second] = inputs[..] else {
            panic!("{called}");
        };
        assert!(first.starts_with(&format!("sig1={plain});")), "{first}");
        assert!(
            second.starts_with(&format!("sig1={plain} \"x-tenant\");")),
            "{second}"
        );
        assert!(second.ends_with(";keyid=\"site-a\""), "{second}");
        let nonce = |input: &str| input.split("nonce=").nth(1).unwrap().to_owned();
        assert_ne!(nonce(first), nonce(second));
    }
    let many: Vec<_> = (0..40).map(|index| format!(" \"x-{index}\"")).collect();
    let many = many.concat();
    let signed = json!({ "status": 401, "headers": {
        "accept-signature": "a=(\"x-tenant\")", "signature": "sig1=:AAAA:",
    } });
    for (options, answer) in [
        (json!({}), refusal(401, asks)),
        (retry.clone(), refusal(403, asks)),
        (retry.clone(), refusal(200, asks)),
        (retry.clone(), signed),
        (
            retry.clone(),
            refusal(401, "a=(\"x-tenant\");keyid=\"other\""),
        ),
        (
            retry.clone(),
            refusal(401, "a=(\"x-tenant\");alg=\"ed25519\""),
        ),
        (
            retry.clone(),
            refusal(401, "a=(\"@method\" \"x-absent\" \"x-name\")"),
        ),
        (
            retry.clone(),
            refusal(401, &format!("a=(\"x-tenant\"{many})")),
        ),
        (retry.clone(), refusal(401, "a=(\"x-tenant\" \"x-tenant\")")),
        (retry.clone(), refusal(401, "a=(\"x-tenant\"), \"")),
        (retry, json!({ "status": 401, "headers": {} })),
    ] {
        let called = calls(&mut worker, &options, &json!([answer]))["ok"].take();
        let count = called["calls"].as_array().map(Vec::len);
        assert_eq!(count, Some(1), "{answer}: {called}");
    }
}

/// What `invoke` has sent, as a host gets it over HTTP/1.1.
fn sent_by_site(call: &Value) -> TestRequest {
    let url = call["url"].as_str().unwrap();
    let (_, target) = url.split_once("://host.example").unwrap();
    let mut request = Request::get(target).header("host", "host.example");
    for (name, value) in call["init"]["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(Vec::new()).unwrap()
}

/// Also components that are no fields, as far as they have no parameters.
#[test]
fn a_site_covers_further_components_as_a_refusal_asks() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let further = ["@target-uri", "@scheme", "@request-target"];
    for (url, scheme) in [
        ("https://host.example/orders?page=2", Scheme::Https),
        ("https://host.example/orders?", Scheme::Https),
        ("https://host.example", Scheme::Https),
        ("http://host.example/orders", Scheme::Http),
    ] {
        let host = ValidateOptions::new().at(time(NOW)).external_scheme(scheme);
        let host = further.into_iter().fold(host, ValidateOptions::require);
        let asks = "a=(\"@method\" \"@query-param\";name=\"page\" \"@status\" \"@target-uri\" \
                    \"@scheme\" \"@request-target\" \"@unknown\")";
        let refusal = json!({ "status": 401, "headers": { "accept-signature": asks } });
        let called = worker.ok(json!({
            "operation": "calls", "now": NOW, "url": url, "fetchOptions": {},
            "options": { "retryAsAsked": true },
            "answers": [refusal, { "status": 200, "headers": {} }],
        }));
        let [first, second] = &called["calls"].as_array().unwrap()[..] else {
            panic!("{called}");
        };
        let error = validate_auth(&sent_by_site(first), &secrets(), &host).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::NotCovered, "{url}");
        validate_auth(&sent_by_site(second), &secrets(), &host)
            .unwrap_or_else(|error| panic!("{url}: {error:#}"));
    }
}

/// A site names what it requires, and so a consumer can help itself.
#[test]
fn a_site_asks_for_the_fields_that_it_requires_if_present() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let plain = "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\"";
    let parameters = ");created;alg=\"hmac-sha256\"";
    let host = json!({ "requireIfPresent": ["x-tenant", "content-digest", "x-absent"] });
    for (options, further) in [
        (Value::Null, ""),
        (json!({}), ""),
        (host, " \"x-tenant\" \"x-absent\""),
    ] {
        let call = json!({ "operation": "refusal", "status": 401, "options": options });
        let refusal = worker.ok(call);
        let asks = refusal["headers"]["Accept-Signature"].as_str().unwrap();
        assert_eq!(asks, format!("{plain}{further}{parameters}"));
        let answer = json!({ "status": 400, "headers": { "accept-signature": asks } });
        let accepted = json!({ "status": 200, "headers": {} });
        let retry = json!({ "retryAsAsked": true });
        let called = calls(&mut worker, &retry, &json!([answer, accepted]))["ok"].take();
        let expected = if further.is_empty() { 400 } else { 200 };
        assert_eq!(called["status"], expected, "{called}");
    }
}
