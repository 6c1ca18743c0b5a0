//! Limits on what a peer can make a host do before anything is proven.

use std::fmt::Write;

use hmac_auth::{
    AuthErrorKind, ValidateOptions,
    signature::{MAX_QUERY_PARAMS, SignatureInputs},
    validate_auth,
};
use http::Request;

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
        .header("signature-input", format!("sig1=({list});created={CREATED}"))
        .header("signature", format!("sig1=:{}=:", "A".repeat(43)))
        .body("")
        .unwrap()
}

fn refusal(request: &Request<&'static str>) -> AuthErrorKind {
    let secrets = hmac_auth::MemorySecrets::new();
    secrets.insert(hmac_auth::DEFAULT_SECRET_NAME, hmac_auth::Secret::from_text("a secret for the limits").unwrap());
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(CREATED);
    validate_auth(request, &secrets, &ValidateOptions::new().at(now)).unwrap_err().kind()
}

/// Each one costs a walk through the query: with 112 of them in 60 KiB, a refusal took 30,000 times as long as an acceptance.
#[test]
fn query_parameters_one_by_one_are_few_and_the_query_is_short() {
    assert_eq!(refusal(&with_query_params(MAX_QUERY_PARAMS, 0)), AuthErrorKind::WrongMac);
    assert_eq!(refusal(&with_query_params(MAX_QUERY_PARAMS + 1, 0)), AuthErrorKind::TooLarge);
    assert_eq!(refusal(&with_query_params(1, 8_000)), AuthErrorKind::WrongMac);
    assert_eq!(refusal(&with_query_params(1, 8_192)), AuthErrorKind::TooLarge);
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
        let request = Request::get("/").header("signature-input", format!("sig1=({list});created=1")).body(()).unwrap();
        let inputs: Result<Vec<_>, _> = SignatureInputs::new(request.headers()).collect();
        assert_eq!(inputs.is_ok(), is_accepted, "{list}");
    }
}
