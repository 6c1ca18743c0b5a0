//! Signatures of responses that are malformed, or leave something out although the MAC is right.

use hmac_auth::{
    ResponseErrorKind as Kind, SentRequest,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    validate_response,
};
use http::{HeaderName, HeaderValue, Response};

use crate::support::{
    exchange::{
        TestResponse, answer, check, created, proven, refusal, response_options, sent, sent_with,
        signed_as,
    },
    request::{NOW, TestRequest, get, sign_options},
};

/// How a list of components begins that leaves nothing out for [`plain`].
const LIST: &str = "(\"@status\" \"@method\";req \"@authority\";req \"@path\";req \"@query\";req)";

/// A response that needs nothing but its status covered.
fn plain() -> TestResponse {
    Response::new(Vec::new())
}

/// A response with this list and these parameters, and a right MAC.
fn with(parameters: &str) -> (SentRequest, TestResponse) {
    with_list(LIST, parameters)
}

fn with_list(list: &str, parameters: &str) -> (SentRequest, TestResponse) {
    let (sent, request) = sent(get());
    let response = signed(plain(), &sent, &request, list, parameters);
    (sent, response)
}

fn signed(
    response: TestResponse,
    sent: &SentRequest,
    request: &TestRequest,
    list: &str,
    parameters: &str,
) -> TestResponse {
    let parameters = parameters.replace("NONCE", &format!("nonce=\"{}\"", sent.nonce()));
    signed_as(response, request, &format!("{list}{parameters}"))
}

#[test]
fn a_signature_of_another_implementation_is_accepted() {
    for parameters in [
        ";created=1700000000;NONCE",
        ";NONCE;created=1700000000",
        ";alg=\"hmac-sha256\";created=1700000000;NONCE",
        ";created=1700000000;expires=1700000000;NONCE;x-of-theirs=1",
    ] {
        let (sent, response) = with(parameters);
        check(&response, &sent).unwrap_or_else(|error| panic!("{parameters}: {error}"));
    }
    for list in [
        "(\"@query\";req \"@path\";req \"@authority\";req \"@method\";req \"@status\")",
        "( \"@status\" \"@method\";req=?1 \"@authority\";req  \"@path\";req \"@query\"; req )",
    ] {
        let (sent, request) = sent(get());
        let canonical = list
            .replace("( ", "(")
            .replace(" )", ")")
            .replace("  ", " ");
        let canonical = canonical.replace("=?1", "").replace("; ", ";");
        let parameters = ";created=1700000000;NONCE";
        let mut response = signed(plain(), &sent, &request, &canonical, parameters);
        let line = response.headers()[SIGNATURE_INPUT].to_str().unwrap();
        let line = HeaderValue::try_from(line.replace(&canonical, list)).unwrap();
        response.headers_mut().insert(SIGNATURE_INPUT, line);
        check(&response, &sent).unwrap_or_else(|error| panic!("{list}: {error}"));
    }
}

#[test]
fn parameters_that_are_wrong_are_refused_each_by_its_kind() {
    for (parameters, kind) in [
        (";created=1700000000", Kind::MissingNonce),
        (";created=1700000000;nonce=\"\"", Kind::OtherRequest),
        (";created=1700000000;nonce=\"another\"", Kind::OtherRequest),
        (";created=1600000000;nonce=\"another\"", Kind::Replayed),
        (";nonce=\"another\"", Kind::OtherRequest),
        (";NONCE", Kind::MissingCreated),
        (";created=1600000000;NONCE", Kind::Stale),
        (";created=-999999999999999;NONCE", Kind::Stale),
        (";created=1800000000;NONCE", Kind::InFuture),
        (";created=999999999999999;NONCE", Kind::InFuture),
        (
            ";created=1700000000;expires=1699999999;NONCE",
            Kind::Expired,
        ),
        (
            ";created=1700000000;NONCE;alg=\"ed25519\"",
            Kind::UnsupportedAlgorithm,
        ),
        (
            ";created=1700000000;NONCE;alg=\"\"",
            Kind::UnsupportedAlgorithm,
        ),
        (
            ";created=1700000000;NONCE;keyid=\"site-b\"",
            Kind::WrongKeyId,
        ),
        (";created=1700000000;NONCE;tag=\"other\"", Kind::WrongTag),
    ] {
        let (sent, response) = with(parameters);
        assert_eq!(refusal(&response, &sent), kind, "{parameters}");
    }
}

