//! Responses that a consumer accepts, and how they look.

use std::time::Duration;

use hmac_auth::{
    AlgParameter, DEFAULT_SECRET_NAME, MemorySecrets, ResponseErrorKind, Secret, SecretSet,
    SignOptions, ValidateOptions, sign_request, sign_response,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    validate_auth, validate_response,
};
use http::{HeaderValue, Request, Response, StatusCode, header};

use crate::support::{
    exchange::{
        answer, base_of, check, created, input_of, mac_of, proven, response_options, sent,
        sent_with, sign_response_options,
    },
    request::{
        NOW, get, options, post, secret, secrets, sign_options, time, validate, with_header,
    },
};

#[test]
fn the_signature_is_written_in_the_order_of_the_profile() {
    let options = sign_options()
        .key_id("site-a")
        .tag("orders")
        .predictable_nonces(|| [7; 16]);
    let (_, request) = sent_with(post(), &options);
    let validated = validate(&request).unwrap();
    let mut response = created();
    let options = sign_response_options().alg(AlgParameter::HmacSha256);
    sign_response(&mut response, &validated, &options).unwrap();
    assert_eq!(
        response.headers()[SIGNATURE_INPUT],
        "sig1=(\"@status\" \"content-digest\" \"content-type\" \"content-encoding\" \"location\" \
         \"@method\";req \"@authority\";req \"@path\";req \"@query\";req \
         \"content-digest\";req \"content-type\";req);created=1700000000;\
         nonce=\"BwcHBwcHBwcHBwcHBwcHBw\";alg=\"hmac-sha256\";keyid=\"site-a\";tag=\"orders\""
    );
    assert_eq!(
        response.headers()[CONTENT_DIGEST],
        "sha-256=:o8kOO3RI0j2erOvQ6/FcrhAOIfmyxojz+dI47c0m1n8=:"
    );
}

