//! Limits on what a peer can make a host do before anything is proven.

use std::fmt::Write;

use hmac_auth::{
    AuthErrorKind, ValidateOptions,
    signature::{MAX_QUERY_PARAMS, SignatureInputs},
    validate_auth,
};
use http::{HeaderName, Request};

use crate::support::request::{
    get, options, post, secrets, sign_options, signed, signed_with, with_header,
};

const CREATED: u64 = 1_800_000_000;

/// A request that covers `count` parameters of its query one by one, with a MAC that is none.
fn with_query_params(count: usize, padding: usize) -> Request<&'static str> {
    let mut query = "&".repeat(padding);
    let mut list = String::from(r#""@method" "@authority" "@path" "@query""#);
    for index in 0..count {
        write!(query, "&p{index}={index}").unwrap();
        write!(list, r#" "@query-param";name="p{index}""#).unwrap();
    }
    Request::get(format!("https://host.example/?{query}"))
        .header(
            "signature-input",
            format!("sig1=({list});created={CREATED}"),
        )
        .header("signature", format!("sig1=:{}=:", "A".repeat(43)))
        .body("")
        .unwrap()
}

fn refusal(request: &Request<&'static str>) -> AuthErrorKind {
    let secrets = hmac_auth::MemorySecrets::new();
    secrets.insert(
        hmac_auth::DEFAULT_SECRET_NAME,
        hmac_auth::Secret::from_text("a secret for the limits").unwrap(),
    );
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(CREATED);
    validate_auth(request, &secrets, &ValidateOptions::new().at(now))
        .unwrap_err()
        .kind()
}

/// Each one costs a walk through the query: with 112 of them in 60 KiB, a refusal took 30,000 times
/// as long as an acceptance.
#[test]
fn query_parameters_one_by_one_are_few_and_the_query_is_short() {
    assert_eq!(
        refusal(&with_query_params(MAX_QUERY_PARAMS, 0)),
        AuthErrorKind::WrongMac
    );
    assert_eq!(
        refusal(&with_query_params(MAX_QUERY_PARAMS + 1, 0)),
        AuthErrorKind::TooLarge
    );
    assert_eq!(
        refusal(&with_query_params(1, 8_000)),
        AuthErrorKind::WrongMac
    );
    assert_eq!(
        refusal(&with_query_params(1, 8_192)),
        AuthErrorKind::TooLarge
    );
}

/// Few fields are passed over, many are looked up: it must not make a difference.
#[test]
fn other_fields_change_nothing() {
    let refusal = |request: &_| {
        validate_auth(request, &secrets(), &options())
            .err()
            .map(|error| error.kind())
    };
    for count in (0..40).chain([200]) {
        let with_others = |request| {
            let others = (0..count).map(|number| &*format!("x-{number}").leak());
            others.fold(request, |request, name| with_header(request, name, "1"))
        };
        let (get, post) = (
            || with_others(get()),
            || with_header(with_others(post()), "host", "host.example"),
        );
        assert_eq!(refusal(&signed(get())), None, "{count}");
        assert_eq!(
            refusal(&signed(with_header(post(), "content-type", "text/html"))),
            None,
            "{count}"
        );
        for (request, expected) in [
            (
                with_header(signed(post()), "host", "host.example"),
                AuthErrorKind::ConflictingAuthority,
            ),
            (
                with_header(signed(post()), "content-type", "text/html"),
                AuthErrorKind::WrongMac,
            ),
            (
                with_header(
                    signed(with_header(post(), "content-encoding", "br")),
                    "content-encoding",
                    "br",
                ),
                AuthErrorKind::WrongMac,
            ),
            (
                with_header(signed(post()), "content-digest", "md5=:AA==:"),
                AuthErrorKind::WrongMac,
            ),
            (
                with_header(signed(get()), "content-digest", "md5=:AA==:"),
                AuthErrorKind::UnsupportedDigest,
            ),
            (
                with_header(signed(get()), "signature", "sig1=:AA==:"),
                AuthErrorKind::MalformedSignature,
            ),
            (
                with_header(signed(get()), "signature-input", "sig2=()"),
                AuthErrorKind::UnpairedLabel,
            ),
        ] {
            assert_eq!(refusal(&request), Some(expected), "{count}");
        }
    }
}

/// Each would be accepted alone, and one that is small is.
#[test]
fn several_signatures_share_the_room_of_one() {
    let fields = ["x-a", "x-b"];
    let large = fields.into_iter().fold(get(), |request, name| {
        with_header(request, name, &"x".repeat(7_000))
    });
    let sign = |request, label| {
        let options = sign_options().label(label);
        signed_with(
            request,
            &fields.into_iter().fold(options, |options, name| {
                options.cover(HeaderName::from_static(name))
            }),
        )
    };
    let refusal = |request: &_| {
        validate_auth(request, &secrets(), &options())
            .err()
            .map(|error| error.kind())
    };
    let two = ["a", "b"].into_iter().fold(large, sign);
    assert_eq!(refusal(&two), None);
    let three = sign(two, "c");
    assert_eq!(refusal(&three), Some(AuthErrorKind::TooLarge));
    assert_eq!(
        refusal(&signed_with(three, &sign_options().label("d"))),
        None
    );
}

#[test]
fn a_repeated_name_is_found_whatever_it_looks_like() {
    for (list, is_accepted) in [
        (r#""a\"b" "a\"b""#, false),
        (r#""a\"b" "a\"c""#, true),
        (r#""a\\" "a\\""#, false),
        (r#""a" "b" "a""#, false),
        (r#""a";bs "a""#, true),
        (r#""a";bs;req "a";req;bs"#, false),
    ] {
        let request = Request::get("/")
            .header("signature-input", format!("sig1=({list});created=1"))
            .body(())
            .unwrap();
        let inputs: Result<Vec<_>, _> = SignatureInputs::new(request.headers()).collect();
        assert_eq!(inputs.is_ok(), is_accepted, "{list}");
    }
}
