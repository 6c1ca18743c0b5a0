//! Hosts behind a proxy: it may end TLS, change `Host` or cut the path, and each must be said.

use hmac_auth::{
    AuthErrorKind as Kind, Claim, ValidateOptions,
    signature::{RequestHead, Scheme},
    validate_auth,
};
use http::{HeaderName, Uri};

use crate::support::request::{
    self, get, options, refusal, refusal_with, secrets, signed, with_header,
};

/// What a proxy hands to this host: the path alone, and another `Host`.
fn proxied(forwarded: &[&str]) -> request::TestRequest {
    let mut request = signed(get());
    *request.uri_mut() = "/orders?page=2".parse().unwrap();
    let request = with_header(request, "host", "10.0.0.7:8080");
    forwarded.iter().fold(request, |request, value| {
        with_header(request, "x-forwarded-host", value)
    })
}

fn trusting() -> ValidateOptions {
    options().trust_forwarded_host(HeaderName::from_static("x-forwarded-host"))
}

#[test]
fn a_forwarded_host_counts_only_if_it_is_trusted() {
    assert_eq!(
        refusal(&proxied(&["host.example"])),
        Kind::UnlistedAuthority
    );
    for same in ["host.example", "HOST.example", "host.example:443"] {
        assert!(
            validate_auth(&proxied(&[same]), &secrets(), &trusting()).is_ok(),
            "{same}"
        );
    }
    // Then nothing else names the authority: not `Host`, and not the target either.
    assert_eq!(
        refusal_with(&signed(get()), &trusting()),
        Kind::MissingAuthority
    );
    let from_target = with_header(signed(get()), "x-forwarded-host", "other.example");
    assert_eq!(
        refusal_with(&from_target, &trusting()),
        Kind::UnlistedAuthority
    );
}

#[test]
fn a_forwarded_host_has_one_value() {
    for (forwarded, kind) in [
        (&[][..], Kind::MissingAuthority),
        (
            &["host.example", "host.example"],
            Kind::ConflictingAuthority,
        ),
        (&["host.example, host.example"], Kind::InvalidAuthority),
        (&["host.example, evil.example"], Kind::InvalidAuthority),
        (&["user@host.example"], Kind::InvalidAuthority),
        (&[""], Kind::InvalidAuthority),
        (&["evil.example"], Kind::UnlistedAuthority),
    ] {
        assert_eq!(
            refusal_with(&proxied(forwarded), &trusting()),
            kind,
            "{forwarded:?}"
        );
    }
    // Without a list the authority is signed all the same.
    let anywhere = ValidateOptions::new()
        .at(request::time(request::NOW))
        .trust_forwarded_host(HeaderName::from_static("x-forwarded-host"));
    assert_eq!(
        refusal_with(&proxied(&["evil.example"]), &anywhere),
        Kind::WrongMac
    );
}

#[test]
fn the_outer_scheme_decides_the_default_port() {
    let of_http = |port: &str| {
        let mut request = get();
        *request.uri_mut() = format!("http://host.example{port}/orders?page=2")
            .parse()
            .unwrap();
        let mut request = signed(request);
        *request.uri_mut() = "/orders?page=2".parse().unwrap();
        with_header(request, "host", &format!("host.example{port}"))
    };
    let http = options().external_scheme(Scheme::Http);
    for port in ["", ":80"] {
        assert!(
            validate_auth(&of_http(port), &secrets(), &http).is_ok(),
            "{port}"
        );
    }
    assert_eq!(
        refusal_with(&of_http(":80"), &options()),
        Kind::UnlistedAuthority
    );
}

#[test]
fn a_path_that_was_cut_can_be_put_back() {
    let original: Uri = "https://host.example/orders?page=2".parse().unwrap();
    let mut request = signed(get());
    *request.uri_mut() = "https://host.example/?page=2".parse().unwrap();
    assert_eq!(refusal(&request), Kind::WrongMac);
    let secrets = hmac_auth::SecretSet::new(request::secret());
    let options = options();
    let claim = Claim::parse(RequestHead::from(&request).uri(&original), &options).unwrap();
    assert!(
        claim
            .verify_head(&secrets)
            .and_then(hmac_auth::VerifiedHead::finish)
            .is_ok()
    );
    // The authority is that of the URI given last.
    let other: Uri = "https://other.example/orders?page=2".parse().unwrap();
    let refused = Claim::parse(RequestHead::from(&request).uri(&other), &options)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused.kind(), Kind::UnlistedAuthority);
}
