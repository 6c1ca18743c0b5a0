//! Signed responses, both ways with other implementations of RFC 9421: a package of `PyPI` and one of
//! npm, which `.ci/foreign_clients` installs.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    ResponseError, ResponseErrorKind, SentRequest, SignOptions, SignResponseOptions,
    ValidateOptions, ValidateResponseOptions, sign_request, sign_response, validate_auth,
    validate_response,
};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    example::{foreign_clients, skip},
    exchange::TestResponse,
    request::{SECRET, TestRequest, secrets},
};

const KEY_ID: &str = "site-a";

const NEEDS: &str = "another implementation of responses is needed: run .ci/foreign_clients";

/// How to start the program of a package, if it is installed.
type Peer = fn() -> Option<Command>;

fn python() -> Option<Command> {
    let python = foreign_clients().join("venv/bin/python");
    python.exists().then(|| {
        let mut command = Command::new(python);
        command.arg(program("response.py"));
        command
    })
}

fn node() -> Option<Command> {
    let installed = foreign_clients();
    let package = installed.join("node_modules/http-message-signatures");
    package.exists().then(|| {
        // Node looks for packages beside the program.
        let copy = installed.join("response.mjs");
        fs::copy(program("response.mjs"), &copy).unwrap();
        let mut command = Command::new("node");
        command.arg(copy);
        command
    })
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/foreign")
        .join(name)
}

/// Each of them writes the query as it is, and the method in capitals.
fn requests() -> Vec<TestRequest> {
    let get = Request::get("https://host.example/orders?page=2&q=a%20b");
    let post = Request::post("https://host.example/orders").header("content-type", "a/b");
    vec![
        get.body(Vec::new()).unwrap(),
        post.body(b"{\"a\":1}".to_vec()).unwrap(),
    ]
}

fn sent(request: &mut TestRequest) -> SentRequest {
    let options = SignOptions::new().key_id(KEY_ID);
    sign_request(request, &secrets(), &options).unwrap()
}

fn headers_json(headers: &HeaderMap) -> Value {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Gives request and response to the program.
fn call(
    peer: Peer,
    operation: &str,
    request: &TestRequest,
    sent: &SentRequest,
    response: &TestResponse,
    components: &[String],
) -> Value {
    let given = json!({
        "operation": operation, "secret": STANDARD.encode(SECRET), "keyid": KEY_ID,
        "nonce": sent.nonce(), "components": components,
        "request": {
            "method": request.method().as_str(), "url": request.uri().to_string(),
            "headers": headers_json(request.headers()),
        },
        "status": response.status().as_u16(), "headers": headers_json(response.headers()),
        "body": STANDARD.encode(response.body()),
    });
    let mut command = peer().expect("it was there");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(given.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{given}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn created() -> TestResponse {
    Response::builder()
        .status(201)
        .header("content-type", "application/json")
        .header("location", "/orders/7")
        .body(br#"{"id":7}"#.to_vec())
        .unwrap()
}

fn they_verify_what_we_sign(peer: Peer) {
    if peer().is_none() {
        return skip(NEEDS);
    }
    for mut request in requests() {
        let sent = sent(&mut request);
        let options = ValidateOptions::new().authorities(["host.example"]);
        let validated = validate_auth(&request, &secrets(), &options).unwrap();
        let mut response = created();
        sign_response(&mut response, &validated, &SignResponseOptions::new()).unwrap();
        let verdict =
            |response: &TestResponse| call(peer, "verify", &request, &sent, response, &[]);
        assert_eq!(verdict(&response), json!(["sig1"]));

        let mut changed = response.clone();
        *changed.status_mut() = StatusCode::OK;
        assert!(verdict(&changed)["refused"].is_string());
        let mut changed = response.clone();
        changed.body_mut().push(b' ');
        assert!(verdict(&changed)["refused"].is_string());
        let mut other = request.clone();
        *other.uri_mut() = "https://host.example/orders?page=3".parse().unwrap();
        let of_other = call(peer, "verify", &other, &sent, &response, &[]);
        assert!(of_other["refused"].is_string());
    }
}

fn we_validate_what_they_sign(peer: Peer) {
    if peer().is_none() {
        return skip(NEEDS);
    }
    let check = |response: &TestResponse, sent: &SentRequest| -> Result<_, ResponseError> {
        validate_response(response, sent, &ValidateResponseOptions::new())
    };
    for mut request in requests() {
        let sent = sent(&mut request);
        let mut components: Vec<String> = ["@status", "content-type", "location"]
            .map(|name| format!("\"{name}\""))
            .into();
        let of_request = [
            "@method",
            "@authority",
            "@path",
            "@query",
            "content-digest",
            "content-type",
        ];
        let count = if request.body().is_empty() { 4 } else { 6 };
        let copies = of_request[..count].iter();
        components.extend(copies.map(|name| format!("\"{name}\";req")));

        let signed = |components: &[String]| {
            let fields = call(peer, "sign", &request, &sent, &created(), components);
            let mut response = created();
            for (name, value) in fields.as_object().unwrap() {
                let name = http::HeaderName::try_from(name).unwrap();
                let value = value.as_str().unwrap().parse().unwrap();
                response.headers_mut().insert(name, value);
            }
            response
        };
        let response = signed(&components);
        check(&response, &sent).unwrap_or_else(|error| panic!("{response:?}: {error}"));

        let mut changed = response.clone();
        *changed.status_mut() = StatusCode::OK;
        let error = check(&changed, &sent).unwrap_err();
        assert_eq!(error.kind(), ResponseErrorKind::WrongStatus);
        let mut changed = response.clone();
        changed.body_mut().push(b' ');
        let error = check(&changed, &sent).unwrap_err();
        assert_eq!(error.kind(), ResponseErrorKind::WrongDigest);

        let fewer = signed(&components[..components.len() - 1]);
        let error = check(&fewer, &sent).unwrap_err();
        assert_eq!(error.kind(), ResponseErrorKind::NotCovered);
    }
}

#[test]
fn a_package_of_pypi_verifies_what_we_sign() {
    they_verify_what_we_sign(python);
}

#[test]
fn we_validate_what_a_package_of_pypi_signs() {
    we_validate_what_they_sign(python);
}

#[test]
fn a_package_of_npm_verifies_what_we_sign() {
    they_verify_what_we_sign(node);
}

#[test]
fn we_validate_what_a_package_of_npm_signs() {
    we_validate_what_they_sign(node);
}