#[test]
fn key_id_and_tag_are_those_of_the_request() {
    let options = sign_options().key_id("site-a").tag("orders");
    for (parameters, kind) in [
        (";keyid=\"site-a\";tag=\"orders\"", None),
        (";tag=\"orders\"", Some(Kind::WrongKeyId)),
        (";keyid=\"site-b\";tag=\"orders\"", Some(Kind::WrongKeyId)),
        (";keyid=\"site-a\"", Some(Kind::WrongTag)),
        (";keyid=\"site-a\";tag=\"Orders\"", Some(Kind::WrongTag)),
    ] {
        let (sent, request) = sent_with(get(), &options);
        let parameters = format!(";created={NOW};NONCE{parameters}");
        let response = signed(plain(), &sent, &request, LIST, &parameters);
        let found = check(&response, &sent).err().map(|error| error.kind());
        assert_eq!(found, kind, "{parameters}");
    }
}

#[test]
fn whatever_a_signature_leaves_out_is_named() {
    for left_out in [
        "\"@status\"",
        "\"@method\";req",
        "\"@authority\";req",
        "\"@path\";req",
        "\"@query\";req",
    ] {
        let list = LIST
            .replace(left_out, "")
            .replace("( ", "(")
            .replace(" )", ")");
        let list = list.replace("  ", " ");
        let (sent, response) = with_list(&list, ";created=1700000000;NONCE");
        let error = check(&response, &sent).unwrap_err();
        assert_eq!(error.kind(), Kind::NotCovered, "{left_out}");
        let name = left_out.replace('"', "");
        let shown = error.to_string().replace(['"', '\\'], "");
        assert!(shown.contains(&name), "{shown}");
    }
}

/// A part of a component, or the one of the response itself, is not a copy.
#[test]
fn nothing_less_than_a_copy_counts() {
    let options = sign_options().cover("content-type").cover("x-name");
    let mut request = get();
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("a/b"));
    headers.insert("x-name", HeaderValue::from_static("v"));
    let start = LIST.trim_end_matches(')');
    for (rest, accepted) in [
        (" \"content-type\";req \"x-name\";req", true),
        (" \"content-type\" \"x-name\";req", false),
        (" \"content-type\";req \"x-name\";bs;req", false),
        (" \"content-type\";req", false),
    ] {
        let (sent, request) = sent_with(request.clone(), &options);
        let mut response = plain();
        if rest.contains("type\" ") {
            response
                .headers_mut()
                .insert("content-type", HeaderValue::from_static("a/b"));
        }
        let list = format!("{start}{rest})");
        let parameters = format!(";created={NOW};NONCE");
        let response = signed(response, &sent, &request, &list, &parameters);
        let found = check(&response, &sent).err().map(|error| error.kind());
        let expected = (!accepted).then_some(Kind::NotCovered);
        assert_eq!(found, expected, "{rest}");
    }
}

#[test]
fn what_the_request_does_not_cover_cannot_be_copied() {
    let list = LIST.replace(')', " \"@scheme\";req)");
    let (sent, response) = with_list(&list, ";created=1700000000;NONCE");
    let error = check(&response, &sent).unwrap_err();
    assert_eq!(error.kind(), Kind::AbsentComponent);
    assert!(error.to_string().contains("@scheme"), "{error}");
}

