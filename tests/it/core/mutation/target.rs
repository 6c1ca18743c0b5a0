//! Every bit of the method, the target and the body counts.

use hmac_auth::signature::{SIGNATURE_INPUT, SignatureInputs};
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
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get",
            "GETT", "GE", "X",
        ] {
            let mut mutant = shape.request.clone();
            *mutant.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
            if mutant.method() != shape.request.method() {
                tally.judge(&shape, &mutant, None);
            }
        }
    }
    tally.assert_exceptions(&[]);
    assert!(
        tally.refusals() > 200 && tally.impossible > 50,
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

/// What proxies and frameworks like to call the same path or query.
#[test]
fn no_path_or_query_is_normalised() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let uri = shape.request.uri().clone();
        let origin = uri
            .authority()
            .map_or(String::new(), |authority| format!("https://{authority}"));
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let marked = |query: &str| {
            if query.is_empty() {
                String::new()
            } else {
                format!("?{query}")
            }
        };
        let paths = [
            format!("{path}/"),
            format!("/{path}"),
            format!("/.{path}"),
            format!("/x/..{path}"),
            format!("{path};x"),
            format!("{path}%00"),
            format!("{path}%20"),
            path.to_uppercase().replacen("//", "/", 1) + "_",
            path.replacen('o', "%6f", 1) + if path.contains('o') { "" } else { "x" },
            path.replace("%2F", "/") + if path.contains("%2F") { "" } else { "x" },
            path.replace("%2F", "%2f") + if path.contains("%2F") { "" } else { "x" },
            path.replace("/./", "/") + if path.contains("/./") { "" } else { "x" },
            "/".to_owned() + if path == "/" { "x" } else { "" },
        ];
        for path in paths {
            tally.judge(
                &shape,
                &with_uri(
                    &shape.request,
                    format!("{origin}{path}{}", marked(query)).as_bytes(),
                )
                .unwrap(),
                None,
            );
        }
        let mut parameters: Vec<&str> = query.split('&').collect();
        parameters.reverse();
        let queries = [
            format!("{query}&"),
            format!("&{query}"),
            format!("{query}&page=3"),
            format!("{query}?"),
            format!("{query}%20"),
            format!("{query}="),
            query.replace('+', "%20") + if query.contains('+') { "" } else { "x" },
            query.replace("%20", "+") + if query.contains("%20") { "" } else { "x" },
            parameters.join("&") + if parameters.len() > 1 { "" } else { "x" },
            query.replace('=', "%3D") + if query.contains('=') { "" } else { "x" },
            query.to_uppercase() + "_",
            if query.is_empty() {
                "x".to_owned()
            } else {
                String::new()
            },
        ];
        for query in queries {
            let mutant = with_uri(
                &shape.request,
                format!("{origin}{path}{}", marked(&query)).as_bytes(),
            )
            .unwrap();
            tally.judge(&shape, &mutant, None);
        }
        // The query as part of the path, and the other way round.
        let moved = format!("{origin}{path}%3F{query}");
        tally.judge(
            &shape,
            &with_uri(&shape.request, moved.as_bytes()).unwrap(),
            None,
        );
        if query.is_empty() {
            let empty = with_uri(&shape.request, format!("{origin}{path}?").as_bytes()).unwrap();
            tally.same(&shape, &empty, Exception::EmptyQuery);
        }
        if path == "/" && !origin.is_empty() {
            let empty = with_uri(
                &shape.request,
                format!("{origin}{}", marked(query)).as_bytes(),
            )
            .unwrap();
            tally.same(&shape, &empty, Exception::EmptyPath);
        }
    }
    tally.assert_exceptions(&[Exception::EmptyQuery, Exception::EmptyPath]);
    assert_eq!(tally.refusals(), 7 * 26);
}

#[test]
fn every_bit_of_the_body_counts() {
    let mut tally = Tally::default();
    for shape in shapes() {
        let body = shape.request.body();
        let shorter = (0..body.len()).map(|len| body[..len].to_vec());
        let longer = [b"\0", b" ", b"\n", b"x"].map(|end| [body.as_slice(), end].concat());
        let front = body.len().min(1);
        let others = [
            [body.as_slice(), b"x"].concat(),
            [b"x", body.as_slice()].concat(),
            body[front..].to_vec(),
        ];
        for bytes in flips(body, 0..body.len())
            .chain(shorter)
            .chain(longer)
            .chain(others)
        {
            if bytes != *body {
                let mut mutant = shape.request.clone();
                *mutant.body_mut() = bytes;
                tally.judge(&shape, &mutant, None);
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
