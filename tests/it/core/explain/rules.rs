//! What the rules say: the expectation, what was found, and the first one that has failed.

use std::time::Duration;

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, Secret, SecretSet, ValidateOptions,
    explain::{Explanation, explain},
};
use http::HeaderName;

use crate::support::{
    refusals::covering,
    request::{
        INPUT, NOW, TestRequest, get, options, post, secret, secrets, sign_options, signed,
        signed_as, signed_by, signed_with, time, with_header, with_signature,
    },
    secret::OLD,
};

/// Asserts what an operator reads of the rules that have these names.
#[track_caller]
fn assert_lines(explanation: &Explanation, expected: &[&str]) {
    let fingerprint = secret().fingerprint().to_string();
    let name_in = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
    let names: Vec<_> = expected.iter().map(|line| name_in(line)).collect();
    let rules = explanation.rules().iter();
    let found: Vec<_> = rules
        .filter(|rule| names.iter().any(|name| name == rule.name()))
        .map(|rule| rule.to_string().replace(&fingerprint, "FINGERPRINT"))
        .collect();
    assert_eq!(found, expected);
    for rule in explanation.rules() {
        let (name, expected, found) = (rule.name(), rule.expected(), rule.found());
        let end = format!("  {name:<10}  expected {expected}; found {found}");
        assert!(rule.to_string().ends_with(&end), "{rule}");
    }
}

fn explained(request: &TestRequest, options: &ValidateOptions) -> Explanation {
    explain(request, &secrets(), options)
}

#[test]
fn an_accepted_request_follows_each_rule() {
    let explanation = explained(&signed(post()), &options());
    assert_eq!(explanation.consumer(), Some(DEFAULT_SECRET_NAME));
    assert_lines(
        &explanation,
        &[
            "  ok      options     expected options that do not contradict themselves; \
             found no contradiction",
            "  ok      fields      expected `Signature-Input` and `Signature`, with the same labels; \
             found the labels sig1",
            "  ok      parameters  expected any keyid, alg \"hmac-sha256\" or none; \
             found no keyid, no tag, no alg",
            "  ok      coverage    expected @method, @authority, @path; \
             found @method, @authority, @path, @query, content-digest, content-type",
            "  ok      time        expected `created` between 1699999940 and 1700000010, \
             now is 1700000000; found 1700000000, 0 s old",
            "  ok      authority   expected one of host.example; found host.example",
            "  ok      secret      expected a secret named `hmac-authentication-secret-key`; \
             found the current one with the fingerprint FINGERPRINT",
            "  ok      base        expected each covered component once, in ASCII; found 7 lines",
            "  ok      mac         expected the MAC of the signature base below; \
             found it, under the current secret FINGERPRINT",
            "  ok      body        expected a covered digest of the body, or no body; \
             found a body of 23 bytes",
        ],
    );
}

#[test]
fn nothing_is_reached_without_a_signature() {
    let explanation = explained(&get(), &options());
    assert_eq!(explanation.consumer(), None);
    assert_lines(
        &explanation,
        &[
            "  ok      options     expected options that do not contradict themselves; \
             found no contradiction",
            "  FAILED  fields      expected `Signature-Input` and `Signature`, with the same labels; \
             found neither",
            "  -       parameters  expected any keyid, alg \"hmac-sha256\" or none; \
             found no signature that can be read",
            "  -       coverage    expected @method, @authority, @path, @query; \
             found no signature that can be read",
            "  -       time        expected `created` between 1699999940 and 1700000010, \
             now is 1700000000; found no signature that can be read",
            "  -       authority   expected one of host.example; found host.example",
            "  -       secret      expected a secret for this consumer; found not looked up",
            "  -       base        expected each covered component once, in ASCII; \
             found no signature that can be read",
            "  -       mac         expected the MAC of the signature base below; found not checked",
            "  -       body        expected a covered digest of the body, or no body; found no body",
        ],
    );
}

#[test]
fn the_fields_are_named() {
    let (input, signature) = ("signature-input", "signature");
    for (fields, found) in [
        (&[(signature, "sig1=:AA==:")][..], "`Signature` only"),
        (&[(input, "sig1=();created=1")], "`Signature-Input` only"),
        (
            &[(input, "?"), (signature, "?")],
            "no label that can be read",
        ),
    ] {
        let request = fields.iter().fold(get(), |request, (name, value)| {
            with_header(request, name, value)
        });
        let expected = format!(
            "  FAILED  fields      expected `Signature-Input` and `Signature`, with the same labels; \
             found {found}"
        );
        assert_lines(&explained(&request, &options()), &[&expected]);
    }
}

