//! Every bit of the signature fields counts, except where RFC 8941 says otherwise.

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, Secret,
    signature::{SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};

use crate::support::{
    request::TestRequest,
    shapes::{Shape, Tally, check, flips, host, input_of, parts_of_input, shapes, with_value},
};

#[test]
fn every_bit_of_both_signature_fields_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        for name in [SIGNATURE_INPUT, SIGNATURE] {
            let value = shape.request.headers()[&name].as_bytes();
            for flipped in flips(value, 0..value.len()) {
                match with_value(&shape.request, &name, &flipped) {
                    Some(mutant) => tally.judge(&shape, &mutant, None),
                    None => tally.impossible += 1,
                }
            }
            for len in 0..value.len() {
                tally.judge(
                    &shape,
                    &with_value(&shape.request, &name, &value[..len]).unwrap(),
                    None,
                );
                tally.judge(
                    &shape,
                    &with_value(&shape.request, &name, &value[len + 1..]).unwrap(),
                    None,
                );
            }
        }
    }
    tally.assert_exceptions(&[]);
    assert!(
        tally.refusals() > 10_000 && tally.impossible > 500,
        "{} {}",
        tally.refusals(),
        tally.impossible
    );
    // Most bits leave the fields well-formed: the MAC has refused them, not the parser.
    assert!(tally.refused["wrong_mac"] > 3_000, "{:?}", tally.refused);
}

/// The signature of one request under another, and the same request under another secret.
#[test]
fn signatures_belong_to_one_message_and_one_secret() {
    let mut tally = Tally::default();
    let shapes = shapes();
    for one in &shapes {
        for other in &shapes {
            if one.name == other.name {
                continue;
            }
            let mut mutant = other.request.clone();
            for names in [&[SIGNATURE][..], &[SIGNATURE_INPUT, SIGNATURE]] {
                for name in names {
                    mutant
                        .headers_mut()
                        .insert(name, one.request.headers()[name].clone());
                }
                tally.judge(other, &mutant, None);
            }
        }
        let others = MemorySecrets::new();
        others.insert(
            DEFAULT_SECRET_NAME,
            Secret::from_text("a secret that nobody here knows").unwrap(),
        );
        let refusal = validate_auth(&one.request, &others, &host()).unwrap_err();
        assert_eq!(refusal.kind(), AuthErrorKind::WrongMac);
    }
    assert_eq!(tally.refusals(), 2 * 7 * 6);
}

/// The tamper kit drops, doubles, moves and adds components. Here are texts that only look like
/// one, in each place.
#[test]
fn no_other_text_is_taken_for_a_component() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let (components, params) = parts_of_input(&shape.request);
        let mut inputs = Vec::new();
        for index in 0..components.len() {
            for added in [
                r#""user-agent""#,
                r#""@query-param";name="page""#,
                r#""@path";req"#,
                r#""""#,
                "method",
                "1",
                "(\"@path\")",
            ] {
                let mut more = components.clone();
                more.insert(index, added.to_owned());
                inputs.push(input_of(&more, &params));
            }
            for parameter in [
                ";tr",
                ";key=\"a\"",
                ";name=\"page\"",
                ";x=1",
                ";bs=?0",
                ";",
                ";=",
            ] {
                let mut changed = components.clone();
                changed[index] += parameter;
                inputs.push(input_of(&changed, &params));
            }
        }
        inputs.push(input_of(
            &components.iter().rev().cloned().collect::<Vec<_>>(),
            &params,
        ));
        for input in inputs {
            let mutant = with_value(&shape.request, &SIGNATURE_INPUT, input.as_bytes()).unwrap();
            tally.judge(&shape, &mutant, None);
        }
    }
    tally.assert_exceptions(&[]);
    assert!(tally.refusals() > 500, "{}", tally.refusals());
}

