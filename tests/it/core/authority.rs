//! The authority: a request for another service is refused.

use hmac_auth::{AuthErrorKind as Kind, ValidateOptions};

use crate::support::{
    edit::with_uri,
    request::{
        INPUT, NOW, get, refusal, refusal_with, signed, time, validate, with_header, with_signature,
    },
};

/// The client said which service its request was for.
#[test]
pub(crate) fn pitfall_19_a_request_for_another_service_is_refused() {
    let to = |authority: &str| {
        signed(with_uri(
            get(),
            &format!("https://{authority}/orders?page=2"),
        ))
    };
    let http1 = |host: &str| signed(with_header(with_uri(get(), "/orders?page=2"), "host", host));
    for own in ["host.example", "HOST.example", "host.example:443"] {
        validate(&to(own)).unwrap();
        validate(&http1(own)).unwrap();
    }
    for other in [
        "other.example",
        "host.example.",
        "host.example.evil.example",
        "evil-host.example",
        "api.host.example",
        "host",
        "host.example:8443",
        "host.example:80",
        "host.example:0443",
        "[::1]",
    ] {
        assert_eq!(refusal(&to(other)), Kind::UnlistedAuthority, "{other}");
        assert_eq!(refusal(&http1(other)), Kind::UnlistedAuthority, "{other}");
        // What was signed for another service cannot be sent here, nor the other way round.
        let replayed = with_uri(to(other), "https://host.example/orders?page=2");
        assert_eq!(refusal(&replayed), Kind::WrongMac, "{other}");
        assert_eq!(
            refusal(&with_header(to(other), "host", "host.example")),
            Kind::ConflictingAuthority,
            "{other}"
        );
        assert_eq!(
            refusal(&with_header(signed(get()), "host", other)),
            Kind::ConflictingAuthority,
            "{other}"
        );
    }
    for invalid in [
        "user@host.example",
        "host.example@other.example",
        "host.example:https",
        "",
        "[]",
        "[]:443",
        "[::1",
        "[::1]x",
    ] {
        let request = with_signature(
            with_header(with_uri(get(), "/orders?page=2"), "host", invalid),
            "sig1",
            INPUT,
            &[0; 32],
        );
        assert_eq!(refusal(&request), Kind::InvalidAuthority, "{invalid}");
    }
    // Without a list, the authority is signed all the same.
    let anywhere = ValidateOptions::new().at(time(NOW));
    let replayed = with_uri(to("other.example"), "https://host.example/orders?page=2");
    assert_eq!(refusal_with(&replayed, &anywhere), Kind::WrongMac);
}