#[test]
fn what_the_options_ask_for_is_expected() {
    let listing = options().key_ids([("a", "x"), ("b", "y")]).tag("t");
    assert_lines(
        &explained(&signed(get()), &listing),
        &[
            "  FAILED  parameters  expected keyid among a, b, tag \"t\", \
             alg \"hmac-sha256\" or none; found no keyid, no tag, no alg",
        ],
    );
    let many: Vec<_> = (10..28).map(|number| format!("k{number}")).collect();
    let listing = options().key_ids(many.iter().map(|one| (one.as_str(), one.as_str())));
    assert_lines(
        &explained(&signed(get()), &listing),
        &[
            "  FAILED  parameters  expected keyid among k10, k11, k12, k13, k14, k15, k16, k17, k18, \
             k19, k20, k21, k22, k23, k24, k25, …, alg \"hmac-sha256\" or none; \
             found no keyid, no tag, no alg",
        ],
    );
    let input = covering(r#""@method" "@authority" "@path""#);
    assert_lines(
        &explained(&signed_as(get(), &input), &options().require("x-site")),
        &[
            "  FAILED  coverage    expected @method, @authority, @path, @query, x-site; \
             found @method, @authority, @path",
        ],
    );
    let forwarded = options().trust_forwarded_host(HeaderName::from_static("x-forwarded-host"));
    assert_lines(
        &explained(&signed(get()), &forwarded),
        &[
            "  FAILED  authority   expected one of host.example in `x-forwarded-host`; \
             found no authority: give the URI a host, or add a `Host` field",
        ],
    );
    assert_lines(
        &explained(&signed(get()), &ValidateOptions::new().at(time(NOW))),
        &["  ok      authority   expected any authority; found host.example"],
    );
}

#[test]
fn the_age_is_found() {
    let at = |seconds: i64| sign_options().at(time(NOW + seconds));
    let short = at(-61).expires_in(Duration::from_secs(5));
    for (request, found) in [
        (
            signed_with(get(), &at(11)),
            "1700000011, 11 s in the future",
        ),
        (
            signed_with(get(), &short),
            "1699999939, 61 s old; `expires` 1699999944",
        ),
        (
            signed_as(get(), r#"("@method" "@authority" "@path" "@query")"#),
            "no `created`",
        ),
    ] {
        let expected = format!(
            "  FAILED  time        expected `created` between 1699999940 and 1700000010, \
             now is 1700000000; found {found}"
        );
        assert_lines(&explained(&request, &options()), &[&expected]);
    }
}

#[test]
fn the_secrets_that_were_tried_are_found() {
    let old = Secret::from_text(OLD).unwrap();
    let rotated = secrets();
    let set = SecretSet::with_previous(secret(), [old.clone()]).unwrap();
    rotated.insert_set(DEFAULT_SECRET_NAME, set);
    let fingerprint = old.fingerprint();
    let by_old = signed_by(&old, get(), INPUT);
    assert_lines(
        &explain(&by_old, &rotated, &options()),
        &[
            &format!(
                "  ok      secret      expected a secret named `hmac-authentication-secret-key`; \
                 found the current one with the fingerprint FINGERPRINT, previous {fingerprint}"
            ),
            &format!(
                "  ok      mac         expected the MAC of the signature base below; \
                 found it, under the previous secret {fingerprint}"
            ),
        ],
    );
    assert_lines(
        &explained(&by_old, &options()),
        &["  FAILED  mac         expected the MAC of the signature base below; found another MAC"],
    );
    assert_lines(
        &explain(&by_old, &MemorySecrets::new(), &options()),
        &[
            "  FAILED  secret      expected a secret named `hmac-authentication-secret-key`; \
             found none",
            "  -       mac         expected the MAC of the signature base below; found not checked",
        ],
    );
}

#[test]
fn the_body_is_the_last_rule() {
    let mut request = signed(post());
    request.body_mut().push(b'x');
    assert_lines(
        &explained(&request, &options()),
        &[
            "  ok      mac         expected the MAC of the signature base below; \
             found it, under the current secret FINGERPRINT",
            "  FAILED  body        expected a covered digest of the body, or no body; \
             found a body of 24 bytes: wrong_digest",
        ],
    );
}

/// The refusal that counts is that of the signature that got furthest.
#[test]
fn the_signature_in_question_is_the_one_that_got_furthest() {
    let absent = covering(r#""@method" "@authority" "@path" "@query" "x-site""#);
    let request = with_signature(get(), "sig1", &absent, &[9; 32]);
    assert_lines(
        &explained(&request, &options()),
        &[
            "  ok      coverage    expected @method, @authority, @path, @query; \
             found @method, @authority, @path, @query, x-site",
            "  FAILED  base        expected each covered component once, in ASCII; \
             found a covered component is not in the request, unless a proxy has removed it: \
             \"x-site\"",
        ],
    );
    let both = with_signature(request, "sig2", INPUT, &[9; 32]);
    let explanation = explained(&both, &options());
    assert_eq!(explanation.kind(), Some(AuthErrorKind::WrongMac));
    assert_lines(
        &explanation,
        &[
            "  ok      fields      expected `Signature-Input` and `Signature`, with the same labels; \
             found the labels sig1, sig2",
            "  ok      coverage    expected @method, @authority, @path, @query; \
             found @method, @authority, @path, @query",
            "  ok      base        expected each covered component once, in ASCII; found 5 lines",
            "  FAILED  mac         expected the MAC of the signature base below; found another MAC",
        ],
    );
}
