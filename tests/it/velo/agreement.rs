//! The crate and the site agree, request by request, down to the kind.

use hmac_auth::{ValidateOptions, sign_request, signature::Scheme, validate_auth};
use http::{HeaderValue, Version};
use serde_json::json;

use crate::support::{
    message::{request_of, signed_as_is, verdict, with_a_change},
    node::Worker,
    random::{Random, random_input, random_request, random_sign_options},
    request::{INPUT, NOW, TestRequest, get, secrets, signed, time, with_header, with_signature},
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
        let mut request = signed_as_is(request, &random_input(&mut random));
        // Mostly read over, unless it is a candidate too.
        if random.below(3) == 0 {
            let stranger = random_input(&mut random);
            request = beside(request, &stranger);
        }
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
        "wrong_mac",
    ] {
        assert!(
            verdicts.get(kind).is_some_and(|count| *count > 10),
            "{verdicts:?}"
        );
    }
}

/// Adds a member with the label of a stranger, and a MAC that is none.
fn beside(request: TestRequest, input: &str) -> TestRequest {
    match HeaderValue::try_from(format!("other={input}")) {
        Ok(_) => with_signature(request, "other", input, &[7; 32]),
        Err(_) => request,
    }
}

/// Members that RFC 9651 allows and our limits do not, and members that it does not allow: alone, and
/// beside a signature of ours.
#[test]
fn the_crate_and_the_site_agree_about_strangers() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let names = |count: usize| (0..count).map(|i| format!("\"x-{i}\"")).collect::<Vec<_>>();
    let parameters = (0..17)
        .map(|i| format!(";p{i}"))
        .collect::<Vec<_>>()
        .concat();
    let read_over = [
        format!("=({})", names(33).join(" ")),
        format!("=({})", names(500).join(" ")),
        format!("=(){parameters}"),
        format!("=(\"x-a\"{parameters})"),
        r#"=(%"f%c3%bc" @1 1.5 token "x" ?0 :YQ==:;a;b=1)"#.to_owned(),
        r#"=("x-a" "x-a")"#.to_owned(),
        r#"=("x-a";sf "x-a"; sf=?1)"#.to_owned(),
        r#"=("x-a");b;b"#.to_owned(),
        "=();created=@1700000000".to_owned(),
        "=();keyid=token".to_owned(),
        "=();nonce".to_owned(),
        "=();b=:YQ:".to_owned(),
        "=1".to_owned(),
        "=?1".to_owned(),
        "=token;a=1".to_owned(),
        "=:YQ:".to_owned(),
        String::new(),
        ";a;b=2".to_owned(),
    ];
    let spoiling = [
        "=",
        "=(",
        "=(\"x-a\"\"x-b\")",
        "=() x",
        "=();B",
        "=();at=@1.5",
        "=();at=@",
        "=();by=%f",
        "=();by=%\"f%C3%bc\"",
        "=();by=%\"%c3\"",
        "=();b=:Y:",
        "=();b=:YQ=:",
        "=();b=1234567890123456",
        "=();b=1.1234",
    ];
    let signatures = [
        ":YQ==:",
        ":YQ:",
        ":YR==:",
        "::",
        ":YQ==:;a=@1",
        "(a \"b\")",
        "?0",
        "%\"\"",
        "@1",
    ];
    let with = |request: TestRequest, input: &str, signature: &str| {
        let request = with_header(request, "signature-input", &format!("other{input}"));
        with_header(request, "signature", &format!("other={signature}"))
    };
    for (index, input) in read_over.iter().enumerate() {
        let signature = signatures[index % signatures.len()];
        let before = signed(with(get(), input, signature));
        let behind = with(signed(get()), input, signature);
        for request in [before, behind] {
            assert_eq!(verdict(&request), "accepted", "{input} {signature}");
            assert_eq!(worker.verdict(&request), "accepted", "{input} {signature}");
        }
        let alone = with(get(), input, signature);
        assert_eq!(
            worker.verdict(&alone),
            verdict(&alone),
            "{input} {signature}"
        );
        let lone = with_header(signed(get()), "signature", &format!("other={signature}"));
        assert_eq!(worker.verdict(&lone), verdict(&lone), "{signature}");
        let lone = with_header(signed(get()), "signature-input", &format!("other{input}"));
        assert_eq!(worker.verdict(&lone), "unpaired_label", "{input}");
        assert_eq!(verdict(&lone), "unpaired_label", "{input}");
    }
    for input in spoiling {
        let request = with(signed(get()), input, ":YQ==:");
        assert_eq!(
            worker.verdict(&request),
            "malformed_signature_input",
            "{input}"
        );
        assert_eq!(verdict(&request), "malformed_signature_input", "{input}");
    }
    // What comes first decides: five signatures, or the error behind them.
    let five = (0..5).fold(get(), |request, i| {
        with_signature(request, &format!("a{i}"), INPUT, &[7; 32])
    });
    let four = (0..4).fold(get(), |request, i| {
        with_signature(request, &format!("a{i}"), INPUT, &[7; 32])
    });
    for input in ["=(", "=();B"] {
        for (request, expected) in [
            (with(five.clone(), input, ":YQ==:"), "too_many_candidates"),
            (
                with(four.clone(), input, ":YQ==:"),
                "malformed_signature_input",
            ),
        ] {
            assert_eq!(verdict(&request), expected, "{input}");
            assert_eq!(worker.verdict(&request), expected, "{input}");
        }
    }
    for signature in ["", ":YQ", ":Y-Q=:", ":Y:", ":YQ=:", ":YQ==: x", "@"] {
        let request = with(signed(get()), "=()", signature);
        assert_eq!(
            worker.verdict(&request),
            "malformed_signature",
            "{signature}"
        );
        assert_eq!(verdict(&request), "malformed_signature", "{signature}");
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
