//! `Accept-Signature` in a request: the consumer asks for further fields of the response.

use hmac_auth::{
    ResponseErrorKind as Kind, SentRequest, SignResponseOptions, Validated,
    signature::{ACCEPT_SIGNATURE, SIGNATURE_INPUT},
    validate_response,
};
use http::{HeaderValue, header};

use crate::support::{
    exchange::{
        TestResponse, answer, check, created, response_options, sent_with, sign_response_options,
    },
    request::{get, sign_options, validate, with_header},
};

fn with_etag() -> TestResponse {
    let mut response = created();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_static("\"7\""));
    headers.insert(header::EXPIRES, HeaderValue::from_static("0"));
    response
}

/// A request that asks with this value, which its signature covers.
fn asking(value: &str) -> (SentRequest, Validated) {
    let request = with_header(get(), "accept-signature", value);
    let options = sign_options().cover(ACCEPT_SIGNATURE);
    let (sent, request) = sent_with(request, &options);
    (sent, validate(&request).unwrap())
}

fn input(value: &str) -> String {
    let (sent, validated) = asking(value);
    let response = answer(with_etag(), &validated);
    check(&response, &sent).unwrap();
    response.headers()[SIGNATURE_INPUT]
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_consumer_gets_the_fields_that_it_asks_for() {
    let options = response_options().cover(header::ETAG).cover(header::AGE);
    let value = options.accept_signature().unwrap();
    // RFC 9421 section 5.1: `created` has no value there, and `nonce` asks for one.
    assert_eq!(
        value,
        "sig1=(\"@status\" \"etag\" \"age\");created;alg=\"hmac-sha256\""
    );
    let (sent, validated) = asking(value.to_str().unwrap());
    let mut response = answer(with_etag(), &validated);
    validate_response(&response, &sent, &options).unwrap();
    let other = HeaderValue::from_static("\"8\"");
    response.headers_mut().insert(header::ETAG, other);
    let error = validate_response(&response, &sent, &options).unwrap_err();
    assert_eq!(error.kind(), Kind::WrongMac);
}

#[test]
fn without_fields_there_is_nothing_to_ask() {
    assert_eq!(response_options().accept_signature(), None);
}

/// It adds components, and leaves none out.
#[test]
fn asking_for_less_changes_nothing() {
    let all = input("sig1=(\"@status\")");
    assert!(all.contains(
        "(\"@status\" \"content-digest\" \"content-type\" \"content-encoding\" \"location\" \
         \"@method\";req \"@authority\";req \"@path\";req \"@query\";req \"accept-signature\";req)"
    ));
    for value in [
        "sig1=()",
        "sig1=(\"@method\";req)",
        "sig1=1",
        "sig1",
        "=",
        "\"",
        "",
    ] {
        let input = input(value);
        let list = |input: &str| input.split(')').next().unwrap().to_owned();
        assert_eq!(list(&input), list(&all), "{value}");
    }
}

#[test]
fn members_that_cannot_be_read_are_left_out() {
    for (value, expected) in [
        ("a=1, sig1=(\"etag\")", true),
        ("a=(\"x\" \"x\"), b=(\"etag\");created", true),
        ("a=(\"etag\";sf)", false),
        ("a=(\"etag\";bs)", false),
        ("a=(\"etag\";req)", false),
        ("a=(\"signature\" \"signature-input\" \"etag\")", true),
        ("a=(  \"etag\" )", true),
        ("a=(\"etag\"), a=(\"expires\")", true),
    ] {
        let input = input(value);
        assert_eq!(input.contains("\"etag\""), expected, "{value}");
        assert!(!input.contains("\"signature"), "{value}");
        assert!(!input.contains("\"expires\""), "{value}");
    }
}

/// Label, nonce, key id and tag stay those of the host and of the request.
#[test]
fn parameters_that_are_asked_for_change_nothing() {
    let input =
        input("x=(\"etag\");nonce=\"theirs\";keyid=\"other\";tag=\"t\";created=1;expires=2");
    assert!(input.starts_with("sig1=("), "{input}");
    for part in ["theirs", "other", "tag=", "created=1;", "expires="] {
        assert!(!input.contains(part), "{input}");
    }
}

/// Somebody on the way could ask for anything.
#[test]
fn a_field_that_is_not_signed_asks_for_nothing() {
    let request = with_header(get(), "accept-signature", "sig1=(\"etag\")");
    let (sent, request) = sent_with(request, &sign_options());
    let validated = validate(&request).unwrap();
    let response = answer(with_etag(), &validated);
    check(&response, &sent).unwrap();
    let input = response.headers()[SIGNATURE_INPUT].to_str().unwrap();
    assert!(!input.contains("etag"), "{input}");
}

#[test]
fn what_host_and_consumer_name_is_covered_once() {
    let (sent, validated) = asking("sig1=(\"etag\" \"location\" \"@status\")");
    let mut response = with_etag();
    let options: SignResponseOptions = sign_response_options().cover(header::ETAG);
    hmac_auth::sign_response(&mut response, &validated, &options).unwrap();
    check(&response, &sent).unwrap();
    let input = response.headers()[SIGNATURE_INPUT].to_str().unwrap();
    assert_eq!(input.matches("\"etag\"").count(), 1, "{input}");
    assert_eq!(input.matches("\"location\"").count(), 1, "{input}");
}
