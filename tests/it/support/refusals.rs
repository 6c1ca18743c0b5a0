//! One refusal of each kind, each caused by a request, and checks for every text of an error.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::ready,
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use hmac_auth::{
    AuthError, AuthErrorKind, ConsumerDirectory, DEFAULT_SECRET_NAME, MemoryReplayGuard,
    MemorySecrets, ReplayGuard, ReplayId, UseOnce, ValidateOptions,
    explain::{RuleOutcome, explain},
    tower::{StreamedBody, ValidateAuthLayer},
    validate_auth,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    directory::TestDirectory,
    request::{
        self, INPUT, NOW, TestRequest, get, options, post, secrets, signed, signed_as, time,
        with_header, with_signature,
    },
};

pub(crate) type Refusal = (AuthErrorKind, AuthError);

/// The refusal of a request by the host of `options`.
pub(crate) fn refused(request: &TestRequest, options: &ValidateOptions) -> AuthError {
    let error = validate_auth(request, &secrets(), options).expect_err("refused");
    assert_explained(request, options, Err(error.kind()));
    error
}

/// An explanation says what `validate_auth` says, and names the rule.
#[track_caller]
pub(crate) fn assert_explained<B: AsRef<[u8]>>(
    request: &Request<B>,
    options: &ValidateOptions,
    verdict: Result<(), AuthErrorKind>,
) {
    let explanation = explain(request, &secrets(), options);
    assert_eq!(explanation.kind(), verdict.err());
    assert_eq!(explanation.is_accepted(), verdict.is_ok());
    let rules = explanation.rules();
    let failed: Vec<_> = rules
        .iter()
        .filter(|rule| rule.outcome() == RuleOutcome::Failed)
        .collect();
    assert_eq!(failed.len(), usize::from(verdict.is_err()), "{explanation}");
    // All rules before the failed one have passed, and no later one was reached.
    assert!(
        rules.is_sorted_by_key(|rule| match rule.outcome() {
            RuleOutcome::Passed => 0,
            RuleOutcome::Failed => 1,
            RuleOutcome::NotReached => 2,
        }),
        "{explanation}"
    );
}

/// An input with these components and the time of all tests.
pub(crate) fn covering(components: &str) -> String {
    format!("({components});created={NOW}")
}

pub(crate) fn with_uri(mut request: TestRequest, uri: &str) -> TestRequest {
    *request.uri_mut() = uri.parse().expect("a valid URI");
    request
}

pub(crate) fn with_digest(digest: &str) -> TestRequest {
    let request = with_header(post(), "content-digest", digest);
    signed_as(
        request,
        &covering(r#""@method" "@authority" "@path" "content-digest""#),
    )
}

/// Shape, candidates and coverage.
pub(crate) fn refusals_of_the_input() -> Vec<Refusal> {
    use AuthErrorKind as Kind;

    let zeros = [0; 32];
    let mac = request::secret()
        .mac(request::base_of(&get(), INPUT).as_bytes())
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
pub(crate) fn refusals_of_the_head() -> Vec<Refusal> {
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
pub(crate) fn refusals_of_the_rest() -> Vec<Refusal> {
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
    let without_consumer = secrets();
    without_consumer.revoke(DEFAULT_SECRET_NAME);
    let revoked = validate_auth(&signed(get()), &without_consumer, &options()).unwrap_err();
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
        (Kind::Revoked, revoked),
        (Kind::SecretUnavailable, nowhere),
        (
            Kind::Misconfigured,
            refused(&signed(get()), &options().require("@status")),
        ),
    ]
}

/// The refusal of the body of a request whose head is in order.
pub(crate) fn refused_body<B>(request: Request<B>) -> AuthError
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
pub(crate) fn refusals_of_the_layers() -> Vec<Refusal> {
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
        (
            Kind::DirectoryUnavailable,
            futures_executor::block_on(TestDirectory::new().find("down")).unwrap_err(),
        ),
    ]
}

/// Every kind, each with an error that a request has caused.
pub(crate) fn refusals() -> Vec<Refusal> {
    let all = [
        refusals_of_the_input(),
        refusals_of_the_head(),
        refusals_of_the_rest(),
        refusals_of_the_layers(),
    ];
    all.into_iter().flatten().collect()
}

/// The whole chain of an error, outermost first.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect()
}

/// What holds for every text that an operator reads.
#[track_caller]
pub(crate) fn assert_readable(error: &(dyn StdError + 'static)) {
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
