//! Each mistake is made in earnest, and named: by the MAC alone, and by the base of the peer.

use std::collections::BTreeSet;

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, Secret, ValidateOptions,
    explain::{Explanation, Hint, Mistake, explain},
    signature::Scheme,
};

use crate::support::{
    refusals::{covering, with_uri},
    request::{
        INPUT, NOW, TestRequest, base_of, get, options, post, secret, secrets, sign_options,
        signed, signed_as, signed_with, time, with_header, with_signature,
    },
    secret::OLD,
};

/// An input with all that a query and a path can go wrong in.
const URL: &str = "https://host.example/a%2Fb/o'hara?b=x%20y&a='1'&c=%2f";

/// A request whose signer has signed another text than it should.
fn mistaken(request: TestRequest, input: &str, mistake: impl Fn(&str) -> String) -> Mistaken {
    let base = base_of(&request, input);
    let signed = mistake(&base);
    assert_ne!(base, signed, "no mistake");
    let mac = secret().mac(signed.as_bytes()).into_bytes();
    Mistaken {
        request: with_signature(request, "sig1", input, &mac),
        base: signed,
    }
}

struct Mistaken {
    request: TestRequest,
    /// What the peer has signed.
    base: String,
}

fn lenient() -> ValidateOptions {
    ValidateOptions::new().at(time(NOW))
}

pub(super) fn explained(request: &TestRequest) -> Explanation {
    explain(request, &secrets(), &lenient())
}

#[track_caller]
pub(super) fn assert_first(explanation: &Explanation, mistake: Mistake, is_proven: bool) {
    let hint = explanation
        .hints()
        .first()
        .unwrap_or_else(|| panic!("no hint for {mistake:?}: {explanation}"));
    assert_eq!(
        (hint.mistake(), hint.is_proven()),
        (mistake, is_proven),
        "{explanation}"
    );
}

/// Found by the MAC alone, and named when the base of the peer is there.
#[track_caller]
fn assert_found(mistaken: &Mistaken, mistake: Mistake, line: usize) {
    let explanation = explained(&mistaken.request);
    assert_eq!(explanation.kind(), Some(AuthErrorKind::WrongMac));
    assert_first(&explanation, mistake, true);
    // The base of the peer makes nothing less certain.
    let compared = explanation.compare(&mistaken.base);
    assert_first(&compared, mistake, true);
    assert_eq!(compared.hints().len(), 1, "{compared}");
    assert_eq!(compared.difference().unwrap().line(), line, "{compared}");
}

fn get_url() -> TestRequest {
    with_uri(get(), URL)
}

/// Replaces one text in the base.
fn replace(from: &'static str, to: &'static str) -> impl Fn(&str) -> String {
    move |base| base.replace(from, to)
}

#[test]
fn the_case_of_the_host() {
    for host in ["HOST.EXAMPLE", "Host.example", "Host.Example"] {
        let mistaken = mistaken(get_url(), INPUT, |base| base.replace("host.example", host));
        assert_found(&mistaken, Mistake::HostCase, 2);
    }
    // As it was sent.
    let request = with_uri(get(), "https://hOsT.example/");
    let mistaken = mistaken(request, INPUT, replace("host.example", "hOsT.example"));
    assert_found(&mistaken, Mistake::HostCase, 2);
}

#[test]
fn the_default_port() {
    let other = mistaken(
        get_url(),
        INPUT,
        replace("host.example", "host.example:443"),
    );
    assert_found(&other, Mistake::DefaultPort, 2);
    let request = with_uri(get(), "https://host.example:8443/");
    let other = mistaken(request, INPUT, replace(":8443", ""));
    assert_found(&other, Mistake::DefaultPort, 2);
    // The host does not know that its clients come over `http`.
    let mut request = get_url();
    *request.uri_mut() = "http://host.example/".parse().unwrap();
    let request = signed_with(request, &sign_options());
    let listing = options().authorities(["host.example:80"]);
    let explanation = explain(
        &request,
        &secrets(),
        &listing.external_scheme(Scheme::Https),
    );
    assert_eq!(explanation.kind(), Some(AuthErrorKind::UnlistedAuthority));
    assert_first(&explanation, Mistake::DefaultPort, false);
}