#[test]
fn components_that_no_response_has_are_refused() {
    for (added, kind) in [
        ("\"@method\"", Kind::UnsupportedComponent),
        ("\"@path\"", Kind::UnsupportedComponent),
        ("\"@status\";req", Kind::AbsentComponent),
        ("\"@status\";bs", Kind::UnsupportedComponent),
        ("\"x-absent\"", Kind::AbsentComponent),
        ("\"content-type\";sf", Kind::UnsupportedComponent),
        ("\"content-type\";tr", Kind::UnsupportedComponent),
        ("\"X-Name\"", Kind::UnsupportedComponent),
    ] {
        let (sent, validated) = proven(get());
        let mut response = answer(plain(), &validated);
        edit(&mut response, SIGNATURE_INPUT, |line| {
            line.replace("(\"@status\" ", &format!("(\"@status\" {added} "))
        });
        assert_eq!(refusal(&response, &sent), kind, "{added}");
    }
}

fn edit(response: &mut TestResponse, name: HeaderName, change: impl Fn(&str) -> String) {
    let line = response.headers()[&name].to_str().unwrap();
    let line = HeaderValue::try_from(change(line)).unwrap();
    response.headers_mut().insert(name, line);
}

#[test]
fn malformed_fields_are_refused() {
    type Change = fn(&str) -> String;
    let changes: [(HeaderName, Change, Kind); 12] = [
        (
            SIGNATURE_INPUT,
            |line| format!("{line}, {line}"),
            Kind::MalformedSignatureInput,
        ),
        (
            SIGNATURE_INPUT,
            |line| format!("{line}, x=1"),
            Kind::WrongMac,
        ),
        (
            SIGNATURE_INPUT,
            |line| format!("{line},"),
            Kind::MalformedSignatureInput,
        ),
        (
            SIGNATURE_INPUT,
            |line| line.replace('(', ""),
            Kind::MalformedSignatureInput,
        ),
        (
            SIGNATURE_INPUT,
            |line| line.replace("(\"@status\"", "(\"@status\" \"@status\""),
            Kind::MalformedSignatureInput,
        ),
        (
            SIGNATURE_INPUT,
            |line| format!("{line};created=1700000000"),
            Kind::MalformedSignatureInput,
        ),
        (
            SIGNATURE_INPUT,
            |line| line.replace("sig1", "sig2"),
            Kind::UnpairedLabel,
        ),
        (
            SIGNATURE,
            |line| line.replace("sig1", "sig2"),
            Kind::UnpairedLabel,
        ),
        (
            SIGNATURE,
            |line| format!("{line}, {line}"),
            Kind::MalformedSignature,
        ),
        (
            SIGNATURE,
            |_| "sig1=:AAAA:".to_owned(),
            Kind::MalformedSignature,
        ),
        (
            SIGNATURE,
            |line| format!("{line};x"),
            Kind::MalformedSignature,
        ),
        (
            SIGNATURE,
            |_| "sig1=?1".to_owned(),
            Kind::MalformedSignature,
        ),
    ];
    for (index, (name, change, kind)) in changes.into_iter().enumerate() {
        let (sent, validated) = proven(get());
        let mut response = answer(created(), &validated);
        edit(&mut response, name, change);
        // A further member is no change of ours.
        if kind == Kind::WrongMac {
            check(&response, &sent).unwrap();
        } else {
            assert_eq!(refusal(&response, &sent), kind, "{index}");
        }
    }
}

#[test]
fn doubled_members_in_two_lines_are_refused() {
    for (name, kind) in [
        (SIGNATURE_INPUT, Kind::MalformedSignatureInput),
        (SIGNATURE, Kind::MalformedSignature),
    ] {
        let (sent, validated) = proven(get());
        let mut response = answer(created(), &validated);
        let line = response.headers()[&name].clone();
        response.headers_mut().append(&name, line);
        assert_eq!(refusal(&response, &sent), kind, "{name}");
    }
}

#[test]
fn one_field_without_the_other_is_refused() {
    for name in [SIGNATURE_INPUT, SIGNATURE] {
        let (sent, validated) = proven(get());
        let mut response = answer(created(), &validated);
        response.headers_mut().remove(&name);
        assert_eq!(refusal(&response, &sent), Kind::UnpairedLabel, "{name}");
    }
}

