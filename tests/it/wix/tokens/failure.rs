//! Answers that are no answer, and what errors show of them.

use std::{error::Error as _, time::Duration};

use hmac_auth::wix::{ElevationErrorKind as Kind, VisitorToken, token_info_request};
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;

use crate::support::token::{
    APP_ID, APP_SECRET, NOW, TOKEN, access_token, answer, at, credentials, info, token, token_info,
};

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
            let body = json!({field: text}).to_string();
            for error in [
                access_token(&answer(400, body.clone())).unwrap_err(),
                access_token(&answer(200, body.clone())).unwrap_err(),
                token_info(&answer(200, body)).unwrap_err(),
            ] {
                let shown = format!("{error} {error:#} {error:?}");
                assert!(
                    !shown.contains("57eb") && !shown.contains("OauthNG"),
                    "{shown}"
                );
            }
        }
    }
    // Wix may answer 200 and name an error.
    let said = json!({"error": "invalid_token", "error_description": "MetaSite\nnot found"});
    let text = r"`invalid_token`, `MetaSite\nnot found`";
    let inactive = token_info(&answer(200, said.to_string())).unwrap_err();
    assert_eq!(inactive.kind(), Kind::Inactive);
    let active = token_info(&info("error", Some(json!("invalid_token")))).unwrap_err();
    assert_eq!(active.kind(), Kind::TokenRefused);
    assert!(active.to_string().ends_with("`invalid_token`"), "{active}");
    let no_token = access_token(&answer(200, said.to_string())).unwrap_err();
    assert_eq!(no_token.kind(), Kind::MalformedResponse);
    for error in [inactive, no_token] {
        assert!(error.to_string().ends_with(text), "{error}");
    }
    assert!(token_info(&info("error", Some(json!("")))).is_ok());
    assert!(token_info(&info("message", Some(json!("good")))).is_ok());
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
        wrong_app.len() < 200 && !wrong_app.contains('\n') && wrong_app.contains(APP_ID),
        "{wrong_app}"
    );
}

#[test]
fn a_refused_visitor_token_says_whether_the_app_or_the_token_is_wrong() {
    for (status, error, kind) in [
        (400, "invalid_client", Kind::CredentialsRefused),
        (401, "invalid_client", Kind::CredentialsRefused),
        (400, "unauthorized_client", Kind::CredentialsRefused),
        (400, "invalid_grant", Kind::TokenRefused),
        (401, "", Kind::TokenRefused),
        (403, "anything", Kind::TokenRefused),
        (429, "invalid_client", Kind::RateLimited),
        (503, "invalid_client", Kind::Unavailable),
        (200, "invalid_client", Kind::MalformedResponse),
    ] {
        let answer = answer(status, json!({ "error": error }).to_string());
        let refused = VisitorToken::from_response(&answer, at(NOW)).unwrap_err();
        assert_eq!(refused.kind(), kind, "{status} {error}");
        assert!(refused.to_string().contains(error));
    }
    let answer = answer(400, format!(r#"{{"error":"invalid_grant {TOKEN}"}}"#));
    let refused = VisitorToken::from_response(&answer, at(NOW)).unwrap_err();
    assert!(!refused.to_string().contains("OauthNG"), "{refused}");
}

#[test]
fn nothing_shows_a_secret() {
    let answer = token(&json!(TOKEN), &json!(14_400));
    let visitor = VisitorToken::from_response(&answer, at(NOW)).unwrap();
    assert_eq!(visitor.expires_at(), at(NOW + 14_400));
    let mut request = Request::new(());
    visitor.authorize(&mut request);
    assert_eq!(request.headers()["authorization"], TOKEN);
    let mut headers = HeaderMap::new();
    visitor.authorize_headers(&mut headers);
    assert_eq!(&headers, request.headers());
    let token = access_token(&answer).unwrap();
    let mut request = Request::new(());
    token.authorize(&mut request);
    let shown = format!("{:?} {token:?} {visitor:?} {request:?}", credentials());
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
