//! The credentials of an app, and the two questions to the OAuth endpoints of Wix.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_auth::wix::{AccessToken, AppCredentials, ElevationError, InstanceId, TokenInfo};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use serde_json::{Value, json};

pub(crate) const APP_ID: &str = "1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77";

pub(crate) const APP_SECRET: &str = "d245bbf8-57eb-49d6-aeff-beff6d82cd39";

pub(crate) const INSTANCE_ID: &str = "130db01f-83b1-17c8-1803-c27217800b45";

pub(crate) const TOKEN: &str = "OauthNG.JWS.eyJraWQiOiJrMSJ9.eyJkYXRhIjoiMTIzIn0.c2lnbmF0dXJl";

pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn credentials() -> AppCredentials {
    AppCredentials::new(APP_ID, APP_SECRET).unwrap()
}

pub(crate) fn instance_id() -> InstanceId {
    InstanceId::new(INSTANCE_ID).unwrap()
}

pub(crate) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

pub(crate) fn token_info(answer: &Response<Vec<u8>>) -> Result<TokenInfo, ElevationError> {
    TokenInfo::from_response(answer, APP_ID, at(NOW))
}

pub(crate) fn access_token(answer: &Response<Vec<u8>>) -> Result<AccessToken, ElevationError> {
    AccessToken::from_response(answer, at(NOW))
}

/// All that Token Info may say, with one field replaced, or removed.
pub(crate) fn info(field: &str, value: Option<Value>) -> Response<Vec<u8>> {
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

pub(crate) fn whole_info() -> Response<Vec<u8>> {
    info("unknown", Some(json!({"more": [1, null]})))
}

pub(crate) fn token(access_token: &Value, expires_in: &Value) -> Response<Vec<u8>> {
    answer(
        200,
        json!({"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in})
            .to_string(),
    )
}

#[track_caller]
pub(crate) fn assert_request(request: &Request<Vec<u8>>, uri: &str, body: &str) {
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), uri);
    let expected = HeaderMap::from_iter([(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )]);
    assert_eq!(request.headers(), &expected, "and no `Authorization`");
    assert_eq!(std::str::from_utf8(request.body()).unwrap(), body);
}
