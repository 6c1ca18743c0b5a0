//! Our strict parser against the crate `sfv` (RFC 8941): whatever we accept it accepts, and both write the same canonical form.

use std::{
    cell::Cell,
    fmt,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignError, SignOptions, ValidateOptions,
    sign_request,
    signature::{
        CONTENT_DIGEST, RequestHead, SIGNATURE, SIGNATURE_INPUT, SignatureBase, SignatureInput,
        SignatureInputs,
    },
    validate_auth,
};
use http::{HeaderName, HeaderValue, Request};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use sfv::{BareItem, Dictionary, FieldType, InnerList, ListEntry, Parser, Version};

use generate::{Style, byte_sequences, digests, inputs, mutated, text};

#[path = "structured_fields/generate.rs"]
mod generate;

const CASES: u32 = 4000;

// --- by hand ---

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

/// What RFC 8941 allows and the wire profile does not: `sfv` must accept it, or the example proves nothing.
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
        "a=();b=@1",
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

// --- `Signature-Input` ---

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

/// Reads the field as a `Signature-Input` on both sides. Only we may refuse; if we do not, both must read the same.
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

fn read_inputs(message: &Request<String>) -> Option<Vec<SignatureInput<'_>>> {
    let inputs: Vec<_> = SignatureInputs::new(message.headers())
        .collect::<Result<_, _>>()
        .ok()?;
    (!inputs.is_empty()).then_some(inputs)
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

// --- `Signature` ---

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

/// Whether we can read the field as a `Signature`; if so, `sfv` must read byte sequences.
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
        Ok(()) => {
            only_byte_sequences(field)?;
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
        let theirs = only_byte_sequences(&field)?;
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

// --- `Content-Digest` ---

const BODY: &str = r#"{"hello": "world"}"#;
/// The digests of the body in RFC 9421.
const SHA_256: &str = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";
const SHA_512: &str =
    "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==";

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

/// Reads the field as the `Content-Digest` of the body. Right or wrong, `sfv` must come to the same result.
fn compare_digests(field: &Field) -> Result<Digests, TestCaseError> {
    let Some(mut message) = message_with(&CONTENT_DIGEST, field) else {
        return Ok(Digests::Unusable);
    };
    let ours = match sign_request(&mut message, &secrets(), &SignOptions::new()) {
        Ok(()) => Digests::Right,
        Err(SignError::WrongDigest) => Digests::Wrong,
        Err(SignError::UnusableDigest) => return Ok(Digests::Unusable),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    let mut theirs = Vec::new();
    for (key, bytes) in only_byte_sequences(field)? {
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

// --- both sides ---

/// The lines of one field, with `\n` between them.
#[derive(Clone)]
struct Field(Vec<u8>);

impl Field {
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'\n')
    }

    fn contains(&self, text: &str) -> bool {
        self.0
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_ascii())
    }
}

/// The same cases in each run, so that the shares that are asserted do not depend on luck.
fn run<S: Strategy>(cases: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&cases, test) {
        panic!("{error}");
    }
}

/// What `sfv` reads: the lines of a field are one value with a comma between them (RFC 8941 section 4.2).
fn dictionary(field: &Field) -> Result<Dictionary, sfv::Error> {
    let joined = field.lines().collect::<Vec<_>>().join(&b", "[..]);
    Parser::new(&joined).with_version(Version::Rfc8941).parse()
}

/// What `sfv` reads, if it is a dictionary of byte sequences.
fn only_byte_sequences(field: &Field) -> Result<Vec<(String, Vec<u8>)>, TestCaseError> {
    let dictionary = dictionary(field)
        .map_err(|error| TestCaseError::fail(format!("only we accept: {error}")))?;
    let members = dictionary.into_iter().map(|(key, entry)| match entry {
        ListEntry::Item(sfv::Item {
            bare_item: BareItem::ByteSequence(bytes),
            ..
        }) => Ok((key.as_str().to_owned(), bytes)),
        _ => Err(TestCaseError::fail("only we read a byte sequence")),
    });
    members.collect()
}

/// A message that has every component above, and the field; `None` if these are no header values.
fn message_with(name: &HeaderName, field: &Field) -> Option<Request<String>> {
    let mut message = Request::post("https://host.example/path?Pet=dog&q=1")
        .header("x-a", "1")
        .header("x-a", "2")
        .header("x-b", "3")
        .body(BODY.to_owned())
        .expect("a request");
    append(&mut message, name, field).then_some(message)
}

fn append(message: &mut Request<String>, name: &HeaderName, field: &Field) -> bool {
    let lines: Result<Vec<_>, _> = field.lines().map(HeaderValue::from_bytes).collect();
    lines.is_ok_and(|lines| {
        for line in lines {
            message.headers_mut().append(name, line);
        }
        true
    })
}

fn secret() -> Secret {
    Secret::from_text("a secret of this test").expect("long enough")
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret());
    secrets
}
