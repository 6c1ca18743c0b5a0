//! App instances of Wix: real ones with their secrets, and what must be refused.
//!
//! `tests/data/wix-app-instances.json` holds samples that were published together with their secrets: of the npm packages `wix` and
//! `passport-wix`, the Ruby and Node samples of the Wix hive, wixinstance, and one in the shape of Wix's own example app.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use hmac_auth::{
    MIN_SECRET_LEN, Secret, SecretError, SecretSet,
    wix::{
        AppInstance, AppInstanceError, AppInstanceErrorKind as Kind, AppInstanceOptions,
        DEFAULT_MAX_AGE, Identity, MAX_APP_INSTANCE_LEN, app_instance_of,
    },
};
use http::{Request, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

const SECRET: &str = "d245bbf8-57eb-49d6-aeff-beff6d82cd39";
const NOW: u64 = 1_700_000_000; // 2023-11-14T22:13:20Z

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn options() -> AppInstanceOptions {
    AppInstanceOptions::new().at(at(NOW))
}

fn secrets() -> SecretSet {
    Secret::from_text(SECRET).unwrap().into()
}

fn signed_text(payload: &str) -> String {
    format!(
        "{}.{payload}",
        URL_SAFE_NO_PAD.encode(
            Secret::from_text(SECRET)
                .unwrap()
                .mac(payload.as_bytes())
                .into_bytes()
        )
    )
}

fn signed(json: impl AsRef<[u8]>) -> String {
    signed_text(&URL_SAFE_NO_PAD.encode(json))
}

fn parse(text: &str) -> Result<AppInstance, AppInstanceError> {
    AppInstance::parse(text, &secrets(), &options())
}

fn refusal(text: &str) -> Kind {
    parse(text).expect_err(text).kind()
}

/// The documented shape of a site owner, with some fields replaced; `Value::Null` writes a null, a missing one is removed.
fn payload(changes: &[(&str, Option<Value>)]) -> String {
    let mut payload = json!({
        "instanceId": "130db01f-83b1-17c8-1803-c27217800b45",
        "appDefId": "bbebb",
        "signDate": "2023-11-14T22:00:00.123Z",
        "uid": "de6bdd4c-6090-427a-a9f7-d1222b659088",
        "permissions": "OWNER",
        "demoMode": false,
        "siteOwnerId": "owner",
        "siteMemberId": "member",
        "expirationDate": "2023-11-15T02:00:00.123Z",
        "loginAccountId": "account",
        "vendorProductId": "Premium-Package",
        "originInstanceId": "origin",
        "pai": null,
        "lpai": null,
    });
    let fields = payload.as_object_mut().unwrap();
    for (name, value) in changes {
        match value {
            Some(value) => fields.insert((*name).to_owned(), value.clone()),
            None => fields.remove(*name),
        };
    }
    payload.to_string()
}

#[test]
fn published_samples_verify_as_they_should() {
    let samples: Vec<Value> =
        serde_json::from_str(include_str!("data/wix-app-instances.json")).unwrap();
    assert_eq!(samples.len(), 11);
    for sample in samples {
        let of = |name: &str| sample[name].as_str().unwrap();
        let (secret, mut text) = (of("secret").to_owned(), of("instance").to_owned());
        let secret = match Secret::from_text(&secret) {
            Ok(secret) => secret,
            // One of them has a secret that nobody should have. What matters is its payload, which is signed anew.
            Err(error) => {
                assert!(
                    matches!(error, SecretError::TooShort { .. }) && secret.len() < MIN_SECRET_LEN
                );
                text = signed_text(text.split_once('.').unwrap().1);
                Secret::from_text(SECRET).unwrap()
            }
        };
        let ages = AppInstanceOptions::new().max_age(Duration::MAX);
        let outcome = AppInstance::parse(&text, &secret.clone().into(), &ages);
        if sample["verifies"] == json!(false) {
            assert_eq!(outcome.unwrap_err().kind(), Kind::WrongMac, "{sample}");
            continue;
        }
        let raw = text
            .split_once('.')
            .unwrap()
            .1
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_");
        let expected: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(raw).unwrap()).unwrap();
        if expected["expirationDate"].is_string() {
            assert_eq!(outcome.unwrap_err().kind(), Kind::Expired, "{sample}");
            continue;
        }
        let instance = outcome.unwrap_or_else(|error| panic!("{error}: {sample}"));
        assert_eq!(instance.instance_id(), expected["instanceId"]);
        assert_eq!(instance.user_id(), expected["uid"].as_str());
        assert_eq!(instance.permissions(), expected["permissions"].as_str());
        assert_eq!(
            instance.vendor_product_id(),
            expected["vendorProductId"].as_str()
        );
        assert_eq!(
            instance.origin_instance_id(),
            expected["originInstanceId"].as_str()
        );
        assert_eq!(instance.site_owner_id(), expected["siteOwnerId"].as_str());
        assert_eq!(instance.demo_mode(), expected["demoMode"].as_bool());
        assert_eq!(
            instance.field("ipAndPort"),
            expected.get("ipAndPort").cloned()
        );
        let is_owner = expected["permissions"] == "OWNER";
        assert_eq!(
            instance.identity(),
            if is_owner {
                Identity::Owner
            } else {
                Identity::Unknown
            }
        );
        assert_eq!(instance.require_owner().is_ok(), is_owner);
        let date = expected["signDate"].as_str().unwrap();
        assert_eq!(
            instance.sign_date(),
            SystemTime::try_from(date.parse::<jiff::Timestamp>().unwrap()).unwrap()
        );
        // The same string under a rotated secret, and under another one.
        let both = SecretSet::with_previous(Secret::from_text(&"x".repeat(16)).unwrap(), [secret])
            .unwrap();
        assert!(AppInstance::parse(&text, &both, &ages).is_ok());
        let other: SecretSet = Secret::from_text(&"x".repeat(16)).unwrap().into();
        assert_eq!(
            AppInstance::parse(&text, &other, &ages).unwrap_err().kind(),
            Kind::WrongMac
        );
    }
}

