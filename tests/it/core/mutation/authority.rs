//! The authority is one fact, whatever says it, and a strict host accepts no more.

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, ValidateOptions,
    signature::{SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};
use http::{Version, header::HOST};

use crate::support::{
    request::{self, NOW, secrets, time},
    shapes::{Exception, Tally, flips, parts_of_input, shapes, view, with_uri, with_value},
};

/// Each spelling of the authority, in the target, in `Host` and in both.
#[test]
fn the_authority_is_one_fact() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let authority = view(&shape.request, &shape)[1].clone();
        let target = shape.request.uri().path_and_query().unwrap().as_str();
        let build = |in_target: Option<&str>, hosts: &[&str]| {
            let uri = in_target.map_or(target.to_owned(), |authority| {
                format!("https://{authority}{target}")
            });
            let mut mutant = with_uri(&shape.request, uri.as_bytes()).unwrap();
            mutant.headers_mut().remove(HOST);
            hosts.iter().fold(mutant, |mutant, host| {
                request::with_header(mutant, "host", host)
            })
        };
        tally.same(
            &shape,
            &build(Some(&authority), &[]),
            Exception::AuthorityElsewhere,
        );
        tally.same(
            &shape,
            &build(None, &[&authority]),
            Exception::AuthorityElsewhere,
        );
        tally.same(
            &shape,
            &build(Some(&authority), &[&authority]),
            Exception::AuthorityElsewhere,
        );
        tally.same(
            &shape,
            &build(Some(&authority), &[&authority.to_uppercase()]),
            Exception::CaseOfAuthority,
        );
        tally.same(
            &shape,
            &build(Some(&authority.to_uppercase()), &[]),
            Exception::CaseOfAuthority,
        );
        if !authority.contains(':') {
            let with_port = format!("{authority}:443");
            tally.same(
                &shape,
                &build(Some(&with_port), &[]),
                Exception::DefaultPort,
            );
            tally.same(&shape, &build(None, &[&with_port]), Exception::DefaultPort);
            tally.same(
                &shape,
                &build(Some(&with_port), &[&authority]),
                Exception::DefaultPort,
            );
        }
        let others = [
            "other.example",
            "host.example.",
            "host.example:80",
            "host.example:0443",
            "host",
            "xhost.example",
            "[::1]",
        ];
        for other in others {
            tally.judge(&shape, &build(Some(other), &[]), None);
            tally.judge(&shape, &build(None, &[other]), None);
            tally.judge(&shape, &build(Some(&authority), &[other]), None);
            tally.judge(&shape, &build(Some(other), &[&authority]), None);
            tally.judge(&shape, &build(None, &[&authority, other]), None);
        }
        tally.judge(&shape, &build(None, &[]), None);
        tally.judge(&shape, &build(None, &[""]), None);
        tally.judge(&shape, &build(Some(&authority), &[""]), None);
        tally.judge(&shape, &build(None, &[&authority, &authority]), None);
        tally.judge(
            &shape,
            &build(Some(&authority), &[&authority, &authority]),
            None,
        );
        tally.judge(
            &shape,
            &build(Some(&format!("user@{authority}")), &[]),
            None,
        );
        tally.judge(&shape, &build(None, &[&format!("user@{authority}")]), None);
        tally.judge(
            &shape,
            &build(None, &[&format!("{authority},{authority}")]),
            None,
        );
    }
    tally.assert_exceptions(&[
        Exception::CaseOfAuthority,
        Exception::DefaultPort,
        Exception::AuthorityElsewhere,
    ]);
    assert_eq!(tally.refusals(), 7 * (5 * 7 + 8));
}

/// What differs from hop to hop is not covered by default; who wants the scheme covers it.
#[test]
fn scheme_and_version_are_of_the_hop() {
    let mut tally = Tally::default();
    for shape in shapes() {
        for version in [
            Version::HTTP_10,
            Version::HTTP_11,
            Version::HTTP_2,
            Version::HTTP_3,
        ] {
            let mut mutant = shape.request.clone();
            *mutant.version_mut() = version;
            tally.same(&shape, &mutant, Exception::Hop);
        }
        if shape.request.uri().scheme().is_some() {
            let uri = shape.request.uri().to_string().replacen("https", "http", 1);
            tally.same(
                &shape,
                &with_uri(&shape.request, uri.as_bytes()).unwrap(),
                Exception::Hop,
            );
        }
    }
    tally.assert_exceptions(&[Exception::Hop]);
}

/// The host that chooses by key id, tag and authority makes no exception that the lenient one above
/// does not make.
#[test]
fn a_strict_host_accepts_no_more() {
    let strict = ValidateOptions::new()
        .at(time(NOW))
        .authorities(["host.example", "host.example:8443"])
        .key_ids([
            ("site-a", DEFAULT_SECRET_NAME),
            ("site-b", DEFAULT_SECRET_NAME),
        ])
        .accept_shared_secret_names()
        .tag("orders");
    let mut accepted = 0;
    for shape in shapes()
        .into_iter()
        .filter(|shape| parts_of_input(&shape.request).1.len() > 2)
    {
        assert!(
            validate_auth(&shape.request, &secrets(), &strict).is_ok(),
            "{}",
            shape.name
        );
        accepted += 1;
        for name in [SIGNATURE_INPUT, SIGNATURE] {
            let value = shape.request.headers()[&name].as_bytes();
            for mutant in flips(value, 0..value.len())
                .filter_map(|value| with_value(&shape.request, &name, &value))
            {
                assert!(
                    validate_auth(&mutant, &secrets(), &strict).is_err(),
                    "{}: {mutant:?}",
                    shape.name
                );
            }
        }
        // Another listed key id with the same secret is another message all the same.
        let input = shape.request.headers()[SIGNATURE_INPUT]
            .to_str()
            .unwrap()
            .replace("site-a", "site-b");
        let mutant = with_value(&shape.request, &SIGNATURE_INPUT, input.as_bytes()).unwrap();
        let refusal = validate_auth(&mutant, &secrets(), &strict).unwrap_err();
        assert_eq!(refusal.kind(), AuthErrorKind::WrongMac);
    }
    assert_eq!(accepted, 3);
}
