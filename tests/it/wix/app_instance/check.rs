//! App instances that must be refused, and the answers to peers and operators.

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use hmac_auth::{
    Secret,
    wix::{
        AppInstance, AppInstanceError, AppInstanceErrorKind as Kind, AppInstanceOptions,
        DEFAULT_MAX_AGE, MAX_APP_INSTANCE_LEN, app_instance_of,
    },
};
use http::{Request, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::support::instance::{
    NOW, at, options, parse, payload, refusal, secrets, signed, signed_text,
};

#[test]
fn look_alikes_are_told_apart() {
    let payload = URL_SAFE_NO_PAD.encode(payload(&[]));
    for (text, kind) in [
        ("", Kind::Missing),
        (
            "OauthNG.JWS.eyJhbGciOiJIUzI1NiJ9.eyJkYXRhIjoie30ifQ.c2ln",
            Kind::AccessToken,
        ),
        ("OauthNG.JWS.x", Kind::AccessToken),
        ("eyJhbGciOiJSUzI1NiJ9.eyJkYXRhIjoie30ifQ.c2ln", Kind::Jwt),
        (
            "wixcode-pub.0123abcd.eyJpbnN0YW5jZUlkIjoiYSJ9",
            Kind::PublicInstance,
        ),
        ("one-part", Kind::NotTwoParts),
        (".", Kind::NotTwoParts),
        ("a.", Kind::NotTwoParts),
        ("a.b.c", Kind::NotTwoParts),
        (&format!("{}.a.b", "A".repeat(43)), Kind::NotTwoParts),
        (&signed_text("YQ.YQ"), Kind::NotTwoParts),
        (&format!(".{payload}"), Kind::MalformedSignature),
        (
            &format!("{}.{payload}", "A".repeat(42)),
            Kind::MalformedSignature,
        ),
        (
            &format!("{}.{payload}", "A".repeat(44)),
            Kind::MalformedSignature,
        ),
        // One way to pad 32 bytes, and no bits behind them.
        (
            &format!("{}==.{payload}", "A".repeat(43)),
            Kind::MalformedSignature,
        ),
        (
            &format!("{}B.{payload}", "A".repeat(42)),
            Kind::MalformedSignature,
        ),
        (
            &format!("{}B=.{payload}", "A".repeat(42)),
            Kind::MalformedSignature,
        ),
        (
            &format!("-/{}.{payload}", "A".repeat(41)),
            Kind::MalformedSignature,
        ),
        (&format!("{}.{payload}", "A".repeat(43)), Kind::WrongMac),
        (&format!("{}=.{payload}", "A".repeat(43)), Kind::WrongMac),
        (&format!("-_{}.{payload}", "A".repeat(41)), Kind::WrongMac),
        (&format!("+/{}=.{payload}", "A".repeat(41)), Kind::WrongMac),
        (
            &format!(" {}", signed_text(&payload)),
            Kind::MalformedSignature,
        ),
        (&format!("{} ", signed_text(&payload)), Kind::WrongMac),
    ] {
        assert_eq!(refusal(text), kind, "{text}");
    }
}

#[test]
fn sizes_and_shapes_are_limited() {
    let of_len = |len: usize| {
        let empty = signed(payload(&[("bs", Some(json!("")))])).len();
        // Base64 takes four characters for three bytes.
        let least = (len - empty) * 3 / 4;
        (least..least + 4)
            .map(|bytes| signed(payload(&[("bs", Some(json!("x".repeat(bytes))))])))
            .find(|text| text.len() >= len)
    };
    let largest = of_len(MAX_APP_INSTANCE_LEN - 1).unwrap();
    assert!(largest.len() <= MAX_APP_INSTANCE_LEN && parse(&largest).is_ok());
    assert_eq!(
        refusal(&of_len(MAX_APP_INSTANCE_LEN + 1).unwrap()),
        Kind::TooLarge
    );
    let of_one_part = |len| refusal(&"A".repeat(len));
    assert_eq!(of_one_part(MAX_APP_INSTANCE_LEN), Kind::NotTwoParts);
    assert_eq!(of_one_part(MAX_APP_INSTANCE_LEN + 1), Kind::TooLarge);
    let deep = format!("{}{}", "[".repeat(2_500), "]".repeat(2_500));
    let deep = payload(&[]).replacen('{', &format!(r#"{{"bs":{deep},"#), 1);
    // What is not read is skipped without recursion, and reading it does not overflow the stack.
    assert_eq!(parse(&signed(deep)).unwrap().field("bs"), None);
    let deep = payload(&[]).replace("\"bbebb\"", &"[".repeat(4_000));
    assert_eq!(refusal(&signed(deep)), Kind::MalformedPayload);
    for payload in [
        "",
        "null",
        "[]",
        "7",
        "\"text\"",
        "{}",
        "{",
        "{}{}",
        "\u{feff}{}",
        r#"["a","2023-11-14T22:00:00Z"]"#,
    ] {
        assert!(
            matches!(
                refusal(&signed(payload)),
                Kind::MalformedPayload | Kind::NotTwoParts
            ),
            "{payload}"
        );
    }
    // Two parsers could disagree about which one counts.
    let twice = payload(&[]).replacen('{', r#"{"permissions":"OWNER","#, 1);
    assert_eq!(refusal(&signed(twice)), Kind::MalformedPayload);
    assert_eq!(
        refusal(&signed(b"{\"instanceId\":\"\xff\"}")),
        Kind::MalformedPayload
    );
}

#[test]
fn every_changed_bit_is_refused() {
    let text = signed(payload(&[]));
    assert!(parse(&text).is_ok());
    for position in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[position] ^= 1 << bit;
            // What is not even text cannot be given to it.
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(
                    parse(&changed).is_err(),
                    "bit {bit} of {position}: {changed}"
                );
            }
        }
    }
    for position in 0..=text.len() {
        for byte in ['.', 'A', '=', ' ', '\n'] {
            let mut changed = text.clone();
            changed.insert(position, byte);
            if (position, byte) == (43, '=') {
                // Another spelling of the same signature.
                assert!(parse(&changed).is_ok());
                continue;
            }
            assert!(parse(&changed).is_err(), "{byte:?} at {position}");
        }
    }
}

#[test]
fn both_alphabets_and_padding_are_read() {
    // `?>~` gives `Pz5-` or `Pz5+`.
    let json = payload(&[
        ("vendorProductId", Some(json!("?>~?>~ÿÿÿ"))),
        ("bs", Some(json!("x"))),
    ]);
    let spellings = [
        STANDARD.encode(&json),
        URL_SAFE.encode(&json),
        URL_SAFE_NO_PAD.encode(&json),
    ];
    assert!(spellings[0].contains(['+', '/']), "{json}");
    for spelling in spellings {
        assert_eq!(
            parse(&signed_text(&spelling)).unwrap().vendor_product_id(),
            Some("?>~?>~ÿÿÿ"),
            "{spelling}"
        );
    }
    let mixed = format!("{}-", STANDARD.encode(&json));
    assert_eq!(refusal(&signed_text(&mixed)), Kind::MalformedPayload);
    // The signature as well, whatever the payload is written in.
    let payload = URL_SAFE_NO_PAD.encode(&json);
    let text = signed_text(&payload);
    let (signature, _) = text.split_once('.').unwrap();
    let mac = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let spellings = [
        STANDARD.encode(&mac),
        STANDARD.encode(&mac).trim_end_matches('=').to_owned(),
        URL_SAFE.encode(&mac),
    ];
    for spelling in spellings {
        parse(&format!("{spelling}.{payload}")).expect(&spelling);
    }
}

#[test]
fn a_clock_of_the_host_is_the_present() {
    let text = signed(payload(&[]));
    let options = AppInstanceOptions::new().clock(|| at(NOW));
    AppInstance::parse(&text, &secrets(), &options).unwrap();
    let later = AppInstanceOptions::new().clock(|| at(NOW + 1_000_000));
    let error = AppInstance::parse(&text, &secrets(), &later).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale);
}

