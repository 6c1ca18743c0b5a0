//! The crate and the site agree, request by request, down to the kind.

use hmac_auth::{ValidateOptions, sign_request, signature::Scheme, validate_auth};
use http::Version;
use serde_json::json;

use crate::support::{
    message::{request_of, signed_as_is, verdict, with_a_change},
    node::Worker,
    random::{Random, random_input, random_request, random_sign_options},
    request::{NOW, get, secrets, time, with_header},
};

/// Requests of all shapes, and of each several with one thing changed: both implementations say the
/// same, down to the kind.
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

/// Signature inputs as nobody would write them, most of them malformed, all with a right MAC if
/// there can be one.
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
