//! `Signature`: our strict parser against the crate `sfv`.

use std::{
    cell::Cell,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    SignError, SignOptions, ValidateOptions, sign_request,
    signature::{RequestHead, SIGNATURE, SIGNATURE_INPUT, SignatureBase},
    validate_auth,
};
use proptest::{prelude::*, sample::select, test_runner::TestCaseError};

use crate::support::{
    dictionary::{Style, byte_sequences, mutated, text},
    field::{
        CASES, Field, append, byte_sequences_of, message_with, read_inputs, run, secret, secrets,
    },
};

#[test]
fn signatures_within_the_profile_are_accepted() {
    run(byte_sequences(Style::Legal), |field| {
        prop_assert!(compare_signatures(&field)?);
        Ok(())
    });
}

#[test]
fn odd_signatures_are_never_accepted_alone() {
    let accepted = Cell::new(0);
    run(
        prop_oneof![
            byte_sequences(Style::Odd),
            mutated(byte_sequences(Style::Legal), 1..=2)
        ],
        |field| {
            accepted.set(accepted.get() + u32::from(compare_signatures(&field)?));
            Ok(())
        },
    );
    println!("{} accepted", accepted.get());
    assert!(
        accepted.get() >= CASES / 10,
        "only {} accepted",
        accepted.get()
    );
}

/// Whether we can read the field as a `Signature`; if so, `sfv` must read it too.
fn compare_signatures(field: &Field) -> Result<bool, TestCaseError> {
    let Some(mut message) = message_with(&SIGNATURE, field) else {
        return Ok(false);
    };
    // Signing reads what is there, so that its label is taken only once.
    match sign_request(
        &mut message,
        &secrets(),
        &SignOptions::new().label("a-label-of-ours"),
    ) {
        Ok(_) => {
            byte_sequences_of(field)?;
            Ok(true)
        }
        Err(SignError::MalformedSignature(_)) => Ok(false),
        Err(error) => Err(TestCaseError::fail(error.to_string())),
    }
}

/// However a signature is rewritten: if it is accepted, `sfv` reads the very same MAC.
#[test]
fn an_accepted_signature_reads_the_same_elsewhere() {
    const NOW: u64 = 1_800_000_000;
    let options = ValidateOptions::new().at(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
    let input = Field(
        format!(r#"sig1=("@method" "@authority" "@path" "@query");created={NOW}, b=()"#)
            .into_bytes(),
    );
    let message = message_with(&SIGNATURE_INPUT, &input)
        .expect("header values")
        .map(|_| String::new());
    let base = {
        let inputs = read_inputs(&message).expect("well-formed");
        SignatureBase::of_request(&RequestHead::from(&message), &inputs[0]).expect("all is there")
    };
    let mac = secret().mac(base.as_str().as_bytes()).into_bytes();
    let signature = (text("[ \t]{0,1}"), select(vec![",", ", ", " ,\t", "\n"])).prop_map(
        move |(end, separator)| {
            Field(format!("b=:AAAA:{separator}sig1=:{}:{end}", STANDARD.encode(mac)).into_bytes())
        },
    );

    let accepted = Cell::new(0);
    run(mutated(signature, 0..=2), |field| {
        let mut message = message.clone();
        if !append(&mut message, &SIGNATURE, &field)
            || validate_auth(&message, &secrets(), &options).is_err()
        {
            return Ok(());
        }
        let theirs = byte_sequences_of(&field)?;
        let (_, bytes) = theirs
            .iter()
            .find(|(key, _)| key == "sig1")
            .expect("our label");
        prop_assert_eq!(&bytes[..], &mac[..]);
        accepted.set(accepted.get() + 1);
        Ok(())
    });
    println!("{} accepted", accepted.get());
    assert!(
        accepted.get() >= CASES / 4,
        "only {} accepted",
        accepted.get()
    );
    assert!(accepted.get() < CASES, "no mutation was refused");
}
