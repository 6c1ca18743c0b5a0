//! What a consumer covers beside the profile, and for whom it signs.

use hmac_auth::{
    AuthErrorKind as Kind, SignError, SignOptions, sign_request,
    signature::{RequestHead, Scheme, SignatureBase, SignatureInputs},
    validate_auth,
};
use http::{HeaderName, HeaderValue, header::COOKIE};

use crate::support::request::{
    TestRequest, get, options, post, secrets, sign_options, signed_with, with_header,
};

fn input(request: &TestRequest) -> String {
    let value = request.headers()["signature-input"].to_str();
    value.expect("ASCII").to_owned()
}

fn base(request: &TestRequest) -> String {
    let mut inputs = SignatureInputs::new(request.headers());
    let input = inputs.next().expect("signed").expect("readable");
    let base = SignatureBase::of_request(&RequestHead::from(request), &input);
    base.expect("all is there").as_str().to_owned()
}

fn error(mut request: TestRequest, options: &SignOptions) -> SignError {
    sign_request(&mut request, &secrets(), options).expect_err("refused")
}

/// Some verifiers insist on them (RFC 9421 section 2.2).
#[test]
fn derived_components_are_covered_too() {
    let all = sign_options()
        .cover("@target-uri")
        .cover("@scheme")
        .cover("@request-target")
        .cover(r#""@query-param";name="page""#);
    let signed = signed_with(get(), &all);
    assert!(
        input(&signed).starts_with(
            r#"sig1=("@method" "@authority" "@path" "@query" "@target-uri" "@scheme" "@request-target" "@query-param";name="page");created="#
        ),
        "{}",
        input(&signed)
    );
    for line in [
        "\"@target-uri\": https://host.example/orders?page=2\n",
        "\"@scheme\": https\n",
        "\"@query-param\";name=\"page\": 2\n",
    ] {
        assert!(base(&signed).contains(line), "{}", base(&signed));
    }
    let strict = options()
        .require("@target-uri")
        .require("@scheme")
        .require("@request-target");
    validate_auth(&signed, &secrets(), &strict).unwrap();
    assert_eq!(
        validate_auth(&signed_with(get(), &sign_options()), &secrets(), &strict)
            .unwrap_err()
            .kind(),
        Kind::NotCovered
    );
}

/// What is covered anyway is not covered twice.
#[test]
fn nothing_is_covered_twice() {
    let again = sign_options()
        .cover("@method")
        .cover("@query")
        .cover("Content-Type")
        .cover("content-digest")
        .cover("X-Site")
        .cover(HeaderName::from_static("x-site"))
        .cover("\"x-site\"");
    let signed = signed_with(with_header(post(), "x-site", "a"), &again);
    assert!(
        input(&signed).starts_with(
            r#"sig1=("@method" "@authority" "@path" "@query" "content-digest" "content-type" "x-site");"#
        ),
        "{}",
        input(&signed)
    );
    validate_auth(&signed, &secrets(), &options()).unwrap();
}

#[test]
fn what_is_no_component_of_a_request_is_refused_with_a_remedy() {
    for wrong in [
        "@status",
        "@nonsense",
        "@query-param",
        "@query-param;name=\"page\"",
        "\"@query-param\"",
        "\"@method\";req",
        "\"x-site\";req",
        "\"x-site\";sf",
        "\"x-site\";name=\"a\"",
        "\"x-site",
        "\"x-site\" \"x-b\"",
        "",
        "a b",
    ] {
        let error = error(get(), &sign_options().cover(wrong));
        let SignError::InvalidParameter {
            parameter, remedy, ..
        } = &error
        else {
            panic!("{wrong}: {error:?}");
        };
        assert_eq!(*parameter, "cover");
        assert!(remedy.contains("@target-uri"), "{remedy}");
    }
    // There is such a component, but not in this request.
    let absent = sign_options().cover(r#""@query-param";name="size""#);
    assert!(matches!(error(get(), &absent), SignError::Component(_)));
}

/// HTTP/2 sends a cookie in several lines, which are one (RFC 9113 section 8.2.3).
#[test]
fn a_cookie_that_is_split_on_the_way_stays_the_same() {
    let options_of_sign = sign_options().cover(COOKIE);
    let one_line = signed_with(
        with_header(get(), "cookie", "a=1; b=2; c=3"),
        &options_of_sign,
    );
    let mut split = one_line.clone();
    split.headers_mut().remove(COOKIE);
    for crumb in ["a=1", "b=2", "c=3"] {
        split
            .headers_mut()
            .append(COOKIE, HeaderValue::from_static(crumb));
    }
    assert_eq!(base(&one_line), base(&split));
    validate_auth(&split, &secrets(), &options()).unwrap();
    // And the other way round.
    let mut crumbs = get();
    for crumb in ["a=1", "b=2"] {
        crumbs = with_header(crumbs, "cookie", crumb);
    }
    let mut joined = signed_with(crumbs, &options_of_sign);
    joined
        .headers_mut()
        .insert(COOKIE, HeaderValue::from_static("a=1; b=2"));
    validate_auth(&joined, &secrets(), &options()).unwrap();
    // A comma is another cookie.
    joined
        .headers_mut()
        .insert(COOKIE, HeaderValue::from_static("a=1, b=2"));
    assert!(validate_auth(&joined, &secrets(), &options()).is_err());
}

/// A URL from outside, such as that of a redirect, cannot make a consumer sign.
#[test]
fn only_for_the_hosts_that_are_listed() {
    let only = sign_options().authorities(["Host.Example", "other.example:8443"]);
    let to = |uri: &str| {
        let mut request = get();
        *request.uri_mut() = uri.parse().unwrap();
        request
    };
    for uri in [
        "https://host.example/",
        "https://HOST.example:443/",
        "https://other.example:8443/",
    ] {
        let _ = signed_with(to(uri), &only);
    }
    for uri in [
        "https://evil.example/",
        "https://host.example.evil.example/",
        "https://host.example:8443/",
        "https://other.example/",
        "http://host.example:443/",
    ] {
        let error = error(to(uri), &only);
        assert!(
            matches!(error, SignError::UnlistedAuthority { .. }),
            "{uri}: {error:?}"
        );
    }
    let local = with_header(to("/orders"), "host", "evil.example");
    assert!(matches!(
        error(local, &only),
        SignError::UnlistedAuthority { .. }
    ));
    // The default port is that of the scheme.
    let http = sign_options()
        .authorities(["host.example:80"])
        .scheme(Scheme::Http);
    let _ = signed_with(with_header(to("/orders"), "host", "host.example"), &http);
    // An entry that is no authority is no entry.
    for wrong in ["https://host.example", "user@host.example", "", "*.example"] {
        let error = error(get(), &sign_options().authorities(["host.example", wrong]));
        assert!(
            matches!(
                error,
                SignError::InvalidParameter {
                    parameter: "authorities",
                    ..
                }
            ),
            "{wrong}: {error:?}"
        );
    }
    // No entry, no signature.
    let nobody = sign_options().authorities(Vec::<String>::new());
    assert!(matches!(
        error(get(), &nobody),
        SignError::UnlistedAuthority { .. }
    ));
}

/// A base that no host would accept is not signed either.
#[test]
fn the_limit_of_a_base_is_one_for_both_sides() {
    let names = ["x-a", "x-b", "x-c", "x-d"];
    let large = |len: usize| {
        let value = "x".repeat(len);
        names
            .iter()
            .fold(get(), |request, name| with_header(request, name, &value))
    };
    let all = names.iter().fold(sign_options(), SignOptions::cover);
    let mut accepted = 0;
    for len in (7_900..8_192).step_by(4) {
        let mut request = large(len);
        match sign_request(&mut request, &secrets(), &all) {
            Ok(_) => {
                accepted += 1;
                validate_auth(&request, &secrets(), &options()).unwrap();
            }
            Err(error) => assert!(matches!(error, SignError::Component(_)), "{error:?}"),
        }
    }
    assert!((1..73).contains(&accepted), "{accepted}");
}
