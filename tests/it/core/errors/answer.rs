//! The answer to a peer: the sentence of the profile, and what the host asks for.

use std::collections::BTreeSet;

use hmac_auth::{
    AuthErrorKind, SecretError, SecretSet, SecretStore, ValidateOptions, sign_request,
    validate_auth,
};
use http::{HeaderValue, StatusCode, header};

use crate::support::{
    refusals::{chain, refusals, refused},
    request::{
        self, NOW, get, options, post, secrets, sign_options, signed, signed_as, with_header,
    },
};

/// A peer cannot tell one failure of authentication from another; the others are those of the
/// profile.
#[test]
fn peers_get_the_answers_of_the_profile_and_no_others() {
    use AuthErrorKind as Kind;

    let mut answers = BTreeSet::new();
    for (kind, error) in refusals() {
        let (status, body) = match kind {
            Kind::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                r#"{"error":"Payload too large"}"#,
            ),
            Kind::BodyUnreadable | Kind::WrongContentLength => {
                (StatusCode::BAD_REQUEST, r#"{"error":"Incomplete body"}"#)
            }
            Kind::ReplayGuardFull
            | Kind::ReplayGuardUnavailable
            | Kind::SecretUnavailable
            | Kind::DirectoryUnavailable
            | Kind::Misconfigured => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"Authentication unavailable"}"#,
            ),
            _ => (
                StatusCode::UNAUTHORIZED,
                r#"{"error":"Invalid authentication token"}"#,
            ),
        };
        assert_eq!(
            (error.status(), error.public_body()),
            (status, body),
            "{kind:?}"
        );
        let response = error.to_response(&options());
        assert_eq!(
            (response.status(), *response.body()),
            (status, body),
            "{kind:?}"
        );
        answers.insert(format!("{response:?}"));
    }
    assert_eq!(answers.len(), 4, "{answers:#?}");
}

#[test]
fn the_bodies_are_json() {
    for (kind, error) in refusals() {
        let body: serde_json::Value = serde_json::from_str(error.public_body()).unwrap();
        let members = body.as_object().unwrap();
        assert!(
            members.len() == 1 && members["error"].is_string(),
            "{kind:?}"
        );
        assert_eq!(
            error.to_response(&options()).headers()[header::CONTENT_TYPE],
            "application/json"
        );
    }
}

#[test]
fn responses_say_how_to_do_better() {
    for (kind, error) in refusals() {
        let response = error.to_response(&options());
        let headers = response.headers();
        let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
        // RFC 9110 section 15.5.2: a 401 must have the field.
        let challenge = headers
            .get(header::WWW_AUTHENTICATE)
            .map(HeaderValue::as_bytes);
        assert_eq!(
            challenge,
            unauthorized.then_some(&b"Signature"[..]),
            "{kind:?}"
        );
        assert_eq!(
            headers.contains_key("accept-signature"),
            unauthorized,
            "{kind:?}"
        );
        // RFC 9110 section 10.2.3: seconds.
        let retry_after = headers
            .get(header::RETRY_AFTER)
            .map(|value| value.to_str().unwrap().parse::<u32>().unwrap());
        let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(retry_after.is_some(), unavailable, "{kind:?}");
        assert!(retry_after.is_none_or(|seconds| seconds > 0));
        // No cache may give a refusal to somebody else, or to the same peer later.
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{kind:?}");
        let expected = 2 + 2 * usize::from(unauthorized) + usize::from(unavailable);
        assert_eq!(headers.len(), expected, "nothing else: {headers:?}");
    }
}

/// The `Accept-Signature` of a 401 under these options, read by the parser of the crate `sfv`:
/// components, then parameters.
fn accept_signature(options: &ValidateOptions) -> (Vec<String>, Vec<(String, sfv::BareItem)>) {
    let response = refused(&get(), options).to_response(options);
    let value = response.headers()["accept-signature"].as_bytes();
    let dictionary: sfv::Dictionary = sfv::Parser::new(value).parse().expect("a dictionary");
    let mut members = dictionary.into_iter();
    let (label, member) = members.next().expect("one member");
    assert_eq!(label.as_str(), "sig1");
    assert!(members.next().is_none());
    let sfv::ListEntry::InnerList(list) = member else {
        panic!("not an inner list")
    };
    let components = list.items.iter().map(|item| {
        assert!(item.params.is_empty());
        item.bare_item
            .as_string()
            .expect("a string")
            .as_str()
            .to_owned()
    });
    let params = list
        .params
        .iter()
        .map(|(key, value)| (key.as_str().to_owned(), value.clone()));
    (components.collect(), params.collect())
}