#[test]
fn a_date_of_another_type_is_told() {
    let error = parse(&signed(payload(&[("signDate", Some(json!(5)))]))).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("integer `5`, expected a string"), "{text}");
}

#[test]
fn debug_shows_who_it_is() {
    let shown = format!("{:?}", parse(&signed(payload(&[]))).unwrap());
    let expected = r#"AppInstance { instance_id: "130db01f-83b1-17c8-1803-c27217800b45", "#;
    assert!(shown.starts_with(expected), "{shown}");
}

#[test]
fn freshness_has_exact_limits() {
    let signed_at = |seconds: u64| {
        let date = jiff::Timestamp::try_from(at(seconds)).unwrap().to_string();
        signed(payload(&[
            ("signDate", Some(json!(date))),
            ("expirationDate", None),
        ]))
    };
    let day = DEFAULT_MAX_AGE.as_secs();
    assert!(parse(&signed_at(NOW - day)).is_ok());
    assert_eq!(refusal(&signed_at(NOW - day - 1)), Kind::Stale);
    assert!(parse(&signed_at(NOW + 10)).is_ok());
    assert_eq!(refusal(&signed_at(NOW + 11)), Kind::InFuture);
    let wide = options().max_clock_skew(Duration::from_secs(60));
    let kind = |seconds: u64| {
        let parsed = AppInstance::parse(&signed_at(seconds), &secrets(), &wide);
        parsed.err().map(|error| error.kind())
    };
    assert_eq!(
        [kind(NOW + 60), kind(NOW + 61)],
        [None, Some(Kind::InFuture)]
    );
    let expires = |seconds: u64| {
        let date = jiff::Timestamp::try_from(at(seconds)).unwrap().to_string();
        signed(payload(&[("expirationDate", Some(json!(date)))]))
    };
    assert!(parse(&expires(NOW)).is_ok());
    assert_eq!(refusal(&expires(NOW - 1)), Kind::Expired);
    let extremes = [
        "-009999-01-02T01:59:59Z",
        "9999-12-30T22:00:00Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.5Z",
    ];
    for (date, kind) in
        extremes
            .into_iter()
            .zip([Kind::Stale, Kind::InFuture, Kind::Stale, Kind::Stale])
    {
        assert_eq!(
            refusal(&signed(payload(&[("signDate", Some(json!(date)))]))),
            kind,
            "{date}"
        );
    }
}

