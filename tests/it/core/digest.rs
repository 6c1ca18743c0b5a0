//! Digests of a body: each byte counts, and a body without a covered digest is refused.

use hmac_auth::{AuthErrorKind as Kind, Claim, DigestAlgorithm, SecretSet};

use crate::support::{
    edit::{BODY_INPUT, digest_of, set, with_body, without},
    request::{
        get, options, post, refusal, secret, sign_options, signed, signed_as, signed_with,
        validate, with_header, with_signature,
    },
};

/// The check of the digest was always true.
#[test]
pub(crate) fn pitfall_02_one_changed_byte_of_the_body_is_refused() {
    use DigestAlgorithm::{Sha256, Sha512};

    let body = post().into_body();
    let both = [digest_of(&body, Sha256), digest_of(&body, Sha512)].join(", ");
    for request in [
        signed_with(post(), &sign_options().digest(Sha256)),
        signed_with(post(), &sign_options().digest(Sha512)),
        signed(set(post(), "content-digest", &both)),
    ] {
        validate(&request).unwrap();
        for index in 0..body.len() {
            let mut changed = body.clone();
            changed[index] ^= 0x80;
            assert_eq!(
                refusal(&with_body(request.clone(), &changed)),
                Kind::WrongDigest,
                "byte {index}"
            );
            // In pieces, as it is streamed.
            let options = options();
            let claim = Claim::parse(&request, &options).unwrap();
            let mut head = claim.verify_head(&SecretSet::new(secret())).unwrap();
            changed.chunks(5).for_each(|piece| head.update(piece));
            assert_eq!(
                head.finish().unwrap_err().kind(),
                Kind::WrongDigest,
                "byte {index}"
            );
        }
        assert_eq!(refusal(&with_body(request.clone(), b"")), Kind::WrongDigest);
        assert_eq!(
            refusal(&with_body(request, &[&body[..], b"x"].concat())),
            Kind::WrongDigest
        );
    }
    // Of two digests, each must be right.
    let [wrong256, wrong512] =
        [Sha256, Sha512].map(|algorithm| digest_of(b"another body", algorithm));
    for digests in [
        [wrong256, digest_of(&body, Sha512)],
        [digest_of(&body, Sha256), wrong512],
    ] {
        let request = signed_as(
            set(post(), "content-digest", &digests.join(", ")),
            BODY_INPUT,
        );
        assert_eq!(refusal(&request), Kind::WrongDigest);
    }
}

/// A missing `Content-Digest` and repeated components were accepted.
#[test]
pub(crate) fn pitfall_04_a_body_needs_a_covered_digest_and_nothing_is_repeated() {
    let digest = digest_of(post().body(), DigestAlgorithm::Sha256);
    let with_digest = || set(post(), "content-digest", &digest);
    validate(&signed_as(with_digest(), BODY_INPUT)).unwrap();

    let uncovered = r#"("@method" "@authority" "@path");created=1700000000"#;
    assert_eq!(refusal(&signed_as(post(), uncovered)), Kind::BodyNotCovered);
    assert_eq!(
        refusal(&signed_as(with_digest(), uncovered)),
        Kind::BodyNotCovered
    );
    let removed = without(signed_as(with_digest(), BODY_INPUT), "content-digest");
    assert_eq!(refusal(&removed), Kind::AbsentComponent);
    // Covered, but with parameters that change what is covered.
    let bytes = BODY_INPUT.replace(r#""content-digest""#, r#""content-digest";bs"#);
    assert_eq!(
        refusal(&signed_as(with_digest(), &bytes)),
        Kind::BodyNotCovered
    );

    for repeated in [
        r#"("@method" "@authority" "@path" "@query" "@path");created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a" "a");created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a";bs "a";bs);created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a";bs "a";bs=?1);created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query" "a";bs;req "a";req;bs);created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query");created=1700000000;created=1700000000"#,
        r#"("@method" "@authority" "@path" "@query");created=1700000000;keyid="a";keyid="a""#,
    ] {
        let request = with_signature(get(), "sig1", repeated, &[0; 32]);
        assert_eq!(
            refusal(&request),
            Kind::MalformedSignatureInput,
            "{repeated}"
        );
    }
    // The right digest and a wrong one under one name, in one line and in two.
    let zeros = format!("sha-256=:{}=:", "A".repeat(43));
    for lines in [
        vec![format!("{digest}, {zeros}")],
        vec![format!("{zeros}, {digest}")],
        vec![zeros.clone(), digest.clone()],
    ] {
        let request = lines.iter().fold(post(), |request, line| {
            with_header(request, "content-digest", line)
        });
        assert_eq!(
            refusal(&signed_as(request, BODY_INPUT)),
            Kind::MalformedDigest
        );
    }
}
