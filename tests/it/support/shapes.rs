//! Signed requests of many shapes, and a tally of what a host says about each change of them.

use std::{collections::BTreeMap, time::Duration};

use hmac_auth::{
    AlgParameter, AuthErrorKind, DigestAlgorithm, SignOptions, ValidateOptions,
    signature::SIGNATURE_INPUT, testing::Tampered, validate_auth,
};
use http::{HeaderName, HeaderValue, Request, Uri, Version, header::HOST};

use crate::support::request::{self, NOW, TestRequest, secrets, sign_options, signed_with, time};

/// A signed request.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) request: TestRequest,
}

pub(crate) fn request(
    method: &str,
    uri: &str,
    fields: &[(&'static str, &str)],
    body: &[u8],
) -> TestRequest {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .version(Version::HTTP_2)
        .body(body.to_vec())
        .unwrap();
    fields.iter().fold(request, |request, (name, value)| {
        request::with_header(request, name, value)
    })
}

pub(crate) fn shapes() -> Vec<Shape> {
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
pub(crate) fn host() -> ValidateOptions {
    ValidateOptions::new()
        .at(time(NOW))
        .max_time_diff(Duration::MAX)
        .max_clock_skew(Duration::MAX)
}

pub(crate) fn check(request: &TestRequest) -> Result<(), AuthErrorKind> {
    validate_auth(request, &secrets(), &host())
        .map(drop)
        .map_err(|error| error.kind())
}

/// What may be different without a refusal, and why. All else that is accepted fails the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exception {
    /// A host name is the same in either case (RFC 9110 section 4.2.3), and `@authority` is in
    /// lower case.
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
pub(crate) struct Tally {
    pub(crate) refused: BTreeMap<&'static str, usize>,
    pub(crate) same: BTreeMap<Exception, usize>,
    /// The crate `http` does not let such a request exist.
    pub(crate) impossible: usize,
}

impl Tally {
    /// A mutant must be refused, or be accepted for the reason given and then be the same message.
    #[track_caller]
    pub(crate) fn judge(
        &mut self,
        shape: &Shape,
        mutant: &TestRequest,
        allowed: Option<Exception>,
    ) {
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

    /// An item of the tamper kit must be refused.
    #[track_caller]
    pub(crate) fn judge_item(&mut self, shape: &Shape, item: &Tampered) {
        let mutant = item.request().clone().map(|body| body.to_vec());
        assert!(check(&mutant).is_err(), "{}: accepted: {item}", shape.name);
        self.judge(shape, &mutant, None);
    }

    /// A mutant that must be the same message.
    #[track_caller]
    pub(crate) fn same(&mut self, shape: &Shape, mutant: &TestRequest, exception: Exception) {
        assert_eq!(
            check(mutant),
            Ok(()),
            "{}: {exception:?}: {mutant:?}",
            shape.name
        );
        self.judge(shape, mutant, Some(exception));
    }

    pub(crate) fn refusals(&self) -> usize {
        self.refused.values().sum()
    }

    /// The exceptions that were made are exactly these.
    #[track_caller]
    pub(crate) fn assert_exceptions(&self, expected: &[Exception]) {
        assert_eq!(self.same.keys().copied().collect::<Vec<_>>(), expected);
    }
}

/// What a handler sees of that which is signed, in its normal form, read without the code of the
/// crate.
pub(crate) fn view(request: &TestRequest, shape: &Shape) -> Vec<String> {
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

pub(crate) fn covered_fields(request: &TestRequest) -> Vec<String> {
    let (components, _) = parts_of_input(request);
    components
        .iter()
        .map(|component| component.trim_matches('"').to_owned())
        .filter(|name| !name.starts_with('@'))
        .collect()
}

/// The components and the parameters of the only signature, as text.
pub(crate) fn parts_of_input(request: &TestRequest) -> (Vec<String>, Vec<String>) {
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

pub(crate) fn input_of(components: &[String], params: &[String]) -> String {
    params.iter().fold(
        format!("sig1=({})", components.join(" ")),
        |input, param| input + ";" + param,
    )
}

/// The request with one value put in place of all lines of the field.
pub(crate) fn with_value(
    request: &TestRequest,
    name: &HeaderName,
    value: &[u8],
) -> Option<TestRequest> {
    let mut mutant = request.clone();
    mutant
        .headers_mut()
        .insert(name, HeaderValue::from_bytes(value).ok()?);
    Some(mutant)
}

pub(crate) fn with_uri(request: &TestRequest, uri: &[u8]) -> Option<TestRequest> {
    let mut mutant = request.clone();
    *mutant.uri_mut() = Uri::try_from(uri).ok()?;
    Some(mutant)
}

/// Every text that differs from `bytes` in one bit within `range`.
pub(crate) fn flips(
    bytes: &[u8],
    range: std::ops::Range<usize>,
) -> impl Iterator<Item = Vec<u8>> + '_ {
    range
        .flat_map(|index| (0..8).map(move |bit| (index, bit)))
        .map(|(index, bit)| {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= 1 << bit;
            flipped
        })
}