#[test]
fn every_documented_field_is_read() {
    let instance = parse(&signed(payload(&[
        ("aid", Some(json!("visitor"))),
        ("metaSiteId", Some(json!({"a": [1]}))),
    ])))
    .unwrap();
    assert_eq!(
        instance.instance_id(),
        "130db01f-83b1-17c8-1803-c27217800b45"
    );
    assert_eq!(instance.app_id(), Some("bbebb"));
    assert_eq!(
        instance.user_id(),
        Some("de6bdd4c-6090-427a-a9f7-d1222b659088")
    );
    assert_eq!(instance.anonymous_id(), Some("visitor"));
    assert_eq!(instance.permissions(), Some("OWNER"));
    assert_eq!(instance.vendor_product_id(), Some("Premium-Package"));
    assert_eq!(instance.site_owner_id(), Some("owner"));
    assert_eq!(instance.site_member_id(), Some("member"));
    assert_eq!(instance.login_account_id(), Some("account"));
    assert_eq!(instance.origin_instance_id(), Some("origin"));
    assert_eq!(instance.demo_mode(), Some(false));
    assert_eq!(
        instance.sign_date(),
        at(1_699_999_200) + Duration::from_millis(123)
    );
    assert_eq!(
        instance.expiration_date(),
        Some(at(1_700_013_600) + Duration::from_millis(123))
    );
    assert_eq!(instance.field("metaSiteId"), Some(json!({"a": [1]})));
    assert_eq!(instance.field("pai"), Some(Value::Null));
    assert_eq!(instance.field("nothing"), None);
    assert_eq!(
        serde_json::from_str::<Value>(instance.as_json()).unwrap()["appDefId"],
        "bbebb"
    );
}

#[test]
fn strings_with_escapes_are_read_too() {
    let json = r#"{"instanceId":"a\u0062c","signDate":"2023-11-14T22:00:00\u005a","uid":"\"u\"","vendorProductId":"\ud83d\ude00","aid":""}"#;
    let instance = parse(&signed(json)).unwrap();
    assert_eq!(instance.instance_id(), "abc");
    assert_eq!(instance.user_id(), Some("\"u\""));
    assert_eq!(instance.vendor_product_id(), Some("😀"));
    assert_eq!(instance.as_json(), json);
    assert_eq!(instance.field("uid"), Some(json!("\"u\"")));
}