/// RFC 9421 section 5.1: `created` is a flag there, the others have values.
#[test]
fn accept_signature_names_what_is_asked_for() {
    let (components, params) = accept_signature(&options());
    assert_eq!(
        components,
        ["@method", "@authority", "@path", "@query", "content-digest"]
    );
    let text = |text: &str| sfv::BareItem::from(sfv::String::from_string(text.to_owned()).unwrap());
    assert_eq!(
        params,
        [
            ("created".to_owned(), true.into()),
            ("alg".to_owned(), text("hmac-sha256"))
        ]
    );

    let options = options()
        .require("content-type")
        .require("@target-uri")
        .require("x-site")
        .tag(r#"or"ders\"#);
    let (components, params) = accept_signature(&options);
    let expected = [
        "@method",
        "@authority",
        "@path",
        "@query",
        "@target-uri",
        "content-digest",
        "content-type",
        "x-site",
    ];
    assert_eq!(components, expected);
    assert_eq!(
        params.last(),
        Some(&("tag".to_owned(), text(r#"or"ders\"#)))
    );
}

/// The answer is the same for all requests, so it cannot depend on what this one has.
#[test]
fn accept_signature_names_what_must_be_covered_where_it_is_present() {
    let options = options()
        .require("x-site")
        .require_if_present("impersonate-user")
        .require_if_present("x-site")
        .require_if_present("content-type")
        .require_if_present("content-digest")
        .require_if_present("x-tenant")
        .require_if_present("x-tenant");
    let (components, _) = accept_signature(&options);
    let expected = [
        "@method",
        "@authority",
        "@path",
        "@query",
        "content-digest",
        "x-site",
        "impersonate-user",
        "content-type",
        "x-tenant",
    ];
    assert_eq!(components, expected);
}

/// Who signs what the answer asks for is accepted.
#[test]
fn a_consumer_that_follows_accept_signature_is_accepted() {
    let options = options()
        .require("content-type")
        .require("@scheme")
        .tag("orders");
    let (components, _) = accept_signature(&options);
    let list: Vec<String> = components
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let input = format!(
        r#"({});created={NOW};alg="hmac-sha256";tag="orders""#,
        list.join(" ")
    );
    let digest = signed(post()).headers()["content-digest"]
        .to_str()
        .unwrap()
        .to_owned();
    let request = signed_as(with_header(post(), "content-digest", &digest), &input);
    validate_auth(&request, &secrets(), &options).unwrap();
}

/// Options that cannot be used must not make the answer panic, and must not leak into it unescaped.
#[test]
fn responses_of_a_misconfigured_host_are_valid_too() {
    for options in [
        options().tag("line\nbreak"),
        options().tag("ümlaut"),
        options().require("x\r\ny"),
        options().require("Ü"),
    ] {
        let error = refused(&signed(get()), &options);
        assert_eq!(
            (error.kind(), error.status()),
            (
                AuthErrorKind::Misconfigured,
                StatusCode::SERVICE_UNAVAILABLE
            )
        );
        assert!(options.check().is_err());
        // An error that these options have not caused: a header value holds no line break.
        let response = refused(&get(), &request::options()).to_response(&options);
        assert_eq!(
            response
                .headers()
                .get_all("accept-signature")
                .iter()
                .count(),
            1
        );
    }
}

/// A store that fails makes a 503, whatever its error is.
#[test]
fn a_store_that_cannot_be_reached_is_not_the_peers_fault() {
    struct Sealed;
    impl SecretStore for Sealed {
        fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
            Err(SecretError::Unavailable {
                name: name.to_owned(),
                source: "the vault is sealed".into(),
            })
        }
    }
    let error = validate_auth(&signed(get()), &Sealed, &options()).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (
            AuthErrorKind::SecretUnavailable,
            StatusCode::SERVICE_UNAVAILABLE
        )
    );
    assert_eq!(
        chain(&error).last().map(String::as_str),
        Some("the vault is sealed")
    );
    let error = sign_request(&mut get(), &Sealed, &sign_options()).unwrap_err();
    assert_eq!(
        chain(&error).last().map(String::as_str),
        Some("the vault is sealed")
    );
    // A request that is wrong in itself does not get as far as the store.
    let error = validate_auth(&get(), &Sealed, &options()).unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::MissingSignature);
}
