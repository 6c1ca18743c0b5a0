//! Kinds of a refusal: each is reached, each has a name, and the furthest one is told.

use std::{collections::BTreeSet, error::Error as StdError};

use hmac_auth::{
    AuthError, AuthErrorKind, SecretError, SignError, signature::Scheme, validate_auth,
};
use http::Method;

use crate::support::{
    refusals::{covering, refusals, refused, with_uri},
    request::{INPUT, get, options, secrets, signed, with_signature},
};

#[test]
fn every_kind_is_reached_by_the_request_meant_for_it() {
    for (kind, error) in refusals() {
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// The list above has every kind that the crate can name.
#[test]
fn no_kind_is_missing_here() {
    let refusals = refusals();
    let reached: BTreeSet<&str> = refusals.iter().map(|(kind, _)| kind.as_str()).collect();
    let declared: BTreeSet<&str> = AuthErrorKind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    assert_eq!(reached, declared);
    assert_eq!(
        AuthErrorKind::ALL.len(),
        declared.len(),
        "two kinds have the same name"
    );
    assert_eq!(refusals.len(), declared.len(), "a kind is reached twice");
}

#[test]
fn names_are_snake_case_and_shown_as_they_are() {
    for (kind, _) in refusals() {
        let name = kind.as_str();
        assert!(
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        assert_eq!(kind.to_string(), name);
        // The name is that of the variant, so that a log line leads to the documentation.
        let camel: String = name
            .split('_')
            .flat_map(|word| {
                word[..1]
                    .to_uppercase()
                    .chars()
                    .chain(word[1..].chars())
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(format!("{kind:?}"), camel);
    }
}

/// With several signatures, the one that got furthest tells the reason, wherever it stands.
#[test]
fn of_several_refusals_the_one_that_got_furthest_is_told() {
    let stale = INPUT.replace("1700000000", "1600000000");
    let uncovered = covering(r#""@method""#);
    let zeros = [0; 32];
    let inputs = [
        (INPUT, AuthErrorKind::WrongMac),
        (&stale, AuthErrorKind::Stale),
        (&uncovered, AuthErrorKind::NotCovered),
    ];
    // In the order of the checks, the last first.
    for (position, (first, one)) in inputs.iter().enumerate() {
        for (other_position, (second, other)) in inputs.iter().enumerate() {
            let furthest = if position < other_position {
                one
            } else {
                other
            };
            let request = with_signature(
                with_signature(get(), "a", first, &zeros),
                "b",
                second,
                &zeros,
            );
            assert_eq!(
                refused(&request, &options()).kind(),
                *furthest,
                "{first} {second}"
            );
        }
    }
}

/// A method or a scheme of the peer's choice does not change what the operator and the peer see.
#[test]
fn unusual_requests_get_the_usual_answers() {
    for method in [
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
        Method::from_bytes(b"x!").unwrap(),
    ] {
        let mut request = get();
        *request.method_mut() = method;
        assert_eq!(
            refused(&request, &options()).kind(),
            AuthErrorKind::MissingSignature
        );
    }
    let http = with_uri(signed(get()), "http://host.example/orders?page=2");
    assert!(validate_auth(&http, &secrets(), &options()).is_ok());
    assert_eq!(
        refused(&http, &options().require("@scheme")).kind(),
        AuthErrorKind::NotCovered
    );
    let other = options().external_scheme(Scheme::Http);
    assert!(validate_auth(&http, &secrets(), &other).is_ok());
}

/// Errors of this crate can cross threads and `?`.
#[test]
fn errors_can_be_boxed_and_sent() {
    fn assert_error<E: StdError + Send + Sync + 'static>() {}
    assert_error::<AuthError>();
    assert_error::<SignError>();
    assert_error::<SecretError>();
    let boxed: Box<dyn StdError + Send + Sync> = refused(&get(), &options()).into();
    assert_eq!(
        boxed.downcast_ref::<AuthError>().map(AuthError::kind),
        Some(AuthErrorKind::MissingSignature)
    );
}
