//! Requests that a layer must refuse, by the moment of the refusal.

use bytes::Bytes;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, ReplayGuard, ReplayId, SecretError, SecretSet, SecretStore,
    UseOnce, tower::ValidateAuthLayer,
};
use http::{Request, Response};

use crate::support::{
    layers::{
        LEN, Script, Step, chunked, data, declared, guard, hinted, host, layer, layer_with, stale,
        trailers, uncovered, whole, with_body, with_wrong_mac,
    },
    request::{NOW, get, options, post, signed, time},
};

pub(crate) type Case = (Kind, ValidateAuthLayer, fn() -> Request<Script>);

/// Refused before the body is asked for.
pub(crate) fn bad_heads() -> Vec<Case> {
    let small = || layer().max_body_len(LEN - 1);
    vec![
        (Kind::MissingSignature, layer(), || whole(post())),
        (Kind::Stale, layer(), || whole(stale())),
        (Kind::WrongMac, layer(), || whole(with_wrong_mac())),
        (
            Kind::UnlistedAuthority,
            layer_with(options().authorities(["other.example"])),
            || whole(signed(post())),
        ),
        (Kind::BodyNotCovered, layer(), || {
            hinted(whole(uncovered()), 1)
        }),
        // The policy and the MAC come before the length.
        (Kind::Stale, small(), || declared(whole(stale()), LEN)),
        (Kind::WrongMac, small(), || {
            declared(whole(with_wrong_mac()), LEN)
        }),
        (Kind::WrongMac, small(), || {
            hinted(whole(with_wrong_mac()), LEN)
        }),
        (Kind::BodyTooLarge, small(), || {
            hinted(whole(signed(post())), LEN)
        }),
        (Kind::BodyTooLarge, small(), || {
            declared(whole(signed(post())), u64::MAX)
        }),
        (Kind::SecretUnavailable, host(Down, options()), || {
            whole(signed(post()))
        }),
        (
            Kind::Misconfigured,
            layer_with(options().require("@status")),
            || whole(signed(post())),
        ),
    ]
}

/// Refused by the guard: in streaming mode, before the body is asked for.
pub(crate) fn refused_by_guards() -> Vec<Case> {
    let late = guard().started_at(time(NOW + 1));
    vec![
        (
            Kind::ReplayGuardUnavailable,
            layer().replay_guard(Down),
            || whole(signed(post())),
        ),
        (
            Kind::ReplayGuardFull,
            layer().replay_guard(guard().capacity(0)),
            || whole(signed(post())),
        ),
        (Kind::BeforeGuardStart, layer().replay_guard(late), || {
            whole(signed(post()))
        }),
    ]
}

/// Refused for what is found in the body, which nothing has announced.
pub(crate) fn bad_bodies() -> Vec<Case> {
    let small = layer().max_body_len(LEN - 1);
    vec![
        (Kind::WrongDigest, layer(), || {
            with_body(signed(post()), [data(r#"{"month":12,"site":"a"}"#)])
        }),
        (Kind::WrongDigest, layer(), || {
            with_body(
                signed(post()),
                [data(r#"{"month":11,"#), data(r#""site":"b"}"#)],
            )
        }),
        (Kind::WrongDigest, layer(), || {
            declared(
                with_body(signed(post()), [data(r#"{"month":11,"site":"b"}"#)]),
                LEN,
            )
        }),
        (Kind::WrongDigest, layer(), || {
            with_body(signed(post()), [data("")])
        }),
        (Kind::BodyNotCovered, layer(), || whole(uncovered())),
        (Kind::BodyTooLarge, small, || whole(signed(post()))),
        (Kind::BodyUnreadable, layer(), || {
            with_body(
                signed(post()),
                [data(r#"{"month":11,"#), Step::Fail("gone")],
            )
        }),
        (Kind::TrailersNotCovered, layer(), || {
            with_body(signed(post()), [data(r#"{"month""#), trailers(&["x-site"])])
        }),
        (Kind::TrailersNotCovered, layer(), || {
            with_body(signed(get()), [trailers(&["x-site"])])
        }),
        (Kind::WrongContentLength, layer(), || {
            declared(chunked(signed(post()), 4), LEN - 1)
        }),
        (Kind::WrongContentLength, layer(), || {
            declared(chunked(signed(post()), 4), LEN + 1)
        }),
        (Kind::WrongContentLength, layer(), || {
            declared(with_body(signed(post()), []), LEN)
        }),
    ]
}

/// A guard and a store that cannot be reached.
pub(crate) struct Down;

impl ReplayGuard for Down {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::pending(async { Err(AuthError::replay_guard_unavailable("connection refused")) })
    }
}

impl SecretStore for Down {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        Err(SecretError::Unavailable {
            name: name.to_owned(),
            source: "the vault is sealed".into(),
        })
    }
}

/// The answer of the profile, and nothing about the reason.
#[track_caller]
pub(crate) fn assert_profile(response: &Response<Bytes>, kind: Kind) {
    let (status, text) = match kind {
        Kind::BodyTooLarge => (413, "Payload too large"),
        Kind::BodyUnreadable | Kind::WrongContentLength => (400, "Incomplete body"),
        Kind::SecretUnavailable
        | Kind::Misconfigured
        | Kind::ReplayGuardUnavailable
        | Kind::ReplayGuardFull => (503, "Authentication unavailable"),
        _ => (401, "Invalid authentication token"),
    };
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (status, format!(r#"{{"error":"{text}"}}"#).as_bytes())
    );
    let mut names: Vec<&str> = response
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    let expected = match status {
        401 => &[
            "accept-signature",
            "cache-control",
            "content-type",
            "www-authenticate",
        ][..],
        503 => &["cache-control", "content-type", "retry-after"],
        _ => &["cache-control", "content-type"],
    };
    // Beside it stands `Connection: close` if the body was left unread.
    names.retain(|name| *name != "connection");
    assert_eq!(names, expected);
    assert!(
        response
            .headers()
            .get("www-authenticate")
            .is_none_or(|value| value == "Signature")
    );
}
