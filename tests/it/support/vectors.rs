//! The messages of RFC 9421, and readers for the files of vectors.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret,
    signature::{
        CONTENT_DIGEST, RequestHead, ResponseHead, SIGNATURE_INPUT, SignatureBase, SignatureInput,
        SignatureInputs,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version, header};
use serde_json::Value;

/// `test-shared-secret` of RFC 9421 section B.1.5.
pub(crate) const RFC_9421_KEY: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

pub(crate) const DIGEST_OF_HELLO: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

pub(crate) const DEMO_DATE: &str = "Fri, 15 Jul 2022 14:24:55 GMT";

pub(crate) enum Message {
    Request(Request<()>),
    Response {
        response: Response<()>,
        of: Request<()>,
    },
}

impl Message {
    /// The request, or the one that was answered, with its authority in the target and without
    /// `Host`.
    pub(crate) fn as_http2(&self) -> Self {
        match self {
            Self::Request(request) => Self::Request(http2(request.clone())),
            Self::Response { response, of } => Self::Response {
                response: response.clone(),
                of: http2(of.clone()),
            },
        }
    }
}

pub(crate) fn http2(mut request: Request<()>) -> Request<()> {
    let host = request.headers_mut().remove(header::HOST).expect("a host");
    let host = host.to_str().expect("ASCII");
    *request.uri_mut() = format!("https://{host}{}", request.uri())
        .parse()
        .expect("a target");
    *request.version_mut() = Version::HTTP_2;
    request
}

/// `test-request` of section B.2, which is also the request of sections 2.4 and 2.5.
pub(crate) fn test_request() -> Request<()> {
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
pub(crate) fn proxied_request() -> Request<()> {
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
pub(crate) fn tls_terminated_request() -> Request<()> {
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
pub(crate) fn demo_request() -> Request<()> {
    let fields = [
        ("host", "example.org"),
        ("date", DEMO_DATE),
        ("accept", "application/json"),
        ("accept", "*/*"),
    ];
    request("GET", "/demo?name1=Value1&Name2=value2", &fields)
}

/// `test-response` of section B.2.
pub(crate) fn test_response() -> Message {
    let digest = "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:";
    answer(StatusCode::OK, digest, "23")
}

/// Section 2.4.
pub(crate) fn unavailable() -> Message {
    let digest = "sha-512=:0Y6iCBzGg5rZtoXS95Ijz03mslf6KAMCloESHObfwnHJDbkkWWQz6PhhU9kxsTbARtY2PTBOzq24uJFpHsMuAg==:";
    answer(StatusCode::SERVICE_UNAVAILABLE, digest, "62")
}

/// Both responses of the RFC answer `test-request`.
pub(crate) fn answer(status: StatusCode, digest: &str, length: &str) -> Message {
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

pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Request<()> {
    let request = Request::builder().method(method).uri(target);
    fields
        .iter()
        .fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
        .body(())
        .expect("a request")
}

pub(crate) fn set<B>(request: &mut Request<B>, name: &str, value: &str) {
    let name: HeaderName = name.parse().expect("a name");
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).expect("a value"));
}

pub(crate) fn base_of(message: &Message, input: &str) -> SignatureBase {
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

pub(crate) fn mac(secret: &Secret, base: &str) -> String {
    STANDARD.encode(secret.mac(base.as_bytes()).into_bytes())
}

pub(crate) fn rfc9421_secret() -> Secret {
    Secret::from_base64(RFC_9421_KEY).expect("a usable key")
}

pub(crate) fn store(secret: Secret) -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret);
    secrets
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

pub(crate) fn bytes_of_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal")
        })
        .collect()
}
