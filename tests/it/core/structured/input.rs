//! `Signature-Input`: our strict parser against the crate `sfv` (RFC 8941).
//! The crate `sfv` accepts whatever we accept, and both write the same canonical form.

use std::cell::Cell;

use hmac_auth::signature::{RequestHead, SIGNATURE_INPUT, SignatureBase, SignatureInput};
use http::Request;
use proptest::prelude::*;

use crate::{
    fuzz::signature_input::{self, Verdict},
    support::{
        dictionary::{Style, inputs, mutated},
        field::{CASES, Field, dictionary, message_with, read_inputs, run},
    },
};

/// One meaning, several spellings: what was received, and what is signed.
#[test]
fn canonical_spellings() {
    for (received, canonical) in [
        ("a=()", "()"),
        ("a=( )", "()"),
        (r#"a=(  "x-a"   "x-b"  )"#, r#"("x-a" "x-b")"#),
        (r#"a=("x-a"; bs "x-b";bs=?1)"#, r#"("x-a";bs "x-b";bs)"#),
        ("a=();b;c=?1;  d=?0", "();b;c;d=?0"),
        (
            "a=();b=-0;c=007;d=-01;e=10;f=-999999999999999",
            "();b=0;c=7;d=-1;e=10;f=-999999999999999",
        ),
        (
            "a=();b=0.0;c=-0.0;d=1.50;e=007.25;f=1.000;g=-0.10;h=0.001",
            "();b=0.0;c=0.0;d=1.5;e=7.25;f=1.0;g=-0.1;h=0.001",
        ),
        (
            r#"a=();b="";c="\"\\ ";d=*a:/b"#,
            r#"();b="";c="\"\\ ";d=*a:/b"#,
        ),
        ("a=();b=::;c=:YQ==:;d=:+/8=:", "();b=::;c=:YQ==:;d=:+/8=:"),
        ("a=();created=0001;*=-0", "();created=1;*=0"),
        ("a=();b=@1;c=@-0;d=@01", "();b=@1;c=@0;d=@1"),
        (
            r#"a=();b=%"";c=%"f%c3%bc";d=%"%41\%7e%22""#,
            r#"();b=%"";c=%"f%c3%bc";d=%"A\~%22""#,
        ),
        ("  a=() \t", "()"),
    ] {
        let field = Field::from(received);
        let verdict = compare_inputs(&field);
        assert!(
            matches!(verdict, Verdict::Accepted { unresolved: 0, .. }),
            "{received}: {verdict:?}"
        );
        let message = message_with(&SIGNATURE_INPUT, &field).expect("header values");
        let inputs = read_inputs(&message).expect("accepted");
        assert_eq!(
            last_line(&message, &inputs[0]).as_deref(),
            Some(canonical),
            "{received}"
        );
    }
}

/// What RFC 8941 allows and the wire profile does not: `sfv` must accept it, or the example proves
/// nothing.
#[test]
fn refused_though_valid() {
    for received in [
        "a=(), a=()",
        "a=()\na=()",
        "a=();b;b",
        r#"a=("x-a" "x-a")"#,
        r#"a=("x-a";bs "x-a";bs=?1)"#,
        r#"a=("x-a";bs;bs)"#,
        "a=(x-a)",
        "a=(1)",
        "a",
        "a=1",
        "a=:YQ==:",
        "a=();b=:YQ:",
        // Each bit beyond the last byte.
        "a=();b=:YB==:",
        "a=();b=:YC==:",
        "a=();b=:YE==:",
        "a=();b=:YI==:",
        "a=();b=:YWB=:",
        "a=();b=:YWC=:",
        "a=();created=1.0",
        r#"a=();created="1""#,
        "a=();keyid=token",
        "a=();nonce",
        // Two lines that only make sense together.
        "a=();tag=\"b\nc\"",
    ] {
        let field = Field::from(received);
        assert!(dictionary(&field).is_ok(), "{received}");
        let verdict = compare_inputs(&field);
        assert_eq!(verdict, Verdict::Refused, "{received}");
    }
}

/// The edges of the grammar that chance finds rarely.
#[test]
fn refused_by_both() {
    for received in [
        "a=();b=:A===:",
        "a=();b=:AA=A:",
        "a=();b=:-_8=:",
        "a=();b=:YQ==",
        "a=();b=a@b",
        "a=();b=@1.5",
        "a=();b=@",
        "a=();b=%\"%C3%BC\"",
        "a=();b=%\"%c3\"",
        "a=();b=%\"%c\"",
        "a=();b=%\"\u{fc}\"",
        "a=();b=%f",
        "a=();b=1000000000000000",
        "a=();b=0000000000000001",
        "a=();b=1234567890123.0",
        "a=();b=1.2345",
        "a=();b=1.",
        "a=();b=.1",
        "a=();b=-",
        "a=();b=+1",
        "a=();b=?2",
        "a=();b=?",
        "a=();b=",
        "a=();",
        "a=();B",
        "a=() ;b",
        "a=();b =1",
        r#"a=();b="\a""#,
        "a=();b=\"\t\"",
        "a=();b=\"\u{e9}\"",
        "a=();b=\"",
        r#"a=("x-a""x-b")"#,
        "a=(\"x-a\"\t\"x-b\")",
        r#"a=("x-a" "x-b""#,
        r#"a=(("x-a"))"#,
        "a= ()",
        "A=()",
        "a=(),",
        "a=(),,b=()",
        "a=() b=()",
        ",a=()",
        "a=()\n\nb=()",
        "a=(\n)",
        "a=()\u{a0}",
    ] {
        let field = Field::from(received);
        assert!(dictionary(&field).is_err(), "{received}");
        assert_eq!(compare_inputs(&field), Verdict::Refused, "{received}");
    }
}

/// A component parameter is a flag only if it is true.
#[test]
fn what_is_no_flag_is_kept_and_not_resolved() {
    for parameter in ["bs=?0", "bs=1", "bs=a", "bs=\"\"", "req=?0", "req=:AQ==:"] {
        let verdict = compare_inputs(&Field::from(&*format!("a=(\"x-a\";{parameter})")));
        assert_eq!(
            verdict,
            Verdict::Accepted {
                canonical: 0,
                rewritten: 0,
                unresolved: 1
            },
            "{parameter}"
        );
    }
}

#[test]
fn inputs_within_the_profile_are_accepted_and_canonical() {
    let tally = Tally::default();
    run(inputs(Style::Legal), |field| {
        let verdict = compare_inputs(&field);
        prop_assert!(
            matches!(verdict, Verdict::Accepted { unresolved: 0, .. }),
            "{:?}",
            verdict
        );
        tally.count(verdict);
        Ok(())
    });
    tally.assert_at_least(CASES / 2);
}

#[test]
fn odd_inputs_are_never_accepted_alone() {
    let tally = Tally::default();
    run(inputs(Style::Odd), |field| {
        tally.count(compare_inputs(&field));
        Ok(())
    });
    tally.assert_at_least(CASES / 10);
}

#[test]
fn mutated_inputs_are_never_accepted_alone() {
    let tally = Tally::default();
    run(mutated(inputs(Style::Legal), 1..=2), |field| {
        tally.count(compare_inputs(&field));
        Ok(())
    });
    tally.assert_at_least(CASES / 10);
}

/// Reads the field as a `Signature-Input` on both sides. Where only one of them accepts, there must
/// be a known reason; where both do, they must read the same.
fn compare_inputs(field: &Field) -> Verdict {
    signature_input::compare(&field.0)
}

/// What is signed of the first input of a message; `None` if a component is not in the message.
fn last_line(message: &Request<String>, input: &SignatureInput<'_>) -> Option<String> {
    let base = SignatureBase::of_request(&RequestHead::from(message), input).ok()?;
    let line = base.as_str().rsplit('\n').next().expect("a line");
    Some(
        line.strip_prefix("\"@signature-params\": ")
            .expect("the last line")
            .to_owned(),
    )
}

/// Over all cases, the members of accepted fields.
#[derive(Debug, Default)]
struct Tally {
    canonical: Cell<u32>,
    rewritten: Cell<u32>,
}

impl Tally {
    fn count(&self, verdict: Verdict) {
        if let Verdict::Accepted {
            canonical,
            rewritten,
            ..
        } = verdict
        {
            self.canonical.set(self.canonical.get() + canonical);
            self.rewritten.set(self.rewritten.get() + rewritten);
        }
    }

    /// Of both kinds, so many must have been compared.
    fn assert_at_least(&self, count: u32) {
        println!("{self:?}");
        assert!(
            self.canonical.get() >= count && self.rewritten.get() >= count,
            "{self:?}"
        );
    }
}
