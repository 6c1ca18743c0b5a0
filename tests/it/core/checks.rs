//! Each check of a candidate, a time, an authority, a digest and a secret refuses alone.

use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, DigestAlgorithm, MemorySecrets, Secret,
    sign_request, validate_auth,
};

use crate::support::{
    edit::{BODY_INPUT, assert_rows, digest_of, edited, set, with_uri, without},
    request::{
        INPUT, NOW, TestRequest, base_of, get, options, post, refusal_with, secret, secrets,
        sign_options, signed_as, signed_by, validate, with_header, with_signature,
    },
};

/// An inverted condition made a check unreachable. Here each check is the only one that can
/// refuse.
#[test]
pub(crate) fn pitfall_29_each_check_of_the_candidates_refuses_alone() {
    let mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    let good = || signed_as(get(), INPUT);
    let also = |param: &str| signed_as(get(), &format!("{INPUT}{param}"));
    let listed = || options().key_ids([("site-a", DEFAULT_SECRET_NAME)]);
    let tagged = || options().tag("orders");
    let copies = |count: usize| {
        (0..count).fold(get(), |request, index| {
            with_signature(request, &format!("s{index}"), INPUT, &mac)
        })
    };
    let parameter = edited(&good(), "signature", |signature| format!("{signature};x"));
    validate_auth(&also(r#";keyid="site-a""#), &secrets(), &listed()).unwrap();
    validate_auth(&also(r#";tag="orders""#), &secrets(), &tagged()).unwrap();
    validate(&copies(4)).unwrap();
    assert_rows(vec![
        ("no fields", get(), options(), Kind::MissingSignature),
        (
            "no Signature",
            without(good(), "signature"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "no Signature-Input",
            without(good(), "signature-input"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "syntax of the input",
            edited(&good(), "signature-input", |input| format!("{input};")),
            options(),
            Kind::MalformedSignatureInput,
        ),
        (
            "syntax of the signature",
            edited(&good(), "signature", |signature| format!("{signature};")),
            options(),
            Kind::MalformedSignature,
        ),
        (
            "31 bytes",
            with_signature(get(), "sig1", INPUT, &mac[..31]),
            options(),
            Kind::MalformedSignature,
        ),
        (
            "33 bytes",
            with_signature(get(), "sig1", INPUT, &[&mac[..], b"x"].concat()),
            options(),
            Kind::MalformedSignature,
        ),
        (
            "a parameter of the signature",
            parameter,
            options(),
            Kind::MalformedSignature,
        ),
        (
            "a label in the input only",
            with_header(good(), "signature-input", "other=()"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "a label in the signature only",
            with_header(good(), "signature", "other=::"),
            options(),
            Kind::UnpairedLabel,
        ),
        (
            "five candidates",
            copies(5),
            options(),
            Kind::TooManyCandidates,
        ),
        (
            "another key id",
            also(r#";keyid="site-b""#),
            listed(),
            Kind::UnknownKeyId,
        ),
        ("no key id", good(), listed(), Kind::UnknownKeyId),
        (
            "another tag",
            also(r#";tag="order""#),
            tagged(),
            Kind::WrongTag,
        ),
        ("no tag", good(), tagged(), Kind::WrongTag),
        (
            "another algorithm",
            also(r#";alg="ed25519""#),
            options(),
            Kind::UnsupportedAlgorithm,
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn pitfall_29_each_check_of_time_authority_and_content_refuses_alone() {
    let created =
        |created: i64| signed_as(get(), &INPUT.replace("1700000000", &created.to_string()));
    let to = |uri: &str| signed_as(with_uri(get(), uri), INPUT);
    let unsigned = |request| with_signature(request, "sig1", INPUT, &[0; 32]);
    let host = |request: TestRequest, host: &str| with_header(request, "host", host);
    let local = || with_uri(get(), "/orders?page=2");
    let digest = |value: &str| signed_as(set(post(), "content-digest", value), BODY_INPUT);
    let right = digest_of(post().body(), DigestAlgorithm::Sha256);
    validate(&digest(&right)).unwrap();
    validate(&digest(&format!("{right}, md5=:AAAA:, unknown=::"))).unwrap();
    let mut wrong_mac = secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes();
    wrong_mac[31] ^= 1;
    let sha512_of_another = digest_of(b"another", DigestAlgorithm::Sha512);
    assert_rows(vec![
        (
            "no created",
            signed_as(get(), r#"("@method" "@authority" "@path" "@query")"#),
            options(),
            Kind::MissingCreated,
        ),
        ("too old", created(NOW - 61), options(), Kind::Stale),
        ("too new", created(NOW + 11), options(), Kind::InFuture),
        (
            "expired",
            signed_as(get(), &format!("{INPUT};expires={}", NOW - 1)),
            options(),
            Kind::Expired,
        ),
        (
            "no authority",
            unsigned(local()),
            options(),
            Kind::MissingAuthority,
        ),
        (
            "two authorities",
            host(signed_as(get(), INPUT), "other.example"),
            options(),
            Kind::ConflictingAuthority,
        ),
        (
            "two Host fields",
            host(host(unsigned(local()), "host.example"), "host.example"),
            options(),
            Kind::ConflictingAuthority,
        ),
        (
            "user information",
            unsigned(with_uri(get(), "https://me@host.example/")),
            options(),
            Kind::InvalidAuthority,
        ),
        (
            "an empty Host",
            unsigned(host(local(), "")),
            options(),
            Kind::InvalidAuthority,
        ),
        (
            "an authority that is not listed",
            to("https://other.example/orders?page=2"),
            options(),
            Kind::UnlistedAuthority,
        ),
        (
            "a port that is not listed",
            to("https://host.example:444/orders?page=2"),
            options(),
            Kind::UnlistedAuthority,
        ),
        (
            "the last bit of the MAC",
            with_signature(get(), "sig1", INPUT, &wrong_mac),
            options(),
            Kind::WrongMac,
        ),
        (
            "another secret",
            signed_by(&Secret::from_bytes(&[7; 32]).unwrap(), get(), INPUT),
            options(),
            Kind::WrongMac,
        ),
        (
            "syntax of the digest",
            digest("sha-256=nonsense"),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "length of the digest",
            digest("sha-256=:AAAA:"),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "length of a second digest",
            digest(&format!("{right}, sha-512=:AAAA:")),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "a digest twice",
            digest(&format!("{right}, {right}")),
            options(),
            Kind::MalformedDigest,
        ),
        (
            "deprecated digests only",
            digest("md5=:AAAA:, sha=:AAAA:, unixsum=:AAAA:"),
            options(),
            Kind::UnsupportedDigest,
        ),
        (
            "digest of another body",
            digest(&digest_of(b"another", DigestAlgorithm::Sha256)),
            options(),
            Kind::WrongDigest,
        ),
        (
            "sha-512 of another body",
            digest(&sha512_of_another),
            options(),
            Kind::WrongDigest,
        ),
        (
            "a second digest",
            digest(&format!("{right}, {sha512_of_another}")),
            options(),
            Kind::WrongDigest,
        ),
        (
            "a digest without a body",
            with_header(signed_as(get(), INPUT), "content-digest", &right),
            options(),
            Kind::WrongDigest,
        ),
        (
            "options",
            signed_as(get(), INPUT),
            options().require("@status"),
            Kind::Misconfigured,
        ),
    ]);
    let unknown = options().secret_name("unknown");
    assert_eq!(
        refusal_with(&signed_as(get(), INPUT), &unknown),
        Kind::SecretUnavailable
    );
}

/// Previous secrets are accepted as long as they are in the set, and not after.
#[test]
pub(crate) fn pitfall_29_each_secret_of_the_set_counts_and_no_other() {
    let named = |index: usize| Secret::from_text(&format!("secret number {index:04}")).unwrap();
    let store = MemorySecrets::new();
    store.insert(DEFAULT_SECRET_NAME, named(0));
    for current in 1..=6 {
        store.rotate(DEFAULT_SECRET_NAME, named(current)).unwrap();
        for index in 0..=7 {
            let accepted =
                validate_auth(&signed_by(&named(index), get(), INPUT), &store, &options()).is_ok();
            assert_eq!(
                accepted,
                index <= current && index + 3 >= current,
                "{index} of {current}"
            );
        }
        let mut request = get();
        sign_request(&mut request, &store, &sign_options()).unwrap();
        let only = MemorySecrets::new();
        only.insert(DEFAULT_SECRET_NAME, named(current));
        validate_auth(&request, &only, &options()).unwrap();
    }
    store.retire(DEFAULT_SECRET_NAME).unwrap();
    for index in 0..=7 {
        assert_eq!(
            validate_auth(&signed_by(&named(index), get(), INPUT), &store, &options()).is_ok(),
            index == 6,
            "{index}"
        );
    }
}
