//! Every bit of the method, the target and the body counts.

use hmac_auth::{
    signature::{SIGNATURE_INPUT, SignatureInputs},
    testing::{Part, Tampered, tampered},
};
use http::Method;

use crate::support::shapes::{
    Exception, Tally, check, flips, input_of, parts_of_input, shapes, with_uri,
};

/// Without this, all others would be in vain.
#[test]
fn the_shapes_themselves_are_accepted() {
    for shape in shapes() {
        assert_eq!(check(&shape.request), Ok(()), "{}", shape.name);
        let inputs = SignatureInputs::new(shape.request.headers())
            .next()
            .unwrap()
            .unwrap();
        let (components, params) = parts_of_input(&shape.request);
        assert_eq!(
            inputs.components().count(),
            components.len(),
            "this test reads the input in another way"
        );
        assert_eq!(
            input_of(&components, &params),
            shape.request.headers()[SIGNATURE_INPUT]
        );
    }
}

#[test]
fn every_bit_of_the_method_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let method = shape.request.method().as_str().as_bytes();
        for flipped in flips(method, 0..method.len()) {
            let Ok(method) = Method::from_bytes(&flipped) else {
                tally.impossible += 1;
                continue;
            };
            let mut mutant = shape.request.clone();
            *mutant.method_mut() = method;
            tally.judge(&shape, &mutant, None);
        }
    }
    tally.assert_exceptions(&[]);
    assert!(
        tally.refusals() > 140 && tally.impossible > 50,
        "{} {}",
        tally.refusals(),
        tally.impossible
    );
}

/// Authority, path and query as the request target spells them.
#[test]
fn every_bit_of_the_target_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let uri = shape.request.uri().to_string();
        let authority = uri
            .strip_prefix("https://")
            .map_or(0..0, |rest| 8..8 + rest.find('/').unwrap());
        for (range, allowed) in [
            (authority.clone(), Some(Exception::CaseOfAuthority)),
            (authority.end..uri.len(), None),
        ] {
            for flipped in flips(uri.as_bytes(), range) {
                match with_uri(&shape.request, &flipped) {
                    Some(mutant) => tally.judge(&shape, &mutant, allowed),
                    None => tally.impossible += 1,
                }
            }
        }
    }
    tally.assert_exceptions(&[Exception::CaseOfAuthority]);
    // A letter of the host name has one bit that is its case: 11 letters in six shapes.
    assert_eq!(tally.same[&Exception::CaseOfAuthority], 6 * 11);
    assert!(
        tally.refusals() > 500 && tally.impossible > 100,
        "{} {}",
        tally.refusals(),
        tally.impossible
    );
}

/// What proxies and frameworks like to call the same path or query is not the same, as the tamper
/// kit shows. These two are.
#[test]
fn an_empty_query_is_none_and_an_empty_path_is_a_slash() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let uri = shape.request.uri().clone();
        let origin = uri
            .authority()
            .map_or(String::new(), |authority| format!("https://{authority}"));
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        if query.is_empty() {
            let empty = with_uri(&shape.request, format!("{origin}{path}?").as_bytes()).unwrap();
            tally.same(&shape, &empty, Exception::EmptyQuery);
        } else if path == "/" && !origin.is_empty() {
            let text = format!("{origin}?{query}");
            let empty = with_uri(&shape.request, text.as_bytes()).unwrap();
            tally.same(&shape, &empty, Exception::EmptyPath);
        }
        // Nothing else is left out: each way to spell the target is one of the kit.
        let of_target = |item: &&Tampered| matches!(item.part(), Part::Path | Part::Query);
        let items = tampered(&shape.request);
        for item in items.iter().filter(of_target) {
            tally.judge_item(&shape, item);
        }
    }
    tally.assert_exceptions(&[Exception::EmptyQuery, Exception::EmptyPath]);
    assert!(tally.refusals() > 7 * 15, "{}", tally.refusals());
}

#[test]
fn every_bit_of_the_body_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let body = shape.request.body();
        let shorter = (0..body.len()).map(|len| body[..len].to_vec());
        for bytes in flips(body, 0..body.len()).chain(shorter) {
            if bytes != *body {
                let mut mutant = shape.request.clone();
                *mutant.body_mut() = bytes;
                tally.judge(&shape, &mutant, None);
            }
        }
        for item in tampered(&shape.request) {
            if item.part() == Part::Body {
                tally.judge_item(&shape, &item);
            }
        }
    }
    tally.assert_exceptions(&[]);
    assert!(tally.refusals() > 400);
    // One kind for bodies that were signed, one for those that were not.
    assert_eq!(
        tally.refused.keys().copied().collect::<Vec<_>>(),
        ["body_not_covered", "wrong_digest"]
    );
}
