//! `Content-Digest`: our strict parser against the crate `sfv`.

use std::cell::Cell;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{SignError, SignOptions, sign_request, signature::CONTENT_DIGEST};
use proptest::{prelude::*, test_runner::TestCaseError};

use crate::support::{
    dictionary::{digests, mutated},
    field::{
        CASES, Field, SHA_256, SHA_512, byte_sequences_of, dictionary, message_with, run, secrets,
    },
};

#[test]
fn digests_within_the_profile_are_read() {
    let counts = [const { Cell::new(0) }; 3];
    run(digests(), |field| {
        let outcome = compare_digests(&field)?;
        prop_assert!(outcome != Digests::Unusable);
        let count = &counts[outcome as usize];
        count.set(count.get() + 1);
        Ok(())
    });
    println!("{counts:?}");
    assert!(
        counts[..2].iter().all(|count| count.get() >= CASES / 10),
        "{counts:?}"
    );
}

#[test]
fn mutated_digests_are_never_read_alone() {
    let counts = [const { Cell::new(0) }; 3];
    run(mutated(digests(), 1..=2), |field| {
        let count = &counts[compare_digests(&field)? as usize];
        count.set(count.get() + 1);
        Ok(())
    });
    println!("{counts:?}");
    assert!(
        counts.iter().all(|count| count.get() >= CASES / 50),
        "{counts:?}"
    );
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digests {
    Right,
    Wrong,
    Unusable,
}

/// Reads the field as the `Content-Digest` of the body. Right or wrong, `sfv` must come to the same
/// result.
fn compare_digests(field: &Field) -> Result<Digests, TestCaseError> {
    let Some(mut message) = message_with(&CONTENT_DIGEST, field) else {
        return Ok(Digests::Unusable);
    };
    let ours = match sign_request(&mut message, &secrets(), &SignOptions::new()) {
        Ok(_) => Digests::Right,
        Err(SignError::WrongDigest) => Digests::Wrong,
        Err(SignError::UnusableDigest) => return Ok(Digests::Unusable),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    let mut theirs = Vec::new();
    let members = byte_sequences_of(field)?;
    prop_assert_eq!(members.len(), dictionary(field).map_or(0, |all| all.len()));
    for (key, bytes) in members {
        let expected = match key.as_str() {
            "sha-256" => STANDARD.decode(SHA_256),
            "sha-512" => STANDARD.decode(SHA_512),
            _ => continue,
        };
        let expected = expected.expect("base64");
        prop_assert_eq!(bytes.len(), expected.len(), "{}", key);
        theirs.push(bytes == expected);
    }
    prop_assert!(!theirs.is_empty(), "no supported digest");
    prop_assert_eq!(ours == Digests::Right, theirs.iter().all(|right| *right));
    Ok(ours)
}
