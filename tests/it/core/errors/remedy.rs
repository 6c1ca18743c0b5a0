//! What the operator reads is the true cause, and the remedy works.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, MemoryReplayGuard, MemorySecrets, SignError, SignOptions,
    ValidateOptions, sign_empty, sign_request,
    signature::{RequestHead, Scheme, SignatureBase, SignatureInputs},
    tower::ValidateAuthLayer,
    validate_auth,
};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    refusals::{chain, refused, with_uri},
    request::{
        INPUT, NOW, TestRequest, get, options, post, secrets, sign_options, signed, signed_as,
        signed_with, time, with_header, with_signature,
    },
};

#[track_caller]
fn assert_says(request: &TestRequest, options: &ValidateOptions, kind: Kind, words: &[&str]) {
    let error = refused(request, options);
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

/// The query may hold tokens, so it is not shown. That there is one is.
#[test]
fn a_wrong_mac_shows_what_this_host_saw() {
    let changed = |uri: &str| with_uri(signed(get()), uri);
    assert_says(
        &changed("https://HOST.example:443/orders?page=%32"),
        &options(),
        Kind::WrongMac,
        &[
            "seen here: GET host.example /orders with a query of 8 bytes",
            "re-encoded or reordered",
            "trust_forwarded_host",
        ],
    );
    let text = refused(
        &changed("https://host.example/orders?token=secret"),
        &options(),
    )
    .to_string();
    assert!(!text.contains("secret="), "{text}");
    assert!(!text.contains("token"), "{text}");
    let text = refused(&changed("https://host.example/orders"), &options()).to_string();
    // A proxy may have removed it.
    assert!(
        !text.contains("with a query") && text.contains("the query"),
        "{text}"
    );
    // As it is signed, with a port that is no default one.
    let host = options().authorities(["host.example:8443"]);
    let request = with_uri(signed(get()), "https://Host.Example:8443/orders");
    assert_says(
        &request,
        &host,
        Kind::WrongMac,
        &["GET host.example:8443 /orders"],
    );
}

#[test]
fn only_a_wrong_mac_may_be_the_fault_of_a_proxy() {
    let error = validate_auth(&signed(get()), &MemorySecrets::new(), &options()).unwrap_err();
    assert_eq!(error.kind(), Kind::SecretUnavailable);
    let text = error.to_string();
    assert!(!text.contains("trust_forwarded_host"), "{text}");
}

#[test]
fn what_is_not_supported_is_shown() {
    let request = signed_as(get(), &format!("{INPUT};alg=\"ed25519\""));
    let words = ["alg \"ed25519\""];
    assert_says(&request, &options(), Kind::UnsupportedAlgorithm, &words);
}

#[test]
fn a_signature_before_the_start_of_the_guard_says_how_long_before() {
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    let request = signed_with(get(), &sign_options().at(time(NOW - 5)));
    let validated = validate_auth(&request, &secrets(), &options()).unwrap();
    let text = guard.first_use(validated).unwrap_err().to_string();
    assert!(
        text.contains("made 5 s before the start of the guard"),
        "{text}"
    );
}

#[test]
fn a_proxy_that_decompresses_is_named() {
    let mut request = signed(with_header(post(), "content-encoding", "gzip"));
    *request.body_mut() = b"plain".to_vec();
    assert_says(&request, &options(), Kind::WrongDigest, &["decompressed"]);
}

/// The first error behind most proxies.
#[test]
fn an_unlisted_authority_is_shown_beside_those_that_are_listed() {
    let request = with_uri(signed(get()), "https://10.0.0.1:8080/orders?page=2");
    let words = [
        "10.0.0.1:8080",
        "listed: host.example",
        "`Host`",
        "trust_forwarded_host",
        "external_scheme",
    ];
    assert_says(&request, &options(), Kind::UnlistedAuthority, &words);
    let many = options().authorities(["a.example", "b.example", "c.example", "d.example"]);
    let text = refused(&request, &many).to_string();
    assert!(
        text.contains("c.example, …") && !text.contains("d.example"),
        "{text}"
    );
}

#[test]
fn another_unit_of_time_is_not_another_clock() {
    let made = |created: i64| signed_as(get(), &INPUT.replace("1700000000", &created.to_string()));
    // Microseconds have more than the 15 digits of RFC 9651.
    let created = NOW * 1_000 + 999;
    assert_says(
        &made(created),
        &options(),
        Kind::InFuture,
        &["milliseconds", "in seconds"],
    );
    let text = refused(&made(created), &options()).to_string();
    assert!(!text.contains("clock"), "{text}");
    // A clock may be wrong too, but not by a year.
    let year = 366 * 24 * 60 * 60;
    for (off, says) in [
        (year - 1, "milliseconds"),
        (1 - year, "milliseconds"),
        (year, "compare the clocks"),
        (-year, "compare the clocks"),
    ] {
        let created = (NOW + off) * 1_000;
        assert_says(&made(created), &options(), Kind::InFuture, &[says]);
    }
    assert_says(
        &made(NOW + 11),
        &options(),
        Kind::InFuture,
        &["11 s ahead", "compare the clocks"],
    );
    assert_says(
        &made(NOW - 61),
        &options(),
        Kind::Stale,
        &["61 s old", "clocks"],
    );
}

#[test]
fn what_repeats_a_request_is_named() {
    let error = AuthError::from(Kind::Replayed).to_string();
    for word in ["retries", "mirrors", "sign it anew"] {
        assert!(error.contains(word), "{error}");
    }
}

/// With one guard, the inner layer refuses each request as a replay of itself.
#[tokio::test]
async fn a_layer_that_stands_twice_is_found_out() {
    let seen = Arc::new(Mutex::new(String::new()));
    let found = Arc::clone(&seen);
    let layer = ValidateAuthLayer::new(secrets(), options())
        .replay_guard(MemoryReplayGuard::new().started_at(time(NOW)))
        .map_refusal(move |answer, error, _| {
            *found.lock().unwrap() = error.to_string();
            answer
        });
    let service = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let twice = layer.layer(layer.layer(service));
    let request = signed(get()).map(|body| Full::new(Bytes::from(body)));
    let response = twice.oneshot(request).await.unwrap();
    assert_eq!(response.extensions().get::<Kind>(), Some(&Kind::Replayed));
    let text = seen.lock().unwrap().clone();
    assert!(text.contains("two layers"), "{text}");
}

/// Where `bs` cannot help, it is not advised.
#[test]
fn text_that_is_not_ascii_gets_the_remedy_that_fits() {
    for (uri, component) in [("/größe", "@path"), ("/?größe", "@query")] {
        let mut request = Request::get(format!("https://host.example{uri}"))
            .body(())
            .unwrap();
        let error = sign_empty(&mut request, &secrets(), &sign_options()).expect_err("not ASCII");
        let text = chain(&error).join(": ");
        assert!(
            text.contains(component) && text.contains("percent-encode"),
            "{text}"
        );
        assert!(!text.contains("`bs`"), "{text}");
        let request = with_signature(
            with_uri(get(), &format!("https://host.example{uri}")),
            "sig1",
            INPUT,
            &[0; 32],
        );
        assert_says(
            &request,
            &options(),
            Kind::NotAscii,
            &["percent-encode", "proxy"],
        );
    }
    let name = HeaderName::from_static("x-name");
    let mut request = get();
    request.headers_mut().insert(
        name.clone(),
        HeaderValue::from_bytes("größe".as_bytes()).unwrap(),
    );
    let plain = sign_options().cover(name);
    let error = sign_request(&mut request, &secrets(), &plain).expect_err("not ASCII");
    let text = chain(&error).join(": ");
    assert!(text.contains("x-name") && text.contains("`bs`"), "{text}");
    // And so it works.
    let bytes = sign_options().cover(r#""x-name";bs"#);
    validate_auth(&signed_with(request, &bytes), &secrets(), &options()).unwrap();
}

/// A name in Unicode has another form in DNS and HTTP.
#[test]
fn an_international_name_gets_its_ascii_form() {
    let mut request = with_uri(get(), "/orders");
    request.headers_mut().insert(
        "host",
        HeaderValue::from_bytes("größe.example".as_bytes()).unwrap(),
    );
    let error = sign_request(&mut request, &secrets(), &SignOptions::new()).expect_err("IDN");
    let text = chain(&error).join(": ");
    assert!(
        matches!(error, SignError::Component(_)) && text.contains("xn--"),
        "{text}"
    );
}

/// A password in a URL stands in no error, wherever the URL comes from.
#[test]
pub(crate) fn pitfall_36_user_information_appears_nowhere() {
    let user = |uri: &str| {
        let mut request =
            with_signature(with_uri(get(), "/orders?page=2"), "sig1", INPUT, &[0; 32]);
        *request.uri_mut() = uri.parse().unwrap();
        request
    };
    let mut requests = vec![
        user("https://alice:sesame@host.example/orders"),
        user("https://alice:sesame@host.example:443/orders"),
        user("https://sesame@host.example/orders"),
        user("alice:sesame@host.example:443"),
    ];
    for host in [
        "alice:sesame@host.example",
        "sesame@",
        "alice:sesame@host@example",
        "a@sesame@host.example",
    ] {
        let mut request = user("/orders");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static(host));
        requests.push(request);
    }
    let forwarded = options().trust_forwarded_host(HeaderName::from_static("x-forwarded-host"));
    let mut request = user("/orders");
    request.headers_mut().insert(
        "x-forwarded-host",
        HeaderValue::from_static("alice:sesame@host.example"),
    );
    let error = refused(&request, &forwarded);
    assert!(
        !format!("{error} {error:#} {error:?}").contains("sesame"),
        "{error:?}"
    );
    for mut request in requests {
        let error = refused(&request, &options());
        assert!(
            !format!("{error} {error:#} {error:?}").contains("sesame"),
            "{error:?}"
        );
        assert_eq!(error.kind(), Kind::InvalidAuthority);
        assert!(error.to_string().contains('@'), "{error}");
        let head = RequestHead::from(&request);
        assert!(!format!("{head:?}").contains("sesame"));
        for input in SignatureInputs::new(request.headers()).flatten() {
            let base = SignatureBase::of_request(&head, &input);
            assert!(!format!("{base:?}").contains("sesame"), "{base:?}");
        }
        request.headers_mut().remove("signature");
        request.headers_mut().remove("signature-input");
        let error =
            sign_request(&mut request, &secrets(), &sign_options()).expect_err("user information");
        let text = format!("{} {error:?}", chain(&error).join(": "));
        assert!(
            !text.contains("sesame") && text.contains("user information"),
            "{text}"
        );
    }
}

/// RFC 9421 section 2.2.3: the default port of the scheme is left out, whatever the scheme is called.
#[test]
fn default_ports_follow_the_scheme() {
    let authority = |request: &Request<()>, options: &SignOptions| {
        let mut request = request.clone();
        sign_empty(&mut request, &secrets(), options).unwrap();
        let [http, https] = [Scheme::Http, Scheme::Https].map(|scheme| {
            let host = ValidateOptions::new().external_scheme(scheme).at(time(NOW));
            let mut received = request.clone();
            *received.uri_mut() = "/orders".parse().unwrap();
            received
                .headers_mut()
                .insert("host", HeaderValue::from_static("host.example"));
            if request.method() == http::Method::CONNECT {
                return false;
            }
            validate_auth(&received.map(|()| ""), &secrets(), &host).is_ok()
        });
        (http, https)
    };
    let to = |uri: &str| Request::get(uri).body(()).unwrap();
    let plain = sign_options();
    for scheme in ["http", "ws", "WS", "HTTP"] {
        assert_eq!(
            authority(&to(&format!("{scheme}://host.example:80/orders")), &plain),
            (true, true),
            "{scheme}"
        );
        assert_eq!(
            authority(&to(&format!("{scheme}://host.example:443/orders")), &plain),
            (false, false),
            "{scheme}"
        );
    }
    for scheme in ["https", "wss", "WSS"] {
        assert_eq!(
            authority(&to(&format!("{scheme}://host.example:443/orders")), &plain),
            (true, true),
            "{scheme}"
        );
        assert_eq!(
            authority(&to(&format!("{scheme}://host.example:80/orders")), &plain),
            (false, false),
            "{scheme}"
        );
    }
    let with_host = |host: &'static str| {
        let mut request = to("/orders");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static(host));
        request
    };
    let http = sign_options().scheme(Scheme::Http);
    assert_eq!(
        authority(&with_host("host.example:80"), &plain),
        (false, false)
    );
    assert_eq!(
        authority(&with_host("host.example:80"), &http),
        (true, true)
    );
    assert_eq!(
        authority(&with_host("host.example:443"), &plain),
        (true, true)
    );
    assert_eq!(
        authority(&with_host("host.example:443"), &http),
        (false, false)
    );
    // The scheme of a URI wins.
    assert_eq!(
        authority(&to("https://host.example:443/orders"), &http),
        (true, true)
    );
    // `CONNECT` names no scheme: the same request is signed for both hosts, each by its option.
    for (options, port, scheme) in [(plain, 443, Scheme::Https), (http, 80, Scheme::Http)] {
        let uri = format!("host.example:{port}");
        let mut request = Request::connect(&*uri).body("").unwrap();
        sign_request(&mut request, &secrets(), &options).unwrap();
        let host = ValidateOptions::new()
            .authorities(["host.example"])
            .external_scheme(scheme)
            .at(time(NOW));
        validate_auth(&request, &secrets(), &host).unwrap();
    }
}
