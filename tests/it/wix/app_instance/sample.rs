//! App instances: published ones with their secrets, and each field in each shape.
//!
//! `tests/data/wix-app-instances.json` holds samples that were published together with their
//! secrets: of the npm packages `wix` and `passport-wix`, the Ruby and Node samples of the Wix
//! hive, wixinstance, and one in the shape of Wix's own example app.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{
    MIN_SECRET_LEN, Secret, SecretError, SecretSet,
    wix::{
        AppInstance, AppInstanceError, AppInstanceErrorKind as Kind, AppInstanceOptions, Identity,
    },
};
use serde_json::{Value, json};

use crate::support::instance::{
    SECRET, at, options, parse, payload, refusal, secrets, signed, signed_text,
};

#[test]
fn published_samples_verify_as_they_should() {
    let samples: Vec<Value> =
        serde_json::from_str(include_str!("../../../data/wix-app-instances.json")).unwrap();
    assert_eq!(samples.len(), 11);
    for sample in samples {
        let of = |name: &str| sample[name].as_str().unwrap();
        let (secret, mut text) = (of("secret").to_owned(), of("instance").to_owned());
        let secret = match Secret::from_text(&secret) {
            Ok(secret) => secret,
            // One of them has a secret that nobody should have. What matters is its payload, which
            // is signed anew.
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
    let strict = [
        "instanceId",
        "signDate",
        "appDefId",
        "uid",
        "aid",
        "permissions",
    ];
    let lenient = [
        "vendorProductId",
        "siteOwnerId",
        "siteMemberId",
        "loginAccountId",
        "originInstanceId",
        "expirationDate",
        "demoMode",
    ];
    for name in strict.into_iter().chain(lenient) {
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
            let outcome = parse(&signed(payload(&[(name, Some(wrong.clone()))])));
            if strict.contains(&name) {
                let kind = outcome.unwrap_err().kind();
                assert_eq!(kind, Kind::MalformedPayload, "{name}: {wrong}");
                continue;
            }
            // Only that field is lost, and can still be read as it is.
            let instance = outcome.unwrap();
            assert_eq!(instance.field(name), Some(wrong.clone()), "{name}");
            let texts = [
                instance.vendor_product_id(),
                instance.site_owner_id(),
                instance.site_member_id(),
                instance.login_account_id(),
                instance.origin_instance_id(),
            ];
            let is_of_text = !matches!(name, "expirationDate" | "demoMode");
            let lost = texts.iter().filter(|text| text.is_none()).count();
            assert_eq!(lost, usize::from(is_of_text), "{name}: {wrong}");
            assert_eq!(
                instance.demo_mode().is_none(),
                name == "demoMode",
                "{name}: {wrong}"
            );
            assert_eq!(instance.identity(), Identity::Owner);
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
        (&owner, &uid, &Some(json!("")), Identity::Owner),
        (
            &owner,
            &Some(json!("")),
            &Some(json!("")),
            Identity::Unknown,
        ),
        (&owner, &Some(json!("")), &aid, Identity::Visitor),
        (&None, &uid, &Some(json!("")), Identity::Member),
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
fn an_expiration_date_that_cannot_be_read_still_limits() {
    // Signed at 22:00:00.123.
    let unreadable = [
        json!(1_700_013_600),
        json!(true),
        json!({"seconds": 1}),
        json!([]),
        json!(""),
        json!("in 4 hours"),
        json!("2023-11-15"),
        json!("99999-01-01T00:00:00Z"),
    ];
    let end = at(1_699_999_200) + Duration::from_millis(123) + Duration::from_secs(4 * 60 * 60);
    for value in unreadable {
        let text = signed(payload(&[("expirationDate", Some(value.clone()))]));
        assert_eq!(
            parse(&text).unwrap().expiration_date(),
            Some(end),
            "{value}"
        );
        for (now, expected) in [
            (end, None),
            (end + Duration::from_millis(1), Some(Kind::Expired)),
        ] {
            let outcome = AppInstance::parse(&text, &secrets(), &options().at(now));
            let kind = outcome.err().map(|error| error.kind());
            assert_eq!(kind, expected, "{value}");
        }
    }
    // One that is absent does not.
    for absent in [None, Some(Value::Null)] {
        let instance = parse(&signed(payload(&[("expirationDate", absent)]))).unwrap();
        assert_eq!(instance.expiration_date(), None);
    }
}

#[test]
fn empty_ids_are_absent() {
    let empty = Some(json!(""));
    let instance = parse(&signed(payload(&[("uid", empty.clone()), ("aid", empty)]))).unwrap();
    assert_eq!((instance.user_id(), instance.anonymous_id()), (None, None));
    assert_eq!(instance.identity(), Identity::Unknown);
}

#[test]
fn what_is_read_twice_is_refused_whatever_its_type() {
    for twice in [
        r#"{"demoMode":"a","#,
        r#"{"expirationDate":7,"#,
        r#"{"vendorProductId":7,"#,
        r#"{"aid":"","aid":"","#,
    ] {
        let text = signed(payload(&[]).replacen('{', twice, 1));
        assert_eq!(refusal(&text), Kind::MalformedPayload, "{twice}");
    }
    // A lost field may be as deep as it likes.
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    let text = payload(&[]).replace("\"Premium-Package\"", &deep);
    assert_eq!(parse(&signed(text)).unwrap().vendor_product_id(), None);
}