#[test]
fn each_field_absent_null_or_of_a_wrong_type() {
    let names = [
        "instanceId",
        "signDate",
        "appDefId",
        "uid",
        "aid",
        "permissions",
        "vendorProductId",
        "siteOwnerId",
        "siteMemberId",
        "loginAccountId",
        "originInstanceId",
        "expirationDate",
        "demoMode",
    ];
    for name in names {
        let is_required = name == "instanceId" || name == "signDate";
        for change in [None, Some(Value::Null)] {
            let outcome = parse(&signed(payload(&[(name, change.clone())])));
            if is_required {
                assert_eq!(
                    outcome.unwrap_err().kind(),
                    Kind::MalformedPayload,
                    "{name} {change:?}"
                );
            } else {
                assert!(outcome.is_ok(), "{name} {change:?}: {outcome:?}");
            }
        }
        for wrong in [
            json!(7),
            json!({}),
            json!([]),
            json!(["x"]),
            if name == "demoMode" {
                json!("true")
            } else {
                json!(true)
            },
        ] {
            assert_eq!(
                refusal(&signed(payload(&[(name, Some(wrong.clone()))]))),
                Kind::MalformedPayload,
                "{name}: {wrong}"
            );
        }
    }
    assert_eq!(
        refusal(&signed(payload(&[("instanceId", Some(json!("")))]))),
        Kind::MalformedPayload
    );
    for date in [
        "",
        "yesterday",
        "2023-11-14",
        "2023-11-14T22:00:00",
        "2023-13-14T22:00:00Z",
        "1699999200",
    ] {
        assert_eq!(
            refusal(&signed(payload(&[("signDate", Some(json!(date)))]))),
            Kind::MalformedPayload,
            "{date}"
        );
    }
}

#[test]
fn who_is_looking() {
    let owner = Some(json!("OWNER"));
    let (uid, aid) = (Some(json!("u")), Some(json!("a")));
    let cases = [
        (&owner, &uid, &None, Identity::Owner),
        (&owner, &uid, &Some(Value::Null), Identity::Owner),
        (&owner, &uid, &aid, Identity::Member),
        // Wix's advice, to block whoever has an `aid`, would let these through as owners.
        (&owner, &None, &None, Identity::Unknown),
        (&owner, &Some(json!("")), &None, Identity::Unknown),
        (&owner, &Some(Value::Null), &None, Identity::Unknown),
        (&owner, &uid, &Some(json!("")), Identity::Member),
        (&owner, &None, &aid, Identity::Visitor),
        (&Some(json!("owner")), &uid, &None, Identity::Member),
        (&Some(json!("OWNER ")), &uid, &None, Identity::Member),
        (&Some(json!("")), &uid, &None, Identity::Member),
        (&None, &uid, &aid, Identity::Member),
        (&None, &None, &aid, Identity::Visitor),
        (&None, &None, &None, Identity::Unknown),
    ];
    for (permissions, uid, aid, expected) in cases {
        let changes = [
            ("permissions", permissions.clone()),
            ("uid", uid.clone()),
            ("aid", aid.clone()),
        ];
        let instance = parse(&signed(payload(&changes))).unwrap();
        assert_eq!(instance.identity(), expected, "{changes:?}");
        let required = instance.require_owner();
        assert_eq!(
            required.as_ref().err().map(AppInstanceError::kind),
            (expected != Identity::Owner).then_some(Kind::NotOwner)
        );
    }
}

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
        (&format!(".{payload}"), Kind::MalformedSignature),
        (
            &format!("{}.{payload}", "A".repeat(42)),
            Kind::MalformedSignature,
        ),
        (
            &format!("{}.{payload}", "A".repeat(44)),
            Kind::MalformedSignature,
        ),
        (
            &format!("{}=.{payload}", "A".repeat(43)),
            Kind::MalformedSignature,
        ),
        (&format!("{}.{payload}", "A".repeat(43)), Kind::WrongMac),
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
    assert!(parse(Some(json!("bbebb"))).is_ok());
    for other in [
        None,
        Some(Value::Null),
        Some(json!("")),
        Some(json!("bbebB")),
        Some(json!("other")),
    ] {
        assert_eq!(
            parse(other.clone()).unwrap_err().kind(),
            Kind::WrongApp,
            "{other:?}"
        );
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
    for (uri, headers) in [
        ("/?instance=a.b", &["s.p"][..]),
        ("/?instance=s.p", &[""]),
        ("/", &["s.p", "a.b"]),
        ("/?instance=s.p&instance=a.b", &[]),
        ("/?instance=s.p", &["Basic dTpw"]),
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
        format!("{unavailable:#}"),
        format!("{unavailable}: {}", Secret::from_text("short").unwrap_err())
    );
    let malformed = parse(&signed("{}")).unwrap_err();
    assert!(malformed.to_string().contains("instanceId"), "{malformed}");
    let instance = parse(&signed(payload(&[("biToken", Some(json!("sensitive")))]))).unwrap();
    assert!(!format!("{instance:?}").contains("sensitive"));
}
