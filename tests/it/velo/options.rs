//! The options and secrets of `invoke` and `validateAuth`.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions, validate_auth,
};
use serde_json::json;

use crate::support::{
    message::{request_json, request_of},
    node::Worker,
    request::{self, NOW, SECRET, get, post, secret, signed, signed_as, time, with_header},
};

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
            "user:pw@host.example/",
            json!({}),
            json!({}),
            "cannot be signed",
        ),
        ("//user:pw@host.example/", json!({}), json!({}), "not a URL"),
        ("https://user:pw@/", json!({}), json!({}), "not a URL"),
        (
            url,
            json!({}),
            json!({ "authorities": ["other.example", "host.example:80"] }),
            "no signature for `host.example`",
        ),
        (
            url,
            json!({}),
            json!({ "authorities": [] }),
            "`authorities`",
        ),
        (
            url,
            json!({}),
            json!({ "authorities": ["https://host.example"] }),
            "`authorities`",
        ),
        (
            url,
            json!({}),
            json!({ "authorities": null }),
            "`authorities` has no value",
        ),
        (
            url,
            json!({}),
            json!({ "authorities": "host.example" }),
            "`authorities` is a list",
        ),
        (
            url,
            json!({}),
            json!({ "authorities": ["host.example", null] }),
            "`authorities` is a list of texts",
        ),
        (url, json!({}), json!({ "secretName": "" }), "`secretName`"),
        (
            url,
            json!({}),
            json!(["x"]),
            "the options are not an object",
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
            message.contains(complaint) && !message.contains("pw") && !message.contains("user:"),
            "{complaint}: {message}"
        );
    }
    for (url, listed) in [
        ("https://HOST.example:443/", "host.example"),
        ("https://host.example:8443/", "Host.Example:8443"),
        ("http://host.example/", "host.example:80"),
    ] {
        let options = json!({ "authorities": ["other.example", listed] });
        worker.ok(json!({ "operation": "sign", "url": url, "options": options }));
    }
}

/// The text of a secret is the key as it is. What nobody puts into one on purpose is an error.
#[test]
fn a_secret_that_was_pasted_wrongly_is_named() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let good = "b5a8f2c9 d01e\"4763'a1908d7c6b";
    let sign = json!({ "operation": "sign", "url": "https://host.example/" });
    for (text, complaint) in [
        (format!("\u{feff}{good}"), "byte order mark"),
        (format!("{good}\n"), "ends with a line break"),
        (format!("{good}\r\n"), "ends with a line break"),
        (format!("{good}\n{good}"), "has several lines"),
        (format!("{good}\r{good}"), "carriage return"),
        (format!("\"{good}\""), "quotation mark"),
        (format!("'{good}"), "quotation mark"),
        (format!("{good}\u{201d}"), "quotation mark"),
        (format!(" {good}"), "a blank or a tab"),
        (format!("{good}\t"), "a blank or a tab"),
        (format!("{good}\u{a0}"), "a blank or a tab"),
        (format!("{good}\0{good}"), "control character"),
        (format!("{good}\u{200b}{good}"), "invisible character"),
        (format!("{good}\u{fffd}"), "replacement character"),
    ] {
        let mut call = sign.clone();
        call["secrets"] = json!({ DEFAULT_SECRET_NAME: text });
        let error = worker.call(call)["error"].take();
        assert_eq!(
            (&error["kind"], &error["status"]),
            (&json!("secret_unavailable"), &json!(503))
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(complaint), "{complaint}: {message}");
        assert!(!error.to_string().contains("b5a8"), "{error}");
    }
    let mut call = sign;
    call["secrets"] = json!({ DEFAULT_SECRET_NAME: good });
    worker.ok(call);
}