#[test]
fn both_fields_under_another_label_are_refused() {
    let (sent, validated) = proven(get());
    let mut response = answer(created(), &validated);
    for name in [SIGNATURE_INPUT, SIGNATURE] {
        edit(&mut response, name, |line| line.replace("sig1=", "sig2="));
    }
    let error = check(&response, &sent).unwrap_err();
    assert_eq!(error.kind(), Kind::WrongLabel);
    assert!(error.to_string().contains("sig1"), "{error}");
}

#[test]
fn each_flipped_bit_of_the_mac_is_refused() {
    let (sent, validated) = proven(get());
    let signed = answer(created(), &validated);
    let mac = crate::support::exchange::mac_of(&signed);
    for bit in 0..256 {
        let mut mac = mac.clone();
        mac[bit / 8] ^= 1 << (bit % 8);
        let mut response = signed.clone();
        edit(&mut response, SIGNATURE, |_| {
            use base64::{Engine, engine::general_purpose::STANDARD};
            format!("sig1=:{}:", STANDARD.encode(&mac))
        });
        assert_eq!(refusal(&response, &sent), Kind::WrongMac, "{bit}");
    }
}

#[test]
fn digests_that_cannot_be_used_are_refused() {
    let list = LIST.replace("\"@status\"", "\"@status\" \"content-digest\"");
    for (digest, kind) in [
        ("sha-256=:AAAA:", Kind::MalformedDigest),
        ("sha-256=1", Kind::MalformedDigest),
        ("md5=:AAAA:", Kind::UnsupportedDigest),
        (
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
            Kind::WrongDigest,
        ),
    ] {
        let (sent, request) = sent(get());
        let mut response = plain();
        let digest = HeaderValue::from_static(digest);
        response.headers_mut().insert(CONTENT_DIGEST, digest);
        let parameters = ";created=1700000000;NONCE";
        let response = signed(response, &sent, &request, &list, parameters);
        assert_eq!(refusal(&response, &sent), kind);
    }
}

#[test]
fn a_value_that_is_not_ascii_is_refused() {
    let (sent, validated) = proven(get());
    let mut response = answer(created(), &validated);
    let value = HeaderValue::from_bytes(b"/orders/\xff").unwrap();
    response.headers_mut().insert("location", value);
    assert_eq!(refusal(&response, &sent), Kind::NotAscii);
}

#[test]
fn a_covered_field_that_is_too_large_is_refused() {
    let (sent, validated) = proven(get());
    let mut response = answer(created(), &validated);
    let value = HeaderValue::try_from("a".repeat(8193)).unwrap();
    response.headers_mut().insert("location", value);
    assert_eq!(refusal(&response, &sent), Kind::TooLarge);
}

#[test]
fn options_that_fit_no_signature_are_said_to_be_wrong() {
    let (sent, validated) = proven(get());
    let response = answer(created(), &validated);
    for options in [
        response_options().label("Sig1"),
        response_options().cover(SIGNATURE),
        response_options().cover(SIGNATURE_INPUT),
    ] {
        let error = validate_response(&response, &sent, &options).unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured);
        assert_eq!(options.accept_signature(), None);
    }
}

/// What a peer writes is escaped and cut.
#[test]
fn an_error_shows_no_raw_text_of_the_peer() {
    let (sent, response) = with(";created=1700000000;NONCE;tag=\"a\\\"b level=info\"");
    let error = check(&response, &sent).unwrap_err();
    assert_eq!(error.kind(), Kind::WrongTag);
    assert!(error.to_string().contains("a\\\"b level"), "{error}");
}

#[test]
fn each_kind_has_its_own_name() {
    let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for kind in Kind::ALL {
        let debug = format!("{kind:?}").to_lowercase();
        assert_eq!(debug, kind.to_string().replace('_', ""));
    }
}

/// The guide has a row for each kind, and for no other.
#[test]
fn the_guide_explains_each_kind() {
    let page = include_str!("../../../../docs/signed-responses.md");
    let (_, table) = page.split_once("## The kinds").unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows: Vec<_> = rows.collect();
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(rows, kinds);
}
