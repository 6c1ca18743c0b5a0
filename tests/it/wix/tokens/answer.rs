//! The answers of the OAuth endpoints of Wix: each field in each shape.

use hmac_auth::wix::{ElevationErrorKind as Kind, SubjectType, TokenInfo};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::support::token::{
    APP_ID, NOW, TOKEN, access_token, answer, at, info, instance_id, token, token_info, whole_info,
};

#[test]
fn token_info_is_read() {
    let info = token_info(&whole_info()).unwrap();
    assert_eq!(info.instance_id(), &instance_id());
    assert_eq!(info.subject_type(), SubjectType::Member);
    assert_eq!(info.subject_id(), Some("subject"));
    assert_eq!(info.account_id(), Some("account"));
    assert_eq!(info.site_id(), Some("site"));
    assert_eq!(info.vendor_product_id(), Some("Premium-Package"));
    assert_eq!(info.expires_at(), at(NOW + 3600));
    assert_eq!(info.issued_at(), Some(at(NOW - 60)));
}

/// Shapes that no field takes for a value.
fn absences() -> Vec<Option<Value>> {
    vec![
        None,
        Some(Value::Null),
        Some(json!("")),
        Some(json!([])),
        Some(json!({})),
        Some(json!(["true"])),
        Some(json!({"a": 1})),
    ]
}

#[test]
fn each_field_of_token_info_may_be_absent_or_is_refused_by_name() {
    let with = |field, value| token_info(&info(field, value));
    for absence in absences() {
        for (field, kind) in [
            ("active", Kind::Inactive),
            ("exp", Kind::NoExpiration),
            ("clientId", Kind::WrongApp),
            ("instanceId", Kind::NoInstance),
        ] {
            assert_eq!(
                with(field, absence.clone()).unwrap_err().kind(),
                kind,
                "{field}: {absence:?}"
            );
        }
        let read = |field| {
            with(field, absence.clone())
                .unwrap_or_else(|error| panic!("{field}: {absence:?}: {error}"))
        };
        assert_eq!(read("subjectType").subject_type(), SubjectType::Unknown);
        assert_eq!(read("subjectId").subject_id(), None);
        assert_eq!(read("accountId").account_id(), None);
        assert_eq!(read("siteId").site_id(), None);
        assert_eq!(read("vendorProductId").vendor_product_id(), None);
        assert_eq!(read("iat").issued_at(), None);
    }
}

#[test]
fn what_token_info_means_is_read_strictly() {
    let accepted = [
        ("active", json!(true)),
        ("active", json!("true")),
        ("active", json!("True")),
        ("exp", json!(NOW + 1)),
        ("exp", json!((NOW + 1).to_string())),
        ("exp", json!(1_700_000_001.9)),
        ("iat", json!("1699999999")),
        ("iat", json!(-5)),
        ("iat", json!("never")),
        ("iat", json!(true)),
        ("clientId", json!(APP_ID.to_uppercase())),
        ("subjectType", json!(7)),
        ("subjectId", json!(7)),
    ];
    for (field, value) in accepted {
        assert!(
            token_info(&info(field, Some(value.clone()))).is_ok(),
            "{field}: {value}"
        );
    }
    let refused = [
        ("active", json!(false), Kind::Inactive),
        ("active", json!("false"), Kind::Inactive),
        ("active", json!("truex"), Kind::Inactive),
        ("active", json!(1), Kind::Inactive),
        ("active", json!("1"), Kind::Inactive),
        ("exp", json!(NOW), Kind::Expired),
        ("exp", json!(NOW - 1), Kind::Expired),
        ("exp", json!(NOW.to_string()), Kind::Expired),
        ("exp", json!(1_700_000_000.9), Kind::Expired),
        ("exp", json!(0), Kind::Expired),
        ("exp", json!(-1), Kind::NoExpiration),
        ("exp", json!("-1"), Kind::NoExpiration),
        ("exp", json!("+1700000001"), Kind::NoExpiration),
        ("exp", json!(" 1700000001"), Kind::NoExpiration),
        ("exp", json!("1700000001.5"), Kind::NoExpiration),
        ("exp", json!("0x7fffffff"), Kind::NoExpiration),
        ("exp", json!(true), Kind::NoExpiration),
        ("exp", json!(u64::MAX), Kind::NoExpiration),
        ("exp", json!(1e300), Kind::NoExpiration),
        ("exp", json!("99999999999999999999999"), Kind::NoExpiration),
        ("clientId", json!("another app"), Kind::WrongApp),
        ("clientId", json!([APP_ID]), Kind::WrongApp),
        ("clientId", json!(format!("{APP_ID} ")), Kind::WrongApp),
        ("instanceId", json!(7), Kind::NoInstance),
        ("instanceId", json!("  "), Kind::NoInstance),
    ];
    for (field, value, kind) in refused {
        assert_eq!(
            token_info(&info(field, Some(value.clone())))
                .unwrap_err()
                .kind(),
            kind,
            "{field}: {value}"
        );
    }
    for (text, subject_type) in [
        ("USER", SubjectType::User),
        ("MEMBER", SubjectType::Member),
        ("VISITOR", SubjectType::Visitor),
        ("APP", SubjectType::App),
        ("UNKNOWN", SubjectType::Unknown),
        ("member", SubjectType::Unknown),
        ("SOMETHING_NEW", SubjectType::Unknown),
    ] {
        assert_eq!(
            token_info(&info("subjectType", Some(json!(text))))
                .unwrap()
                .subject_type(),
            subject_type
        );
    }
    // No app id at all is not the same as an absent one.
    let without = TokenInfo::from_response(&info("clientId", Some(json!(""))), "", at(NOW));
    assert_eq!(without.unwrap_err().kind(), Kind::WrongApp);
}

