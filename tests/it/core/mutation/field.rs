//! Every bit of every covered field counts; lines may be joined and padded.

use hmac_auth::{
    AuthErrorKind,
    signature::{SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};
use http::{HeaderMap, HeaderName, HeaderValue, header::HOST};

use crate::support::{
    request::{self, TestRequest, secrets},
    shapes::{Exception, Tally, covered_fields, flips, host, shapes, view, with_value},
};

#[test]
fn every_bit_of_every_covered_field_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        for name in covered_fields(&shape.request) {
            let lines: Vec<_> = shape
                .request
                .headers()
                .get_all(&name)
                .iter()
                .cloned()
                .collect();
            for (index, line) in lines.iter().enumerate() {
                for flipped in flips(line.as_bytes(), 0..line.len()) {
                    let Ok(value) = HeaderValue::from_bytes(&flipped) else {
                        tally.impossible += 1;
                        continue;
                    };
                    let mut changed = lines.clone();
                    changed[index] = value;
                    tally.judge(&shape, &with_lines(&shape.request, &name, &changed), None);
                }
            }
        }
    }
    tally.assert_exceptions(&[]);
    assert!(
        tally.refusals() > 2_500 && tally.impossible > 100,
        "{} {}",
        tally.refusals(),
        tally.impossible
    );
}

fn with_lines(request: &TestRequest, name: &str, lines: &[HeaderValue]) -> TestRequest {
    let mut mutant = request.clone();
    mutant.headers_mut().remove(name);
    for line in lines {
        mutant
            .headers_mut()
            .append(HeaderName::try_from(name).unwrap(), line.clone());
    }
    mutant
}

#[test]
fn every_bit_of_the_host_field_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let authority = view(&shape.request, &shape)[1].clone();
        let host = shape
            .request
            .headers()
            .get(HOST)
            .map_or(authority.as_bytes(), HeaderValue::as_bytes);
        for flipped in flips(host, 0..host.len()) {
            match with_value(&shape.request, &HOST, &flipped) {
                Some(mutant) => tally.judge(&shape, &mutant, Some(Exception::CaseOfAuthority)),
                None => tally.impossible += 1,
            }
        }
    }
    tally.assert_exceptions(&[Exception::CaseOfAuthority]);
    assert_eq!(tally.same[&Exception::CaseOfAuthority], 7 * 11);
    assert!(
        tally.refusals() > 500 && tally.impossible > 20,
        "{} {}",
        tally.refusals(),
        tally.impossible
    );
}

/// Each line of each field: removed, doubled, cut at either end, extended.
#[test]
fn every_line_of_every_field_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let covered = covered_fields(&shape.request);
        for name in shape.request.headers().keys() {
            let lines: Vec<_> = shape
                .request
                .headers()
                .get_all(name)
                .iter()
                .cloned()
                .collect();
            let counts = covered.iter().any(|covered| covered == name.as_str())
                || [SIGNATURE, SIGNATURE_INPUT, HOST].contains(name);
            let allowed = (!counts).then_some(Exception::NotCovered);
            for index in 0..lines.len() {
                let mut fewer = lines.clone();
                fewer.remove(index);
                let mut more = lines.clone();
                more.insert(index, lines[index].clone());
                let mut changed = vec![fewer, more];
                let line = lines[index].as_bytes();
                let middle = line.len() / 2;
                for text in [
                    line.get(1..).unwrap_or(b"x"),
                    line.split_last().map_or(b"x", |(_, rest)| rest),
                    &[line, b"x"].concat(),
                    &[b"x", line].concat(),
                    &[line, b","].concat(),
                    &[line, b", "].concat(),
                    &[b",", line].concat(),
                    &[line, b", ", line].concat(),
                    &[&line[..middle], b" ", b"x", &line[middle..]].concat(),
                ] {
                    let mut one = lines.clone();
                    one[index] = HeaderValue::from_bytes(text).unwrap();
                    changed.push(one);
                }
                for lines in changed {
                    tally.judge(
                        &shape,
                        &with_lines(&shape.request, name.as_str(), &lines),
                        allowed,
                    );
                }
            }
        }
    }
    tally.assert_exceptions(&[Exception::NotCovered]);
    assert!(tally.refusals() > 300, "{}", tally.refusals());
}