#[test]
fn another_authority() {
    let request = signed(get());
    let sent = with_uri(request.clone(), "https://inside.example:3000/orders?page=2");
    let explanation = explain(&sent, &secrets(), &options());
    assert_eq!(explanation.kind(), Some(AuthErrorKind::UnlistedAuthority));
    assert_first(&explanation, Mistake::OtherAuthority, false);
    let base = base_of(&request, INPUT);
    let explanation = explained(&sent).compare(&base);
    assert_eq!(explanation.hints()[0].mistake(), Mistake::OtherAuthority);
}

#[test]
fn the_question_mark() {
    let other = mistaken(get_url(), INPUT, replace("\"@query\": ?", "\"@query\": "));
    assert_found(&other, Mistake::MissingQuestionMark, 4);
    let without_query = with_uri(get(), "https://host.example/orders");
    let other = mistaken(
        without_query,
        INPUT,
        replace("\"@query\": ?", "\"@query\": "),
    );
    assert_found(&other, Mistake::MissingQuestionMark, 4);
}

#[test]
fn the_apostrophe() {
    for (from, to, line) in [("o'hara", "o%27hara", 3), ("'1'", "%271%27", 4)] {
        let other = mistaken(get_url(), INPUT, replace(from, to));
        assert_found(&other, Mistake::Apostrophe, line);
    }
    let both = mistaken(get_url(), INPUT, replace("'", "%27"));
    assert_found(&both, Mistake::Apostrophe, 3);
    let request = with_uri(get(), "https://host.example/o%27hara");
    let other = mistaken(request, INPUT, replace("%27", "'"));
    assert_found(&other, Mistake::Apostrophe, 3);
    let target = covering(r#""@method" "@target-uri""#);
    let request = with_uri(get(), "https://host.example/?a='1'");
    let other = mistaken(request, &target, replace("'", "%27"));
    assert_found(&other, Mistake::Apostrophe, 2);
}

#[test]
fn a_query_that_was_encoded_anew() {
    for (from, to) in [("x%20y", "x+y"), ("%2f", "%2F"), ("x%20y", "x y")] {
        let other = mistaken(get_url(), INPUT, replace(from, to));
        if to == "x y" {
            // All of it decoded, as a framework does it.
            let other = mistaken(get_url(), INPUT, |base| {
                base.replace("%20", " ").replace("%2f", "/")
            });
            assert_found(&other, Mistake::ReencodedQuery, 4);
        } else {
            assert_found(&other, Mistake::ReencodedQuery, 4);
        }
    }
    let request = with_uri(get(), "https://host.example/?a=(1)");
    let encoded = replace("(1)", "%281%29");
    assert_found(
        &mistaken(request, INPUT, encoded),
        Mistake::ReencodedQuery,
        4,
    );
}

#[test]
fn a_query_that_was_reordered() {
    let other = mistaken(
        get_url(),
        INPUT,
        replace("b=x%20y&a='1'&c=%2f", "a='1'&b=x%20y&c=%2f"),
    );
    assert_found(&other, Mistake::ReorderedQuery, 4);
    // Many parameters, sorted.
    let request = with_uri(get(), "https://host.example/?g=7&f=6&e=5&d=4&c=3&b=2&a=1");
    let sorted = replace("g=7&f=6&e=5&d=4&c=3&b=2&a=1", "a=1&b=2&c=3&d=4&e=5&f=6&g=7");
    assert_found(
        &mistaken(request, INPUT, sorted),
        Mistake::ReorderedQuery,
        4,
    );
}

#[test]
fn a_path_that_was_encoded_anew_or_cut() {
    let other = mistaken(get_url(), INPUT, replace("a%2Fb", "a/b"));
    assert_found(&other, Mistake::ReencodedPath, 3);
    let other = mistaken(get_url(), INPUT, replace("a%2Fb", "a%2fb"));
    assert_found(&other, Mistake::ReencodedPath, 3);
    let request = with_uri(get(), "https://host.example/a(b)");
    let other = mistaken(request, INPUT, replace("(b)", "%28b%29"));
    assert_found(&other, Mistake::ReencodedPath, 3);
    // A router has cut it: nothing but the base of the peer can show that.
    let request = signed_as(with_uri(get(), "https://host.example/api/orders"), INPUT);
    let base = base_of(&request, INPUT);
    let cut = with_uri(request, "https://host.example/orders");
    let explanation = explained(&cut).compare(&base);
    assert_eq!(explanation.hints()[0].mistake(), Mistake::OtherPath);
    assert_eq!(explanation.difference().unwrap().line(), 3);
}

#[test]
fn the_method_and_the_scheme() {
    let other = mistaken(get_url(), INPUT, replace("GET", "get"));
    assert_found(&other, Mistake::MethodCase, 1);
    let target = covering(r#""@method" "@target-uri""#);
    let other = mistaken(get_url(), &target, replace("https://", "http://"));
    assert_found(&other, Mistake::OtherScheme, 2);
    let scheme = covering(r#""@method" "@authority" "@path" "@query" "@scheme""#);
    let other = mistaken(get_url(), &scheme, replace("https", "http"));
    assert_found(&other, Mistake::OtherScheme, 5);
}

#[test]
fn the_order_of_the_parameters() {
    let input = format!(r#"{INPUT};nonce="n";keyid="site-a""#);
    let other = mistaken(
        get_url(),
        &input,
        replace(
            r#";created=1700000000;nonce="n";keyid="site-a""#,
            r#";keyid="site-a";nonce="n";created=1700000000"#,
        ),
    );
    assert_found(&other, Mistake::ParameterOrder, 5);
    let input = format!(r#"{INPUT};expires=1700000060;nonce="n";alg="hmac-sha256";keyid="site-a""#);
    let other = mistaken(
        get_url(),
        &input,
        replace(
            r#";created=1700000000;expires=1700000060;nonce="n";alg="hmac-sha256";keyid="site-a""#,
            r#";alg="hmac-sha256";created=1700000000;expires=1700000060;nonce="n";keyid="site-a""#,
        ),
    );
    assert_found(&other, Mistake::ParameterOrder, 5);
}

#[test]
fn the_order_of_the_lines() {
    let other = mistaken(get_url(), INPUT, |base| {
        let mut lines: Vec<_> = base.split('\n').collect();
        lines.swap(0, 1);
        lines.join("\n")
    });
    assert_found(&other, Mistake::ComponentOrder, 1);
}

#[test]
fn the_line_breaks() {
    let other = mistaken(get_url(), INPUT, |base| format!("{base}\n"));
    // In a file, the line break that was signed is that of an editor.
    let explanation = explained(&other.request).compare(&other.base);
    assert_first(&explanation, Mistake::LineBreaks, true);
    assert_eq!(explanation.hints().len(), 1, "{explanation}");
    assert!(explanation.difference().is_none());
    let other = mistaken(get_url(), INPUT, |base| base.replace('\n', "\r\n"));
    assert_found(&other, Mistake::LineBreaks, 1);
}

#[test]
fn values_components_and_other_signatures_show_in_the_base_of_the_peer() {
    let input = covering(r#""@method" "@authority" "@path" "@query" "x-site""#);
    let request = || with_header(get(), "x-site", "a b");
    for (from, to, mistake, line) in [
        ("a b", "a  b ", Mistake::FieldSpace, 5),
        ("a b", "another", Mistake::OtherValue, 5),
        ("\n\"x-site\": a b", "", Mistake::OtherComponents, 5),
        (
            "created=1700000000",
            "created=1700000009",
            Mistake::OtherSignature,
            6,
        ),
        (
            "created=1700000000",
            "created=1700000000000",
            Mistake::Milliseconds,
            6,
        ),
        ("(\"@method\" ", "(", Mistake::OtherComponents, 6),
    ] {
        let other = mistaken(request(), &input, |base| base.replace(from, to));
        let explanation = explained(&other.request);
        assert_first(&explanation, Mistake::OtherSecret, false);
        let compared = explanation.compare(&other.base);
        assert_first(&compared, mistake, false);
        assert_eq!(compared.hints().len(), 1, "{compared}");
        assert_eq!(compared.difference().unwrap().line(), line, "{compared}");
    }
}

/// The MAC says nothing: each difference is named by the base of the peer alone.
#[test]
fn the_base_of_the_peer_names_what_the_mac_does_not_prove() {
    let target = covering(r#""@method" "@target-uri""#);
    for (input, from, to, mistake) in [
        (
            INPUT,
            "\"@query\": ?",
            "\"@query\": ",
            Mistake::MissingQuestionMark,
        ),
        (INPUT, "o'hara", "o%27hara", Mistake::Apostrophe),
        (INPUT, "GET", "get", Mistake::MethodCase),
        (INPUT, "GET", "POST", Mistake::OtherValue),
        (INPUT, "x%20y", "x+y", Mistake::ReencodedQuery),
        (INPUT, "x%20y", "z", Mistake::OtherValue),
        (INPUT, "/a%2Fb/", "/", Mistake::OtherPath),
        (&target, "https:", "http:", Mistake::OtherScheme),
        (&target, "host.example", "HOST.example", Mistake::HostCase),
        (&target, "/a%2Fb/", "/", Mistake::OtherPath),
        (&target, "x%20y", "x+y", Mistake::ReencodedQuery),
        (&target, "?b=", "b=", Mistake::OtherPath),
    ] {
        let request = get_url();
        let base = base_of(&request, input).replace(from, to);
        let request = with_signature(request, "sig1", input, &[9; 32]);
        let compared = explained(&request).compare(&base);
        assert_first(&compared, mistake, false);
        assert_eq!(compared.hints().len(), 1, "{compared}");
    }
}

/// The search has a limit, whatever a peer sends: each try takes all of the text, and the order of
/// the lines is tried after that of the query.
#[test]
fn what_takes_too_long_is_not_looked_for() {
    let names = ["x-a", "x-b", "x-c", "x-d"];
    let input = covering(r#""@method" "@authority" "@path" "@query" "x-a" "x-b" "x-c" "x-d""#);
    let query: Vec<_> = ('a'..='p').map(|name| format!("{name}=1")).collect();
    let query = query.join("&");
    let found = |len: usize| {
        let request = with_uri(get(), &format!("https://host.example/?{query}"));
        let request = names.into_iter().fold(request, |request, name| {
            with_header(request, name, &"x".repeat(len))
        });
        let mistaken = mistaken(request, &input, |base| {
            let mut lines: Vec<_> = base.split('\n').collect();
            lines.swap(6, 7);
            lines.join("\n")
        });
        explained(&mistaken.request).hints()[0].mistake()
    };
    assert_eq!(found(1), Mistake::ComponentOrder);
    assert_eq!(found(2_000), Mistake::ComponentOrder);
    assert_eq!(found(7_900), Mistake::OtherSecret);
}

#[test]
fn the_clock() {
    for (created, kind) in [
        (NOW - 61, AuthErrorKind::Stale),
        (NOW + 11, AuthErrorKind::InFuture),
        (-100, AuthErrorKind::Stale),
    ] {
        let request = signed_with(post(), &sign_options().at(time(created)));
        let explanation = explained(&request);
        assert_eq!(explanation.kind(), Some(kind));
        assert_first(&explanation, Mistake::Clock, true);
        // With another secret, the time is not all that is wrong.
        let store = MemorySecrets::new();
        store.insert(DEFAULT_SECRET_NAME, Secret::from_text(OLD).unwrap());
        let explanation = explain(&request, &store, &lenient());
        assert_eq!(explanation.kind(), Some(kind));
        assert_first(&explanation, Mistake::Clock, false);
    }
}

#[test]
fn milliseconds() {
    let input = INPUT.replace("1700000000", "1700000000123");
    let explanation = explained(&signed_as(get(), &input));
    assert_eq!(explanation.kind(), Some(AuthErrorKind::InFuture));
    assert_first(&explanation, Mistake::Milliseconds, true);
}

#[test]
fn another_secret() {
    let store = MemorySecrets::new();
    let old = Secret::from_text(OLD).unwrap();
    store.insert(DEFAULT_SECRET_NAME, old.clone());
    let request = signed(get());
    let explained = || explain(&request, &store, &lenient());
    assert_first(&explained(), Mistake::OtherSecret, false);
    assert!(explained().to_string().contains(old.fingerprint().as_str()));
    // The bases are the same, or the fingerprints differ: that is certain.
    let value = request.headers()["signature-input"].to_str().unwrap();
    let base = base_of(&request, value.strip_prefix("sig1=").unwrap());
    let compared = explained().compare(&base);
    assert_first(&compared, Mistake::OtherSecret, true);
    assert!(compared.difference().is_none());
    // Where no MAC was checked, nothing is known about the secret.
    let late = options().at(time(NOW + 3_600));
    for unchecked in [
        explain(&request, &store, &late),
        explain(&request, &MemorySecrets::new(), &lenient()),
    ] {
        let before = unchecked.hints().to_vec();
        assert!(!unchecked.is_accepted());
        assert_eq!(unchecked.compare(&base).hints(), before);
    }
    let theirs = secret().fingerprint();
    assert_first(
        &explained().compare_fingerprint(theirs.as_str()),
        Mistake::OtherSecret,
        true,
    );
    // Once more, it is the same hint. What else is seen stands behind it.
    let twice = explained().compare_fingerprint(theirs.as_str());
    let twice = twice.compare_fingerprint(theirs.as_str());
    assert_eq!(twice.hints().len(), 1, "{twice}");
    let both = twice.compare(&base.replace("GET", "get"));
    let hints: Vec<_> = both.hints().iter().map(Hint::mistake).collect();
    assert_eq!(hints, [Mistake::OtherSecret, Mistake::MethodCase]);
    // With the same fingerprint, it is not the secret.
    let same = explained().compare_fingerprint(&old.fingerprint().as_str().to_uppercase());
    assert!(same.hints().is_empty(), "{same}");
}

/// A MAC that is right, or is so with the mistake, says more than a fingerprint that somebody sends.
#[test]
fn another_fingerprint_proves_nothing_against_the_mac() {
    let other = Secret::from_text(OLD).unwrap().fingerprint();
    let accepted = explained(&signed(get())).compare_fingerprint(other.as_str());
    assert!(accepted.is_accepted());
    assert!(accepted.hints().is_empty(), "{accepted}");
    let mistaken = mistaken(get(), INPUT, |base| base.replace("GET", "get"));
    let compared = explained(&mistaken.request).compare_fingerprint(other.as_str());
    assert_first(&compared, Mistake::MethodCase, true);
    assert_eq!(compared.hints().len(), 1, "{compared}");
}

/// Nothing is guessed about a request that is accepted, or whose reason says all.
#[test]
fn no_hint_where_none_is_needed() {
    for request in [signed(get()), get()] {
        assert!(explained(&request).hints().is_empty());
    }
    // Each mistake has a name of its own.
    let names: BTreeSet<_> = Mistake::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(names.len(), Mistake::ALL.len());
}

#[test]
fn the_listed_key_ids_are_shown() {
    let request = signed_with(get(), &sign_options().key_id("site-c"));
    let listing = options().key_ids([("site-a", "one"), ("site-b", "two")]);
    let text = explain(&request, &secrets(), &listing).to_string();
    assert!(text.contains("keyid among site-a, site-b, "), "{text}");
}
