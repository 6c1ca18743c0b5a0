//! The page shows what the tests do: the code, the table, the fields and the commands.

use std::{
    env, fs,
    io::{self, Write},
    process::Command,
};

use hmac_auth::sign_request;
use http::HeaderName;
use serde_json::json;

use super::{
    cavage, shared_secret,
    steps::{
        OLD_SECRET, ROWS, Scheme, Step, app, both, events, forged, new_secrets, old, plain,
        sign_options,
    },
    stripe_like, timestamped,
};
use crate::support::{recorder::Event, request::TestRequest};

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

/// An event as a line of `tracing_subscriber::fmt().json()`.
fn line_of(event: &Event) -> String {
    let level = if event.contains_key("reason") {
        "WARN"
    } else {
        "DEBUG"
    };
    let time = "2026-01-01T00:00:00Z";
    format!(
        "{}\n",
        json!({ "timestamp": time, "level": level, "fields": event, "target": "hmac_auth" })
    )
}

/// What the command of the page prints of a log: the counts and the fields of refusals.
fn printed(command: &str, log: &str) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("service.log"), log).unwrap();
    let mut shell = Command::new("sh");
    let output = shell.args(["-ec", command]).current_dir(&folder).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = |line: &str| {
        let (count, kind) = line.trim_start().split_once(' ').unwrap();
        let fields = kind.split('\t').map(str::to_owned);
        [count.to_owned()].into_iter().chain(fields).collect()
    };
    text.lines().map(fields).collect()
}

/// Whether `jq` is there. Where checks must not be left out, its absence is an error.
fn has_jq() -> bool {
    if Command::new("jq").arg("--version").output().is_ok() {
        return true;
    }
    let reason = "the commands of docs/migrate.md are tested with jq";
    assert!(env::var_os("CI").is_none(), "{reason}");
    // Past the test harness, which hides what a passing test prints.
    let note = format!("SKIPPED: {reason}\n");
    io::stderr().write_all(note.as_bytes()).unwrap();
    false
}

/// "Nothing may be left here" must not be true only because a name is another one.
#[tokio::test]
async fn the_commands_show_who_would_be_cut_off() {
    if !has_jq() {
        return;
    }
    let (_, commands) = PAGE.split_once("```sh\n").unwrap();
    let (commands, _) = commands.split_once("```").unwrap();
    let commands: Vec<_> = commands.split("\n\n").collect();
    let steps = [Step::Observe, Step::AcceptBoth];
    assert_eq!(commands.len(), steps.len());
    let scheme = timestamped::SCHEME;
    let mut log = "no JSON\n[\"no event\"]\n{\"fields\":1}\n".to_owned();
    let mut reasons = Vec::new();
    for step in steps {
        for request in [
            both(scheme),
            forged(old(scheme, OLD_SECRET)),
            forged(old(scheme, OLD_SECRET)),
        ] {
            let (bad, good) = events(&app(step, scheme), request).await;
            assert_eq!(bad.len() + good.len(), 1, "{step:?}");
            reasons.extend(bad.iter().map(|event| event["reason"].clone()));
            log.extend(bad.iter().chain(&good).map(line_of));
        }
    }
    for command in commands {
        let expected = ["2", "wrong_mac", "site-a", reasons[0].as_str()];
        assert_eq!(printed(command, &log), [expected], "{command}");
    }
}
