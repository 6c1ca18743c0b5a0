//! Origins that CORS allows by name: what is an origin, and what to write instead of what is none.

use axum::{Router, body::Body, routing::get};
use futures_executor::block_on;
use hmac_auth::wix::{self, CorsLayer};
use http::{
    Request,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, VARY},
};
use tower::ServiceExt;

use crate::support::oauth::APP_ID;

/// The allowed origin in the response to a page of `origin`.
fn allowed(cors: &CorsLayer, origin: &str) -> Option<String> {
    let app: Router = Router::new().route("/", get(async || "answer").layer(cors.clone()));
    let request = Request::builder().header(ORIGIN, origin);
    let response = block_on(app.oneshot(request.body(Body::empty()).unwrap())).unwrap();
    assert_eq!(
        response.headers()[VARY],
        "origin",
        "a cache keeps origins apart"
    );
    let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
    allowed.map(|origin| origin.to_str().unwrap().to_owned())
}

#[test]
fn each_named_origin_is_allowed_and_no_other() {
    let named = [
        "https://www.shop.example",
        "https://user.wixsite.com",
        "https://shop.example:8443",
        "http://shop.example",
        "http://localhost:4321",
        "http://127.0.0.1:4321",
        "https://[::1]:4321",
        "https://xn--mnchen-3ya.example",
        "https://my_shop.example",
    ];
    let cors = named
        .iter()
        .try_fold(wix::cors(APP_ID), |cors, origin| cors.allow_origin(origin))
        .unwrap();
    for origin in named {
        assert_eq!(allowed(&cors, origin).as_deref(), Some(origin));
    }
    let app = format!("https://{APP_ID}.wix.run");
    assert_eq!(allowed(&cors, &app), Some(app), "the app itself stays");
    for origin in [
        "null",
        "https://shop.example",
        "https://www.shop.example:8443",
        "https://www.shop.example.evil.com",
        "https://evil.com",
        "http://www.shop.example",
        "http://localhost:5173",
        "https://a.user.wixsite.com",
    ] {
        assert_eq!(allowed(&cors, origin), None, "{origin}");
    }
}

#[test]
fn what_is_nearly_an_origin_is_refused_with_the_origin_that_works() {
    for (text, origin) in [
        ("https://www.shop.example/", "https://www.shop.example"),
        (
            "https://www.shop.example/cart?x=1#y",
            "https://www.shop.example",
        ),
        ("https://www.shop.example?x", "https://www.shop.example"),
        ("https://www.shop.example\\x", "https://www.shop.example"),
        ("https://WWW.Shop.example", "https://www.shop.example"),
        ("HTTPS://www.shop.example", "https://www.shop.example"),
        ("https://www.shop.example:443", "https://www.shop.example"),
        ("https://www.shop.example:", "https://www.shop.example"),
        ("https://www.shop.example.", "https://www.shop.example"),
        (" https://www.shop.example\n", "https://www.shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("http://shop.example:443/", "http://shop.example:443"),
        ("https://shop.example:08443", "https://shop.example:8443"),
        ("https://[::1]:443", "https://[::1]"),
    ] {
        let error = wix::cors(APP_ID).allow_origin(text).unwrap_err();
        let remedy = format!("write `{origin}`");
        assert!(error.to_string().contains(&remedy), "{text:?}: {error}");
        let cors = wix::cors(APP_ID).allow_origin(origin).unwrap();
        assert_eq!(allowed(&cors, origin).as_deref(), Some(origin));
    }
}

#[test]
fn what_names_no_single_origin_is_refused_with_a_remedy() {
    for (text, remedy) in [
        ("*", "`cors_for_any_origin`"),
        ("https://*", "`cors_for_any_origin`"),
        ("https://*.wixsite.com", "`cors_for_any_origin`"),
        ("null", "leave it out"),
        ("", "begin it with `https://`"),
        ("www.shop.example", "begin it with `https://`"),
        ("//www.shop.example", "begin it with `https://`"),
        ("file:///index.html", "begin it with `https://`"),
        ("https:www.shop.example", "begin it with `https://`"),
        ("https://", "the name of one host"),
        ("https:///", "the name of one host"),
        ("https://.", "the name of one host"),
        ("https://.shop.example", "the name of one host"),
        ("https://shop..example", "the name of one host"),
        ("https://shop example", "the name of one host"),
        (
            "https://a.example,https://b.example",
            "the name of one host",
        ),
        (
            "https://a.example https://b.example",
            "the name of one host",
        ),
        ("https://a.example, b.example", "the name of one host"),
        ("https://shop.example:0", "1 to 65535"),
        ("https://shop.example:65536", "1 to 65535"),
        ("https://shop.example:+80", "1 to 65535"),
        ("https://shop.example:80:80", "1 to 65535"),
        ("https://münchen.example", "Punycode"),
        ("https://1.2.3", "IPv4"),
        ("https://shop.0x1f", "IPv4"),
        ("https://256.1.1.1", "IPv4"),
        ("https://::1", "1 to 65535"),
        ("https://[::0001]", "IPv6"),
        ("https://[::1", "IPv6"),
        ("https://[::1]x", "IPv6"),
        ("https://user:pass-word@shop.example", "the user"),
    ] {
        let error = wix::cors(APP_ID).allow_origin(text).unwrap_err();
        assert!(error.to_string().contains(remedy), "{text:?}: {error}");
        assert!(!format!("{error} {error:?}").contains("pass-word"));
    }
}
