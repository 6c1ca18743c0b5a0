//! Signatures of others beside ours: ignored if well-formed, refused if not.

use hmac_auth::{
    AuthErrorKind,
    signature::{SIGNATURE, SIGNATURE_INPUT},
};
use http::{HeaderName, HeaderValue};

use crate::support::{
    request::TestRequest,
    shapes::{Shape, check, shapes, with_value},
};

/// RFC 9421 section 7.2.5: a label has no meaning. It must only be the same in both fields.
#[test]
fn labels_are_not_signed() {
    for Shape { name, request } in shapes() {
        let rename = |names: &[HeaderName], label: &str| {
            names.iter().fold(request.clone(), |mutant, name| {
                let value = mutant.headers()[name]
                    .to_str()
                    .unwrap()
                    .replacen("sig1", label, 1);
                with_value(&mutant, name, value.as_bytes()).unwrap()
            })
        };
        for label in ["a", "*", "sig2", "sig1.x_y-z*", &"x".repeat(200)] {
            assert_eq!(
                check(&rename(&[SIGNATURE_INPUT, SIGNATURE], label)),
                Ok(()),
                "{name}: {label}"
            );
            for one in [SIGNATURE_INPUT, SIGNATURE] {
                assert_eq!(
                    check(&rename(&[one], label)),
                    Err(AuthErrorKind::UnpairedLabel),
                    "{name}: {label}"
                );
            }
        }
        for label in ["", "Sig1", "1", "-", "sig 1", "sig1;", "é"] {
            let refusal = check(&rename(&[SIGNATURE_INPUT, SIGNATURE], label));
            assert_eq!(
                refusal,
                Err(AuthErrorKind::MalformedSignatureInput),
                "{name}: {label:?}"
            );
            assert_eq!(
                check(&rename(&[SIGNATURE], label)),
                Err(AuthErrorKind::MalformedSignature),
                "{name}: {label:?}"
            );
        }
    }
}

/// A member for each of the two fields, as another signer, with another algorithm, would have added
/// it.
fn foreign(index: usize) -> (String, String) {
    let input = format!(
        r#"o{index}=("@method" "x-absent";sf "@status" "@unknown";x);created={index};alg="ed25519";x=1.5"#
    );
    (input, format!("o{index}=:{}==:", "B".repeat(85) + "A"))
}

/// The values in one line each or in lines of their own.
fn with_members(
    request: &TestRequest,
    inputs: &[String],
    signatures: &[String],
    one_line: bool,
) -> TestRequest {
    let mut mutant = request.clone();
    for (name, values) in [(SIGNATURE_INPUT, inputs), (SIGNATURE, signatures)] {
        let joined = [values.join(", ")];
        mutant.headers_mut().remove(&name);
        for value in if one_line { &joined } else { values } {
            mutant
                .headers_mut()
                .append(&name, HeaderValue::from_str(value).unwrap());
        }
    }
    mutant
}

#[test]
fn signatures_of_others_are_ignored() {
    for Shape { name, request } in shapes() {
        let own = [SIGNATURE_INPUT, SIGNATURE]
            .map(|name| request.headers()[name].to_str().unwrap().to_owned());
        for (others, one_line) in [(1, true), (1, false), (2, true), (15, true), (15, false)] {
            for place in 0..=others {
                let (mut inputs, mut signatures): (Vec<_>, Vec<_>) =
                    (0..others).map(foreign).unzip();
                inputs.insert(place, own[0].clone());
                signatures.insert(place, own[1].clone());
                assert_eq!(
                    check(&with_members(&request, &inputs, &signatures, one_line)),
                    Ok(()),
                    "{name}"
                );
                // The two fields need not have the same order.
                signatures.reverse();
                assert_eq!(
                    check(&with_members(&request, &inputs, &signatures, one_line)),
                    Ok(()),
                    "{name}"
                );
            }
        }
        // They prove nothing: without the one of the consumer, the request is refused.
        let (inputs, signatures): (Vec<_>, Vec<_>) = (0..2).map(foreign).unzip();
        let alone = check(&with_members(&request, &inputs, &signatures, true));
        assert_eq!(alone, Err(AuthErrorKind::UnsupportedAlgorithm), "{name}");
        // Sixteen labels are the limit.
        let (mut inputs, mut signatures): (Vec<_>, Vec<_>) = (0..16).map(foreign).unzip();
        inputs.push(own[0].clone());
        signatures.push(own[1].clone());
        let many = check(&with_members(&request, &inputs, &signatures, true));
        assert_eq!(many, Err(AuthErrorKind::MalformedSignatureInput), "{name}");
    }
}