/// A field that the consumer did not have is not covered; a host that minds requires it.
#[test]
fn fields_can_be_added_if_they_are_not_covered() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let covered = covered_fields(&shape.request);
        for name in [
            "x-added",
            "x-site",
            "authorization",
            "content-type",
            "content-encoding",
            "forwarded",
            "date",
            "trailer",
        ] {
            let mutant = request::with_header(shape.request.clone(), name, "x");
            // What says how to read a body must be covered if there is one.
            let means_the_body = matches!(name, "content-type" | "content-encoding")
                && !shape.request.body().is_empty();
            if means_the_body || covered.iter().any(|covered| covered == name) {
                tally.judge(&shape, &mutant, None);
            } else {
                tally.same(&shape, &mutant, Exception::NotCovered);
                let strict = host().require(name);
                let refusal = validate_auth(&mutant, &secrets(), &strict).unwrap_err();
                assert_eq!(refusal.kind(), AuthErrorKind::NotCovered);
            }
        }
        // A digest is checked even if it is not covered.
        let mutant = request::with_header(shape.request.clone(), "content-digest", "sha-256=::");
        tally.judge(&shape, &mutant, None);
        let zeros = format!("sha-256=:{}=:", "A".repeat(43));
        tally.judge(
            &shape,
            &request::with_header(shape.request.clone(), "content-digest", &zeros),
            None,
        );
    }
    tally.assert_exceptions(&[Exception::NotCovered]);
    assert!(tally.refusals() > 14);
}

#[test]
fn the_order_of_lines_counts_and_that_of_names_does_not() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let fields: Vec<_> = shape
            .request
            .headers()
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut names: Vec<_> = shape.request.headers().keys().cloned().collect();
        for _ in 0..names.len() {
            names.rotate_left(1);
            let mut mutant = shape.request.clone();
            let mut headers = HeaderMap::new();
            for name in names.iter().rev() {
                for value in shape.request.headers().get_all(name) {
                    headers.append(name, value.clone());
                }
            }
            *mutant.headers_mut() = headers;
            tally.same(&shape, &mutant, Exception::OrderOfNames);
        }
        for (first, (name, _)) in fields.iter().enumerate() {
            for (second, (other, _)) in fields.iter().enumerate().skip(first + 1) {
                if name == other {
                    let mut swapped = fields.clone();
                    swapped.swap(first, second);
                    let mut mutant = shape.request.clone();
                    mutant.headers_mut().clear();
                    for (name, value) in swapped {
                        mutant.headers_mut().append(name, value);
                    }
                    tally.judge(&shape, &mutant, None);
                }
            }
        }
    }
    tally.assert_exceptions(&[Exception::OrderOfNames]);
    assert_eq!(tally.refusals(), 6, "four lines can be swapped in six ways");
}

/// RFC 9421 section 2.1: lines are trimmed and joined, so that a proxy may do so too. Nothing else
/// is left out.
#[test]
fn lines_may_be_joined_and_padded() {
    let mut tally = Tally::default();
    for shape in shapes() {
        for name in covered_fields(&shape.request) {
            let lines: Vec<_> = shape
                .request
                .headers()
                .get_all(&name)
                .iter()
                .cloned()
                .collect();
            let value = |text: String| HeaderValue::try_from(text).unwrap();
            let texts: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
            for format in [" {}", "{} ", "\t{}", "{}\t", " \t {} \t "] {
                let padded: Vec<_> = texts
                    .iter()
                    .map(|text| value(format.replace("{}", text)))
                    .collect();
                let mutant = with_lines(&shape.request, &name, &padded);
                // A structured field begins with spaces at most (RFC 8941 section 4.2), and servers
                // have cut tabs off before.
                if name == "content-digest" && format.trim_start_matches(' ').starts_with('\t') {
                    tally.judge(&shape, &mutant, None);
                } else {
                    tally.same(&shape, &mutant, Exception::OuterWhitespace);
                }
            }
            let joined = texts.join(", ");
            if texts.len() > 1 {
                tally.same(
                    &shape,
                    &with_lines(&shape.request, &name, &[value(joined.clone())]),
                    Exception::JoinedLines,
                );
                // The comma and the space are the only way to join them.
                for separator in [",", " ,", ",  ", ",\t", "; ", " "] {
                    let otherwise = [value(texts.join(separator))];
                    tally.judge(&shape, &with_lines(&shape.request, &name, &otherwise), None);
                }
            }
            let split: Vec<_> = joined
                .split(", ")
                .map(|text| value(text.to_owned()))
                .collect();
            if split.len() > lines.len() {
                tally.same(
                    &shape,
                    &with_lines(&shape.request, &name, &split),
                    Exception::JoinedLines,
                );
            }
            // An empty line is a line.
            let mut with_empty = lines.clone();
            with_empty.insert(0, HeaderValue::from_static(""));
            tally.judge(
                &shape,
                &with_lines(&shape.request, &name, &with_empty),
                None,
            );
        }
    }
    tally.assert_exceptions(&[Exception::JoinedLines, Exception::OuterWhitespace]);
    assert!(tally.refusals() >= 6 + 7);
}