#[test]
fn what_says_how_to_read_the_body_is_covered() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let covered = r#""@method" "@authority" "@path" "@query" "content-digest""#;
    let digest = signed(post()).headers()["content-digest"]
        .to_str()
        .unwrap()
        .to_owned();
    let foreign = |more: &[(&'static str, &str)]| {
        let request = with_header(post(), "content-digest", &digest);
        let request = more.iter().fold(request, |request, (name, value)| {
            with_header(request, name, value)
        });
        signed_as(request, &format!("({covered});created={NOW}"))
    };
    let (type_only, both) = (foreign(&[]), foreign(&[("content-encoding", "gzip")]));
    let announced = foreign(&[("content-length", "23")]);
    let lenient = json!({ "acceptUncoveredContentType": true });
    for (request, options, field) in [
        (&type_only, json!({}), Some("content-type")),
        (&announced, json!({}), Some("content-type")),
        (&both, json!({}), Some("content-type")),
        (&type_only, lenient.clone(), None),
        (&both, lenient, Some("content-encoding")),
        (
            &with_header(signed(get()), "content-type", "text/html"),
            json!({}),
            None,
        ),
        (
            &with_header(signed(get()), "prefer", "x"),
            json!({ "requireIfPresent": ["impersonate-user", "prefer"] }),
            Some("prefer"),
        ),
        (
            &signed(get()),
            json!({ "requireIfPresent": ["prefer"] }),
            None,
        ),
        (
            &request::signed_with(
                with_header(get(), "prefer", "x"),
                &request::sign_options().cover("prefer"),
            ),
            json!({ "requireIfPresent": ["prefer"] }),
            None,
        ),
    ] {
        let mut options = options;
        options["onceOnly"] = json!("neverUsed");
        let Some(field) = field else {
            assert_eq!(worker.validate(request, options), json!({ "ok": true }));
            continue;
        };
        assert_eq!(
            worker.refuses(request, options)["message"],
            format!("a required component is not covered: {field}")
        );
    }
    // Another signature of the request may cover it.
    let added = with_header(announced, "x-other", "1");
    let second = request::signed_with(added, &request::sign_options().label("second"));
    worker.accepts(&second);
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
            "no option `validTimeDiff`: it is called `maxTimeDiff`",
        ),
        (
            json!({ "authorities": [] }),
            "nobody could be accepted|no request could be accepted",
        ),
        (
            json!({ "authorities": null }),
            "`authorities` has no value: give it one, or leave it out",
        ),
        (
            json!({ "authorities": "host.example" }),
            "`authorities` is a list",
        ),
        (
            json!({ "authorities": ["host.example", null] }),
            "`authorities` is a list of texts",
        ),
        (
            json!({ "authorities": [7] }),
            "`authorities` is a list of texts",
        ),
        // The text `null` would be the name of a field, and its check would be gone.
        (
            json!({ "requireIfPresent": [null] }),
            "`requireIfPresent` is a list of texts",
        ),
        (
            json!({ "requireIfPresent": [["prefer"]] }),
            "`requireIfPresent` is a list of texts",
        ),
        (json!({ "keyIds": { "a": null } }), "a secret has a name"),
        (
            json!({ "authorities": ["https://host.example"] }),
            "is not `host` or `host:port`",
        ),
        (json!({ "keyIds": {} }), "nobody could be accepted"),
        (json!({ "keyIds": null }), "`keyIds` has no value"),
        (json!({ "keyIds": "site-a" }), "`keyIds` is an object"),
        (json!({ "keyIds": ["site-a"] }), "`keyIds` is an object"),
        (
            json!({ "requireIfPresent": null }),
            "`requireIfPresent` has no value",
        ),
        (json!({ "onceOnly": null }), "`onceOnly` has no value"),
        (json!({ "publicUrl": true }), "`publicUrl` is a function"),
        (json!({ "keyIds": { "a": "" } }), "a secret has a name"),
        (
            json!({ "keyIds": { "a": "one", "b": ["two", "one"] } }),
            "the key ids `a` and `b` have one secret, `one`",
        ),
        (json!({ "keyIds": { "ü": "one" } }), "not printable ASCII"),
        (
            json!({ "keyIds": { "a\nb": "one" } }),
            "not printable ASCII",
        ),
        (
            json!({ "keyIds": { "a".repeat(8193): "one" } }),
            "longer than a field can be",
        ),
        (
            json!({ "acceptSharedSecretNames": "yes" }),
            "`acceptSharedSecretNames` is",
        ),
        (
            json!({ "acceptUncoveredContentType": 1 }),
            "`acceptUncoveredContentType` is",
        ),
        (
            json!({ "requireIfPresent": "prefer" }),
            "`requireIfPresent` is a list",
        ),
        (
            json!({ "requireIfPresent": ["Prefer"] }),
            "`Prefer` cannot be required if present",
        ),
        (
            json!({ "requireIfPresent": ["@query"] }),
            "`@query` cannot be required if present",
        ),
        (
            json!({ "authorities": ["alice:secret@host.example"] }),
            "`…@host.example`",
        ),
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
        // No refusal that a host would answer with 503 to everybody.
        let error = worker.validate(&signed(get()), options)["error"].take();
        assert_eq!(
            (&error["name"], &error["kind"], &error["status"]),
            (&json!("TypeError"), &json!(null), &json!(null)),
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
        |key_id: &str| request::signed_with(get(), &request::sign_options().key_id(key_id));
    let key_ids = json!({
        "keyIds": { "site-a": DEFAULT_SECRET_NAME, "site-b": ["other", DEFAULT_SECRET_NAME] },
        "acceptSharedSecretNames": true,
    });
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
    // The operator reads which secrets were tried.
    let call = json!({ "operation": "validate", "now": NOW, "request": request_json(&signed(get())), "options": { "secretName": ["new", "newer"] }, "secrets": { "new": "the new secret of the site", "newer": "the newer one of the site" } });
    let error = worker.call(call)["error"].take();
    for text in ["the new secret of the site", "the newer one of the site"] {
        let fingerprint = Secret::from_text(text).unwrap().fingerprint().to_string();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&fingerprint), "{message}");
    }
    worker.call(json!({ "operation": "mac", "key": "", "base": "", "secrets": { DEFAULT_SECRET_NAME: SECRET } }));

    let aged = |age: i64| request::signed_with(get(), &SignOptions::new().at(time(NOW - age)));
    assert_eq!(
        worker.validate(&aged(2), json!({ "maxTimeDiff": 1500 })),
        json!({ "ok": true })
    );
    assert_eq!(
        worker.refuses(&aged(3), json!({ "maxTimeDiff": 1500 }))["message"],
        "the signature is too old: the clocks differ, or it came late or once more: 3 s old, 2 s allowed"
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
        message.ends_with(
            "; seen here: GET host.example /orders/ with a query of 6 bytes, \
             which a proxy may have re-encoded or reordered"
        ),
        "{message}"
    );
    assert!(error["seen"].as_array().unwrap().is_empty());

    // It names some of the listed domains, and no user.
    for (listed, shown) in [
        (
            vec!["a.example", "b.example"],
            "host.example, listed: a.example, b.example",
        ),
        (
            vec!["a.example", "b.example", "c.example", "d.example"],
            "host.example, listed: a.example, b.example, c.example, …",
        ),
    ] {
        let error = worker.refuses(&signed(get()), json!({ "authorities": listed }));
        let message = error["message"].as_str().unwrap();
        assert!(message.ends_with(&format!(": {shown}")), "{message}");
    }
    for (url, shown) in [
        ("https://alice:secret@host.example/a?b", "`…@host.example`"),
        ("https://alice:se@cret@host.example/", "`…@host.example`"),
        ("//alice:secret@host.example/a?token", "`…@host.example/a`"),
        ("/orders?token", "`/orders`"),
    ] {
        let mut call = request_json(&signed(get()));
        call["url"] = json!(url);
        let call = json!({ "operation": "validate", "now": NOW, "request": call });
        let error = worker.call(call)["error"].take();
        assert_eq!(
            error["message"],
            format!("the authority is not `host` or `host:port`: {shown} in request.url")
        );
    }

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

