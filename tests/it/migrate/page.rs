//! The page shows what the tests do: the code, the table and the fields.

use hmac_auth::sign_request;
use http::HeaderName;

use super::{
    cavage, shared_secret,
    steps::{OLD_SECRET, ROWS, Scheme, new_secrets, old, plain, sign_options},
    stripe_like, timestamped,
};
use crate::support::request::TestRequest;

pub(super) const PAGE: &str = include_str!("../../../docs/migrate.md");

/// A text without what rustfmt and a narrow page may change.
fn squeezed(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    text.replace(",)", ")").replace("pub(super)", "")
}

#[track_caller]
fn assert_shows(text: &str) {
    let is_shown = squeezed(PAGE).contains(&squeezed(text));
    assert!(is_shown, "docs/migrate.md does not show:\n{text}");
}

#[test]
fn the_code_is_that_of_the_tests() {
    let steps = include_str!("steps.rs");
    let cavage = include_str!("cavage.rs");
    for (source, name) in [
        (steps, "fn host("),
        (steps, "async fn old_check("),
        (cavage, "async fn set_old_signature_aside("),
        (cavage, "fn old_signature("),
    ] {
        let start = source.find(name).unwrap();
        let len = source[start..].find("\n}\n").unwrap();
        assert_shows(&source[start..start + len + 2]);
    }
}

#[test]
fn the_table_is_that_of_the_tests() {
    for (name, _, accepted) in ROWS {
        let cells = accepted.map(|accepted| if accepted { "yes" } else { "no" });
        let row = format!("| {name} | {} |", cells.join(" | "));
        assert!(PAGE.lines().any(|line| line == row), "{row}");
    }
}

/// The fields of the request that `is_shown` takes by their names, in their order.
fn fields(request: &TestRequest, is_shown: impl Fn(&HeaderName) -> bool) -> String {
    let fields = request.headers().iter();
    let lines: Vec<String> = fields
        .filter(|(name, _)| is_shown(name))
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    lines.concat()
}

/// The fields that the credentials add to the request.
fn added(request: &TestRequest) -> String {
    fields(request, |name| !plain().headers().contains_key(name))
}

#[test]
fn the_fields_are_those_of_the_tests() {
    let request = plain();
    let fields = fields(&request, |_| true);
    let body = std::str::from_utf8(request.body()).unwrap();
    let (method, uri) = (request.method(), request.uri());
    assert_shows(&format!("{method} {uri} HTTP/1.1\n{fields}\n{body}\n"));

    let mut signed = plain();
    let options = sign_options().predictable_nonces(|| [7; 16]);
    sign_request(&mut signed, &new_secrets(), &options).unwrap();
    assert_shows(&added(&signed));

    let shown = |scheme: Scheme| added(&old(scheme, OLD_SECRET));
    assert_shows(&shown(shared_secret::SCHEME));
    assert_shows(&shown(timestamped::SCHEME));
    assert_shows(&shown(stripe_like::SCHEME));
    assert_shows(&shown(cavage::IN_AUTHORIZATION));
    assert_shows(&shown(cavage::IN_SIGNATURE));
}