#[test]
fn a_configured_app_must_be_named() {
    let parse = |app_def_id: Option<Value>| {
        AppInstance::parse(
            &signed(payload(&[("appDefId", app_def_id)])),
            &secrets(),
            &options().app_id("bbebb"),
        )
    };
    for same in ["bbebb", "BBEBB", "bbebB"] {
        assert!(parse(Some(json!(same))).is_ok(), "{same}");
    }
    for (other, found) in [
        (None, "names no app"),
        (Some(Value::Null), "names no app"),
        (Some(json!("")), "for , expected"),
        (Some(json!("bbebb ")), "for bbebb , expected"),
        (Some(json!("other\n")), r"for other\n, expected"),
    ] {
        let error = parse(other.clone()).unwrap_err();
        assert_eq!(error.kind(), Kind::WrongApp, "{other:?}");
        let text = error.to_string();
        assert!(text.contains(found) && text.contains("bbebb"), "{text}");
    }
}

#[test]
fn requests_carry_it_in_one_place() {
    let request = |uri: &str, headers: &[&str]| {
        let mut request = Request::get(uri);
        for value in headers {
            request = request.header(AUTHORIZATION, *value);
        }
        request.body(()).unwrap()
    };
    let found = |uri: &str, headers: &[&str]| {
        app_instance_of(&request(uri, headers)).map(std::borrow::Cow::into_owned)
    };
    for (uri, headers) in [
        ("/", &["s.p"][..]),
        ("/", &["Bearer s.p"]),
        ("/", &["bEARER  s.p"]),
        ("/", &["s.p", "s.p"]),
        ("/?instance=s.p", &[]),
        ("/?a=1&instance=s.p&b=2", &[]),
        ("/?instance=s%2Ep", &[]),
        ("/?instance=s.p", &["Bearer s.p"]),
        // Other schemes are for somebody else, such as a proxy.
        ("/?instance=s.p", &["Basic dTpw"]),
        ("/?instance=s.p", &["digest username=\"u\", realm=\"r\""]),
        ("/?instance=s.p", &["Negotiate YII="]),
        ("/?instance=s.p", &["AWS4-HMAC-SHA256 Credential=x"]),
        ("/", &["Basic dTpw", "s.p"]),
    ] {
        assert_eq!(
            found(uri, headers).ok().as_deref(),
            Some("s.p"),
            "{uri} {headers:?}"
        );
    }
    let kind = |uri: &str, headers: &[&str]| found(uri, headers).unwrap_err().kind();
    assert_eq!(kind("/?instances=s.p", &[]), Kind::Missing);
    assert_eq!(kind("/?instance=", &[""]), Kind::Missing);
    assert_eq!(kind("/", &["Basic dTpw"]), Kind::Missing);
    // A server cuts off the blank behind a scheme that has nothing more.
    assert_eq!(kind("/", &["Bearer"]), Kind::Missing);
    assert_eq!(kind("/", &["bearer "]), Kind::Missing);
    for (uri, headers) in [
        ("/?instance=a.b", &["s.p"][..]),
        ("/?instance=s.p", &[""]),
        ("/", &["s.p", "a.b"]),
        ("/?instance=s.p&instance=a.b", &[]),
        // No names of schemes.
        ("/?instance=s.p", &["s.p extra"]),
        ("/?instance=s.p", &["Basic"]),
    ] {
        assert_eq!(kind(uri, headers), Kind::Conflicting, "{uri} {headers:?}");
    }
    // Padding and the other alphabet survive a query.
    assert_eq!(found("/?instance=s.a%2Bb%3D%3D", &[]).unwrap(), "s.a+b==");
}

