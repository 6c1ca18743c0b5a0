//! Limits on what a peer can make a host do before anything is proven.

use std::fmt::Write;

use hmac_auth::{
    AuthErrorKind, ValidateOptions,
    signature::{MAX_QUERY_PAIRS, MAX_QUERY_PARAMS, SignatureInputs},
    validate_auth,
};
use http::{HeaderName, Request};

use crate::support::request::{
    get, options, post, secrets, sign_options, signed, signed_with, with_header,
};

mod exact;

const CREATED: u64 = 1_800_000_000;

/// A request that covers `count` parameters of its query one by one, with a MAC that is none.
fn with_query_params(count: usize, padding: usize) -> Request<&'static str> {
    let mut query = "&".repeat(padding);
    let mut list = String::from(r#""@method" "@authority" "@path" "@query""#);
    for index in 0..count {
        write!(query, "&p{index}={index}").unwrap();
        write!(list, r#" "@query-param";name="p{index}""#).unwrap();
    }
    Request::get(format!("https://host.example/?{query}"))
        .header(
            "signature-input",
            format!("sig1=({list});created={CREATED}"),
        )
        .header("signature", format!("sig1=:{}=:", "A".repeat(43)))
        .body("")
        .unwrap()
}

fn refusal(request: &Request<&'static str>) -> AuthErrorKind {
    let secrets = hmac_auth::MemorySecrets::new();
    secrets.insert(
        hmac_auth::DEFAULT_SECRET_NAME,
        hmac_auth::Secret::from_text("a secret for the limits").unwrap(),
    );
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(CREATED);
    validate_auth(request, &secrets, &ValidateOptions::new().at(now))
        .unwrap_err()
        .kind()
}

/// Each one costs a walk through the query: with 112 of them in 60 KiB, a refusal took 30,000 times
/// as long as an acceptance.
#[test]
fn query_parameters_one_by_one_are_few_and_the_query_is_short() {
    assert_eq!(
        refusal(&with_query_params(MAX_QUERY_PARAMS, 0)),
        AuthErrorKind::WrongMac
    );
    assert_eq!(
        refusal(&with_query_params(MAX_QUERY_PARAMS + 1, 0)),
        AuthErrorKind::TooLarge
    );
    assert_eq!(
        refusal(&with_query_params(1, 8_000)),
        AuthErrorKind::WrongMac
    );
    assert_eq!(
        refusal(&with_query_params(1, 8_192)),
        AuthErrorKind::TooLarge
    );
}

/// Few fields are passed over, many are looked up: it must not make a difference.
#[test]
fn other_fields_change_nothing() {
    let refusal = |request: &_| {
        validate_auth(request, &secrets(), &options())
            .err()
            .map(|error| error.kind())
    };
    for count in (0..40).chain([200]) {
        let with_others = |request| {
            let others = (0..count).map(|number| &*format!("x-{number}").leak());
            others.fold(request, |request, name| with_header(request, name, "1"))
        };
        let (get, post) = (
            || with_others(get()),
            || with_header(with_others(post()), "host", "host.example"),
        );
        assert_eq!(refusal(&signed(get())), None, "{count}");
        assert_eq!(
            refusal(&signed(with_header(post(), "content-type", "text/html"))),
            None,
            "{count}"
        );
        for (request, expected) in [
            (
                with_header(signed(post()), "host", "host.example"),
                AuthErrorKind::ConflictingAuthority,
            ),
            (
                with_header(signed(post()), "content-type", "text/html"),
                AuthErrorKind::WrongMac,
            ),
            (
                with_header(
                    signed(with_header(post(), "content-encoding", "br")),
                    "content-encoding",
                    "br",
                ),
                AuthErrorKind::WrongMac,
            ),
            (
                with_header(signed(post()), "content-digest", "md5=:AA==:"),
                AuthErrorKind::WrongMac,
            ),
            (
                with_header(signed(get()), "content-digest", "md5=:AA==:"),
                AuthErrorKind::UnsupportedDigest,
            ),
            (
                with_header(signed(get()), "signature", "sig1=:AA==:"),
                AuthErrorKind::MalformedSignature,
            ),
            (
                with_header(signed(get()), "signature-input", "sig2=()"),
                AuthErrorKind::UnpairedLabel,
            ),
        ] {
            assert_eq!(refusal(&request), Some(expected), "{count}");
        }
    }
}

/// Each would be accepted alone, and one that is small is.
#[test]
fn several_signatures_share_the_room_of_one() {
    let fields = ["x-a", "x-b"];
    let large = fields.into_iter().fold(get(), |request, name| {
        with_header(request, name, &"x".repeat(7_000))
    });
    let sign = |request, label| {
        let options = sign_options().label(label);
        signed_with(
            request,
            &fields.into_iter().fold(options, |options, name| {
                options.cover(HeaderName::from_static(name))
            }),
        )
    };
    let refusal = |request: &_| {
        validate_auth(request, &secrets(), &options())
            .err()
            .map(|error| error.kind())
    };
    let two = ["a", "b"].into_iter().fold(large, sign);
    assert_eq!(refusal(&two), None);
    let three = sign(two, "c");
    assert_eq!(refusal(&three), Some(AuthErrorKind::TooLarge));
    assert_eq!(
        refusal(&signed_with(three, &sign_options().label("d"))),
        None
    );
}

#[test]
fn a_repeated_name_is_found_whatever_it_looks_like() {
    for (list, is_accepted) in [
        (r#""a\"b" "a\"b""#, false),
        (r#""a\"b" "a\"c""#, true),
        (r#""a\\" "a\\""#, false),
        (r#""a" "b" "a""#, false),
        (r#""a";bs "a""#, true),
        (r#""a";bs;req "a";req;bs"#, false),
    ] {
        let request = Request::get("/")
            .header("signature-input", format!("sig1=({list});created=1"))
            .body(())
            .unwrap();
        let inputs: Result<Vec<_>, _> = SignatureInputs::new(request.headers()).collect();
        assert_eq!(inputs.is_ok(), is_accepted, "{list}");
    }
}

/// A store that counts how often it is asked.
struct Counting(hmac_auth::MemorySecrets, std::sync::atomic::AtomicUsize);

impl hmac_auth::SecretStore for Counting {
    fn lookup(&self, name: &str) -> Result<hmac_auth::SecretSet, hmac_auth::SecretError> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.lookup(name)
    }
}

/// Four signatures of one key id cost one look-up, whether there is a secret or not.
#[test]
pub(crate) fn pitfall_32_a_store_is_asked_once_for_a_name() {
    for store in [secrets(), hmac_auth::MemorySecrets::new()] {
        let zeros = [0; 32];
        let request = ["a", "b", "c", "d"].iter().fold(get(), |request, label| {
            crate::support::request::with_signature(
                request,
                label,
                crate::support::request::INPUT,
                &zeros,
            )
        });
        let store = Counting(store, std::sync::atomic::AtomicUsize::new(0));
        assert!(validate_auth(&request, &store, &options()).is_err());
        assert_eq!(store.1.into_inner(), 1);
    }
}

/// The signatures of one request share what one may cost.
#[test]
pub(crate) fn pitfall_32_single_parameters_of_the_query_are_shared_too() {
    let of = |params: usize, candidates: usize, pairs: usize| {
        let mut query: Vec<_> = (0..params).map(|index| format!("p{index}=1")).collect();
        query.extend((params..pairs).map(|index| format!("q{index}")));
        let list: String = (0..params).fold(String::new(), |mut list, index| {
            write!(list, r#" "@query-param";name="p{index}""#).unwrap();
            list
        });
        let input = format!(
            r#"("@method" "@authority" "@path" "@query"{list});created={}"#,
            crate::support::request::NOW
        );
        let mut request = get();
        *request.uri_mut() = format!("https://host.example/?{}", query.join("&"))
            .parse()
            .unwrap();
        let request = (0..candidates).fold(request, |request, index| {
            let label = format!("s{index}");
            crate::support::request::with_signature(request, &label, &input, &[0; 32])
        });
        validate_auth(&request, &secrets(), &options())
            .unwrap_err()
            .kind()
    };
    for candidates in 1..=4 {
        let (params, pairs) = (MAX_QUERY_PARAMS / candidates, MAX_QUERY_PAIRS / candidates);
        assert_eq!(
            of(params, candidates, pairs),
            AuthErrorKind::WrongMac,
            "{candidates}"
        );
        assert_eq!(
            of(params + 1, candidates, pairs),
            AuthErrorKind::TooLarge,
            "{candidates}"
        );
        assert_eq!(
            of(params, candidates, pairs + 1),
            AuthErrorKind::TooLarge,
            "{candidates}"
        );
        // A query of which no single parameter is covered is only text.
        assert_eq!(
            of(0, candidates, 1_000),
            AuthErrorKind::WrongMac,
            "{candidates}"
        );
    }
}

/// RFC 9421 section 2.2.8: the same whether the query is read once or for each parameter.
#[test]
fn each_parameter_has_its_own_value() {
    let mut request = get();
    *request.uri_mut() = "https://host.example/?a=1&&b=x%20y+z&%63=3&empty=&flag&d=a=b"
        .parse()
        .unwrap();
    let names = ["d", "flag", "empty", "c", "b", "a"];
    let options_of_sign = names.iter().fold(sign_options(), |options, name| {
        options.cover(format!("\"@query-param\";name=\"{name}\""))
    });
    let signed = signed_with(request, &options_of_sign);
    let base = crate::support::request::base_of(
        &signed,
        signed.headers()["signature-input"]
            .to_str()
            .unwrap()
            .strip_prefix("sig1=")
            .unwrap(),
    );
    for line in [
        "\"@query-param\";name=\"a\": 1\n",
        "\"@query-param\";name=\"b\": x%20y%20z\n",
        "\"@query-param\";name=\"c\": 3\n",
        "\"@query-param\";name=\"empty\": \n",
        "\"@query-param\";name=\"flag\": \n",
        "\"@query-param\";name=\"d\": a%3Db\n",
    ] {
        assert!(base.as_str().contains(line), "{}", base.as_str());
    }
}
