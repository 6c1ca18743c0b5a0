//! Defaults are strict, and a setting that cannot be meant is refused.

use std::time::Duration;

use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF, DEFAULT_SECRET_NAME,
    MIN_SECRET_LEN, MemoryReplayGuard, ValidateOptions, validate_auth,
};

use crate::support::{
    edit::{with_body, with_uri},
    request::{
        INPUT, NOW, get, options, post, refusal_with, secrets, signed, signed_as, time, validate,
        with_header, with_signature,
    },
};

/// A setting that was not there disabled a check.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn pitfall_30_defaults_are_strict_and_weakening_is_spelled_out() {
    assert_eq!(DEFAULT_MAX_TIME_DIFF, Duration::from_secs(60));
    assert_eq!(DEFAULT_MAX_CLOCK_SKEW, Duration::from_secs(10));
    assert_eq!(MIN_SECRET_LEN, 16);
    // With nothing configured at all but the time, every check is made.
    for defaults in [
        ValidateOptions::new().at(time(NOW)),
        ValidateOptions::default().at(time(NOW)),
    ] {
        validate_auth(&signed_as(get(), INPUT), &secrets(), &defaults).unwrap();
        let created = |at: i64| signed_as(get(), &INPUT.replace("1700000000", &at.to_string()));
        let components =
            |components: &str| signed_as(get(), &format!("({components});created={NOW}"));
        for (request, kind) in [
            (get(), Kind::MissingSignature),
            (created(NOW - 61), Kind::Stale),
            (created(NOW + 11), Kind::InFuture),
            (
                components(r#""@authority" "@path" "@query""#),
                Kind::NotCovered,
            ),
            (
                components(r#""@method" "@path" "@query""#),
                Kind::NotCovered,
            ),
            (
                components(r#""@method" "@authority" "@query""#),
                Kind::NotCovered,
            ),
            (
                components(r#""@method" "@authority" "@path""#),
                Kind::NotCovered,
            ),
            (
                signed_as(get(), r#"("@method" "@authority" "@path" "@query")"#),
                Kind::MissingCreated,
            ),
            (
                signed_as(get(), &format!(r#"{INPUT};alg="none""#)),
                Kind::UnsupportedAlgorithm,
            ),
            (
                signed_as(
                    post(),
                    r#"("@method" "@authority" "@path");created=1700000000"#,
                ),
                Kind::BodyNotCovered,
            ),
            (with_body(signed(post()), b"other"), Kind::WrongDigest),
            (
                with_header(signed(get()), "host", "other.example"),
                Kind::ConflictingAuthority,
            ),
            (
                with_uri(signed(get()), "https://other.example/orders?page=2"),
                Kind::WrongMac,
            ),
            (
                with_signature(get(), "sig1", INPUT, &[]),
                Kind::MalformedSignature,
            ),
            (
                with_signature(get(), "sig1", INPUT, &[0; 32]),
                Kind::WrongMac,
            ),
        ] {
            assert_eq!(refusal_with(&request, &defaults), kind);
        }
    }
    // An empty setting is not the same as none, and a wrong one does not go unnoticed.
    let nobody: [(&str, &str); 0] = [];
    let nowhere: [&str; 0] = [];
    for (what, options) in [
        ("no key ids", options().key_ids(nobody)),
        ("no authorities", options().authorities(nowhere)),
        ("an empty authority", options().authorities([""])),
        (
            "an authority with a scheme",
            options().authorities(["https://host.example"]),
        ),
        (
            "an authority with a path",
            options().authorities(["host.example/"]),
        ),
        ("a wildcard", options().authorities(["*"])),
        (
            "a wildcard label",
            options().authorities(["host.example", "*.host.example"]),
        ),
        ("a component that is none", options().require("@nonsense")),
        ("a field in upper case", options().require("Content-Type")),
        ("an empty component", options().require("")),
        ("a tag that nobody can send", options().tag("\u{e9}")),
        (
            "corrected too late",
            options()
                .key_ids(nobody)
                .key_ids([("site-a", DEFAULT_SECRET_NAME)]),
        ),
    ] {
        assert_eq!(
            options.check().unwrap_err().kind(),
            Kind::Misconfigured,
            "{what}"
        );
        let request = signed_as(get(), &format!(r#"{INPUT};keyid="site-a""#));
        assert_eq!(
            refusal_with(&request, &options),
            Kind::Misconfigured,
            "{what}"
        );
    }
    // Zero is not "no limit".
    let zero = options()
        .max_time_diff(Duration::ZERO)
        .max_clock_skew(Duration::ZERO);
    assert_eq!(
        refusal_with(
            &signed_as(get(), &INPUT.replace("1700000000", "1699999999")),
            &zero
        ),
        Kind::Stale
    );
    let full = MemoryReplayGuard::new().started_at(time(NOW)).capacity(0);
    assert_eq!(
        full.first_use(validate(&signed(get())).unwrap())
            .unwrap_err()
            .kind(),
        Kind::ReplayGuardFull
    );
    // An empty tag is a tag.
    assert_eq!(
        refusal_with(&signed_as(get(), INPUT), &options().tag("")),
        Kind::WrongTag
    );
    // An empty key id that was listed is a key id, and a missing one is not.
    let empty = options().key_ids([("", DEFAULT_SECRET_NAME)]);
    assert_eq!(
        refusal_with(&signed_as(get(), INPUT), &empty),
        Kind::UnknownKeyId
    );
    validate_auth(
        &signed_as(get(), &format!(r#"{INPUT};keyid="""#)),
        &secrets(),
        &empty,
    )
    .unwrap();
}
