//! A stand-in for the two OAuth endpoints of Wix, which counts what it is asked.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Bytes, extract::State, response::IntoResponse};
use hmac_auth::wix::{AppCredentials, ElevatedToken, Elevation, ElevationError, TokenInfo};
use http::{HeaderMap, Method, Request, Response, Uri};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};

pub(crate) const APP_ID: &str = "1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77";

pub(crate) const APP_SECRET: &str = "d245bbf8-57eb-49d6-aeff-beff6d82cd39";

/// The token of visitor `subject` of the site with this instance, as the stand-in understands it.
pub(crate) fn visitor_token(instance: &str, subject: usize) -> String {
    format!("OauthNG.JWS.{instance}.{subject}.visitor")
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// A request that the stand-in got.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What the stand-in answers.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.to_string(),
            delay: Duration::ZERO,
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
            delay: Duration::ZERO,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// Gets how often this endpoint was asked before, and the question.
pub(crate) type Script = Box<dyn Fn(usize, &Value) -> Reply + Send + Sync>;

/// A stand-in for `https://www.wixapis.com` that remembers what it was asked.
pub(crate) struct Wix {
    pub(crate) url: String,
    pub(crate) asked: Mutex<Vec<Asked>>,
    pub(crate) token_info: Mutex<Script>,
    pub(crate) access_token: Mutex<Script>,
}

impl Wix {
    /// One that answers as Wix does.
    pub(crate) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wix = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            asked: Mutex::default(),
            token_info: Mutex::new(Box::new(|_, question| Reply::json(&good_info(question)))),
            access_token: Mutex::new(Box::new(|count, question| {
                Reply::json(&good_token(count, question))
            })),
        });
        let app = Router::new()
            .fallback(Self::answer)
            .with_state(Arc::clone(&wix));
        tokio::spawn(async { axum::serve(listener, app).await });
        wix
    }

    pub(crate) async fn answer(
        State(wix): State<Arc<Self>>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> impl IntoResponse {
        let path = uri.path().to_owned();
        let count = wix.count(&path);
        let body = String::from_utf8(body.to_vec()).unwrap();
        let question = serde_json::from_str(&body).unwrap_or_default();
        wix.asked.lock().unwrap().push(Asked {
            method,
            path: path.clone(),
            headers,
            body,
        });
        let script = if path.ends_with("/token") {
            &wix.access_token
        } else {
            &wix.token_info
        };
        let reply = script.lock().unwrap()(count, &question);
        sleep(reply.delay).await;
        let mut response = Response::builder().status(reply.status);
        for (name, value) in reply.headers {
            response = response.header(name, value);
        }
        response.body(reply.body).unwrap()
    }

    pub(crate) fn on_token_info(
        &self,
        script: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static,
    ) {
        *self.token_info.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn on_access_token(
        &self,
        script: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static,
    ) {
        *self.access_token.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| asked.path == path)
            .count()
    }

    /// How often Token Info and Create Access Token were asked.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (
            self.count("/oauth2/token-info"),
            self.count("/oauth2/token"),
        )
    }

    pub(crate) fn elevation(&self) -> Elevation {
        elevation(&self.url)
    }
}

pub(crate) fn good_info(question: &Value) -> Value {
    let mut parts = question["token"].as_str().unwrap().split('.').skip(2);
    json!({
        "active": true, "subjectType": "VISITOR", "exp": now() + 3600, "iat": now().to_string(), "clientId": APP_ID,
        "instanceId": parts.next().unwrap(), "subjectId": parts.next().unwrap(), "siteId": null,
    })
}

pub(crate) fn good_token(count: usize, question: &Value) -> Value {
    let instance = question["instance_id"].as_str().unwrap();
    json!({"access_token": format!("OauthNG.JWS.{instance}.{count}.app"), "token_type": "Bearer", "expires_in": 14_400})
}

/// An elevation that asks there.
pub(crate) fn elevation(base_url: &str) -> Elevation {
    let credentials = AppCredentials::new(APP_ID, APP_SECRET).unwrap();
    Elevation::new(credentials, reqwest::Client::builder().no_proxy())
        .unwrap()
        .base_url(base_url.parse().unwrap())
}

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) fn everybody(_: &TokenInfo) -> bool {
    true
}

pub(crate) fn authorization(token: &ElevatedToken) -> String {
    let mut request = Request::builder()
        .header("authorization", visitor_token("i1", 1))
        .body(())
        .unwrap();
    token.authorize(&mut request);
    let value = &request.headers()["authorization"];
    assert!(value.is_sensitive());
    let mut headers = HeaderMap::new();
    token.authorize_headers(&mut headers);
    assert_eq!(headers["authorization"], value);
    value.to_str().unwrap().to_owned()
}

/// No text about an error or a token has anything of a token or the secret in it.
#[track_caller]
pub(crate) fn assert_silent(shown: &str) {
    for word in ["OauthNG", ".visitor", ".app", "57eb"] {
        assert!(!shown.contains(word), "{word}: {shown}");
    }
}

#[track_caller]
pub(crate) fn refusal(result: Result<ElevatedToken, ElevationError>) -> ElevationError {
    let error = result.unwrap_err();
    assert_silent(&format!(
        "{error} {error:#} {error:?} {:?}",
        error.to_response()
    ));
    error
}
