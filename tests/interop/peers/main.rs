//! The peers of the interop matrix that are written in Rust: this crate, and the crate `httpsig-hyper`.
//!
//! `tests/interop/matrix.py` starts one process for each, with its name as the argument. Each line of
//! standard input is a call in JSON, and each line of standard output is its answer.

use std::{
    env,
    error::Error,
    io::{self, BufRead, Write},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use serde_json::{Map, Value, json};

mod foreign;
mod ours;

type Outcome<T> = Result<T, Box<dyn Error>>;

type Answer = Outcome<Value>;

/// What a peer can do. An error is its refusal.
trait Peer {
    fn sign(&mut self, call: &Call) -> Answer;
    fn verify(&mut self, call: &Call) -> Answer;
    fn sign_response(&mut self, call: &Call) -> Answer;
    fn verify_response(&mut self, call: &Call) -> Answer;
}

fn main() -> io::Result<()> {
    let name = env::args().nth(1);
    let mut peer: Box<dyn Peer> = match name.as_deref() {
        Some("hmac-auth") => Box::new(ours::Ours::new()),
        Some("httpsig-hyper") => Box::new(foreign::HttpSig),
        other => panic!("hmac-auth or httpsig-hyper is expected, not {other:?}"),
    };
    for line in io::stdin().lock().lines() {
        let call = Call(serde_json::from_str(&line?)?);
        let answer = match call.text("operation") {
            "sign" => peer.sign(&call),
            "verify" => peer.verify(&call),
            "sign_response" => peer.sign_response(&call),
            "verify_response" => peer.verify_response(&call),
            other => panic!("unknown operation {other}"),
        };
        let answer = answer.unwrap_or_else(|reason| json!({ "refused": reason.to_string() }));
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}

/// One call. A call without what its operation needs is a mistake of the matrix, so it panics.
struct Call(Value);

impl Call {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name}"))
    }

    fn key_id(&self) -> Option<&str> {
        self.0["keyid"].as_str()
    }

    /// Secrets by key id. The one of a signature without a key id has an empty name.
    fn keys(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        let keys = self.0["keys"].as_object().expect("keys");
        let decoded = |key: &Value| STANDARD.decode(key.as_str().expect("a key"));
        keys.iter()
            .map(move |(id, key)| (id.as_str(), decoded(key).expect("base64")))
    }

    fn key(&self, id: Option<&str>) -> Option<Vec<u8>> {
        let id = id.unwrap_or_default();
        let found = self.keys().find(|(name, _)| *name == id);
        found.map(|(_, key)| key)
    }

    fn created(&self) -> u64 {
        self.0["created"].as_u64().expect("a time")
    }

    fn created_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.created())
    }

    /// The fields to cover beyond those that every signer of the matrix covers.
    fn extra(&self) -> impl Iterator<Item = &str> {
        let extra = self.0["extra"].as_array().expect("names");
        extra.iter().map(|name| name.as_str().expect("a name"))
    }

    fn components(&self) -> Vec<&str> {
        let components = self.0["components"].as_array().expect("components");
        let names = components.iter();
        names.map(|it| it.as_str().expect("a component")).collect()
    }

    fn request(&self) -> Request<Vec<u8>> {
        let given = &self.0["request"];
        let text = |name: &str| given[name].as_str().expect("a text");
        let mut request = Request::builder()
            .method(text("method"))
            .uri(text("url"))
            .body(body(given))
            .expect("a request");
        *request.headers_mut() = headers(given);
        request
    }

    fn response(&self) -> Response<Vec<u8>> {
        let given = &self.0["response"];
        let status = given["status"].as_u64().and_then(|it| it.try_into().ok());
        let mut response = Response::new(body(given));
        *response.status_mut() = http::StatusCode::from_u16(status.expect("a status"))
            .expect("a status of three digits");
        *response.headers_mut() = headers(given);
        response
    }
}

fn body(message: &Value) -> Vec<u8> {
    let body = message["body"].as_str().expect("a body");
    STANDARD.decode(body).expect("base64")
}

fn headers(message: &Value) -> HeaderMap {
    let lines = message["headers"].as_array().expect("headers").iter();
    let read = |line: &Value| {
        let name = HeaderName::try_from(line[0].as_str().expect("a name"));
        let value = HeaderValue::try_from(line[1].as_str().expect("a value"));
        (name.expect("a name"), value.expect("a value"))
    };
    lines.map(read).collect()
}

fn accepted() -> Value {
    json!({ "accepted": true })
}

/// The given message with these headers.
fn with_headers(message: &Value, headers: &HeaderMap) -> Value {
    let mut message: Map<String, Value> = message.as_object().expect("a message").clone();
    let lines = headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), value.to_str().expect("ASCII")]));
    message.insert("headers".to_owned(), lines.collect());
    message.into()
}
