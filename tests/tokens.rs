//! The questions to the OAuth endpoints of Wix, and their answers: without a network, each field in each shape.
//!
//! The bodies of the questions have the fields of `AppStrategy` of the npm package `@wix/sdk` 1.21.16.

use std::{
    error::Error as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac_auth::{
    Secret, SecretSet,
    wix::{
        AccessToken, AppCredentials, AppInstance, AppInstanceOptions, CredentialsError,
        ElevationError, ElevationErrorKind as Kind, InstanceId, MAX_ACCESS_TOKEN_LEN, SubjectType,
        TokenInfo, access_token_request, token_info_request,
    },
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

const APP_ID: &str = "1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77";
const APP_SECRET: &str = "d245bbf8-57eb-49d6-aeff-beff6d82cd39";
const INSTANCE_ID: &str = "130db01f-83b1-17c8-1803-c27217800b45";
const TOKEN: &str = "OauthNG.JWS.eyJraWQiOiJrMSJ9.eyJkYXRhIjoiMTIzIn0.c2lnbmF0dXJl";
const NOW: u64 = 1_700_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn credentials() -> AppCredentials {
    AppCredentials::new(APP_ID, APP_SECRET).unwrap()
}

fn instance_id() -> InstanceId {
    InstanceId::new(INSTANCE_ID).unwrap()
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

fn token_info(answer: &Response<Vec<u8>>) -> Result<TokenInfo, ElevationError> {
    TokenInfo::from_response(answer, APP_ID, at(NOW))
}

fn access_token(answer: &Response<Vec<u8>>) -> Result<AccessToken, ElevationError> {
    AccessToken::from_response(answer, at(NOW))
}

/// All that Token Info may say, with one field replaced, or removed.
fn info(field: &str, value: Option<Value>) -> Response<Vec<u8>> {
    let mut info = json!({
        "active": true,
        "subjectType": "MEMBER",
        "subjectId": "subject",
        "exp": NOW + 3600,
        "iat": NOW - 60,
        "clientId": APP_ID,
        "accountId": "account",
        "siteId": "site",
        "instanceId": INSTANCE_ID,
        "vendorProductId": "Premium-Package",
    });
    let fields = info.as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
    answer(200, info.to_string())
}

fn whole_info() -> Response<Vec<u8>> {
    info("unknown", Some(json!({"more": [1, null]})))
}

fn token(access_token: &Value, expires_in: &Value) -> Response<Vec<u8>> {
    answer(
        200,
        json!({"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in})
            .to_string(),
    )
}

#[track_caller]
fn assert_request(request: &Request<Vec<u8>>, uri: &str, body: &str) {
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), uri);
    let expected = HeaderMap::from_iter([(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )]);
    assert_eq!(request.headers(), &expected, "and no `Authorization`");
    assert_eq!(std::str::from_utf8(request.body()).unwrap(), body);
}

#[test]
fn token_info_is_asked_as_the_sdk_does() {
    let body = format!(r#"{{"token":"{TOKEN}"}}"#);
    for spelling in [
        TOKEN.to_owned(),
        format!("Bearer {TOKEN}"),
        format!("bearer  {TOKEN}"),
        format!("BEARER {TOKEN}"),
    ] {
        let request = token_info_request(&spelling).unwrap();
        assert_request(&request, "https://www.wixapis.com/oauth2/token-info", &body);
    }
}

#[test]
fn an_access_token_is_asked_for_as_the_sdk_does() {
    let request = access_token_request(&credentials(), &instance_id());
    let body = format!(
        r#"{{"grant_type":"client_credentials","client_id":"{APP_ID}","client_secret":"{APP_SECRET}","instance_id":"{INSTANCE_ID}"}}"#
    );
    assert_request(&request, "https://www.wixapis.com/oauth2/token", &body);
}

#[test]
fn values_are_written_as_json() {
    let credentials = AppCredentials::new("a\"b", "\\\n\u{1}ü".to_owned() + "x").unwrap();
    let request = access_token_request(&credentials, &InstanceId::new("c\"}").unwrap());
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["client_id"], "a\"b");
    assert_eq!(body["client_secret"], "\\\n\u{1}üx");
    assert_eq!(body["instance_id"], "c\"}");
    let request = token_info_request("a\"\\b").unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(request.body()).unwrap(),
        json!({"token": "a\"\\b"})
    );
}

#[test]
fn what_is_no_access_token_is_not_asked_for() {
    let longest = "x".repeat(MAX_ACCESS_TOKEN_LEN);
    let cases = [
        ("", Kind::Missing),
        ("Bearer ", Kind::Missing),
        ("bearer   ", Kind::Missing),
        ("wixcode-pub.0123.YWJj", Kind::PublicInstance),
        ("wixcode-pub.0123", Kind::PublicInstance),
        ("a b", Kind::MalformedToken),
        ("a\nb", Kind::MalformedToken),
        ("OauthNG.JWS.ü.p.s", Kind::MalformedToken),
        ("Basic dXNlcjpwYXNz", Kind::MalformedToken),
        (&format!("{longest}x"), Kind::TooLarge),
    ];
    for (text, kind) in cases {
        assert_eq!(token_info_request(text).unwrap_err().kind(), kind, "{text}");
    }
    for text in [
        TOKEN,
        "signature.payload",
        "Bearer signature.payload",
        "header.payload.signature",
        "opaque",
        "IST.a.b.c",
        &longest,
        &format!("Bearer {longest}"),
    ] {
        assert!(
            token_info_request(text).is_ok(),
            "only Wix knows what {text} is"
        );
    }
}

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
        ("clientId", json!(APP_ID.to_uppercase()), Kind::WrongApp),
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

#[test]
fn statuses_and_bodies_that_are_no_answer() {
    let huge = format!(r#"{{"active":true,"padding":"{}"}}"#, "x".repeat(64 * 1024));
    let deep = "[".repeat(50_000);
    let cases: [(u16, &str, Kind, Kind); 24] = [
        (200, "", Kind::TokenRefused, Kind::MalformedResponse),
        (200, " \r\n", Kind::TokenRefused, Kind::MalformedResponse),
        (204, "", Kind::TokenRefused, Kind::MalformedResponse),
        (200, "{}", Kind::Inactive, Kind::MalformedResponse),
        (
            200,
            "null",
            Kind::MalformedResponse,
            Kind::MalformedResponse,
        ),
        (200, "[]", Kind::MalformedResponse, Kind::MalformedResponse),
        (
            200,
            "\"text\"",
            Kind::MalformedResponse,
            Kind::MalformedResponse,
        ),
        (200, "{", Kind::MalformedResponse, Kind::MalformedResponse),
        (
            200,
            "{} x",
            Kind::MalformedResponse,
            Kind::MalformedResponse,
        ),
        (
            200,
            "<html>",
            Kind::MalformedResponse,
            Kind::MalformedResponse,
        ),
        (200, &huge, Kind::MalformedResponse, Kind::MalformedResponse),
        (200, &deep, Kind::MalformedResponse, Kind::MalformedResponse),
        (301, "", Kind::MalformedResponse, Kind::MalformedResponse),
        (302, "{}", Kind::MalformedResponse, Kind::MalformedResponse),
        (304, "", Kind::MalformedResponse, Kind::MalformedResponse),
        (400, "{}", Kind::TokenRefused, Kind::CredentialsRefused),
        (401, "", Kind::TokenRefused, Kind::CredentialsRefused),
        (403, "<html>", Kind::TokenRefused, Kind::CredentialsRefused),
        (404, &huge, Kind::TokenRefused, Kind::CredentialsRefused),
        (429, "", Kind::RateLimited, Kind::RateLimited),
        (500, "", Kind::Unavailable, Kind::Unavailable),
        (502, "<html>", Kind::Unavailable, Kind::Unavailable),
        (503, &huge, Kind::Unavailable, Kind::Unavailable),
        (599, "{}", Kind::Unavailable, Kind::Unavailable),
    ];
    for (status, body, of_info, of_token) in cases {
        let answer = answer(status, body);
        let shown: String = body.chars().take(20).collect();
        assert_eq!(
            token_info(&answer).unwrap_err().kind(),
            of_info,
            "{status} {shown}"
        );
        assert_eq!(
            access_token(&answer).unwrap_err().kind(),
            of_token,
            "{status} {shown}"
        );
    }
    let longest = format!(
        r#"{{"access_token":"x","expires_in":9,"padding":"{}"}}"#,
        "x".repeat(64 * 1024 - 48)
    );
    assert_eq!(longest.len(), 64 * 1024);
    assert!(access_token(&answer(200, longest.clone())).is_ok());
    assert!(access_token(&answer(200, longest + " ")).is_err());
}

#[test]
fn retry_after_is_passed_on() {
    let cases = [
        ("7", Some(7)),
        ("0", Some(0)),
        (" 30 ", Some(30)),
        ("Tue, 14 Nov 2023 22:13:50 GMT", Some(30)),
        ("Tue, 14 Nov 2023 22:13:00 GMT", Some(0)),
        ("999999999", Some(86_400)),
        ("99999999999999999999999999", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ];
    for status in [429, 503] {
        for (value, seconds) in cases {
            let mut answer = answer(status, "");
            answer
                .headers_mut()
                .insert("retry-after", value.parse().unwrap());
            for error in [
                token_info(&answer).unwrap_err(),
                access_token(&answer).unwrap_err(),
            ] {
                assert_eq!(
                    error.retry_after(),
                    seconds.map(Duration::from_secs),
                    "{value}"
                );
                let expected = seconds.map_or(5, |seconds: u64| seconds.max(1)).to_string();
                assert_eq!(
                    error.to_response().headers()["retry-after"],
                    expected.as_str(),
                    "{value}"
                );
            }
        }
        assert_eq!(
            token_info(&answer(status, "")).unwrap_err().retry_after(),
            None
        );
    }
    let mut refused = answer(400, "");
    refused
        .headers_mut()
        .insert("retry-after", "7".parse().unwrap());
    assert_eq!(token_info(&refused).unwrap_err().retry_after(), None);
}

#[test]
fn what_wix_says_of_errors_is_shown_but_no_secret() {
    let rfc6749 =
        json!({"error": "invalid_client", "error_description": "Client authentication failed"});
    let wix = json!({
        "message": "something",
        "details": {"applicationError": {"code": "INSTANCE_NOT_FOUND_FOR_APP", "description": "no such\ninstance", "data": {}}},
    });
    let odd = json!({"error": 7, "error_description": null, "details": "text", "message": ""});
    for (body, expected) in [
        (
            rfc6749,
            "status 400, `invalid_client`, `Client authentication failed`",
        ),
        (
            wix,
            r"status 400, `INSTANCE_NOT_FOUND_FOR_APP`, `no such\ninstance`, `something`",
        ),
        (odd, "status 400"),
    ] {
        let error = access_token(&answer(400, body.to_string())).unwrap_err();
        assert_eq!(
            error
                .to_string()
                .split_once(
                    ": check the app id, the app secret, and whether the app is still installed: "
                )
                .unwrap()
                .1,
            expected
        );
    }
    for text in [
        TOKEN.to_owned(),
        format!("secret {APP_SECRET} is wrong"),
        format!("secret={APP_SECRET}"),
        format!("[{APP_SECRET}],'{TOKEN}'"),
        format!("ü{APP_SECRET}ü"),
    ] {
        for field in ["error", "error_description", "message"] {
            let error = access_token(&answer(400, json!({field: text}).to_string())).unwrap_err();
            for shown in [
                error.to_string(),
                format!("{error:#}"),
                format!("{error:?}"),
            ] {
                assert!(
                    !shown.contains("57eb") && !shown.contains("OauthNG"),
                    "{shown}"
                );
            }
        }
    }
    let long = access_token(&answer(
        400,
        json!({"error": "long text ".repeat(1000)}).to_string(),
    ))
    .unwrap_err();
    assert!(long.to_string().len() < 300 && long.to_string().contains('…'));
    // Also where a parser would quote what it has found.
    for body in [
        json!(TOKEN).to_string(),
        json!([TOKEN]).to_string(),
        format!("{TOKEN} {APP_SECRET}"),
    ] {
        let error = access_token(&answer(200, body)).unwrap_err();
        assert!(
            !format!("{error:#} {error:?}").contains("OauthNG"),
            "{error:?}"
        );
    }
    let wrong_app = token_info(&info("clientId", Some(json!("other\n".repeat(100)))))
        .unwrap_err()
        .to_string();
    assert!(
        wrong_app.len() < 200 && !wrong_app.contains('\n'),
        "{wrong_app}"
    );
}

#[test]
fn nothing_shows_a_secret() {
    let token = access_token(&token(&json!(TOKEN), &json!(14_400))).unwrap();
    let mut request = Request::new(());
    token.authorize(&mut request);
    let shown = format!("{:?} {token:?} {request:?}", credentials());
    assert!(shown.contains(APP_ID));
    assert!(
        !shown.contains("57eb") && !shown.contains("OauthNG"),
        "{shown}"
    );
    for text in ["wixcode-pub.SECRET.x", "SECRET x"] {
        let error = token_info_request(text).unwrap_err();
        assert!(!format!("{error:#} {error:?}").contains("SECRET"));
    }
}

#[test]
fn errors_tell_the_peer_little() {
    let refused = token_info(&answer(401, "")).unwrap_err();
    let limited = token_info(&answer(429, "")).unwrap_err();
    let credentials = access_token(&answer(401, "")).unwrap_err();
    let malformed = access_token(&answer(200, "x")).unwrap_err();
    for (error, status, body) in [
        (
            &refused,
            StatusCode::UNAUTHORIZED,
            r#"{"error":"Invalid access token"}"#,
        ),
        (
            &limited,
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"error":"Authentication unavailable"}"#,
        ),
        (
            &credentials,
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"error":"Authentication unavailable"}"#,
        ),
        (
            &malformed,
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"error":"Authentication unavailable"}"#,
        ),
    ] {
        let response = error.to_response();
        assert_eq!((response.status(), *response.body()), (status, body));
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(
            response.headers().contains_key("www-authenticate"),
            status == StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            response.headers().contains_key("retry-after"),
            status == StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(error.kind().to_string(), error.kind().as_str());
        assert_eq!(error.clone().to_string(), error.to_string());
        assert!(error.source().is_none());
    }
}

#[test]
fn credentials_that_cannot_be_right_are_refused() {
    let empty = |name| CredentialsError::Empty { name };
    let untrimmed = |name| CredentialsError::Untrimmed { name };
    for (app_id, app_secret, expected) in [
        ("", APP_SECRET, empty("app id")),
        (" \n", APP_SECRET, empty("app id")),
        (APP_ID, "", empty("app secret")),
        (APP_ID, "\t", empty("app secret")),
        ("x ", APP_SECRET, untrimmed("app id")),
        (APP_ID, "secret\n", untrimmed("app secret")),
        (APP_ID, " secret", untrimmed("app secret")),
    ] {
        let error = AppCredentials::new(app_id, app_secret).unwrap_err();
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains("secret\n"));
    }
    assert_eq!(InstanceId::new("").unwrap_err(), empty("instance id"));
    assert_eq!(
        InstanceId::new("x\n").unwrap_err(),
        untrimmed("instance id")
    );
    assert_eq!(credentials().app_id(), APP_ID);
    assert_eq!(
        (instance_id().as_str(), instance_id().to_string().as_str()),
        (INSTANCE_ID, INSTANCE_ID)
    );
}

#[test]
fn a_verified_app_instance_has_an_instance_id() {
    let payload = "eyJpbnN0YW5jZUlkIjoiaTEiLCJzaWduRGF0ZSI6IjIwMjMtMTEtMTRUMjI6MTM6MjBaIn0"; // i1
    let secret = Secret::from_text(APP_SECRET).unwrap();
    let mac = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        secret.mac(payload.as_bytes()).into_bytes(),
    );
    let options = AppInstanceOptions::new().at(at(NOW));
    let instance = AppInstance::parse(
        &format!("{mac}.{payload}"),
        &SecretSet::new(secret),
        &options,
    )
    .unwrap();
    assert_eq!(InstanceId::from(&instance).as_str(), "i1");
}
