//! Signature bases of others: RFC 9421, byte for byte, and a request that curl signed.

use std::time::SystemTime;

use hmac_auth::{
    Secret, ValidateOptions,
    signature::{SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};
use http::header;

use crate::support::vectors::{
    DEMO_DATE, Message, base_of, demo_request, json, list, mac, proxied_request, request,
    rfc9421_secret, set, store, test_request, test_response, text, tls_terminated_request,
    unavailable,
};

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
    let data = json(include_str!("../../../data/rfc9421-bases.json"));
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
#[expect(clippy::too_many_lines, reason = "a table")]
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
