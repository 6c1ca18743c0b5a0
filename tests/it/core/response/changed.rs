//! What an attacker on the way changes in a signed response, and the kind that says so.

use hmac_auth::{
    ResponseErrorKind as Kind, Secret, SentRequest, sign_response,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    validate_response,
};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::support::{
    exchange::{
        TestResponse, answer, base_of, check, created, input_of, proven, refusal, response_options,
        sent, sent_with, sign_response_options, signed_by,
    },
    request::{NOW, get, post, sign_options, time, validate},
};

fn exchange() -> (SentRequest, TestResponse) {
    let (sent, validated) = proven(get());
    (sent, answer(created(), &validated))
}

#[test]
fn a_changed_status_is_refused_and_named() {
    let (sent, signed) = exchange();
    for code in [100, 200, 204, 302, 304, 401, 403, 404, 500, 503, 599] {
        let mut response = signed.clone();
        *response.status_mut() = StatusCode::from_u16(code).unwrap();
        let error = check(&response, &sent).unwrap_err();
        assert_eq!(error.kind(), Kind::WrongStatus, "{code}");
        assert_eq!(error.unproven_status(), code);
        assert!(error.to_string().contains("201 was signed"), "{error}");
    }
}

/// A status that nobody has registered is refused, and not found out.
#[test]
fn a_status_that_was_unusual_is_refused_as_a_wrong_mac() {
    let (sent, validated) = proven(get());
    let mut response = created();
    *response.status_mut() = StatusCode::from_u16(299).unwrap();
    let mut response = answer(response, &validated);
    check(&response, &sent).unwrap();
    *response.status_mut() = StatusCode::OK;
    assert_eq!(refusal(&response, &sent), Kind::WrongMac);
}

/// Each status that is tried takes a MAC of the text, so a long text is not searched.
#[test]
fn a_changed_status_is_named_up_to_4_kib_of_text() {
    let (sent, request) = sent(get());
    let validated = validate(&request).unwrap();
    let located = |len: usize| {
        let mut response = created();
        let location = HeaderValue::from_str(&"/".repeat(len)).unwrap();
        response.headers_mut().insert(header::LOCATION, location);
        answer(response, &validated)
    };
    let shortest = located(1);
    let others = base_of(&shortest, &request, &input_of(&shortest)).len() - 1;
    for (len, kind) in [(4_096, Kind::WrongStatus), (4_097, Kind::WrongMac)] {
        let mut response = located(len - others);
        check(&response, &sent).unwrap();
        *response.status_mut() = StatusCode::OK;
        assert_eq!(refusal(&response, &sent), kind);
    }
}

#[test]
fn each_changed_byte_of_the_body_is_refused() {
    let (sent, signed) = exchange();
    for index in 0..signed.body().len() {
        let mut response = signed.clone();
        response.body_mut()[index] ^= 1;
        assert_eq!(refusal(&response, &sent), Kind::WrongDigest, "{index}");
    }
    for body in [&b""[..], br#"{"id":7} "#, br#"{"id":7"#] {
        let mut response = signed.clone();
        *response.body_mut() = body.to_vec();
        assert_eq!(refusal(&response, &sent), Kind::WrongDigest);
    }
}

#[test]
fn a_body_that_is_added_is_refused() {
    let (sent, validated) = proven(get());
    let mut response = answer(Response::new(Vec::new()), &validated);
    response.body_mut().extend(b"more");
    assert_eq!(refusal(&response, &sent), Kind::BodyNotCovered);
    // With the digest of that body.
    let digest =
        answer(Response::new(b"more".to_vec()), &validated).headers()[CONTENT_DIGEST].clone();
    response.headers_mut().insert(CONTENT_DIGEST, digest);
    assert_eq!(refusal(&response, &sent), Kind::NotCovered);
}

const COVERED: [HeaderName; 4] = [
    CONTENT_DIGEST,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::LOCATION,
];

