//! Errors: every kind is reached by name, and each of their three readers gets what it may read.

mod common;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    error::Error as StdError,
    future::ready,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use common::{
    INPUT, NOW, TestRequest, get, options, post, secret, secrets, sign_options, signed, signed_as,
    signed_with, time, with_header, with_signature,
};
use hmac_auth::{
    AuthError, AuthErrorKind, EnvSecrets, FileSecrets, MemoryReplayGuard, MemorySecrets,
    ReplayGuard, ReplayId, Secret, SecretEncoding, SecretError, SecretSet, SecretStore, SignError,
    SignOptions, UseOnce, ValidateOptions, sign_parts, sign_request,
    signature::{SIGNATURE_INPUT, Scheme},
    tower::{StreamedBody, ValidateAuthLayer},
    validate_auth,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use tower::{Layer, ServiceExt, service_fn};

type Refusal = (AuthErrorKind, AuthError);

/// The refusal of a request by the host of `options`.
fn refused(request: &TestRequest, options: &ValidateOptions) -> AuthError {
    validate_auth(request, &secrets(), options).expect_err("refused")
}

/// An input with these components and the time of all tests.
fn covering(components: &str) -> String {
    format!("({components});created={NOW}")
}

fn with_uri(mut request: TestRequest, uri: &str) -> TestRequest {
    *request.uri_mut() = uri.parse().expect("a valid URI");
    request
}

fn with_digest(digest: &str) -> TestRequest {
    let request = with_header(post(), "content-digest", digest);
    signed_as(
        request,
        &covering(r#""@method" "@authority" "@path" "content-digest""#),
    )
}

/// Shape, candidates and coverage.
fn refusals_of_the_input() -> Vec<Refusal> {
    use AuthErrorKind as Kind;

    let zeros = [0; 32];
    let mac = common::secret()
        .mac(common::base_of(&get(), INPUT).as_bytes())
        .into_bytes();
    let five = ["a", "b", "c", "d", "e"]
        .iter()
        .fold(get(), |request, label| {
            with_signature(request, label, INPUT, &mac)
        });
    let unpaired = with_header(
        signed_as(get(), INPUT),
        "signature-input",
        r#"other=("@method")"#,
    );
    let unsupported = covering(r#""@method" "@authority" "@path" "@query" "@status""#);
    let key_id = format!(r#"{INPUT};keyid="somebody""#);
    vec![
        (Kind::MissingSignature, refused(&get(), &options())),
        (
            Kind::MalformedSignatureInput,
            refused(&with_signature(get(), "sig1", "(", &zeros), &options()),
        ),
        (
            Kind::MalformedSignature,
            refused(
                &with_signature(get(), "sig1", INPUT, &mac[..31]),
                &options(),
            ),
        ),
        (Kind::UnpairedLabel, refused(&unpaired, &options())),
        (Kind::TooManyCandidates, refused(&five, &options())),
        (
            Kind::UnknownKeyId,
            refused(
                &signed_as(get(), &key_id),
                &options().key_ids([("site-a", "secret-a")]),
            ),
        ),
        (
            Kind::WrongTag,
            refused(
                &signed_as(get(), &format!(r#"{INPUT};tag="theirs""#)),
                &options().tag("ours"),
            ),
        ),
        (
            Kind::UnsupportedAlgorithm,
            refused(
                &signed_as(get(), &format!(r#"{INPUT};alg="hmac-sha512""#)),
                &options(),
            ),
        ),
        (
            Kind::UnsupportedComponent,
            refused(
                &with_signature(get(), "sig1", &unsupported, &zeros),
                &options(),
            ),
        ),
        (
            Kind::NotCovered,
            refused(
                &signed_as(get(), &covering(r#""@method" "@authority" "@path""#)),
                &options(),
            ),
        ),
        (
            Kind::MissingCreated,
            refused(
                &signed_as(get(), r#"("@method" "@authority" "@path" "@query")"#),
                &options(),
            ),
        ),
    ]
}

/// Time and authority.
fn refusals_of_the_head() -> Vec<Refusal> {
    use AuthErrorKind as Kind;

    let created = |offset: i64| {
        signed_as(
            get(),
            &INPUT.replace("1700000000", &(NOW + offset).to_string()),
        )
    };
    let no_authority = with_signature(with_uri(get(), "/orders"), "sig1", INPUT, &[0; 32]);
    let user = with_signature(
        with_uri(get(), "https://user@host.example/orders"),
        "sig1",
        INPUT,
        &[0; 32],
    );
    let conflict = with_header(signed_as(get(), INPUT), "host", "other.example");
    let other = signed_as(with_uri(get(), "https://other.example/orders"), INPUT);
    let absent = with_signature(
        get(),
        "sig1",
        &covering(r#""@method" "@authority" "@path" "@query" "x-site""#),
        &[0; 32],
    );
    let with_field = |value: &[u8]| {
        let input = covering(r#""@method" "@authority" "@path" "@query" "x-site""#);
        let mut request = with_signature(get(), "sig1", &input, &[0; 32]);
        request.headers_mut().insert(
            "x-site",
            HeaderValue::from_bytes(value).expect("a valid value"),
        );
        request
    };
    vec![
        (Kind::Stale, refused(&created(-61), &options())),
        (Kind::InFuture, refused(&created(11), &options())),
        (
            Kind::Expired,
            refused(
                &signed_as(get(), &format!("{INPUT};expires={}", NOW - 1)),
                &options(),
            ),
        ),
        (Kind::MissingAuthority, refused(&no_authority, &options())),
        (Kind::ConflictingAuthority, refused(&conflict, &options())),
        (Kind::InvalidAuthority, refused(&user, &options())),
        (Kind::UnlistedAuthority, refused(&other, &options())),
        (Kind::AbsentComponent, refused(&absent, &options())),
        (
            Kind::NotAscii,
            refused(&with_field("größer".as_bytes()), &options()),
        ),
        (
            Kind::TooLarge,
            refused(&with_field(&[b'x'; 8 * 1024 + 1]), &options()),
        ),
        (
            Kind::WrongMac,
            refused(&with_signature(get(), "sig1", INPUT, &[0; 32]), &options()),
        ),
    ]
}

/// What comes after the MAC, and what is wrong with the host itself.
fn refusals_of_the_rest() -> Vec<Refusal> {
    use AuthErrorKind as Kind;

    let not_covered = signed_as(post(), &covering(r#""@method" "@authority" "@path""#));
    let mut wrong_body = signed(post());
    wrong_body.body_mut()[0] ^= 1;
    let validated = validate_auth(&signed(get()), &secrets(), &options()).unwrap();
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    guard.first_use(validated.clone()).unwrap();
    let replayed = guard.first_use(validated.clone()).unwrap_err();
    let late = MemoryReplayGuard::new().started_at(time(NOW + 1));
    let full = MemoryReplayGuard::new().started_at(time(NOW)).capacity(0);
    let nowhere = validate_auth(&signed(get()), &MemorySecrets::new(), &options()).unwrap_err();
    vec![
        (Kind::BodyNotCovered, refused(&not_covered, &options())),
        (
            Kind::MalformedDigest,
            refused(&with_digest("sha-256=:AAAA:"), &options()),
        ),
        (
            Kind::UnsupportedDigest,
            refused(&with_digest("md5=:6TEzv9FRhYoxTUVfr2i/nA==:"), &options()),
        ),
        (Kind::WrongDigest, refused(&wrong_body, &options())),
        (Kind::Replayed, replayed),
        (
            Kind::BeforeGuardStart,
            late.first_use(validated.clone()).unwrap_err(),
        ),
        (
            Kind::ReplayGuardFull,
            full.first_use(validated.clone()).unwrap_err(),
        ),
        (Kind::SecretUnavailable, nowhere),
        (
            Kind::Misconfigured,
            refused(&signed(get()), &options().require("@status")),
        ),
    ]
}

/// The refusal of the body of a request whose head is in order.
fn refused_body<B>(request: Request<B>) -> AuthError
where
    B: Body,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let found = Arc::new(Mutex::new(None));
    let handler = service_fn(|request: Request<StreamedBody<B>>| {
        let found = Arc::clone(&found);
        async move {
            *found.lock().unwrap() = request.into_body().collect().await.err();
            Ok::<_, Infallible>(Response::new(Bytes::new()))
        }
    });
    let layer = ValidateAuthLayer::new(secrets(), options())
        .without_replay_guard()
        .streaming();
    futures_executor::block_on(layer.layer(handler).oneshot(request)).unwrap();
    found.lock().unwrap().take().expect("refused")
}

/// A body that comes piece by piece, and the guard of a layer.
fn refusals_of_the_layers() -> Vec<Refusal> {
    use AuthErrorKind as Kind;

    struct Unreachable;
    impl ReplayGuard for Unreachable {
        fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
            UseOnce::pending(async {
                Err(AuthError::replay_guard_unavailable(
                    "the connection was refused",
                ))
            })
        }
    }

    let whole = |request: TestRequest| request.map(|body| Full::new(Bytes::from(body)));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-site", HeaderValue::from_static("a"));
    let trailing = whole(signed(post())).map(|body| body.with_trailers(ready(Some(Ok(trailers)))));
    let gone = ready(Some(Err(io::Error::other("the peer has gone away"))));
    let broken =
        whole(signed(post())).map(|body| body.map_err(|never| match never {}).with_trailers(gone));
    let longer = with_header(signed(post()), "content-length", "22");
    let validated = validate_auth(&signed(get()), &secrets(), &options()).unwrap();
    vec![
        (
            Kind::BodyTooLarge,
            refused_body(whole(signed(post())).map(|body| Limited::new(body, 22))),
        ),
        (Kind::TrailersNotCovered, refused_body(trailing)),
        (Kind::BodyUnreadable, refused_body(broken)),
        (Kind::WrongContentLength, refused_body(whole(longer))),
        (
            Kind::ReplayGuardUnavailable,
            futures_executor::block_on(
                Unreachable.use_once(validated.replay_id(), validated.consumer()),
            )
            .unwrap_err(),
        ),
    ]
}

/// Every kind, each with an error that a request has caused.
fn refusals() -> Vec<Refusal> {
    let all = [
        refusals_of_the_input(),
        refusals_of_the_head(),
        refusals_of_the_rest(),
        refusals_of_the_layers(),
    ];
    all.into_iter().flatten().collect()
}

#[test]
fn every_kind_is_reached_by_the_request_meant_for_it() {
    for (kind, error) in refusals() {
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// The list above has every kind that the crate can name.
#[test]
fn no_kind_is_missing_here() {
    let refusals = refusals();
    let reached: BTreeSet<&str> = refusals.iter().map(|(kind, _)| kind.as_str()).collect();
    let declared: BTreeSet<&str> = AuthErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(reached, declared);
    assert_eq!(AuthErrorKind::ALL.len(), declared.len(), "two kinds have the same name");
    assert_eq!(refusals.len(), declared.len(), "a kind is reached twice");
}

#[test]
fn names_are_snake_case_and_shown_as_they_are() {
    for (kind, _) in refusals() {
        let name = kind.as_str();
        assert!(
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        assert_eq!(kind.to_string(), name);
        // The name is that of the variant, so that a log line leads to the documentation.
        let camel: String = name
            .split('_')
            .flat_map(|word| {
                word[..1]
                    .to_uppercase()
                    .chars()
                    .chain(word[1..].chars())
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(format!("{kind:?}"), camel);
    }
}

/// A peer cannot tell one failure of authentication from another; the others are those of the profile.
#[test]
fn peers_get_the_answers_of_the_profile_and_no_others() {
    use AuthErrorKind as Kind;

    let mut answers = BTreeSet::new();
    for (kind, error) in refusals() {
        let (status, body) = match kind {
            Kind::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                r#"{"error":"Payload too large"}"#,
            ),
            Kind::BodyUnreadable | Kind::WrongContentLength => {
                (StatusCode::BAD_REQUEST, r#"{"error":"Incomplete body"}"#)
            }
            Kind::ReplayGuardFull
            | Kind::ReplayGuardUnavailable
            | Kind::SecretUnavailable
            | Kind::Misconfigured => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"Authentication unavailable"}"#,
            ),
            _ => (
                StatusCode::UNAUTHORIZED,
                r#"{"error":"Invalid authentication token"}"#,
            ),
        };
        assert_eq!(
            (error.status(), error.public_body()),
            (status, body),
            "{kind:?}"
        );
        let response = error.to_response(&options());
        assert_eq!(
            (response.status(), *response.body()),
            (status, body),
            "{kind:?}"
        );
        answers.insert(format!("{response:?}"));
    }
    assert_eq!(answers.len(), 4, "{answers:#?}");
}

#[test]
fn the_bodies_are_json() {
    for (kind, error) in refusals() {
        let body: serde_json::Value = serde_json::from_str(error.public_body()).unwrap();
        let members = body.as_object().unwrap();
        assert!(
            members.len() == 1 && members["error"].is_string(),
            "{kind:?}"
        );
        assert_eq!(
            error.to_response(&options()).headers()[header::CONTENT_TYPE],
            "application/json"
        );
    }
}

#[test]
fn responses_say_how_to_do_better() {
    for (kind, error) in refusals() {
        let response = error.to_response(&options());
        let headers = response.headers();
        let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
        // RFC 9110 section 15.5.2: a 401 must have the field.
        let challenge = headers
            .get(header::WWW_AUTHENTICATE)
            .map(HeaderValue::as_bytes);
        assert_eq!(
            challenge,
            unauthorized.then_some(&b"Signature"[..]),
            "{kind:?}"
        );
        assert_eq!(
            headers.contains_key("accept-signature"),
            unauthorized,
            "{kind:?}"
        );
        // RFC 9110 section 10.2.3: seconds.
        let retry_after = headers
            .get(header::RETRY_AFTER)
            .map(|value| value.to_str().unwrap().parse::<u32>().unwrap());
        let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(retry_after.is_some(), unavailable, "{kind:?}");
        assert!(retry_after.is_none_or(|seconds| seconds > 0));
        let expected = 1 + 2 * usize::from(unauthorized) + usize::from(unavailable);
        assert_eq!(headers.len(), expected, "nothing else: {headers:?}");
    }
}

/// The `Accept-Signature` of a 401 under these options, read by the parser of the crate `sfv`: components, then parameters.
fn accept_signature(options: &ValidateOptions) -> (Vec<String>, Vec<(String, sfv::BareItem)>) {
    let response = refused(&get(), options).to_response(options);
    let value = response.headers()["accept-signature"].as_bytes();
    let dictionary: sfv::Dictionary = sfv::Parser::new(value).parse().expect("a dictionary");
    let mut members = dictionary.into_iter();
    let (label, member) = members.next().expect("one member");
    assert_eq!(label.as_str(), "sig1");
    assert!(members.next().is_none());
    let sfv::ListEntry::InnerList(list) = member else {
        panic!("not an inner list")
    };
    let components = list.items.iter().map(|item| {
        assert!(item.params.is_empty());
        item.bare_item
            .as_string()
            .expect("a string")
            .as_str()
            .to_owned()
    });
    let params = list
        .params
        .iter()
        .map(|(key, value)| (key.as_str().to_owned(), value.clone()));
    (components.collect(), params.collect())
}

/// RFC 9421 section 5.1: `created` is a flag there, the others have values.
#[test]
fn accept_signature_names_what_is_asked_for() {
    let (components, params) = accept_signature(&options());
    assert_eq!(
        components,
        ["@method", "@authority", "@path", "@query", "content-digest"]
    );
    let text = |text: &str| sfv::BareItem::from(sfv::String::from_string(text.to_owned()).unwrap());
    assert_eq!(
        params,
        [
            ("created".to_owned(), true.into()),
            ("alg".to_owned(), text("hmac-sha256"))
        ]
    );

    let options = options()
        .require("content-type")
        .require("@target-uri")
        .require("x-site")
        .tag(r#"or"ders\"#);
    let (components, params) = accept_signature(&options);
    let expected = [
        "@method",
        "@authority",
        "@path",
        "@query",
        "@target-uri",
        "content-digest",
        "content-type",
        "x-site",
    ];
    assert_eq!(components, expected);
    assert_eq!(
        params.last(),
        Some(&("tag".to_owned(), text(r#"or"ders\"#)))
    );
}

/// Who signs what the answer asks for is accepted.
#[test]
fn a_consumer_that_follows_accept_signature_is_accepted() {
    let options = options()
        .require("content-type")
        .require("@scheme")
        .tag("orders");
    let (components, _) = accept_signature(&options);
    let list: Vec<String> = components
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let input = format!(
        r#"({});created={NOW};alg="hmac-sha256";tag="orders""#,
        list.join(" ")
    );
    let digest = signed(post()).headers()["content-digest"]
        .to_str()
        .unwrap()
        .to_owned();
    let request = signed_as(with_header(post(), "content-digest", &digest), &input);
    validate_auth(&request, &secrets(), &options).unwrap();
}

/// Options that cannot be used must not make the answer panic, and must not leak into it unescaped.
#[test]
fn responses_of_a_misconfigured_host_are_valid_too() {
    for options in [
        options().tag("line\nbreak"),
        options().tag("ümlaut"),
        options().require("x\r\ny"),
        options().require("Ü"),
    ] {
        let error = refused(&signed(get()), &options);
        assert_eq!(
            (error.kind(), error.status()),
            (
                AuthErrorKind::Misconfigured,
                StatusCode::SERVICE_UNAVAILABLE
            )
        );
        assert!(options.check().is_err());
        // An error that these options have not caused: a header value holds no line break.
        let response = refused(&get(), &common::options()).to_response(&options);
        assert_eq!(
            response
                .headers()
                .get_all("accept-signature")
                .iter()
                .count(),
            1
        );
    }
}

/// The whole chain of an error, outermost first.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect()
}

/// What holds for every text that an operator reads.
#[track_caller]
fn assert_readable(error: &(dyn StdError + 'static)) {
    let chain = chain(error);
    // What the operating system says is its own.
    let ours = std::iter::successors(Some(error), |error| (*error).source())
        .take_while(|error| !error.is::<io::Error>())
        .count();
    for text in &chain[..ours] {
        assert!(text.len() > 10, "says nothing: {text:?}");
        assert!(
            !text.starts_with(char::is_uppercase),
            "starts with a capital: {text:?}"
        );
        assert!(
            !text.ends_with('.') && text.trim() == text,
            "is not a phrase: {text:?}"
        );
        assert!(
            !text.contains(char::is_control),
            "contains control characters: {text:?}"
        );
        assert!(text.chars().count() < 700, "is too long: {text:?}");
    }
    for (outer, inner) in chain.iter().zip(&chain[1..]) {
        assert!(
            !outer.contains(inner.as_str()),
            "repeats its source: {outer:?}"
        );
    }
}

#[test]
fn refusals_are_readable() {
    let mut texts = BTreeSet::new();
    for (kind, error) in refusals() {
        assert_readable(&error);
        assert!(
            texts.insert(error.to_string()),
            "two kinds look the same: {kind:?}"
        );
    }
}

/// Malformed fields have the place and the expectation as their source.
#[test]
fn sources_tell_what_the_sentence_does_not() {
    let sources: Vec<_> = refusals()
        .into_iter()
        .filter(|(_, error)| error.source().is_some())
        .map(|(kind, error)| (kind, chain(&error)))
        .collect();
    let of = |kind| {
        sources
            .iter()
            .find(|(one, _)| *one == kind)
            .map(|(_, chain)| chain[1].as_str())
    };
    assert_eq!(
        of(AuthErrorKind::MalformedSignatureInput),
        Some("at byte 6: expected a quoted string")
    );
    assert!(
        of(AuthErrorKind::SecretUnavailable)
            .unwrap()
            .contains("hmac-authentication-secret-key")
    );
    let malformed = refused(&with_digest("sha-256=nonsense"), &options());
    assert_eq!(malformed.kind(), AuthErrorKind::MalformedDigest);
    assert!(
        chain(&malformed)[1].starts_with("at byte 8: "),
        "{malformed:?}"
    );
    let malformed = refused(
        &with_header(get(), "signature", "sig1=nonsense"),
        &options(),
    );
    assert_eq!(malformed.kind(), AuthErrorKind::MalformedSignature);
    assert!(
        chain(&malformed)[1].starts_with("at byte 5: "),
        "{malformed:?}"
    );
}

/// The details of refusals quote the peer. Nothing of it may act on the terminal or the log of the operator.
#[test]
fn what_peers_write_is_shown_escaped_and_cut() {
    let long = "x".repeat(5_000);
    let key_id = |value: &str| {
        refused(
            &signed_as(get(), &format!(r#"{INPUT};keyid="{value}""#)),
            &options().key_ids([("a", "b")]),
        )
    };
    let authority = |value: &str| {
        refused(
            &signed_as(with_uri(get(), &format!("https://{value}/")), INPUT),
            &options(),
        )
    };
    let component = |value: &str| {
        let input = covering(&format!(
            r#""@method" "@authority" "@path" "@query" {value}"#
        ));
        refused(&with_signature(get(), "sig1", &input, &[0; 32]), &options())
    };
    let label = |value: &str| refused(&with_signature(get(), value, INPUT, &[0; 32]), &options());
    for (error, shown) in [
        (key_id(&long), "xxx…"),
        (key_id(r"\\e[31m"), r#"keyid "\e[31m""#),
        (authority("evil.example"), "evil.example"),
        (authority(&long), "xxx…"),
        (component(r#""@nonsense""#), "\"@nonsense\""),
        (component(&format!(r#""{long}""#)), "xxx…"),
        (
            component(&format!(r#""@query-param";name="{long}""#)),
            "xxx…",
        ),
        (component(&format!(r#""x-site";sf;key="{long}""#)), "xxx…"),
        (
            refused(
                &with_header(get(), "signature", &format!("{long}=:AAAA:")),
                &options(),
            ),
            "xxx…",
        ),
        (label(&long), "does not match"),
    ] {
        assert!(error.to_string().contains(shown), "{error}");
        assert_readable(&error);
        assert!(!format!("{error:?}").contains(char::is_control));
    }
    // Bytes that are not printable ASCII are refused by the parsers, and not quoted.
    for value in [
        &b"sig1=(\"@method\"\xff)"[..],
        b"sig1=(\"@method\");keyid=\"\xc2\x9b31m\"",
        b"\xf0\x9f\x98\x80=()",
        b"sig1=(\"\t\")",
    ] {
        let mut request = get();
        request
            .headers_mut()
            .insert(SIGNATURE_INPUT, HeaderValue::from_bytes(value).unwrap());
        let error = refused(&request, &options());
        assert_eq!(error.kind(), AuthErrorKind::MalformedSignatureInput);
        assert_readable(&error);
        assert!(
            chain(&error).iter().all(|text| text.is_ascii()),
            "{error:?}"
        );
    }
}

/// Signs `request` as `options` say, from `secrets`, and gives the error; the request must be as it was.
#[track_caller]
fn signing_fails(
    mut request: TestRequest,
    secrets: &dyn SecretStore,
    options: &SignOptions,
) -> SignError {
    let before = request.clone();
    let error = sign_request(&mut request, secrets, options).expect_err("signing fails");
    assert_same(&request, &before);
    let (mut parts, body) = request.into_parts();
    let same_error = sign_parts(&mut parts, &body, secrets, options).expect_err("signing fails");
    assert_eq!(
        same_error.to_string(),
        error.to_string(),
        "the two ways to sign differ"
    );
    assert_same(&TestRequest::from_parts(parts, body), &before);
    assert_readable(&error);
    error
}

#[track_caller]
fn assert_same(request: &TestRequest, before: &TestRequest) {
    assert_eq!(
        request.headers(),
        before.headers(),
        "the headers were changed"
    );
    assert_eq!(
        (request.method(), request.uri(), request.version()),
        (before.method(), before.uri(), before.version())
    );
    assert_eq!(request.body(), before.body());
}

/// Each variant of `SignError` by name. Only `Random` cannot be caused: it needs an operating system without random bytes.
#[test]
fn every_sign_error_is_reached_and_leaves_the_request_as_it_was() {
    let header = |request, name, value| with_header(request, name, value);
    let fails = |request, options: &SignOptions| signing_fails(request, &secrets(), options);
    let plain = sign_options();
    let field = HeaderName::from_static;

    let error = signing_fails(post(), &MemorySecrets::new(), &plain);
    assert!(
        matches!(error, SignError::Secret(SecretError::NotFound { .. })),
        "{error:?}"
    );

    let error = fails(with_uri(post(), "/orders"), &plain);
    assert!(
        matches!(error, SignError::Component(_)) && error.source().is_some(),
        "{error:?}"
    );

    for name in ["signature", "signature-input"] {
        let error = fails(post(), &plain.clone().cover(field(name)));
        assert!(
            matches!(&error, SignError::NotCoverable { name: named } if named == name),
            "{error:?}"
        );
    }

    let fields: Vec<HeaderName> = (0..27)
        .map(|index| HeaderName::try_from(format!("x-{index}")).unwrap())
        .collect();
    let with_all = fields.iter().fold(post(), |mut request, name| {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("1"));
        request
    });
    let cover_all = fields
        .iter()
        .fold(plain.clone(), |options, name| options.cover(name.clone()));
    let error = fails(with_all, &cover_all);
    assert!(
        matches!(error, SignError::TooManyComponents { count: 33 }),
        "{error:?}"
    );

    let digest = signed(get_with_digest()).headers()["content-digest"]
        .to_str()
        .unwrap()
        .to_owned();
    let error = fails(header(post(), "content-digest", &digest), &plain);
    assert!(matches!(error, SignError::WrongDigest), "{error:?}");

    for digest in [
        "nonsense",
        "md5=:6TEzv9FRhYoxTUVfr2i/nA==:",
        "sha-256=:AAAA:",
        "sha-256=::, sha-256=::",
    ] {
        let error = fails(header(post(), "content-digest", digest), &plain);
        assert!(matches!(error, SignError::UnusableDigest), "{error:?}");
    }

    let error = fails(signed(post()), &plain);
    assert!(
        matches!(&error, SignError::LabelTaken { label } if label == "sig1"),
        "{error:?}"
    );
    // In one field only it is taken all the same.
    for (name, value) in [("signature-input", "sig1=()"), ("signature", "sig1=::")] {
        let error = fails(header(post(), name, value), &plain);
        assert!(
            matches!(&error, SignError::LabelTaken { label } if label == "sig1"),
            "{error:?}"
        );
    }

    for (name, value) in [
        ("signature-input", "other=("),
        ("signature", "other=nonsense"),
        ("signature", ""),
    ] {
        let error = fails(header(post(), name, value), &plain);
        assert!(
            matches!(error, SignError::MalformedSignature(_)) && error.source().is_some(),
            "{error:?}"
        );
    }

    let error = fails(post(), &plain.clone().key_id("k".repeat(8 * 1024)));
    assert!(matches!(error, SignError::TooLarge), "{error:?}");

    let error = fails(post(), &plain.clone().expires_in(Duration::MAX));
    assert!(matches!(error, SignError::TimeOutOfRange), "{error:?}");

    let error = fails(crowded(), &plain);
    assert!(matches!(error, SignError::TooManyFields), "{error:?}");
}

/// An empty body with a digest.
fn get_with_digest() -> TestRequest {
    signed_with(
        get(),
        &sign_options()
            .cover(HeaderName::from_static("content-digest"))
            .label("other"),
    )
}

/// A request with as many fields as `http` can hold, or almost.
fn crowded() -> TestRequest {
    let mut request = post();
    let headers = request.headers_mut();
    for index in 0_u32.. {
        let name = HeaderName::try_from(format!("x-{index}")).unwrap();
        // Room for one more, but not for three.
        if headers.try_reserve(2).is_err()
            || headers
                .try_insert(name, HeaderValue::from_static(""))
                .is_err()
        {
            break;
        }
    }
    request
}

#[test]
fn parameters_that_cannot_be_written_are_named_and_escaped() {
    let plain = sign_options();
    for value in [
        "line\nbreak",
        "\u{1b}[31mred",
        "ümlaut",
        "tab\t",
        "nul\0",
        "\u{7f}",
        "\u{202e}",
    ] {
        for (parameter, options) in [
            ("key_id", plain.clone().key_id(value)),
            ("tag", plain.clone().tag(value)),
            ("label", plain.clone().label(value)),
        ] {
            let error = signing_fails(post(), &secrets(), &options);
            let SignError::InvalidParameter {
                parameter: named,
                value: shown,
                ..
            } = &error
            else {
                panic!("{error:?}")
            };
            assert_eq!(*named, parameter);
            assert!(
                shown.is_ascii() && !shown.contains(char::is_control),
                "{shown:?}"
            );
            assert!(error.to_string().starts_with(parameter));
        }
    }
    for label in [
        "", "Sig1", "1sig", "_sig", "sig 1", "sig=1", "sig,1", "sig;1", "sig\"1",
    ] {
        let error = signing_fails(post(), &secrets(), &plain.clone().label(label));
        assert!(
            matches!(
                error,
                SignError::InvalidParameter {
                    parameter: "label",
                    ..
                }
            ),
            "{label:?}: {error:?}"
        );
    }
    let long = "ü".repeat(5_000);
    let error = signing_fails(post(), &secrets(), &plain.tag(long));
    assert!(error.to_string().contains('…'));
}

/// Each reason for which a component cannot be signed.
#[test]
fn components_that_cannot_be_signed_are_named() {
    let site = HeaderName::from_static("x-site");
    let cover = sign_options().cover(site.clone());
    let with_site = |value: &[u8]| {
        let mut request = post();
        request
            .headers_mut()
            .insert(&site, HeaderValue::from_bytes(value).unwrap());
        request
    };
    let hosts = with_header(
        with_header(with_uri(post(), "/"), "host", "host.example"),
        "host",
        "host.example",
    );
    for (request, options, reason) in [
        (
            post(),
            &cover,
            "\"x-site\" is covered but not in the message",
        ),
        (
            with_site(b"gr\xc3\xb6\xc3\x9fer"),
            &cover,
            "the value of \"x-site\" is not ASCII",
        ),
        (
            with_site(&[b'x'; 8 * 1024 + 1]),
            &cover,
            "\"x-site\", the signature base gets too large",
        ),
        (with_uri(post(), "/orders"), &sign_options(), "no authority"),
        (hosts, &sign_options(), "conflicting authorities"),
        (
            with_header(post(), "host", "other.example"),
            &sign_options(),
            "conflicting authorities",
        ),
        (
            with_uri(post(), "https://user@host.example/"),
            &sign_options(),
            "invalid authority",
        ),
        (
            with_uri(post(), "https://host.example/gr\u{f6}\u{df}er"),
            &sign_options(),
            "\"@path\" is not ASCII",
        ),
        (
            with_uri(post(), "https://host.example/?gr\u{f6}\u{df}er"),
            &sign_options(),
            "\"@query\" is not ASCII",
        ),
    ] {
        let error = signing_fails(request, &secrets(), options);
        let SignError::Component(source) = &error else {
            panic!("{error:?}")
        };
        assert!(source.to_string().contains(reason), "{source}");
    }
}

/// `Random` needs an operating system without random bytes, and `Unavailable` is for the stores of others.
#[test]
fn every_secret_error_is_reached_and_readable() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("directory")).unwrap();
    std::fs::write(directory.path().join("short"), "short").unwrap();
    let files = FileSecrets::new(directory.path());
    let too_many = || SecretSet::with_previous(secret(), (0..4).map(|_| secret()));
    let errors = [
        ("TooShort", Secret::from_text("short").unwrap_err()),
        (
            "Encoding",
            Secret::from_hex("no hexadecimal digits at all").unwrap_err(),
        ),
        (
            "Encoding",
            Secret::from_base64("no base64 at all").unwrap_err(),
        ),
        ("TooManyPrevious", too_many().unwrap_err()),
        ("InvalidName", files.lookup("../etc/passwd").unwrap_err()),
        ("InvalidName", EnvSecrets::new("X_").lookup("").unwrap_err()),
        ("NotFound", files.lookup("missing").unwrap_err()),
        (
            "NotFound",
            EnvSecrets::new("UNSET_").lookup("missing").unwrap_err(),
        ),
        (
            "NotFound",
            MemorySecrets::new().lookup("missing").unwrap_err(),
        ),
        (
            "NotFound",
            MemorySecrets::new()
                .rotate("missing", secret())
                .unwrap_err(),
        ),
        ("Unusable", files.lookup("short").unwrap_err()),
        (
            "Unusable",
            FileSecrets::new(directory.path())
                .encoding(SecretEncoding::Hex)
                .lookup("short")
                .unwrap_err(),
        ),
        ("Unreadable", files.lookup("directory").unwrap_err()),
        (
            "Unavailable",
            SecretError::Unavailable {
                name: "site-a".to_owned(),
                source: "the vault is sealed".into(),
            },
        ),
    ];
    for (variant, error) in errors {
        let debug = format!("{error:?}");
        assert!(debug.starts_with(variant), "{variant}: {debug}");
        assert_readable(&error);
        // A host that gets this error says so, with the error as its source.
        let text = error.to_string();
        let refusal = AuthError::from(error);
        assert_eq!(
            (refusal.kind(), chain(&refusal)[1].clone()),
            (AuthErrorKind::SecretUnavailable, text)
        );
    }
}

/// A store that fails makes a 503, whatever its error is.
#[test]
fn a_store_that_cannot_be_reached_is_not_the_peers_fault() {
    struct Sealed;
    impl SecretStore for Sealed {
        fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
            Err(SecretError::Unavailable {
                name: name.to_owned(),
                source: "the vault is sealed".into(),
            })
        }
    }
    let error = validate_auth(&signed(get()), &Sealed, &options()).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (
            AuthErrorKind::SecretUnavailable,
            StatusCode::SERVICE_UNAVAILABLE
        )
    );
    assert_eq!(
        chain(&error).last().map(String::as_str),
        Some("the vault is sealed")
    );
    let error = sign_request(&mut get(), &Sealed, &sign_options()).unwrap_err();
    assert_eq!(
        chain(&error).last().map(String::as_str),
        Some("the vault is sealed")
    );
    // A request that is wrong in itself does not get as far as the store.
    let error = validate_auth(&get(), &Sealed, &options()).unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::MissingSignature);
}

/// With several signatures, the one that got furthest tells the reason, wherever it stands.
#[test]
fn of_several_refusals_the_one_that_got_furthest_is_told() {
    let stale = INPUT.replace("1700000000", "1600000000");
    let uncovered = covering(r#""@method""#);
    let zeros = [0; 32];
    let inputs = [
        (INPUT, AuthErrorKind::WrongMac),
        (&stale, AuthErrorKind::Stale),
        (&uncovered, AuthErrorKind::NotCovered),
    ];
    // In the order of the checks, the last first.
    for (position, (first, one)) in inputs.iter().enumerate() {
        for (other_position, (second, other)) in inputs.iter().enumerate() {
            let furthest = if position < other_position {
                one
            } else {
                other
            };
            let request = with_signature(
                with_signature(get(), "a", first, &zeros),
                "b",
                second,
                &zeros,
            );
            assert_eq!(
                refused(&request, &options()).kind(),
                *furthest,
                "{first} {second}"
            );
        }
    }
}

/// A method or a scheme of the peer's choice does not change what the operator and the peer see.
#[test]
fn unusual_requests_get_the_usual_answers() {
    for method in [
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
        Method::from_bytes(b"x!").unwrap(),
    ] {
        let mut request = get();
        *request.method_mut() = method;
        assert_eq!(
            refused(&request, &options()).kind(),
            AuthErrorKind::MissingSignature
        );
    }
    let http = with_uri(signed(get()), "http://host.example/orders?page=2");
    assert!(validate_auth(&http, &secrets(), &options()).is_ok());
    assert_eq!(
        refused(&http, &options().require("@scheme")).kind(),
        AuthErrorKind::NotCovered
    );
    let other = options().external_scheme(Scheme::Http);
    assert!(validate_auth(&http, &secrets(), &other).is_ok());
}

/// Errors of this crate can cross threads and `?`.
#[test]
fn errors_can_be_boxed_and_sent() {
    fn assert_error<E: StdError + Send + Sync + 'static>() {}
    assert_error::<AuthError>();
    assert_error::<SignError>();
    assert_error::<SecretError>();
    let boxed: Box<dyn StdError + Send + Sync> = refused(&get(), &options()).into();
    assert_eq!(
        boxed.downcast_ref::<AuthError>().map(AuthError::kind),
        Some(AuthErrorKind::MissingSignature)
    );
}
