//! Both ways with another implementation of RFC 9421 and RFC 9530: the crates `httpsig` and
//! `httpsig-hyper`.

use hmac_auth::{
    AuthErrorKind, MemorySecrets, SignOptions, ValidateOptions, sign_request,
    signature::{CONTENT_DIGEST, SIGNATURE_INPUT},
    validate_auth,
};
use http::header;
use httpsig_hyper::{ContentDigestType, MessageSignatureReqSync};

use crate::support::httpsig::{
    COMPONENTS, FAR, KEY, NOW, OTHER_KEY, X_TENANT, changes, digested, get, now, post, secret, set,
    signed_by_them, signed_by_us, their_key, their_params, they_sign, they_verify,
    they_verify_digest, we_validate,
};

#[test]
fn they_verify_what_we_sign() {
    for (name, request) in signed_by_us() {
        let label = they_verify(&request).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            label,
            if name == "post, everything" {
                "mine"
            } else {
                "sig1"
            },
            "{name}"
        );
        assert_eq!(
            they_verify_digest(request.clone()),
            request.headers().contains_key(CONTENT_DIGEST),
            "{name}"
        );
    }
}

#[test]
fn they_find_our_key_id() {
    for (name, request) in signed_by_us() {
        let found = request.verify_message_signature_sync(&their_key(KEY), Some("site-a"));
        assert_eq!(
            found.is_ok(),
            matches!(name, "post, key id" | "post, everything"),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn they_refuse_what_is_changed_after_we_signed() {
    for (name, request) in signed_by_us() {
        for (change, apply) in changes() {
            let mut changed = request.clone();
            apply(&mut changed);
            assert!(they_verify(&changed).is_err(), "{name}: {change}");
        }
    }
    for (name, request) in signed_by_us()
        .into_iter()
        .filter(|(name, _)| name.starts_with("post"))
    {
        assert!(
            !they_verify_digest(request.map(|body| body + " ")),
            "{name}: the body"
        );
    }
}

#[test]
fn they_refuse_our_signature_under_another_key() {
    for (name, request) in signed_by_us() {
        assert!(
            request
                .verify_message_signature_sync(&their_key(OTHER_KEY), None)
                .is_err(),
            "{name}"
        );
    }
}

#[test]
fn we_accept_what_they_sign() {
    for (name, request) in signed_by_them() {
        let validated = we_validate(&request).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(validated.created().cast_unsigned(), NOW);
        let all = name == "post, everything";
        assert_eq!(validated.key_id(), all.then_some("site-a"), "{name}");
        assert_eq!(validated.tag(), all.then_some("app"), "{name}");
        assert_eq!(
            validated.expires().map(i64::cast_unsigned),
            all.then_some(FAR),
            "{name}"
        );
        assert_eq!(validated.nonce().is_some(), all, "{name}");
    }
}

#[test]
fn we_refuse_what_is_changed_after_they_signed() {
    for (name, request) in signed_by_them() {
        for (change, apply) in changes() {
            let mut changed = request.clone();
            apply(&mut changed);
            let error = we_validate(&changed).expect_err(change);
            assert_eq!(error, AuthErrorKind::WrongMac, "{name}: {change}");
        }
        let error = we_validate(&request.map(|body| body + " ")).expect_err("the body");
        // A request without a body has no digest, so no body may be added.
        assert_eq!(
            error,
            if name.starts_with("get") {
                AuthErrorKind::BodyNotCovered
            } else {
                AuthErrorKind::WrongDigest
            },
            "{name}"
        );
    }
}

#[test]
fn we_refuse_their_signature_under_another_key() {
    let mut request = get();
    let params = their_params(&COMPONENTS[..4]);
    request
        .set_message_signature_sync(&params, &their_key(OTHER_KEY), Some("sig1"))
        .expect("signed");
    assert_eq!(we_validate(&request).err(), Some(AuthErrorKind::WrongMac));
}

#[test]
fn we_refuse_what_they_sign_carelessly() {
    let body = || digested(post(), &ContentDigestType::Sha256);
    let cases = [
        // All of these are right under `httpsig`.
        (
            "nothing covered",
            they_sign(body(), &[], |_| {}),
            AuthErrorKind::NotCovered,
        ),
        (
            "no query",
            they_sign(
                body(),
                &["@method", "@authority", "@path", "content-digest"],
                |_| {},
            ),
            AuthErrorKind::NotCovered,
        ),
        (
            "no digest",
            they_sign(post(), &COMPONENTS[..4], |_| {}),
            AuthErrorKind::BodyNotCovered,
        ),
        // An absent field is an empty one to `httpsig`.
        (
            "absent field",
            they_sign(
                get(),
                &["@method", "@authority", "@path", "@query", "x-absent"],
                |_| {},
            ),
            AuthErrorKind::AbsentComponent,
        ),
        (
            "old",
            they_sign(get(), &COMPONENTS[..4], |params| {
                _ = params.set_created(NOW - 3600);
            }),
            AuthErrorKind::Stale,
        ),
        (
            "no time",
            they_sign(get(), &COMPONENTS[..4], |params| params.created = None),
            AuthErrorKind::MissingCreated,
        ),
    ];
    for (name, request, expected) in cases {
        they_verify(&request).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(we_validate(&request).err(), Some(expected), "{name}");
    }
}

#[test]
fn a_field_may_change_exactly_if_it_is_not_covered() {
    let mut counts = [0, 0];
    for (name, request) in signed_by_us().into_iter().chain(signed_by_them()) {
        for field in [X_TENANT, header::CONTENT_TYPE, header::ACCEPT] {
            let covered = request.headers()[SIGNATURE_INPUT]
                .to_str()
                .expect("ASCII")
                .contains(&format!("\"{field}\""));
            let mut changed = request.clone();
            set(&mut changed, &field, "changed");
            assert_eq!(
                we_validate(&changed).err(),
                covered.then_some(AuthErrorKind::WrongMac),
                "{name}: {field}, here"
            );
            assert_eq!(
                they_verify(&changed).is_err(),
                covered,
                "{name}: {field}, there"
            );
            counts[usize::from(covered)] += 1;
        }
    }
    assert!(
        counts.iter().all(|count| *count >= 10),
        "both happen: {counts:?}"
    );
}

#[test]
fn both_signatures_stand_side_by_side() {
    let secrets = MemorySecrets::new();
    secrets.insert("ours", secret(KEY));
    secrets.insert("theirs", secret(OTHER_KEY));

    let mut request = post();
    sign_request(
        &mut request,
        &secrets,
        &SignOptions::new()
            .secret_name("ours")
            .key_id("us")
            .at(now()),
    )
    .expect("signed");
    let mut params = their_params(&COMPONENTS);
    params.set_keyid("them");
    request
        .set_message_signature_sync(&params, &their_key(OTHER_KEY), Some("sig2"))
        .expect("signed");

    for (key_id, secret_name, key, label) in [
        ("us", "ours", KEY, "sig1"),
        ("them", "theirs", OTHER_KEY, "sig2"),
    ] {
        let options = ValidateOptions::new()
            .key_ids([(key_id, secret_name)])
            .at(now());
        let validated = validate_auth(&request, &secrets, &options)
            .expect("each host finds the signature meant for it");
        assert_eq!(validated.key_id(), Some(key_id));
        let found = request
            .verify_message_signature_sync(&their_key(key), Some(key_id))
            .expect("so do they");
        assert_eq!(found, label);
    }
}
