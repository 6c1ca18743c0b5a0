//! Signed responses, both ways with the crate `httpsig-hyper`.

use hmac_auth::{
    DigestAlgorithm, ResponseErrorKind as Kind, SentRequest, SignOptions, SignResponseOptions,
    ValidateResponseOptions, sign_request, sign_response, validate_response,
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use httpsig_hyper::MessageSignatureResSync;

use crate::support::httpsig::{
    KEY, OTHER_KEY, get, now, post, secrets, their_key, their_params, we_validate,
};

fn sent(mut request: Request<String>) -> (SentRequest, Request<String>) {
    let options = SignOptions::new().key_id("site-a").at(now());
    let sent = sign_request(&mut request, &secrets(), &options).unwrap();
    (sent, request)
}

fn created() -> Response<String> {
    Response::builder()
        .status(201)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::LOCATION, "/orders/7")
        .body(r#"{"id":7}"#.to_owned())
        .unwrap()
}

fn check(response: &Response<String>, request: &SentRequest) -> Option<Kind> {
    let options = ValidateResponseOptions::new().at(now());
    let result = validate_response(response, request, &options);
    result.err().map(|error| error.kind())
}

#[test]
fn they_verify_what_we_sign() {
    for request in [get(), post()] {
        for digest in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512] {
            let (_, request) = sent(request.clone());
            let validated = we_validate(&request).unwrap();
            let mut response = created();
            let options = SignResponseOptions::new().at(now()).digest(digest);
            sign_response(&mut response, &validated, &options).unwrap();
            let verify = |response: &Response<String>, key, request: &Request<String>| {
                response.verify_message_signature_sync(&their_key(key), None, Some(request))
            };
            assert_eq!(verify(&response, KEY, &request).unwrap(), "sig1");
            assert!(verify(&response, OTHER_KEY, &request).is_err());

            let mut other = request.clone();
            *other.uri_mut() = "https://host.example/other".parse().unwrap();
            assert!(verify(&response, KEY, &other).is_err());
            let mut changed = response.clone();
            *changed.status_mut() = StatusCode::OK;
            assert!(verify(&changed, KEY, &request).is_err());
            let mut changed = response.clone();
            let value = HeaderValue::from_static("/orders/8");
            changed.headers_mut().insert(header::LOCATION, value);
            assert!(verify(&changed, KEY, &request).is_err());
        }
    }
}

#[test]
fn we_validate_what_they_sign() {
    for request in [get(), post()] {
        let (sent, request) = sent(request);
        let mut components = vec![
            "\"@status\"",
            "\"content-type\"",
            "\"location\"",
            "\"@method\";req",
            "\"@authority\";req",
            "\"@path\";req",
            "\"@query\";req",
        ];
        if !request.body().is_empty() {
            components.extend(["\"content-digest\";req", "\"content-type\";req"]);
        }
        // Without a body: they make a digest of another type of body.
        let response = created().map(|_| String::new());
        let signed = |components: &[&str], key, nonce: &str| {
            let mut params = their_params(components);
            params.set_keyid("site-a").set_nonce(nonce);
            let mut response = response.clone();
            response
                .set_message_signature_sync(&params, &their_key(key), Some("sig1"), Some(&request))
                .unwrap();
            response
        };
        let nonce = sent.nonce();
        let right = signed(&components, KEY, &nonce);
        assert_eq!(check(&right, &sent), None);
        let mut changed = right.clone();
        *changed.status_mut() = StatusCode::OK;
        assert_eq!(check(&changed, &sent), Some(Kind::WrongStatus));
        assert_eq!(
            check(&right.map(|_| "x".to_owned()), &sent),
            Some(Kind::BodyNotCovered)
        );
        let of_other = signed(&components, OTHER_KEY, &nonce);
        assert_eq!(check(&of_other, &sent), Some(Kind::WrongMac));
        let other_nonce = signed(&components, KEY, "another");
        assert_eq!(check(&other_nonce, &sent), Some(Kind::OtherRequest));
        let fewer = signed(&components[..components.len() - 1], KEY, &nonce);
        assert_eq!(check(&fewer, &sent), Some(Kind::NotCovered));
    }
}
