//! What stands in for Wix: Token Info, Create Access Token and one REST API, as far as the example needs them.

use std::{
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{APP_ID, INSTANCE_ID};

/// What the dashboard gives to its pages: the token of a Wix user.
pub(crate) const USER_TOKEN: &str = "OauthNG.JWS.header.user.signature";
pub(crate) const MEMBER_TOKEN: &str = "OauthNG.JWS.header.member.signature";
pub(crate) const VISITOR_TOKEN: &str = "OauthNG.JWS.header.visitor.signature";
const APP_TOKEN: &str = "OauthNG.JWS.header.app.signature";

/// Starts it and tells its URL.
pub(crate) async fn start(app_secret: &str) -> Result<String, Box<dyn Error>> {
    let app_secret = app_secret.to_owned();
    let app =
        Router::new()
            .route("/oauth2/token-info", post(token_info))
            .route(
                "/oauth2/token",
                post(move |Json(body): Json<Value>| async move {
                    create_access_token(&app_secret, &body)
                }),
            )
            .route("/stores/v3/products", get(products));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(url)
}

async fn token_info(Json(body): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let subject = match body["token"].as_str() {
        Some(USER_TOKEN) => "USER",
        Some(MEMBER_TOKEN) => "MEMBER",
        Some(VISITOR_TOKEN) => "VISITOR",
        Some(APP_TOKEN) => "APP",
        _ => return Err(StatusCode::BAD_REQUEST),
    };
    Ok(Json(json!({
        "active": true,
        "subjectType": subject,
        "subjectId": "subject-1",
        "exp": (SystemTime::now() + Duration::from_secs(600)).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string(),
        "clientId": APP_ID,
        "instanceId": INSTANCE_ID,
    })))
}

fn create_access_token(app_secret: &str, body: &Value) -> Result<Json<Value>, StatusCode> {
    let expected = json!({
        "grant_type": "client_credentials",
        "client_id": APP_ID,
        "client_secret": app_secret,
        "instance_id": INSTANCE_ID,
    });
    if *body != expected {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(Json(
        json!({ "access_token": APP_TOKEN, "token_type": "Bearer", "expires_in": 14_400 }),
    ))
}

/// Only for the app.
async fn products(headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let is_app = headers
        .get(AUTHORIZATION)
        .is_some_and(|token| token == APP_TOKEN);
    if is_app {
        Ok(Json(json!({ "products": [{ "name": "Tea", "price": 7 }] })))
    } else {
        Err(StatusCode::FORBIDDEN)
    }
}

/// What Wix gives to the page: an app instance with some more fields.
pub(crate) fn app_instance(app_secret: &str, fields: &Value) -> Result<String, Box<dyn Error>> {
    let mut payload = json!({
        "instanceId": INSTANCE_ID,
        "appDefId": APP_ID,
        "signDate": jiff::Timestamp::now().to_string(),
        "demoMode": false,
    });
    if let (Some(payload), Some(fields)) = (payload.as_object_mut(), fields.as_object()) {
        payload.extend(fields.clone());
    }
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let signature = URL_SAFE_NO_PAD.encode(
        Secret::from_text(app_secret)?
            .mac(payload.as_bytes())
            .into_bytes(),
    );
    Ok(format!("{signature}.{payload}"))
}
