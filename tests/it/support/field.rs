//! Runs of property tests, and the fields of a message as these tests read them.

use std::fmt;

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret,
    signature::{SignatureInput, SignatureInputs},
};
use http::{HeaderName, HeaderValue, Request};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use sfv::{BareItem, Dictionary, ListEntry};

use crate::fuzz;

pub(crate) const CASES: u32 = 4000;

pub(crate) fn read_inputs(message: &Request<String>) -> Option<Vec<SignatureInput<'_>>> {
    let inputs: Vec<_> = SignatureInputs::new(message.headers())
        .collect::<Result<_, _>>()
        .ok()?;
    (!inputs.is_empty()).then_some(inputs)
}

pub(crate) const BODY: &str = r#"{"hello": "world"}"#;

/// The digests of the body in RFC 9421.
pub(crate) const SHA_256: &str = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";

pub(crate) const SHA_512: &str =
    "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==";

/// The lines of one field, with `\n` between them.
#[derive(Clone)]
pub(crate) struct Field(pub(crate) Vec<u8>);

impl Field {
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'\n')
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_ascii())
    }
}

/// The same cases in each run, so that the shares that are asserted do not depend on luck.
pub(crate) fn run<S: Strategy>(cases: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&cases, test) {
        panic!("{error}");
    }
}

/// What `sfv` reads.
pub(crate) fn dictionary(field: &Field) -> Result<Dictionary, sfv::Error> {
    fuzz::field::dictionary(&field.0)
}

/// The members that `sfv` reads as byte sequences.
pub(crate) fn byte_sequences_of(field: &Field) -> Result<Vec<(String, Vec<u8>)>, TestCaseError> {
    let dictionary = dictionary(field)
        .map_err(|error| TestCaseError::fail(format!("only we accept: {error}")))?;
    let members = dictionary
        .into_iter()
        .filter_map(|(key, entry)| match entry {
            ListEntry::Item(sfv::Item {
                bare_item: BareItem::ByteSequence(bytes),
                ..
            }) => Some((key.as_str().to_owned(), bytes)),
            _ => None,
        });
    Ok(members.collect())
}

/// A message that has every component above, and the field; `None` if these are no header values.
pub(crate) fn message_with(name: &HeaderName, field: &Field) -> Option<Request<String>> {
    let mut message = Request::post("https://host.example/path?Pet=dog&q=1")
        .header("x-a", "1")
        .header("x-a", "2")
        .header("x-b", "3")
        .body(BODY.to_owned())
        .expect("a request");
    append(&mut message, name, field).then_some(message)
}

pub(crate) fn append(message: &mut Request<String>, name: &HeaderName, field: &Field) -> bool {
    let lines: Result<Vec<_>, _> = field.lines().map(HeaderValue::from_bytes).collect();
    lines.is_ok_and(|lines| {
        for line in lines {
            message.headers_mut().append(name, line);
        }
        true
    })
}

pub(crate) fn secret() -> Secret {
    Secret::from_text("a secret of this test").expect("long enough")
}

pub(crate) fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret());
    secrets
}