/// The other way to the same text: RFC 9421 with the head of the request itself.
#[test]
fn the_mac_is_that_of_the_signature_base_of_rfc_9421() {
    let covering = sign_options()
        .cover("@target-uri")
        .cover("@request-target")
        .cover(r#""@query-param";name="page""#)
        .cover(r#""x-name";bs"#)
        .cover("x-name");
    for (request, options) in [
        (get(), sign_options()),
        (post(), sign_options()),
        (with_header(get(), "x-name", "a, b"), covering),
    ] {
        let (sent, request) = sent_with(request, &options);
        let response = answer(created(), &validate(&request).unwrap());
        let base = base_of(&response, &request, &input_of(&response));
        let mac = secret().mac(base.as_bytes()).into_bytes();
        assert_eq!(mac_of(&response), mac, "{base}");
        check(&response, &sent).unwrap();
    }
}

#[test]
fn the_proof_says_what_is_proven() {
    let (sent, validated) = proven(get());
    let proof = check(&answer(created(), &validated), &sent).unwrap();
    assert_eq!(proof.status(), StatusCode::CREATED);
    assert_eq!(proof.created(), NOW);
    let components: Vec<_> = proof.components().map(|one| one.to_string()).collect();
    assert_eq!(components.len(), 9);
    assert_eq!(components[0], "\"@status\"");
    assert_eq!(components[8], "\"@query\";req");
    assert!(format!("{proof:?}").contains("201"), "{proof:?}");
}

#[test]
fn each_status_is_accepted() {
    let (sent, validated) = proven(get());
    for code in [
        200, 201, 202, 206, 301, 302, 400, 404, 409, 418, 500, 503, 599,
    ] {
        let mut response = created();
        *response.status_mut() = StatusCode::from_u16(code).unwrap();
        let proof = check(&answer(response, &validated), &sent).unwrap();
        assert_eq!(proof.status(), code);
    }
}

#[test]
fn an_empty_body_needs_no_digest() {
    let (sent, validated) = proven(get());
    let response = answer(Response::new(Vec::new()), &validated);
    assert!(!response.headers().contains_key(CONTENT_DIGEST));
    check(&response, &sent).unwrap();
}

/// Their `Content-Digest` is that of the answer to a `GET`.
#[test]
fn a_response_without_content_may_have_a_digest_of_another_one() {
    let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    for (method, status) in [
        ("HEAD", 200),
        ("GET", 304),
        ("GET", 204),
        ("HEAD", 404),
        ("CONNECT", 200),
    ] {
        let request = Request::builder()
            .method(method)
            .uri("https://host.example/orders")
            .body(Vec::new())
            .unwrap();
        let (sent, validated) = proven(request);
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let mut with_digest = response.clone();
        with_digest
            .headers_mut()
            .insert(CONTENT_DIGEST, HeaderValue::from_static(digest));
        for response in [response, with_digest] {
            let mut response = answer(response, &validated);
            check(&response, &sent).unwrap();
            response.body_mut().extend(b"more");
            let error = check(&response, &sent).unwrap_err();
            let name = format!("{method} {status}");
            assert_eq!(error.kind(), ResponseErrorKind::BodyNotCovered, "{name}");
        }
    }
}

#[test]
fn a_right_digest_of_the_handler_is_kept() {
    let (sent, validated) = proven(get());
    let mut response = Response::new(br#"{"hello": "world"}"#.to_vec());
    let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    response
        .headers_mut()
        .insert(CONTENT_DIGEST, HeaderValue::from_static(digest));
    let response = answer(response, &validated);
    assert_eq!(response.headers()[CONTENT_DIGEST], digest);
    check(&response, &sent).unwrap();
}

#[test]
fn fields_that_are_not_covered_may_change() {
    let (sent, validated) = proven(get());
    let mut response = answer(created(), &validated);
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("a proxy"));
    headers.insert(header::VIA, HeaderValue::from_static("1.1 proxy"));
    check(&response, &sent).unwrap();
}

/// A consumer that has not got the new secret yet.
#[test]
fn the_response_is_signed_with_the_secret_of_the_request() {
    let new = Secret::from_text("the new secret of the host, long enough").unwrap();
    let host = MemorySecrets::new();
    let both = SecretSet::with_previous(new.clone(), [secret()]).unwrap();
    host.insert_set(DEFAULT_SECRET_NAME, both);
    let (sent_request, request) = sent(get());
    let validated = validate_auth(&request, &host, &options()).unwrap();
    assert!(validated.by_previous_secret());
    check(&answer(created(), &validated), &sent_request).unwrap();

    // The other way round: whoever signs with the new one accepts nothing under the old one.
    let consumer = MemorySecrets::new();
    consumer.insert_set(
        DEFAULT_SECRET_NAME,
        SecretSet::with_previous(new, [secret()]).unwrap(),
    );
    let mut request = get();
    let sent_request = sign_request(&mut request, &consumer, &sign_options()).unwrap();
    let by_old = crate::support::exchange::signed_as(
        created_with_digest(),
        &request,
        &format!(
            "(\"@status\" \"content-digest\" \"content-type\" \"content-encoding\" \"location\" \
             \"@method\";req \"@authority\";req \"@path\";req \"@query\";req);created={NOW};\
             nonce=\"{}\"",
            sent_request.nonce()
        ),
    );
    let error = check(&by_old, &sent_request).unwrap_err();
    assert_eq!(error.kind(), ResponseErrorKind::WrongMac);
}

fn created_with_digest() -> Response<Vec<u8>> {
    let (_, validated) = proven(get());
    let mut response = answer(created(), &validated);
    response.headers_mut().remove(SIGNATURE);
    response.headers_mut().remove(SIGNATURE_INPUT);
    response
}

#[test]
fn signatures_of_others_are_kept_and_read_over() {
    let (sent, validated) = proven(get());
    let mut response = created();
    let headers = response.headers_mut();
    headers.insert(
        SIGNATURE_INPUT,
        HeaderValue::from_static("cdn=(\"x-strange\";sf);created=1;alg=\"ed25519\""),
    );
    headers.insert(SIGNATURE, HeaderValue::from_static("cdn=:AAAA:"));
    let response = answer(response, &validated);
    assert_eq!(response.headers().get_all(SIGNATURE).iter().count(), 2);
    check(&response, &sent).unwrap();
}

#[test]
fn both_sides_can_agree_on_another_label() {
    let (sent, validated) = proven(get());
    let mut response = created();
    let options = sign_response_options().label("answer");
    sign_response(&mut response, &validated, &options).unwrap();
    validate_response(&response, &sent, &response_options().label("answer")).unwrap();
    let error = check(&response, &sent).unwrap_err();
    assert_eq!(error.kind(), ResponseErrorKind::WrongLabel);
}

#[test]
fn the_label_of_the_request_does_not_matter() {
    let (sent, request) = sent_with(get(), &sign_options().label("mine"));
    let validated = validate(&request).unwrap();
    check(&answer(created(), &validated), &sent).unwrap();
}

#[test]
fn a_signature_is_fresh_within_its_limits() {
    let (sent, validated) = proven(get());
    let response = answer(created(), &validated);
    let seconds = Duration::from_secs;
    for (now, options, expected) in [
        (NOW + 60, response_options(), None),
        (NOW + 61, response_options(), Some(ResponseErrorKind::Stale)),
        (NOW - 10, response_options(), None),
        (
            NOW - 11,
            response_options(),
            Some(ResponseErrorKind::InFuture),
        ),
        (
            NOW + 300,
            response_options().max_time_diff(seconds(300)),
            None,
        ),
        (
            NOW + 301,
            response_options().max_time_diff(seconds(300)),
            Some(ResponseErrorKind::Stale),
        ),
        (
            NOW - 20,
            response_options().max_clock_skew(seconds(20)),
            None,
        ),
        (
            NOW - 21,
            response_options().max_clock_skew(seconds(20)),
            Some(ResponseErrorKind::InFuture),
        ),
    ] {
        let result = validate_response(&response, &sent, &options.at(time(now)));
        assert_eq!(result.err().map(|error| error.kind()), expected, "{now}");
    }
}

#[test]
fn what_is_kept_of_a_request_outlives_it_and_shows_nothing() {
    let mut request = with_header(get(), "authorization", "Bearer much-hidden");
    let options = sign_options().cover("authorization");
    let sent = sign_request(&mut request, &secrets(), &options).unwrap();
    let validated = validate(&request).unwrap();
    drop(request);
    let shown = format!("{sent:?} {:?}", sent.clone());
    assert!(shown.contains("authorization"), "{shown}");
    assert!(!shown.contains("much-hidden"), "{shown}");
    assert_eq!(Some(&*sent.nonce()), validated.nonce());
    check(&answer(created(), &validated), &sent).unwrap();
}

/// With a query of two kilobytes, all values outgrow the first buffer.
#[test]
fn a_long_request_is_kept_whole() {
    let uri = format!("https://host.example/orders?q={}", "a".repeat(2000));
    let request = Request::get(uri).body(Vec::new()).unwrap();
    let (sent, validated) = proven(request);
    check(&answer(created(), &validated), &sent).unwrap();
}

#[test]
fn a_signed_response_proves_nothing_as_a_request() {
    let (sent, validated) = proven(get());
    let response = answer(created(), &validated);
    check(&response, &sent).unwrap();
    let mut request = get();
    for name in [SIGNATURE_INPUT, SIGNATURE] {
        let value = response.headers()[&name].clone();
        request.headers_mut().insert(name, value);
    }
    assert!(validate_auth(&request, &secrets(), &ValidateOptions::new().at(time(NOW))).is_err());
}

/// A side that is a host too gets its own request back, and would answer itself.
#[test]
fn a_request_that_comes_back_is_refused_by_the_list_of_authorities() {
    let (_, request) = sent_with(get(), &SignOptions::new().at(time(NOW)));
    let ours = ValidateOptions::new()
        .authorities(["consumer.example"])
        .at(time(NOW));
    assert!(validate_auth(&request, &secrets(), &ours).is_err());
}
