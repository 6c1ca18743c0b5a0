//! What an explanation does not show.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::explain::{Explanation, explain};

use crate::support::{
    refusals::{covering, with_uri},
    request::{
        SECRET, TestRequest, base_of, get, options, secret, secrets, signed_as, with_header,
        with_signature,
    },
};

const FIELDS: [&str; 7] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "signature",
    "x-token",
    "prefer",
];

/// A request with a value to hide in each field, in the query and in a second covered place.
fn request(is_signed: bool) -> TestRequest {
    let url = "https://host.example/orders?token=HIDDEN-query";
    let mut request = with_uri(get(), url);
    for field in FIELDS {
        if field != "signature" {
            request = with_header(request, field, &format!("HIDDEN-{field}"));
        }
    }
    let names: Vec<_> = FIELDS
        .iter()
        .filter(|field| **field != "signature")
        .map(|field| format!("\"{field}\""))
        .collect();
    let input = covering(&format!(
        r#""@method" "@authority" "@path" "@query" "@target-uri" "cookie";bs {}"#,
        names.join(" ")
    ));
    if is_signed {
        signed_as(request, &input)
    } else {
        with_signature(request, "sig1", &input, &[9; 32])
    }
}

/// All that can be read of it.
fn outputs(explanation: &Explanation) -> String {
    let mut all = format!("{explanation}\n{explanation:?}\n{explanation:#?}\n");
    for rule in explanation.rules() {
        writeln!(all, "{rule:?} {rule}").unwrap();
    }
    for hint in explanation.hints() {
        writeln!(all, "{hint:?} {hint}").unwrap();
    }
    all += &explanation.base_lines().join("\n");
    if let Some(difference) = explanation.difference() {
        writeln!(all, "{difference}\n{difference:?}\n{difference:#?}").unwrap();
    }
    all
}

#[test]
fn values_are_hidden_unless_asked_for_and_credentials_always() {
    let encoded = STANDARD.encode("HIDDEN-cookie");
    for is_signed in [true, false] {
        let request = request(is_signed);
        let explained = || explain(&request, &secrets(), &options());
        assert_eq!(explained().is_accepted(), is_signed);
        let text = outputs(&explained());
        assert!(
            !text.contains("HIDDEN") && !text.contains(&encoded),
            "{text}"
        );
        assert!(text.contains("\"x-token\": <14 bytes>"), "{text}");
        assert!(text.contains("\"@path\": /orders"), "{text}");

        let text = outputs(&explained().show_values());
        for shown in ["HIDDEN-query", "HIDDEN-x-token", "HIDDEN-prefer"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        for hidden in [
            "HIDDEN-authorization",
            "HIDDEN-cookie",
            "HIDDEN-proxy",
            "HIDDEN-set",
            &encoded,
        ] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
}

#[test]
fn the_base_of_the_peer_is_hidden_alike() {
    let request = request(false);
    let explained = || explain(&request, &secrets(), &options());
    let value = request.headers()["signature-input"].to_str().unwrap();
    let base = base_of(&request, value.strip_prefix("sig1=").unwrap());
    for name in ["@query", "authorization", "cookie", "x-token"] {
        let line = format!("\"{name}\": ");
        let other = base.replacen(&line, &format!("{line}THEIRS"), 1);
        let compared = explained().compare(&other);
        assert!(compared.difference().is_some());
        let text = outputs(&compared);
        assert!(
            !text.contains("HIDDEN") && !text.contains("THEIRS"),
            "{name}: {text}"
        );
        let shown = outputs(&compared.show_values()).contains("THEIRS");
        assert_eq!(shown, matches!(name, "@query" | "x-token"), "{name}");
    }
    // A text that has no form is not shown, and one with controls does no harm.
    let text = outputs(&explained().compare("THEIRS"));
    assert!(!text.contains("THEIRS"), "{text}");
    let text = outputs(
        &explained()
            .show_values()
            .compare("\"@method\": \u{1b}[31mGET"),
    );
    assert!(
        !text.contains('\u{1b}') && text.contains("\\u{1b}"),
        "{text}"
    );
}

/// A peer writes its base as it likes: without quotation marks, without blanks, or in one line of a
/// log.
#[test]
fn the_base_of_the_peer_is_hidden_in_other_spellings_too() {
    let request = request(false);
    let explained = || explain(&request, &secrets(), &options());
    let value = request.headers()["signature-input"].to_str().unwrap();
    let base = base_of(&request, value.strip_prefix("sig1=").unwrap());
    let unquoted = base.replace("\": ", ": ").replace("\n\"", "\n");
    let of_authorization = base
        .split('\n')
        .position(|line| line.starts_with("\"authorization"));
    let before: Vec<_> = base.split('\n').take(of_authorization.unwrap()).collect();
    let before = before.join("\n");
    for theirs in [
        base.replace('\n', "\\n"),
        base.replace('\n', "\r"),
        base.replace('\n', " "),
        unquoted.replace('\n', "\\n"),
        unquoted,
        format!("{before}\nauthorization: HIDDEN-authorization"),
        format!("{before}\nAuthorization:HIDDEN-authorization"),
        format!("{before}\n 'authorization': HIDDEN-authorization"),
        format!("{before}\n\"authorization\":HIDDEN-authorization"),
    ] {
        let compared = explained().compare(&theirs);
        assert!(compared.difference().is_some(), "{theirs}");
        let text = outputs(&compared);
        assert!(!text.contains("HIDDEN"), "{theirs}: {text}");
        let text = outputs(&compared.show_values());
        for hidden in ["HIDDEN-authorization", "HIDDEN-cookie"] {
            assert!(!text.contains(hidden), "{theirs}: {text}");
        }
    }
    // What only looks like a name is shown.
    let other = base.replacen("\"x-token\": ", "\"x-token\": a cookie: ", 1);
    let text = outputs(&explained().show_values().compare(&other));
    assert!(text.contains("a cookie: HIDDEN-x-token"), "{text}");
}

/// Neither the MAC that came nor the one that would be right, in any spelling, nor the secret.
#[test]
fn no_mac_and_no_secret_is_shown() {
    for is_signed in [true, false] {
        let request = request(is_signed);
        let value = request.headers()["signature-input"].to_str().unwrap();
        let base = base_of(&request, value.strip_prefix("sig1=").unwrap());
        let right = secret().mac(base.as_bytes()).into_bytes();
        let explanation = explain(&request, &secrets(), &options()).show_values();
        let text = outputs(&explanation.compare(&format!("{base}x")));
        for mac in [right, [9; 32]] {
            let hex = mac.map(|byte| format!("{byte:02x}")).concat();
            for spelling in [STANDARD.encode(mac), hex, format!("{mac:?}")] {
                assert!(!text.contains(&spelling), "{text}");
            }
        }
        assert!(!text.contains(SECRET), "{text}");
    }
}