#[test]
fn peers_and_operators_are_answered() {
    let error = parse("OauthNG.JWS.secret-token").unwrap_err();
    assert_eq!(
        (error.status(), error.public_body()),
        (
            StatusCode::UNAUTHORIZED,
            r#"{"error":"Invalid app instance"}"#
        )
    );
    assert!(!format!("{error} {error:?}").contains("secret-token"));
    let response = AppInstanceError::from(Kind::NotOwner).to_response();
    assert_eq!(
        (response.status(), *response.body()),
        (StatusCode::FORBIDDEN, r#"{"error":"Owner required"}"#)
    );
    let unavailable = AppInstanceError::from(Secret::from_text("short").unwrap_err());
    assert_eq!(
        (unavailable.status(), unavailable.public_body()),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"error":"Authentication unavailable"}"#
        )
    );
    assert_eq!(
        format!("{unavailable:#}"),
        format!("{unavailable}: {}", Secret::from_text("short").unwrap_err())
    );
    // An app secret is not made: it is copied again.
    let secrets = hmac_auth::MemorySecrets::new();
    let missing = hmac_auth::SecretStore::lookup(&secrets, "wix-app-secret").unwrap_err();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("wix-app-secret"), "short\n").unwrap();
    let files = hmac_auth::FileSecrets::new(directory.path());
    let short = hmac_auth::SecretStore::lookup(&files, "wix-app-secret").unwrap_err();
    for error in [missing, short] {
        assert!(error.to_string().contains("openssl"), "{error}");
        let text = format!("{:#}", AppInstanceError::from(error));
        assert!(!text.contains("openssl"), "{text}");
        assert!(text.contains("OAuth page of the app's dashboard"), "{text}");
    }
    let malformed = parse(&signed("{}")).unwrap_err();
    assert!(malformed.to_string().contains("instanceId"), "{malformed}");
    let instance = parse(&signed(payload(&[("biToken", Some(json!("sensitive")))]))).unwrap();
    assert!(!format!("{instance:?}").contains("sensitive"));
}
