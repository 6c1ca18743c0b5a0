//! Numbers that look random and are the same in every run, and requests and inputs made from them.

use std::time::Duration;

use hmac_auth::{AlgParameter, DigestAlgorithm, SignOptions};
use http::{HeaderName, HeaderValue, Request, Version};

use crate::support::{
    message::CONTENT_DIGEST,
    request::{NOW, TestRequest, time},
};

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // xorshift64*, Vigna 2016.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % end
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[7]).collect()
    }
}

pub(crate) fn random_request(random: &mut Random) -> TestRequest {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW", "get"];
    const AUTHORITIES: [&str; 6] = [
        "host.example",
        "HOST.example:443",
        "host.example:8443",
        "host.example:80",
        "[::1]:7000",
        "10.0.0.1:",
    ];
    const SEGMENTS: [&str; 12] = [
        "orders",
        "a%2Fb",
        "%2f",
        "%C3%BC",
        "..",
        ".",
        "",
        "x;y=1,z",
        "~_-",
        "a+b",
        "%zz",
        "a:b@c*'()!$&",
    ];
    const QUERIES: [&str; 9] = [
        "",
        "?",
        "?page=2",
        "?a=1&a=2&a=",
        "?q=%20+%2B",
        "?a=b=c&&",
        "?x?y/z:@",
        "?%C3%A9=%zz",
        "?=&==",
    ];
    let mut one_of = |of: &[&'static str]| of[random.below(of.len())];
    let path = [one_of(&SEGMENTS), one_of(&SEGMENTS), one_of(&SEGMENTS)].join("/");
    let uri = format!(
        "https://{}/{path}{}",
        one_of(&AUTHORITIES),
        one_of(&QUERIES)
    );
    let mut request = Request::builder()
        .method(one_of(&METHODS))
        .uri(uri)
        .version(Version::HTTP_2)
        .body(Vec::new())
        .unwrap();
    for (name, values) in [
        (
            "content-type",
            &["application/json", "text/plain; charset=\"utf-8\"", ""][..],
        ),
        ("content-encoding", &["identity", "br,  gzip"]),
        ("x-trace", &["a", "  b\tc  ", ""]),
        ("x-trace", &["d", ","]),
    ] {
        if random.below(2) == 0 {
            let value = values[random.below(values.len())];
            request
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
    }
    *request.body_mut() = match random.below(4) {
        0 => Vec::new(),
        1 => "{\"text\":\"grüße 🙂\"}".into(),
        2 => random.bytes(1),
        _ => {
            let len = random.below(300);
            random.bytes(len)
        }
    };
    request
}

pub(crate) fn random_sign_options(random: &mut Random, request: &TestRequest) -> SignOptions {
    let mut coin = || random.below(2) == 0;
    let mut options = SignOptions::new();
    if coin() {
        options = options.key_id(r#"site "a" \ b"#);
    }
    if coin() {
        options = options.tag("app");
    }
    if coin() {
        options = options.alg(AlgParameter::HmacSha256);
    }
    if coin() {
        options = options.digest(DigestAlgorithm::Sha512);
    }
    if coin() {
        options = options.expires_in(Duration::from_secs(100));
    }
    if coin() {
        options = options.label("*a-b.c_1");
    }
    if coin() && request.headers().contains_key("x-trace") {
        options = options.cover(HeaderName::from_static("x-trace"));
    }
    if coin() {
        options = options.cover(CONTENT_DIGEST);
    }
    let age = i64::try_from(random.below(71)).unwrap() - 10;
    options.at(time(NOW - age))
}

/// The value of a member of `Signature-Input`: mostly one that covers all there is, often with
/// something odd in it.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn random_input(random: &mut Random) -> String {
    const MORE: [&str; 24] = [
        r#""x-trace""#,
        r#""x-empty""#,
        r#""@scheme""#,
        r#""@target-uri""#,
        r#""@request-target""#,
        r#""@query-param";name="page""#,
        r#""@query-param";name="q""#,
        r#""@query-param";name="p""#,
        r#""@query-param""#,
        r#""@query-param";name=page"#,
        r#""@status""#,
        r#""date""#,
        r#""X-Trace""#,
        r#""""#,
        r#""constructor""#,
        r#""__proto__""#,
        r#""x-trace";sf"#,
        r#""x-trace";key="a""#,
        r#""x-trace";req"#,
        r#""@method";req"#,
        r#""a\"b""#,
        r#""a\b""#,
        "x-trace",
        r#""x-trace"; sf=?1;req"#,
    ];
    const PARAMETERS: [&str; 46] = [
        ";created=1700000000",
        ";created=1699999900",
        ";created=1700000100",
        ";created=01700000000",
        ";created=-1",
        ";created=-0",
        ";created=1.5",
        r#";created="1""#,
        ";created",
        ";created=?1",
        ";expires=1700000000",
        ";expires=1",
        ";expires=x",
        r#";alg="hmac-sha256""#,
        r#";alg="rsa-v1_5-sha256""#,
        ";alg=hmac-sha256",
        r#";keyid="a\"b\\c""#,
        r#";keyid="""#,
        ";keyid=:AA==:",
        r#";tag="t""#,
        ";tag",
        ";x",
        ";x=?1",
        ";x=?0",
        ";x=?2",
        ";y=1.50",
        ";y=-0.0",
        ";y=01.000",
        ";y=1.",
        ";y=1.1234",
        ";y=1234567890123.1",
        ";z=:AA==:",
        ";z=:AB==:",
        ";z=:AA=:",
        ";z=::",
        ";w=*a/b:c!",
        ";w=a=b",
        ";W=1",
        ";  v=7",
        " ;v=7",
        ";d=@1659578233",
        ";d=@-0",
        ";d=@1.5",
        r#";s=%"f%c3%bc %41""#,
        r#";s=%"%c3""#,
        r#";s=%"%C3%BC""#,
    ];
    let mut input = "(".to_owned();
    let mut components = vec![
        r#""@method""#,
        r#""@authority""#,
        r#""@path""#,
        r#""@query""#,
    ];
    if random.below(6) == 0 {
        components.remove(random.below(4));
    }
    for _ in 0..random.below(3) {
        components.insert(
            random.below(components.len() + 1),
            MORE[random.below(MORE.len())],
        );
    }
    for (index, component) in components.iter().enumerate() {
        let separator = match random.below(20) {
            0 => "   ",
            1 if index == 0 => " ",
            2 if random.below(4) == 0 => "\t",
            _ if index == 0 => "",
            _ => " ",
        };
        input += separator;
        input += component;
    }
    input += if random.below(20) == 0 { " )" } else { ")" };
    if random.below(10) != 0 {
        input += ";created=1700000000";
    }
    for _ in 0..random.below(3) {
        input += PARAMETERS[random.below(PARAMETERS.len())];
    }
    if random.below(20) == 0 {
        let at = random.below(input.len());
        input.remove(at);
    }
    input
}