/// The longest life of a token, in seconds.
const YEAR: u64 = 366 * 24 * 60 * 60;

#[test]
fn an_access_token_is_read() {
    for expires_in in [json!(14_400), json!("14400"), json!(14_400.5)] {
        let token = access_token(&token(&json!(TOKEN), &expires_in)).unwrap();
        assert_eq!(token.expires_at(), at(NOW + 14_400));
        let mut request = Request::builder()
            .header("authorization", "the visitor's")
            .body(())
            .unwrap();
        token.authorize(&mut request);
        let values: Vec<_> = request.headers().get_all("authorization").iter().collect();
        assert_eq!(values, [TOKEN], "replaced, and without a scheme");
        assert!(values[0].is_sensitive());
        let mut headers = HeaderMap::new();
        token.authorize_headers(&mut headers);
        assert_eq!(
            headers.get("authorization"),
            request.headers().get("authorization")
        );
    }
    let token = access_token(&token(&json!(TOKEN), &json!(YEAR))).unwrap();
    assert_eq!(token.expires_at(), at(NOW + YEAR));
}

#[test]
fn what_is_no_access_token_is_not_taken_for_one() {
    let good = (json!(TOKEN), json!(14_400));
    for absence in absences().into_iter().flatten() {
        for bad in [token(&absence, &good.1), token(&good.0, &absence)] {
            assert_eq!(
                access_token(&bad).unwrap_err().kind(),
                Kind::MalformedResponse,
                "{absence}"
            );
        }
    }
    for access_token_value in [
        json!(7),
        json!(true),
        json!("a b"),
        json!("a\nb"),
        json!("ü"),
        json!("a\u{7f}"),
    ] {
        let error = access_token(&token(&access_token_value, &good.1)).unwrap_err();
        assert_eq!(
            error.kind(),
            Kind::MalformedResponse,
            "{access_token_value}"
        );
    }
    for expires_in in [
        json!(0),
        json!(0.5),
        json!(-1),
        json!("0"),
        json!("-1"),
        json!("soon"),
        json!(true),
        json!(YEAR + 1),
        json!(1e12),
        json!(u64::MAX),
    ] {
        let error = access_token(&token(&good.0, &expires_in)).unwrap_err();
        assert_eq!(error.kind(), Kind::MalformedResponse, "{expires_in}");
    }
    for body in [r#"{"expires_in":14400}"#, r#"{"access_token":"x"}"#, "{}"] {
        assert_eq!(
            access_token(&answer(200, body)).unwrap_err().kind(),
            Kind::MalformedResponse,
            "{body}"
        );
    }
}

/// Two readers could take different ones.
#[test]
fn no_field_may_stand_twice() {
    let (whole, good) = (whole_info(), token(&json!(TOKEN), &json!(14_400)));
    let twice = |answer_once: &http::Response<Vec<u8>>, field: &str| {
        let json = std::str::from_utf8(answer_once.body()).unwrap();
        answer(200, json.replacen('{', &format!("{{{field},"), 1))
    };
    assert!(token_info(&twice(&whole, r#""new":1"#)).is_ok());
    for field in [
        r#""active":false"#,
        r#""active":true"#,
        r#""exp":1"#,
        r#""clientId":"another app""#,
        r#""instanceId":"another""#,
        r#""\u0073ubjectType":"USER""#,
        r#""unknown":null"#,
    ] {
        let error = token_info(&twice(&whole, field)).unwrap_err();
        assert_eq!(error.kind(), Kind::MalformedResponse, "{field}");
        assert!(error.to_string().contains("twice"), "{error}");
    }
    for field in [r#""access_token":"other""#, r#""expires_in":1"#] {
        let error = access_token(&twice(&good, field)).unwrap_err();
        assert_eq!(error.kind(), Kind::MalformedResponse, "{field}");
        assert!(!error.to_string().contains("other"), "{error}");
    }
}
