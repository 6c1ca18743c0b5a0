//! Signed messages under mutation: whatever is changed, the request is refused, or it is provably the same message.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{NOW, TestRequest, secrets, sign_options, signed_with, time};
use hmac_auth::{
    AlgParameter, AuthErrorKind, DEFAULT_SECRET_NAME, DigestAlgorithm, MemorySecrets, Secret,
    SignOptions, ValidateOptions,
    signature::{SIGNATURE, SIGNATURE_INPUT, SignatureInputs},
    validate_auth,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header::HOST};

/// A signed request.
struct Shape {
    name: &'static str,
    request: TestRequest,
}

fn request(method: &str, uri: &str, fields: &[(&'static str, &str)], body: &[u8]) -> TestRequest {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .version(Version::HTTP_2)
        .body(body.to_vec())
        .unwrap();
    fields.iter().fold(request, |request, (name, value)| {
        common::with_header(request, name, value)
    })
}

fn shapes() -> Vec<Shape> {
    let json = br#"{"month":11,"site":"a"}"#;
    let all_options = sign_options()
        .key_id("site-a")
        .tag("orders")
        .expires_in(Duration::from_secs(30))
        .alg(AlgParameter::HmacSha256);
    let site = HeaderName::from_static("x-site");
    let shape = |name, request, options: &SignOptions| Shape {
        name,
        request: signed_with(request, options),
    };
    let mut origin_form = request(
        "POST",
        "/orders?page=2",
        &[
            ("host", "Host.Example:8443"),
            ("content-type", "text/plain; charset=utf-8"),
            ("user-agent", "test"),
        ],
        b"hello",
    );
    *origin_form.version_mut() = Version::HTTP_11;
    vec![
        shape(
            "GET without body",
            request(
                "GET",
                "https://host.example/orders",
                &[("accept", "*/*")],
                b"",
            ),
            &sign_options(),
        ),
        shape(
            "POST of JSON",
            request(
                "POST",
                "https://host.example/orders",
                &[
                    ("content-type", "application/json"),
                    ("content-encoding", "identity"),
                    ("accept", "*/*"),
                ],
                json,
            ),
            &sign_options(),
        ),
        shape(
            "query",
            request(
                "GET",
                "https://host.example/a%2Fb/./c?page=2&q=a%20b+c&empty=&3",
                &[("user-agent", "test")],
                b"",
            ),
            &all_options,
        ),
        shape(
            "field of several lines",
            request(
                "DELETE",
                "https://host.example/orders/0",
                &[
                    ("x-site", "a"),
                    ("x-site", "b, c"),
                    ("x-site", ""),
                    ("x-site", "0"),
                ],
                b"",
            ),
            &sign_options().cover(site),
        ),
        shape(
            "sha-512",
            request(
                "PUT",
                "https://host.example/orders",
                &[("content-type", "application/octet-stream")],
                &[0, 1, 0xff, b'\n'],
            ),
            &all_options.clone().digest(DigestAlgorithm::Sha512),
        ),
        shape("origin form with Host", origin_form, &sign_options()),
        shape(
            "absolute form without Host",
            request(
                "PATCH",
                "https://Host.Example:8443/?x=1",
                &[("content-type", "application/json")],
                json,
            ),
            &all_options,
        ),
    ]
}

/// Nothing but the signature decides: any authority, any age.
fn host() -> ValidateOptions {
    ValidateOptions::new()
        .at(time(NOW))
        .max_time_diff(Duration::MAX)
        .max_clock_skew(Duration::MAX)
}

fn check(request: &TestRequest) -> Result<(), AuthErrorKind> {
    validate_auth(request, &secrets(), &host())
        .map(drop)
        .map_err(|error| error.kind())
}

/// What may be different without a refusal, and why. All else that is accepted fails the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exception {
    /// A host name is the same in either case (RFC 9110 section 4.2.3), and `@authority` is in lower case.
    CaseOfAuthority,
    /// 443 is what `https` means without a port, and `@authority` leaves it out.
    DefaultPort,
    /// `Host` only repeats the authority of the target, or the other way round.
    AuthorityElsewhere,
    /// `@query` is `?` for an empty query and for none (RFC 9421 section 2.2.7).
    EmptyQuery,
    /// An empty path is `/` (section 2.2.6).
    EmptyPath,
    /// The field is not covered: the consumer did not have it, or did not ask for it to be covered.
    NotCovered,
    /// The order of fields of different names means nothing (RFC 9110 section 5.3).
    OrderOfNames,
    /// Lines of one name mean the same as one line with commas (section 5.3).
    JoinedLines,
    /// White space around a value is not part of it (section 5.5).
    OuterWhitespace,
    /// The scheme and the version are of one hop, and not covered.
    Hop,
}

/// What became of all mutants.
#[derive(Default)]
struct Tally {
    refused: BTreeMap<&'static str, usize>,
    same: BTreeMap<Exception, usize>,
    /// The crate `http` does not let such a request exist.
    impossible: usize,
}

impl Tally {
    /// A mutant must be refused, or be accepted for the reason given and then be the same message.
    #[track_caller]
    fn judge(&mut self, shape: &Shape, mutant: &TestRequest, allowed: Option<Exception>) {
        match (check(mutant), allowed) {
            (Err(kind), _) => *self.refused.entry(kind.as_str()).or_default() += 1,
            (Ok(()), Some(exception)) => {
                assert_eq!(
                    view(mutant, shape),
                    view(&shape.request, shape),
                    "{exception:?} does not hold: {mutant:?}"
                );
                *self.same.entry(exception).or_default() += 1;
            }
            (Ok(()), None) => panic!("{}: accepted: {mutant:#?}", shape.name),
        }
    }

    /// A mutant that must be the same message.
    #[track_caller]
    fn same(&mut self, shape: &Shape, mutant: &TestRequest, exception: Exception) {
        assert_eq!(
            check(mutant),
            Ok(()),
            "{}: {exception:?}: {mutant:?}",
            shape.name
        );
        self.judge(shape, mutant, Some(exception));
    }

    fn refusals(&self) -> usize {
        self.refused.values().sum()
    }

    /// The exceptions that were made are exactly these.
    #[track_caller]
    fn assert_exceptions(&self, expected: &[Exception]) {
        assert_eq!(self.same.keys().copied().collect::<Vec<_>>(), expected);
    }
}

/// What a handler sees of that which is signed, in its normal form, read without the code of the crate.
fn view(request: &TestRequest, shape: &Shape) -> Vec<String> {
    let host = request
        .headers()
        .get(HOST)
        .map(|host| host.to_str().unwrap());
    let authority = request
        .uri()
        .authority()
        .map(http::uri::Authority::as_str)
        .or(host)
        .unwrap()
        .to_lowercase();
    let mut view = vec![
        request.method().to_string(),
        authority
            .strip_suffix(":443")
            .unwrap_or(&authority)
            .to_owned(),
        request.uri().path().to_owned(),
        request.uri().query().unwrap_or_default().to_owned(),
        format!("{:?}", request.body()),
    ];
    for name in covered_fields(&shape.request) {
        let lines = request
            .headers()
            .get_all(&name)
            .iter()
            .map(|line| line.to_str().unwrap().trim_matches([' ', '\t']));
        view.push(format!("{name}: {}", lines.collect::<Vec<_>>().join(", ")));
    }
    view
}

fn covered_fields(request: &TestRequest) -> Vec<String> {
    let (components, _) = parts_of_input(request);
    components
        .iter()
        .map(|component| component.trim_matches('"').to_owned())
        .filter(|name| !name.starts_with('@'))
        .collect()
}

/// The components and the parameters of the only signature, as text.
fn parts_of_input(request: &TestRequest) -> (Vec<String>, Vec<String>) {
    let input = request.headers()[SIGNATURE_INPUT].to_str().unwrap();
    let (components, params) = input
        .strip_prefix("sig1=(")
        .unwrap()
        .split_once(')')
        .unwrap();
    let owned = |text: &str| text.to_owned();
    (
        components.split(' ').map(owned).collect(),
        params.split(';').skip(1).map(owned).collect(),
    )
}

fn input_of(components: &[String], params: &[String]) -> String {
    params.iter().fold(
        format!("sig1=({})", components.join(" ")),
        |input, param| input + ";" + param,
    )
}

/// The request with one value put in place of all lines of the field.
fn with_value(request: &TestRequest, name: &HeaderName, value: &[u8]) -> Option<TestRequest> {
    let mut mutant = request.clone();
    mutant
        .headers_mut()
        .insert(name, HeaderValue::from_bytes(value).ok()?);
    Some(mutant)
}

fn with_uri(request: &TestRequest, uri: &[u8]) -> Option<TestRequest> {
    let mut mutant = request.clone();
    *mutant.uri_mut() = Uri::try_from(uri).ok()?;
    Some(mutant)
}

/// Every text that differs from `bytes` in one bit within `range`.
fn flips(bytes: &[u8], range: std::ops::Range<usize>) -> impl Iterator<Item = Vec<u8>> + '_ {
    range
        .flat_map(|index| (0..8).map(move |bit| (index, bit)))
        .map(|(index, bit)| {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= 1 << bit;
            flipped
        })
}

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
                common::with_header(mutant, "host", host)
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
            let mutant = common::with_header(shape.request.clone(), name, "x");
            if covered.iter().any(|covered| covered == name) {
                tally.judge(&shape, &mutant, None);
            } else {
                tally.same(&shape, &mutant, Exception::NotCovered);
                let strict = host().require(name);
                let refusal = validate_auth(&mutant, &secrets(), &strict).unwrap_err();
                assert_eq!(refusal.kind(), AuthErrorKind::NotCovered);
            }
        }
        // A digest is checked even if it is not covered.
        let mutant = common::with_header(shape.request.clone(), "content-digest", "sha-256=::");
        tally.judge(&shape, &mutant, None);
        let zeros = format!("sha-256=:{}=:", "A".repeat(43));
        tally.judge(
            &shape,
            &common::with_header(shape.request.clone(), "content-digest", &zeros),
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

/// RFC 9421 section 2.1: lines are trimmed and joined, so that a proxy may do so too. Nothing else is left out.
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
                // A structured field begins with spaces at most (RFC 8941 section 4.2), and servers have cut tabs off before.
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

/// `items` with one left out, one doubled, two swapped, or one added.
fn rearranged(items: &[String], added: &[&str]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for index in 0..items.len() {
        let mut fewer = items.to_vec();
        fewer.remove(index);
        all.push(fewer);
        for place in 0..=items.len() {
            let mut more = items.to_vec();
            more.insert(place, items[index].clone());
            all.push(more);
        }
        for other in index + 1..items.len() {
            let mut swapped = items.to_vec();
            swapped.swap(index, other);
            all.push(swapped);
        }
        for added in added {
            let mut more = items.to_vec();
            more.insert(index, (*added).to_owned());
            all.push(more);
        }
    }
    all.push(items.iter().rev().cloned().collect());
    all.push(Vec::new());
    all
}

#[test]
fn no_component_can_be_dropped_doubled_moved_or_added() {
    let mut tally = Tally::default();
    let added = [
        r#""accept""#,
        r#""user-agent""#,
        r#""@scheme""#,
        r#""@target-uri""#,
        r#""@request-target""#,
        r#""@status""#,
        r#""@query-param";name="page""#,
        r#""@path";req"#,
        r#""x-absent""#,
        r#""""#,
        "method",
        "1",
        "(\"@path\")",
    ];
    for shape in shapes() {
        let (components, params) = parts_of_input(&shape.request);
        let mut inputs: Vec<String> = rearranged(&components, &added)
            .iter()
            .map(|components| input_of(components, &params))
            .collect();
        for index in 0..components.len() {
            for parameter in [
                ";bs",
                ";req",
                ";sf",
                ";tr",
                ";key=\"a\"",
                ";name=\"page\"",
                ";x",
                ";x=1",
                ";bs=?0",
                ";",
                ";=",
            ] {
                let mut changed = components.clone();
                changed[index] += parameter;
                inputs.push(input_of(&changed, &params));
            }
            let mut changed = components.clone();
            changed[index] = changed[index].to_uppercase();
            inputs.push(input_of(&changed, &params));
            changed[index] = components[index].trim_matches('"').to_owned();
            inputs.push(input_of(&changed, &params));
        }
        for input in inputs {
            tally.judge(
                &shape,
                &with_value(&shape.request, &SIGNATURE_INPUT, input.as_bytes()).unwrap(),
                None,
            );
        }
    }
    tally.assert_exceptions(&[]);
    assert!(tally.refusals() > 1_300, "{}", tally.refusals());
}

#[test]
fn no_parameter_can_be_dropped_doubled_moved_added_or_changed() {
    let mut tally = Tally::default();
    let added = [
        "x",
        "x=1",
        "x=?0",
        "x=\"\"",
        "x=:AAAA:",
        "x=1.5",
        "created",
        "created=1",
        "expires=999999999999999",
        "expires=1",
        "nonce=\"x\"",
        "alg=\"hmac-sha256\"",
        "alg=\"ed25519\"",
        "keyid=\"site-b\"",
        "tag=\"x\"",
        "",
        "=",
        "X=1",
    ];
    for shape in shapes() {
        let (components, params) = parts_of_input(&shape.request);
        let mut inputs: Vec<String> = rearranged(&params, &added)
            .iter()
            .map(|params| input_of(&components, params))
            .collect();
        for index in 0..params.len() {
            let (key, value) = params[index].split_once('=').unwrap();
            let text = value.trim_matches('"');
            for changed in [
                key.to_owned(),
                format!("{key}=\"\""),
                format!("{key}=0"),
                format!("{key}=-{text}"),
                format!("{key}={text}.0"),
                format!("{key}=\"{text} \""),
                format!("{key}=\"{text}x\""),
                format!("{key}=\"{}\"", text.to_uppercase() + "_"),
                format!("{key}=:{text}:"),
                format!("{key}=?1"),
                format!("{key}x={value}"),
                format!("{}={value}", key.to_uppercase()),
                format!("{key}= {value}"),
                format!("{key} ={value}"),
            ] {
                let mut params = params.clone();
                params[index] = changed;
                inputs.push(input_of(&components, &params));
            }
        }
        for input in inputs {
            tally.judge(
                &shape,
                &with_value(&shape.request, &SIGNATURE_INPUT, input.as_bytes()).unwrap(),
                None,
            );
        }
    }
    tally.assert_exceptions(&[]);
    assert!(tally.refusals() > 1_000, "{}", tally.refusals());
}

/// The signed text is the canonical serialisation (RFC 9421 section 2.3): white space that RFC 8941 allows means nothing.
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

/// RFC 9421 section 7.2.5: a label has no meaning. It must only be the same in both fields.
#[test]
fn labels_are_not_signed() {
    for Shape { name, request } in shapes() {
        let rename = |names: &[HeaderName], label: &str| {
            names.iter().fold(request.clone(), |mutant, name| {
                let value = mutant.headers()[name]
                    .to_str()
                    .unwrap()
                    .replacen("sig1", label, 1);
                with_value(&mutant, name, value.as_bytes()).unwrap()
            })
        };
        for label in ["a", "*", "sig2", "sig1.x_y-z*", &"x".repeat(200)] {
            assert_eq!(
                check(&rename(&[SIGNATURE_INPUT, SIGNATURE], label)),
                Ok(()),
                "{name}: {label}"
            );
            for one in [SIGNATURE_INPUT, SIGNATURE] {
                assert_eq!(
                    check(&rename(&[one], label)),
                    Err(AuthErrorKind::UnpairedLabel),
                    "{name}: {label}"
                );
            }
        }
        for label in ["", "Sig1", "1", "-", "sig 1", "sig1;", "é"] {
            let refusal = check(&rename(&[SIGNATURE_INPUT, SIGNATURE], label));
            assert_eq!(
                refusal,
                Err(AuthErrorKind::MalformedSignatureInput),
                "{name}: {label:?}"
            );
            assert_eq!(
                check(&rename(&[SIGNATURE], label)),
                Err(AuthErrorKind::MalformedSignature),
                "{name}: {label:?}"
            );
        }
    }
}

/// A member for each of the two fields, as another signer, with another algorithm, would have added it.
fn foreign(index: usize) -> (String, String) {
    let input = format!(
        r#"o{index}=("@method" "x-absent";sf "@status" "@unknown";x);created={index};alg="ed25519";x=1.5"#
    );
    (input, format!("o{index}=:{}==:", "B".repeat(85) + "A"))
}

/// The values in one line each or in lines of their own.
fn with_members(
    request: &TestRequest,
    inputs: &[String],
    signatures: &[String],
    one_line: bool,
) -> TestRequest {
    let mut mutant = request.clone();
    for (name, values) in [(SIGNATURE_INPUT, inputs), (SIGNATURE, signatures)] {
        let joined = [values.join(", ")];
        mutant.headers_mut().remove(&name);
        for value in if one_line { &joined } else { values } {
            mutant
                .headers_mut()
                .append(&name, HeaderValue::from_str(value).unwrap());
        }
    }
    mutant
}

#[test]
fn signatures_of_others_are_ignored() {
    for Shape { name, request } in shapes() {
        let own = [SIGNATURE_INPUT, SIGNATURE]
            .map(|name| request.headers()[name].to_str().unwrap().to_owned());
        for (others, one_line) in [(1, true), (1, false), (2, true), (15, true), (15, false)] {
            for place in 0..=others {
                let (mut inputs, mut signatures): (Vec<_>, Vec<_>) =
                    (0..others).map(foreign).unzip();
                inputs.insert(place, own[0].clone());
                signatures.insert(place, own[1].clone());
                assert_eq!(
                    check(&with_members(&request, &inputs, &signatures, one_line)),
                    Ok(()),
                    "{name}"
                );
                // The two fields need not have the same order.
                signatures.reverse();
                assert_eq!(
                    check(&with_members(&request, &inputs, &signatures, one_line)),
                    Ok(()),
                    "{name}"
                );
            }
        }
        // They prove nothing: without the one of the consumer, the request is refused.
        let (inputs, signatures): (Vec<_>, Vec<_>) = (0..2).map(foreign).unzip();
        let alone = check(&with_members(&request, &inputs, &signatures, true));
        assert_eq!(alone, Err(AuthErrorKind::UnsupportedAlgorithm), "{name}");
        // Sixteen labels are the limit.
        let (mut inputs, mut signatures): (Vec<_>, Vec<_>) = (0..16).map(foreign).unzip();
        inputs.push(own[0].clone());
        signatures.push(own[1].clone());
        let many = check(&with_members(&request, &inputs, &signatures, true));
        assert_eq!(many, Err(AuthErrorKind::MalformedSignatureInput), "{name}");
    }
}

/// Signatures that could be the consumer's, because only the MAC tells: up to three wrong ones beside the right one.
#[test]
fn wrong_signatures_beside_the_right_one_change_nothing() {
    for Shape { name, request } in shapes() {
        let own = [SIGNATURE_INPUT, SIGNATURE]
            .map(|name| request.headers()[name].to_str().unwrap().to_owned());
        let wrong = |count: usize, place: usize| {
            let zeros = "A".repeat(43);
            let mut inputs: Vec<_> = (0..count)
                .map(|index| own[0].replacen("sig1", &format!("w{index}"), 1))
                .collect();
            let mut signatures: Vec<_> = (0..count)
                .map(|index| format!("w{index}=:{zeros}=:"))
                .collect();
            inputs.insert(place, own[0].clone());
            signatures.insert(place, own[1].clone());
            check(&with_members(&request, &inputs, &signatures, false))
        };
        for (count, place) in [(1, 0), (1, 1), (3, 0), (3, 1), (3, 2), (3, 3)] {
            assert_eq!(wrong(count, place), Ok(()), "{name}");
        }
        for place in 0..=4 {
            assert_eq!(
                wrong(4, place),
                Err(AuthErrorKind::TooManyCandidates),
                "{name}"
            );
        }
    }
}

/// The strict reading of the fields holds for the members of others as well, so that no two readers disagree.
#[test]
fn members_that_are_doubled_unpaired_or_malformed_are_refused() {
    for Shape { name, request } in shapes() {
        let own = [SIGNATURE_INPUT, SIGNATURE]
            .map(|name| request.headers()[name].to_str().unwrap().to_owned());
        let (input, signature) = foreign(0);
        let both = [
            vec![own[0].clone(), input.clone()],
            vec![own[1].clone(), signature.clone()],
        ];
        assert_eq!(
            check(&with_members(&request, &both[0], &both[1], true)),
            Ok(()),
            "{name}"
        );
        let with = |inputs: &[&str], signatures: &[&str]| {
            let owned = |texts: &[&str]| {
                texts
                    .iter()
                    .map(|text| (*text).to_owned())
                    .collect::<Vec<_>>()
            };
            [true, false].map(|one_line| {
                check(&with_members(
                    &request,
                    &owned(inputs),
                    &owned(signatures),
                    one_line,
                ))
            })
        };
        let [i, s] = [own[0].as_str(), own[1].as_str()];
        let mac = s.strip_prefix("sig1=").unwrap();
        for (inputs, signatures, kind) in [
            (
                &[i, i][..],
                &[s][..],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i, "sig1=()"],
                &[s],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &["sig1=()", i],
                &[s],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (&[i], &[s, s], AuthErrorKind::MalformedSignature),
            (&[i], &[s, "sig1=::"], AuthErrorKind::MalformedSignature),
            (&[i], &["sig1=::", s], AuthErrorKind::MalformedSignature),
            (
                &[i, &input, &input],
                &[s, &signature],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i, &input],
                &[s, &signature, &signature],
                AuthErrorKind::MalformedSignature,
            ),
            (&[i, &input], &[s], AuthErrorKind::UnpairedLabel),
            (&[i], &[s, &signature], AuthErrorKind::UnpairedLabel),
            (
                &[i, &input],
                &[s, &format!("p{mac}")],
                AuthErrorKind::MalformedSignature,
            ),
            (
                &[i, &input],
                &[s, &format!("p={mac}")],
                AuthErrorKind::UnpairedLabel,
            ),
            (
                &[i, &input],
                &[s, "o0=:AB==:"],
                AuthErrorKind::MalformedSignature,
            ),
            (
                &[i, &input],
                &[s, "o0=:AA:"],
                AuthErrorKind::MalformedSignature,
            ),
            (
                &[i, &input],
                &[s, "o0=1"],
                AuthErrorKind::MalformedSignature,
            ),
            (&[i, &input], &[s, "o0"], AuthErrorKind::MalformedSignature),
            (
                &[i, "o0=1"],
                &[s, &signature],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i, "o0"],
                &[s, &signature],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i, "o0=(\"a\" \"a\")"],
                &[s, &signature],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i, "o0=();a;a"],
                &[s, &signature],
                AuthErrorKind::MalformedSignatureInput,
            ),
            (
                &[i],
                &[&format!("{s};x")],
                AuthErrorKind::MalformedSignature,
            ),
            (
                &[i],
                &[&format!("{s};x=1")],
                AuthErrorKind::MalformedSignature,
            ),
        ] {
            assert_eq!(
                with(inputs, signatures),
                [Err(kind); 2],
                "{name}: {inputs:?} {signatures:?}"
            );
        }
        // An empty line is no member.
        assert_eq!(
            with(&[i, ""], &[s])[1],
            Err(AuthErrorKind::MalformedSignatureInput),
            "{name}"
        );
        assert_eq!(
            with(&[i], &["", s])[1],
            Err(AuthErrorKind::MalformedSignature),
            "{name}"
        );
    }
}

/// The host that chooses by key id, tag and authority makes no exception that the lenient one above does not make.
#[test]
fn a_strict_host_accepts_no_more() {
    let strict = ValidateOptions::new()
        .at(time(NOW))
        .authorities(["host.example", "host.example:8443"])
        .key_ids([
            ("site-a", DEFAULT_SECRET_NAME),
            ("site-b", DEFAULT_SECRET_NAME),
        ])
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