/// The tamper kit drops, doubles, moves, adds and changes parameters. Here are odd values and odd
/// spellings, in each place.
#[test]
fn no_other_text_is_taken_for_a_parameter() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let (components, params) = parts_of_input(&shape.request);
        let mut inputs = Vec::new();
        for (index, param) in params.iter().enumerate() {
            for added in [
                "x",
                "x=\"\"",
                "x=:AAAA:",
                "x=1.5",
                "created",
                "expires=999999999999999",
                "expires=1",
                "",
                "=",
                "X=1",
            ] {
                let mut more = params.clone();
                more.insert(index, added.to_owned());
                inputs.push(input_of(&components, &more));
            }
            let (key, value) = param.split_once('=').unwrap();
            let text = value.trim_matches('"');
            for changed in [
                format!("{key}=-{text}"),
                format!("{key}=\"{text} \""),
                format!("{key}=\"{}\"", text.to_uppercase() + "_"),
                format!("{key}= {value}"),
                format!("{key} ={value}"),
            ] {
                let mut params = params.clone();
                params[index] = changed;
                inputs.push(input_of(&components, &params));
            }
        }
        for input in inputs {
            let mutant = with_value(&shape.request, &SIGNATURE_INPUT, input.as_bytes()).unwrap();
            tally.judge(&shape, &mutant, None);
        }
    }
    tally.assert_exceptions(&[]);
    assert!(tally.refusals() > 300, "{}", tally.refusals());
}

/// The signed text is the canonical serialisation (RFC 9421 section 2.3): white space that RFC 8941
/// allows means nothing.
#[test]
fn the_spelling_of_the_input_does_not_count_where_rfc_8941_says_so() {
    let edit = |request: &TestRequest, edit: &dyn Fn(&str) -> String| {
        let input = request.headers()[SIGNATURE_INPUT].to_str().unwrap();
        let edited = edit(input);
        assert_ne!(edited, input, "the edit has no effect");
        check(&with_value(request, &SIGNATURE_INPUT, edited.as_bytes()).unwrap())
    };
    let replace = |from: &'static str, to: &'static str| move |input: &str| input.replace(from, to);
    for Shape { name, request } in shapes() {
        let same: [&dyn Fn(&str) -> String; 10] = [
            &replace("(", "( "),
            &replace(")", "   )"),
            &replace(" ", "  "),
            &replace(";", "; "),
            &replace(";created", ";    created"),
            &replace("created=1", "created=001"),
            &|input| format!("  {input}"),
            &|input| format!("{input} "),
            &|input| format!("{input} \t "),
            &|input| {
                format!(
                    "  {}\t",
                    input
                        .replace(' ', "    ")
                        .replace('(', "(  ")
                        .replace(';', ";  ")
                )
            },
        ];
        for (index, spelling) in same.into_iter().enumerate() {
            assert_eq!(edit(&request, spelling), Ok(()), "{name}: spelling {index}");
        }
        let malformed: [&dyn Fn(&str) -> String; 14] = [
            &replace("(", "(\t"),
            &replace(" ", "\t"),
            &replace("\" \"", "\"\""),
            &replace("\" \"", "\", \""),
            &replace(";created", " ;created"),
            &replace(";created", ";\tcreated"),
            &replace("sig1=", "sig1 ="),
            &replace("sig1=", "sig1= "),
            &replace("sig1=(", "sig1=(("),
            &replace("created=1", "created=+1"),
            &replace("created=1", "created=0000001"),
            &|input| format!("\t{input}"),
            &|input| format!("{input},"),
            &|input| format!(",{input}"),
        ];
        for (index, spelling) in malformed.into_iter().enumerate() {
            let refusal = edit(&request, spelling);
            assert_eq!(
                refusal,
                Err(AuthErrorKind::MalformedSignatureInput),
                "{name}: spelling {index}"
            );
        }
        // White space around the other field, whose value is not signed but is the signature.
        let signature = request.headers()[SIGNATURE].to_str().unwrap();
        for padded in [format!("  {signature}"), format!("{signature} \t")] {
            assert_eq!(
                check(&with_value(&request, &SIGNATURE, padded.as_bytes()).unwrap()),
                Ok(())
            );
        }
    }
}
