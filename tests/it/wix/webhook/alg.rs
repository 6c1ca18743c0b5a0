//! The algorithm: RS256 with the configured key, whatever the header of the JWT says.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::wix::WebhookErrorKind as Kind;

use crate::support::webhook::{HEADER, claims, refusal, signed_by, vector, verify};

#[test]
fn what_other_programs_have_signed_is_accepted() {
    for name in ["domain event", "domain event by openssl"] {
        let event = verify(vector(name).0).unwrap();
        assert_eq!(event.event_type(), "wix.ecom.v1.order_created", "{name}");
    }
    assert!(verify(vector("app removed").0).is_ok());
}

#[test]
fn another_algorithm_is_refused_by_its_name() {
    for (name, expected) in [
        ("by another key", Kind::WrongSignature),
        ("alg RS384", Kind::WrongAlg),
        ("alg RS512", Kind::WrongAlg),
        ("alg PS256", Kind::WrongAlg),
        ("alg ES256", Kind::WrongAlg),
        ("alg none", Kind::AlgNone),
        ("HS256 with the PEM as the secret", Kind::AlgHmac),
        ("HS256 with the trimmed PEM as the secret", Kind::AlgHmac),
        ("HS256 with the DER as the secret", Kind::AlgHmac),
        ("HS512 with the PEM as the secret", Kind::AlgHmac),
        (
            "RS256 in its header, SHA-512 in its signature",
            Kind::WrongSignature,
        ),
        (
            "RS256 in its header, PSS in its signature",
            Kind::WrongSignature,
        ),
        ("crit in its header", Kind::MalformedHeader),
        ("alg twice in its header", Kind::MalformedHeader),
        ("no alg in its header", Kind::MalformedHeader),
        ("a key of its own in its header", Kind::WrongSignature),
    ] {
        assert_eq!(refusal(vector(name).0), expected, "{name}");
    }
}

#[test]
fn a_signed_header_is_refused_all_the_same() {
    for (header, expected) in [
        (r#"{"alg":"none"}"#, Kind::AlgNone),
        (r#"{"alg":"NONE"}"#, Kind::AlgNone),
        (r#"{"alg":"nOnE"}"#, Kind::AlgNone),
        (r#"{"alg":"HS256"}"#, Kind::AlgHmac),
        (r#"{"alg":"hs384"}"#, Kind::AlgHmac),
        (r#"{"alg":"rs256"}"#, Kind::WrongAlg),
        (r#"{"alg":"RS256 "}"#, Kind::WrongAlg),
        (r#"{"alg":""}"#, Kind::WrongAlg),
        (r#"{"alg":["RS256"]}"#, Kind::MalformedHeader),
        (r#"{"alg":null}"#, Kind::MalformedHeader),
        (r#"["RS256"]"#, Kind::MalformedHeader),
        (r#"{"alg":"RS256"} {}"#, Kind::MalformedHeader),
        (r#"{"alg":"RS256","alg":"RS256"}"#, Kind::MalformedHeader),
        (r#"{"alg":"RS256","crit":[]}"#, Kind::MalformedHeader),
        (r#"{"alg":"RS256","crit":null}"#, Kind::MalformedHeader),
        (
            r#"{"alg":"RS256","crit":["b64"],"b64":false}"#,
            Kind::MalformedHeader,
        ),
        ("", Kind::MalformedHeader),
        ("RS256", Kind::MalformedHeader),
    ] {
        let text = signed_by("app", header, claims("x").to_string());
        assert_eq!(refusal(&text), expected, "{header}");
    }
}

#[test]
fn an_unsigned_text_is_refused() {
    let (text, _) = vector("domain event");
    let (head, signature) = text.rsplit_once('.').unwrap();
    let (_, payload) = head.split_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    assert_eq!(refusal(format!("{head}.")), Kind::WrongSignature);
    assert_eq!(refusal(format!("{none}.{payload}.")), Kind::AlgNone);
    let with_signature = format!("{none}.{payload}.{signature}");
    assert_eq!(refusal(with_signature), Kind::AlgNone);
    for len in [1, 255, 257, 512] {
        let signature = URL_SAFE_NO_PAD.encode(vec![0; len]);
        assert_eq!(
            refusal(format!("{head}.{signature}")),
            Kind::WrongSignature,
            "{len} bytes"
        );
    }
}

#[test]
fn a_name_of_the_peer_is_escaped() {
    let header = r#"{"alg":"RS\n\u001b[31m\"256"}"#;
    let error = verify(signed_by("app", header, "{}")).unwrap_err();
    assert_eq!(error.kind(), Kind::WrongAlg);
    let message = error.to_string();
    assert!(
        message.is_ascii() && !message.contains(char::is_control),
        "{message}"
    );
    assert!(verify(signed_by("app", HEADER, "{}")).is_err());
}