/// `undefined` becomes nothing in JSON; the site treats it as null.
#[test]
fn options_without_a_value_are_absent() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let nothing = json!({
        "secretName": null, "maxTimeDiff": null, "acceptSharedSecretNames": null,
        "acceptUncoveredContentType": null, "publicUrl": null, "ignoreHostHeader": null,
        "debugSignatureBase": null,
    });
    assert_eq!(
        worker.validate(&signed(get()), nothing),
        json!({ "ok": true })
    );
    assert_eq!(
        worker.validate(&signed(get()), json!(null)),
        json!({ "ok": true })
    );
    let call = json!({ "operation": "validate", "now": NOW, "request": request_json(&signed(get())), "how": { "nullOptions": true } });
    assert_eq!(worker.call(call), json!({ "ok": true }));
    for (fetch_options, options) in [
        (json!(null), json!(null)),
        (
            json!({ "method": null, "headers": null, "body": null }),
            json!({ "secretName": null, "keyId": null }),
        ),
    ] {
        let sent = worker.ok(json!({ "operation": "sign", "url": "https://host.example/", "fetchOptions": fetch_options, "options": options }));
        assert_eq!(sent["init"]["method"], "GET");
        assert_eq!(sent["init"].get("body"), None);
    }
}

/// A peer that sends junk must not make the site ask the Secrets Manager each time.
#[test]
fn a_secret_is_looked_up_once_for_a_short_time() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let junk = signed_as(get(), &format!(r#"("@method" "@path");created={NOW}"#));
    let mut wrong = signed(get());
    *wrong.uri_mut() = "https://host.example/other".parse().unwrap();
    worker.ok(json!({ "operation": "lookups" }));
    for _ in 0..20 {
        worker.refuses(&junk, json!({}));
    }
    assert_eq!(worker.ok(json!({ "operation": "lookups" })), 0);
    for _ in 0..20 {
        assert_eq!(worker.refuses(&wrong, json!({}))["kind"], "wrong_mac");
        worker.accepts(&signed(get()));
    }
    assert_eq!(worker.ok(json!({ "operation": "lookups" })), 1);

    // After that time, and if the clock was set back, it is looked up anew.
    let at = |seconds: i64| {
        let request = request::signed_with(get(), &SignOptions::new().at(time(NOW + seconds)));
        json!({ "operation": "validate", "now": NOW + seconds, "request": request_json(&request) })
    };
    for (seconds, lookups) in [(4, 0), (6, 1), (2, 0), (0, 1)] {
        assert_eq!(worker.call(at(seconds)), json!({ "ok": true }), "{seconds}");
        assert_eq!(
            worker.ok(json!({ "operation": "lookups" })),
            lookups,
            "{seconds}"
        );
    }
    // A failure is not kept: what is repaired works at once.
    for _ in 0..2 {
        let error = worker.refuses(&signed(get()), json!({ "secretName": "unknown" }));
        assert_eq!(error["kind"], "secret_unavailable");
        assert_eq!(worker.ok(json!({ "operation": "lookups" })), 1);
    }
}