/// Signatures that could be the consumer's, because only the MAC tells: up to three wrong ones
/// beside the right one.
#[test]
fn wrong_signatures_beside_the_right_one_change_nothing() {
    for Shape { name, request } in shapes() {
        let own = [SIGNATURE_INPUT, SIGNATURE]
            .map(|name| request.headers()[name].to_str().unwrap().to_owned());
        let wrong = |count: usize, place: usize| {
            let zeros = "A".repeat(43);
            let mut inputs: Vec<_> = (0..count)
                .map(|index| own[0].replacen("sig1", &format!("w{index}"), 1))
                .collect();
            let mut signatures: Vec<_> = (0..count)
                .map(|index| format!("w{index}=:{zeros}=:"))
                .collect();
            inputs.insert(place, own[0].clone());
            signatures.insert(place, own[1].clone());
            check(&with_members(&request, &inputs, &signatures, false))
        };
        for (count, place) in [(1, 0), (1, 1), (3, 0), (3, 1), (3, 2), (3, 3)] {
            assert_eq!(wrong(count, place), Ok(()), "{name}");
        }
        for place in 0..=4 {
            assert_eq!(
                wrong(4, place),
                Err(AuthErrorKind::TooManyCandidates),
                "{name}"
            );
        }
    }
}

/// The strict reading of the fields holds for the members of others as well, so that no two readers
/// disagree.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn members_that_are_doubled_unpaired_or_malformed_are_refused() {
    for Shape { name, request } in shapes() {
        let own = [SIGNATURE_INPUT, SIGNATURE]
            .map(|name| request.headers()[name].to_str().unwrap().to_owned());
        let (input, signature) = foreign(0);
        let both = [
            vec![own[0].clone(), input.clone()],
            vec![own[1].clone(), signature.clone()],
        ];
        assert_eq!(
            check(&with_members(&request, &both[0], &both[1], true)),
            Ok(()),
            "{name}"
        );
        let with = |inputs: &[&str], signatures: &[&str]| {
            let owned = |texts: &[&str]| {
                texts
                    .iter()
                    .map(|text| (*text).to_owned())
                    .collect::<Vec<_>>()
            };
            [true, false].map(|one_line| {
                check(&with_members(
                    &request,
                    &owned(inputs),
                    &owned(signatures),
                    one_line,
                ))
            })
        };
        let [i, s] = [own[0].as_str(), own[1].as_str()];
        let mac = s.strip_prefix("sig1=").unwrap();
        for (inputs, signatures, kind) in [
            (
                &[i, i][..],
                &[s][..],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i, "sig1=()"],
                &[s],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &["sig1=()", i],
                &[s],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (&[i], &[s, s], AuthErrorKind::MalformedSignature),
            (&[i], &[s, "sig1=::"], AuthErrorKind::MalformedSignature),
            (&[i], &["sig1=::", s], AuthErrorKind::MalformedSignature),
            (
                &[i, &input, &input],
                &[s, &signature],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i, &input],
                &[s, &signature, &signature],
                AuthErrorKind::MalformedSignature,
            ),
            (&[i, &input], &[s], AuthErrorKind::UnpairedLabel),
            (&[i], &[s, &signature], AuthErrorKind::UnpairedLabel),
            (
                &[i, &input],
                &[s, &format!("p{mac}")],
                AuthErrorKind::MalformedSignature,
            ),
            (
                &[i, &input],
                &[s, &format!("p={mac}")],
                AuthErrorKind::UnpairedLabel,
            ),
            (
                &[i],
                &[&format!("{s};x")],
                AuthErrorKind::MalformedSignature,
            ),
            (
                &[i],
                &[&format!("{s};x=1")],
                AuthErrorKind::MalformedSignature,
            ),
        ] {
            assert_eq!(
                with(inputs, signatures),
                [Err(kind); 2],
                "{name}: {inputs:?} {signatures:?}"
            );
        }
        // What RFC 9651 allows is read over.
        for (inputs, signatures) in [
            ([i, &input], [s, "o0=:AB==:"]),
            ([i, &input], [s, "o0=:AA:"]),
            ([i, &input], [s, "o0=1"]),
            ([i, &input], [s, "o0"]),
            ([i, "o0=1"], [s, &signature]),
            ([i, "o0"], [s, &signature]),
            ([i, "o0=(\"a\" \"a\")"], [s, &signature]),
            ([i, "o0=();a;a"], [s, &signature]),
        ] {
            assert_eq!(
                with(&inputs, &signatures),
                [Ok(()); 2],
                "{name}: {inputs:?} {signatures:?}"
            );
        }
        // An empty line is no member.
        assert_eq!(
            with(&[i, ""], &[s])[1],
            Err(AuthErrorKind::MalformedSignatureInput),
            "{name}"
        );
        assert_eq!(
            with(&[i], &["", s])[1],
            Err(AuthErrorKind::MalformedSignature),
            "{name}"
        );
    }
}