#[test]
fn a_covered_field_that_is_stripped_is_refused() {
    let (sent, signed) = exchange();
    for name in COVERED {
        let mut response = signed.clone();
        response.headers_mut().remove(&name);
        let error = check(&response, &sent).unwrap_err();
        assert_eq!(error.kind(), Kind::AbsentComponent, "{name}");
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
}

#[test]
fn a_covered_field_that_is_changed_is_refused() {
    let (sent, signed) = exchange();
    for name in COVERED {
        let mut replaced = signed.clone();
        let value =
            HeaderValue::from_static("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
        replaced.headers_mut().insert(&name, value.clone());
        assert_eq!(refusal(&replaced, &sent), Kind::WrongMac, "{name}");
        let mut doubled = signed.clone();
        doubled.headers_mut().append(&name, value);
        assert_eq!(refusal(&doubled, &sent), Kind::WrongMac, "{name}");
    }
}

#[test]
fn a_field_that_counts_and_is_added_is_refused() {
    let (sent, validated) = proven(get());
    for name in COVERED {
        let mut response = answer(Response::new(Vec::new()), &validated);
        let value = HeaderValue::from_static("gzip");
        response.headers_mut().insert(&name, value);
        let error = check(&response, &sent).unwrap_err();
        assert_eq!(error.kind(), Kind::NotCovered, "{name}");
        assert!(error.to_string().contains(name.as_str()), "{error}");
    }
}

#[test]
fn the_response_to_another_request_is_refused() {
    let (_, of_other) = exchange();
    let (sent, _) = proven(get());
    assert_eq!(refusal(&of_other, &sent), Kind::OtherRequest);
}

/// An old answer to the same question.
#[test]
fn a_replayed_response_is_refused() {
    let old = sign_options().at(time(NOW - 30));
    let (_, old_request) = sent_with(get(), &old);
    let mut replayed = created();
    let options = sign_response_options().at(time(NOW - 30));
    sign_response(&mut replayed, &validate(&old_request).unwrap(), &options).unwrap();
    let (sent, _) = proven(get());
    assert_eq!(refusal(&replayed, &sent), Kind::Replayed);
    // Within the skew of the clocks, it may be the answer to a request of the same time.
    let mut recent = created();
    let options = sign_response_options().at(time(NOW - 10));
    sign_response(&mut recent, &validate(&old_request).unwrap(), &options).unwrap();
    let error = check(&recent, &sent).unwrap_err();
    assert_eq!(error.kind(), Kind::OtherRequest);
    // So the operator reads of both causes.
    for cause in ["mixed up", "replayed"] {
        assert!(error.to_string().contains(cause), "{error}");
    }
}

/// With our nonce written into it.
#[test]
fn a_response_to_another_request_with_a_changed_nonce_is_refused() {
    let (other, of_other) = exchange();
    let (sent, _) = proven(get());
    let input = of_other.headers()[SIGNATURE_INPUT].to_str().unwrap();
    let input = input.replace(&other.nonce(), &sent.nonce());
    let mut response = of_other.clone();
    let input = HeaderValue::try_from(input).unwrap();
    response.headers_mut().insert(SIGNATURE_INPUT, input);
    assert_eq!(refusal(&response, &sent), Kind::WrongMac);
}

/// Each component of the request counts, even if two requests had one nonce.
#[test]
fn the_copies_of_the_request_count() {
    let one_nonce = || sign_options().predictable_nonces(|| [7; 16]);
    let requests = || {
        [
            get(),
            post(),
            with_uri("https://host.example/orders?page=3"),
            with_uri("https://host.example/order?page=2"),
            with_uri("https://host.example/orders"),
        ]
    };
    for (index, asked) in requests().into_iter().enumerate() {
        let (sent, _) = sent_with(asked, &one_nonce());
        for (other, answered) in requests().into_iter().enumerate() {
            let (_, request) = sent_with(answered, &one_nonce());
            let response = answer(created(), &validate(&request).unwrap());
            let result = check(&response, &sent).map_err(|error| error.kind());
            match result {
                Ok(_) => assert_eq!(index, other),
                Err(kind) => {
                    assert_ne!(index, other);
                    let kinds = [Kind::WrongMac, Kind::NotCovered, Kind::AbsentComponent];
                    assert!(kinds.contains(&kind), "{index} {other} {kind}");
                }
            }
        }
    }
}

fn with_uri(uri: &str) -> http::Request<Vec<u8>> {
    http::Request::get(uri).body(Vec::new()).unwrap()
}

#[test]
fn an_unsigned_response_is_refused_by_its_status() {
    let (sent, signed) = exchange();
    let mut unsigned = signed.clone();
    unsigned.headers_mut().remove(SIGNATURE);
    unsigned.headers_mut().remove(SIGNATURE_INPUT);
    for (code, kind) in [
        (101, Kind::Unsigned),
        (200, Kind::Unsigned),
        (204, Kind::Unsigned),
        (302, Kind::Unsigned),
        (304, Kind::Unsigned),
        (399, Kind::Unsigned),
        (400, Kind::UnsignedRefusal),
        (401, Kind::UnsignedRefusal),
        (413, Kind::UnsignedRefusal),
        (503, Kind::UnsignedRefusal),
        (599, Kind::UnsignedRefusal),
        (600, Kind::Unsigned),
    ] {
        *unsigned.status_mut() = StatusCode::from_u16(code).unwrap();
        let error = check(&unsigned, &sent).unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
        assert_eq!(error.unproven_status(), code);
        let text = format!("unproven status {code}");
        assert!(error.to_string().contains(&text), "{error}");
    }
}

#[test]
fn another_secret_is_refused() {
    let (sent, request) = sent(get());
    let signed = answer(created(), &validate(&request).unwrap());
    let input = input_of(&signed);
    let mut response = signed;
    response.headers_mut().remove(SIGNATURE);
    response.headers_mut().remove(SIGNATURE_INPUT);
    let other = Secret::from_text("the secret of somebody else").unwrap();
    let response = signed_by(&other, response, &request, &input);
    assert_eq!(refusal(&response, &sent), Kind::WrongMac);
}

#[test]
fn the_signature_of_the_request_is_none_of_a_response() {
    let (sent, request) = sent(get());
    let mut response = created();
    for name in [SIGNATURE_INPUT, SIGNATURE] {
        let value = request.headers()[&name].clone();
        response.headers_mut().insert(name, value);
    }
    assert_eq!(refusal(&response, &sent), Kind::NotCovered);
}

#[test]
fn a_field_that_the_consumer_names_must_be_covered() {
    let (sent, validated) = proven(get());
    let mut response = created();
    let etag = HeaderValue::from_static("\"7\"");
    response.headers_mut().insert(header::ETAG, etag);
    let options = response_options().cover(header::ETAG);

    let uncovered = answer(response.clone(), &validated);
    let error = validate_response(&uncovered, &sent, &options).unwrap_err();
    assert_eq!(error.kind(), Kind::NotCovered);
    check(&uncovered, &sent).unwrap();

    let covering = sign_response_options().cover(header::ETAG);
    sign_response(&mut response, &validated, &covering).unwrap();
    validate_response(&response, &sent, &options).unwrap();
    response.headers_mut().remove(header::ETAG);
    let error = validate_response(&response, &sent, &options).unwrap_err();
    assert_eq!(error.kind(), Kind::AbsentComponent);
}
