//! `Signature-Input`: our strict parser against the crate `sfv` (RFC 8941).
//! The crate `sfv` accepts whatever we accept, and both write the same canonical form.

use std::cell::Cell;

use hmac_auth::signature::{RequestHead, SIGNATURE_INPUT, SignatureBase, SignatureInput};
use http::Request;
use proptest::{prelude::*, test_runner::TestCaseError};
use sfv::{FieldType, InnerList, ListEntry};

use crate::support::{
    dictionary::{Style, inputs, mutated},
    field::{CASES, Field, dictionary, message_with, read_inputs, run},
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
        let verdict = compare_inputs(&field).unwrap_or_else(|error| panic!("{received}: {error}"));
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
        let verdict = compare_inputs(&field).unwrap_or_else(|error| panic!("{received}: {error}"));
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
        assert_eq!(
            compare_inputs(&field).expect("no difference"),
            Verdict::Refused,
            "{received}"
        );
    }
}

/// A component parameter is a flag only if it is true.
#[test]
fn what_is_no_flag_is_kept_and_not_resolved() {
    for parameter in ["bs=?0", "bs=1", "bs=a", "bs=\"\"", "req=?0", "req=:AQ==:"] {
        let verdict = compare_inputs(&Field::from(&*format!("a=(\"x-a\";{parameter})")));
        assert_eq!(
            verdict.expect("no difference"),
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
        let verdict = compare_inputs(&field)?;
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
        tally.count(compare_inputs(&field)?);
        Ok(())
    });
    tally.assert_at_least(CASES / 10);
}

#[test]
fn mutated_inputs_are_never_accepted_alone() {
    let tally = Tally::default();
    run(mutated(inputs(Style::Legal), 1..=2), |field| {
        tally.count(compare_inputs(&field)?);
        Ok(())
    });
    tally.assert_at_least(CASES / 10);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Refused,
    /// How many members were compared down to the last line of the base.
    Accepted {
        /// Received as they are signed.
        canonical: u32,
        rewritten: u32,
        /// Not compared so far, as they cover what the message does not have.
        unresolved: u32,
    },
}

/// Reads the field as a `Signature-Input` on both sides. Only we may refuse; if we do not, both
/// must read the same.
fn compare_inputs(field: &Field) -> Result<Verdict, TestCaseError> {
    let Some(message) = message_with(&SIGNATURE_INPUT, field) else {
        return Ok(Verdict::Refused);
    };
    let Some(ours) = read_inputs(&message) else {
        return Ok(Verdict::Refused);
    };
    let theirs = dictionary(field)
        .map_err(|error| TestCaseError::fail(format!("only we accept: {error}")))?;

    let our_labels: Vec<_> = ours.iter().map(SignatureInput::label).collect();
    let their_labels: Vec<_> = theirs.keys().map(|key| key.as_str()).collect();
    prop_assert_eq!(our_labels, their_labels);
    let (mut canonical, mut rewritten, mut unresolved) = (0, 0, 0);
    for (input, entry) in ours.iter().zip(theirs.values()) {
        let ListEntry::InnerList(list) = entry else {
            return Err(TestCaseError::fail("not a list of components"));
        };
        compare_components(input, list)?;
        compare_parameters(input, list)?;
        let signed = vec![entry.clone()].serialize().expect("one member");
        match last_line(&message, input) {
            None => unresolved += 1,
            Some(line) => {
                prop_assert_eq!(line, &*signed);
                let as_received = field.contains(&format!("{}={signed}", input.label()));
                *if as_received {
                    &mut canonical
                } else {
                    &mut rewritten
                } += 1;
            }
        }
    }
    Ok(Verdict::Accepted {
        canonical,
        rewritten,
        unresolved,
    })
}

fn compare_components(input: &SignatureInput<'_>, list: &InnerList) -> Result<(), TestCaseError> {
    prop_assert!(
        list.items
            .iter()
            .all(|item| item.bare_item.as_string().is_some()),
        "a component is not a string"
    );
    let ours: Vec<_> = input
        .components()
        .map(|component| component.to_string())
        .collect();
    let theirs: Vec<_> = list.items.iter().map(FieldType::serialize).collect();
    prop_assert_eq!(ours, theirs);
    Ok(())
}

fn compare_parameters(input: &SignatureInput<'_>, list: &InnerList) -> Result<(), TestCaseError> {
    let theirs = |name: &str| {
        list.params
            .iter()
            .find(|(key, _)| key.as_str() == name)
            .map(|(_, value)| value)
    };
    for (name, ours) in [("created", input.created()), ("expires", input.expires())] {
        let theirs = theirs(name).map(|value| value.as_integer().map(i64::from));
        prop_assert_eq!(ours.map(Some), theirs);
    }
    for (name, ours) in [
        ("nonce", input.nonce()),
        ("alg", input.alg()),
        ("keyid", input.key_id()),
        ("tag", input.tag()),
    ] {
        let theirs = theirs(name).map(|value| value.as_string().map(sfv::StringRef::as_str));
        prop_assert_eq!(ours.as_deref().map(Some), theirs);
    }
    Ok(())
}

/// What is signed of the input itself; `None` if a component is not in the message.
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
