//! What stands in for Wix: Token Info, Create Access Token and one REST API, as far as the example needs them.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{
    Secret, SecretSet,
    wix::{AppInstance, AppInstanceOptions, Identity},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{APP_ID, INSTANCE_ID};

/// What the dashboard gives to its pages: the token of a Wix user.
pub(crate) const USER_TOKEN: &str = "OauthNG.JWS.header.user.signature";
pub(crate) const MEMBER_TOKEN: &str = "OauthNG.JWS.header.member.signature";
pub(crate) const VISITOR_TOKEN: &str = "OauthNG.JWS.header.visitor.signature";
const APP_TOKEN: &str = "OauthNG.JWS.header.app.signature";
const ADMIN_TOKEN: &str = "OauthNG.JWS.header.admin.signature";

/// The tokens of pages, and whom they stand for.
const SUBJECTS: [(&str, &str); 3] = [
    (USER_TOKEN, "USER"),
    (MEMBER_TOKEN, "MEMBER"),
    (VISITOR_TOKEN, "VISITOR"),
];

/// Starts it and tells its URL.
pub(crate) async fn start(app_secret: &str) -> Result<String, Box<dyn Error>> {
    let secret: Arc<str> = app_secret.into();
    let app = Router::new()
        .route("/oauth2/token-info", post(token_info))
        .route("/oauth2/token", post(create_access_token))
        .route("/stores/v3/products", get(products))
        .with_state(secret);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(url)
}

async fn token_info(
    State(app_secret): State<Arc<str>>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let token = body["token"].as_str().unwrap_or_default();
    let subject = match token {
        APP_TOKEN => Some("APP"),
        _ => subject_of(token),
    };
    let Some(subject) = subject else {
        return app_instance_info(&app_secret, token);
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

/// Token Info about an app instance. Wix does not document an `exp` for it.
fn app_instance_info(app_secret: &str, text: &str) -> Result<Json<Value>, StatusCode> {
    let secret = Secret::from_text(app_secret).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let options = AppInstanceOptions::new().app_id(APP_ID);
    let instance = AppInstance::parse(text, &SecretSet::new(secret), &options)
        .map_err(|_| StatusCode::BAD_REQUEST)?;
    let subject = match instance.identity() {
        Identity::Owner => "USER",
        Identity::Member => "MEMBER",
        Identity::Visitor => "VISITOR",
        _ => "UNKNOWN",
    };
    Ok(Json(json!({
        "active": true,
        "subjectType": subject,
        "subjectId": instance.user_id().or(instance.anonymous_id()),
        "clientId": APP_ID,
        "instanceId": instance.instance_id(),
    })))
}

/// Each question must have exactly the fields that the SDK of Wix writes.
async fn create_access_token(
    State(app_secret): State<Arc<str>>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let credentials = json!({
        "grant_type": "client_credentials",
        "client_id": APP_ID,
        "client_secret": &*app_secret,
    });
    let mut of_instance = credentials.clone();
    of_instance["instance_id"] = INSTANCE_ID.into();
    let anonymous = json!({ "grantType": "anonymous", "clientId": APP_ID });
    let token = if body == of_instance {
        APP_TOKEN.to_owned()
    } else if body == credentials {
        ADMIN_TOKEN.to_owned()
    } else if body == anonymous {
        VISITOR_TOKEN.to_owned()
    } else {
        unbound_token(&app_secret, &body)?
    };
    Ok(Json(json!({
        "access_token": token,
        "refresh_token": "OauthNG.JWS.refresh",
        "token_type": "Bearer",
        "expires_in": 14_400,
    })))
}

/// Of a page's token, and of the one that is not bound to the session of a browser.
fn subject_of(token: &str) -> Option<&'static str> {
    SUBJECTS
        .into_iter()
        .find(|(known, _)| token == *known || token == unbound(known))
        .map(|(_, subject)| subject)
}

fn unbound(token: &str) -> String {
    token.replace("header", "unbound")
}

/// A token with the rights of the page's, for the backend.
fn unbound_token(app_secret: &str, body: &Value) -> Result<String, StatusCode> {
    let token = body["access_token"].as_str().unwrap_or_default();
    let expected = json!({
        "grant_type": "strip_bound_session",
        "client_secret": app_secret,
        "access_token": token,
    });
    if *body == expected && subject_of(token).is_some() {
        Ok(unbound(token))
    } else {
        Err(StatusCode::UNAUTHORIZED)
    }
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
