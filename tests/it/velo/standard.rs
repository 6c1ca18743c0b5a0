//! Standard requests, as Astro endpoints get them, and the URL that a consumer has called.

use http::{Method, Request, Uri};
use serde_json::{Value, json};

use crate::support::{
    message::request_json,
    node::Worker,
    request::{NOW, TestRequest, get, post, signed, signed_as, with_header, with_signature},
};

fn call(request: &TestRequest, options: impl Into<Value>, how: impl Into<Value>) -> Value {
    json!({
        "operation": "validate", "now": NOW, "request": request_json(request),
        "options": options.into(), "how": how.into(), "handler": true,
    })
}

fn kind(worker: &mut Worker, call: Value) -> String {
    let answer = worker.call(call);
    let kind = answer["error"]["kind"].as_str();
    kind.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn a_standard_request_is_validated_and_stays_readable() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let standard = json!({ "standard": true });
    let sent = signed(post());
    let answer = worker.ok(call(&sent, json!({}), standard.clone()));
    let body = String::from_utf8(sent.body().clone()).unwrap();
    assert_eq!(answer, json!({ "text": body }));
    let answer = worker.ok(call(&signed(get()), json!({}), standard.clone()));
    assert_eq!(answer, json!({ "text": "" }));
    // Lines of a field are joined, those of `Cookie` by another rule.
    let fields = [
        ("x-a", "1"),
        ("x-a", "2"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    let request = fields.into_iter().fold(get(), |request, (name, value)| {
        with_header(request, name, value)
    });
    let input =
        format!(r#"("@method" "@authority" "@path" "@query" "x-a" "cookie");created={NOW}"#);
    worker.ok(call(
        &signed_as(request, &input),
        json!({}),
        standard.clone(),
    ));
    // Beside the signature of somebody else.
    let request = with_signature(
        signed(get()),
        "other",
        r#"("date");alg="ed25519""#,
        &[7; 64],
    );
    worker.ok(call(&request, json!({}), standard.clone()));

    let mut changed = signed(post());
    changed.body_mut().push(b' ');
    let read_before = json!({ "standard": true, "readBefore": true });
    let unlisted = json!({ "authorities": ["other.example"] });
    for (call, expected) in [
        (
            call(&get(), json!({}), standard.clone()),
            "missing_signature",
        ),
        (call(&changed, json!({}), standard.clone()), "wrong_digest"),
        (
            call(&signed(get()), unlisted, standard),
            "unlisted_authority",
        ),
        (
            call(&signed(post()), json!({}), read_before),
            "body_unreadable",
        ),
    ] {
        assert_eq!(kind(&mut worker, call), expected);
    }
}

/// Behind a proxy, `request.url` is another one than the consumer has called.
#[test]
fn the_public_url_comes_from_a_hook() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let public = "https://host.example/orders?page=2";
    let behind_proxy = |value: &str| {
        let mut request = with_header(signed(get()), "x-wix-forwarded-url", value);
        request
            .headers_mut()
            .insert("host", "inside.example".parse().unwrap());
        *request.uri_mut() = "https://inside.example/api/orders".parse().unwrap();
        request
    };
    let hook = json!({ "publicUrl": "wixForwardedUrl", "authorities": ["host.example"] });
    for how in [json!({}), json!({ "standard": true })] {
        let call_with = |request: &TestRequest| call(request, hook.clone(), how.clone());
        // It resolves to the URL that was signed: nothing has validated `request.url`.
        assert_eq!(worker.ok(call_with(&behind_proxy(public))), public, "{how}");

        // Off by default: anybody can write the field.
        let off = call(&behind_proxy(public), json!({}), how.clone());
        assert_ne!(worker.call(off).get("error"), None);
        let mut direct = with_header(
            signed(get()),
            "x-wix-forwarded-url",
            "https://evil.example/",
        );
        worker.ok(call(&direct, json!({}), how.clone()));
        direct.headers_mut().remove("x-wix-forwarded-url");
        assert_eq!(kind(&mut worker, call_with(&direct)), "misconfigured");

        let twice = with_header(behind_proxy(public), "x-wix-forwarded-url", public);
        for (request, expected) in [
            (twice, "misconfigured"),
            (
                behind_proxy(&format!("{public},https://host.example/")),
                "misconfigured",
            ),
            (behind_proxy(""), "invalid_authority"),
            (behind_proxy("/orders?page=2"), "invalid_authority"),
            (
                behind_proxy("https://a:b@host.example/orders?page=2"),
                "invalid_authority",
            ),
            (
                behind_proxy("https://host.example/orders?page=3"),
                "wrong_mac",
            ),
            (
                behind_proxy("https://other.example/orders?page=2"),
                "unlisted_authority",
            ),
        ] {
            let url = request.headers()["x-wix-forwarded-url"].clone();
            assert_eq!(
                kind(&mut worker, call_with(&request)),
                expected,
                "{url:?} {how}"
            );
        }
    }
    // A comma in a URL is no second value.
    let url = "https://host.example/orders?ids=1,2";
    let mut request = get();
    *request.uri_mut() = url.parse::<Uri>().unwrap();
    let mut request = with_header(signed(request), "x-wix-forwarded-url", url);
    *request.uri_mut() = "https://inside.example/".parse().unwrap();
    assert_eq!(worker.ok(call(&request, hook, json!({}))), url);
    let nothing = call(
        &behind_proxy(public),
        json!({ "publicUrl": "nothing" }),
        json!({}),
    );
    assert_eq!(kind(&mut worker, nothing), "misconfigured");
}

/// Where there is no body, Wix may have nothing that can be read.
#[test]
fn a_request_without_a_body_needs_none_that_can_be_read() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let broken = json!({ "broken": true });
    let of = |method: Method| {
        let request = Request::builder().method(method);
        let request = request.uri("https://host.example/orders?page=2");
        request.body(Vec::new()).unwrap()
    };
    let with_digest = |request: TestRequest| {
        let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        let request = with_header(request, "content-digest", digest);
        signed_as(
            request,
            &format!(r#"("@method" "@authority" "@path" "@query" "content-digest");created={NOW}"#),
        )
    };
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS] {
        let answer = worker.ok(call(&signed(of(method.clone())), json!({}), broken.clone()));
        assert_eq!(answer["text"], "", "{method}");
        for request in [
            with_header(signed(of(method.clone())), "content-length", "3"),
            with_header(signed(of(method.clone())), "content-length", "0"),
            with_header(signed(of(method.clone())), "transfer-encoding", "chunked"),
            with_digest(of(method.clone())),
            with_header(
                signed(of(method)),
                "content-digest",
                "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
            ),
        ] {
            let call = call(&request, json!({}), broken.clone());
            assert_eq!(kind(&mut worker, call), "body_unreadable", "{request:?}");
        }
    }
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        let call = call(&signed(of(method)), json!({}), broken.clone());
        assert_eq!(kind(&mut worker, call), "body_unreadable");
    }
}
