//! The self-hosted backend of a Wix app: CORS, app instances, a route for the owner, one that calls Wix
//! with the rights of the app, and one for webhooks.
//!
//! ```text
//! cargo run --example wix_backend
//! ```
//!
//! Wix itself cannot be reached from here, so the example also starts what stands in for it: the two
//! OAuth endpoints and one API (`wix_stand_in.rs`), and the page of the app (`page/`), on another
//! origin. It also sends one webhook (`wix_webhook.rs`). It prints where to open the page, as each of
//! several people (`viewers.rs`), and serves until it is stopped.

use std::{error::Error, sync::Arc};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::State,
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use hmac_auth::{
    MemorySecrets, Secret, generate_secret,
    wix::{
        self, AppCredentials, AppInstance, AppInstanceOptions, DEFAULT_APP_SECRET_NAME, Elevation,
        ElevationError, Identity, SubjectType, TokenInfo, TokenInfoLayer, ValidateAppInstanceLayer,
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

mod page;
mod viewers;
mod webhooks;
mod wix_stand_in;
mod wix_webhook;

/// The id of the app, from its dashboard.
const APP_ID: &str = "0b8a3c52-6d7e-4f10-9a2b-3c4d5e6f7081";

/// The installation of the app on the one site of this example.
const INSTANCE_ID: &str = "130db01f-83b1-17c8-1803-c27217800b45";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A real app has its secret from its dashboard.
    let app_secret = std::env::var("WIX_APP_SECRET").or_else(|_| generate_secret())?;
    let wix_url = wix_stand_in::start(&app_secret).await?;

    let backend = Backend {
        elevation: Elevation::new(
            AppCredentials::new(APP_ID, app_secret.clone())?,
            reqwest::Client::builder().no_proxy(),
        )?
        .base_url(wix_url.parse()?),
        http: reqwest::Client::builder().no_proxy().build()?,
        wix_url: wix_url.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let backend_url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, app(&app_secret, backend)?).into_future());

    wix_webhook::send(&format!("{backend_url}/webhook"), INSTANCE_ID).await?;

    let page_url = page::start(&backend_url).await?;
    println!("wix     {wix_url}");
    println!("backend {backend_url}");
    for (viewer, query) in viewers::all(&app_secret)? {
        println!("{viewer:<7} {page_url}/?{query}");
    }
    std::future::pending().await
}

struct Backend {
    elevation: Elevation,
    /// For the APIs of Wix.
    http: reqwest::Client,
    wix_url: String,
}

fn app(app_secret: &str, backend: Backend) -> Result<Router, Box<dyn Error>> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_APP_SECRET_NAME, Secret::from_text(app_secret)?);
    let instances =
        ValidateAppInstanceLayer::new(secrets, AppInstanceOptions::new().app_id(APP_ID));
    // The dashboard sends the token of a user, and a site that of a member or a visitor.
    let tokens = TokenInfoLayer::new(
        backend.elevation.clone(),
        [SubjectType::User, SubjectType::Member],
    );
    // A real app has its public key from the webhooks page of its dashboard.
    let webhooks = webhooks::endpoint(&wix_webhook::public_key()?)?;
    // The outermost layer of each route, with its methods: a browser asks before it sends a token. Production has no `allow_localhost`.
    let only_app = |method| wix::cors(APP_ID).allow_localhost().methods([method]);
    // The sites of customers have domains of their own, and there the token is the gate.
    let any_site = |method| wix::cors_for_any_origin().methods([method]);
    Ok(Router::new()
        .route(
            "/settings",
            put(settings).layer((only_app(Method::PUT), instances.clone().require_owner())),
        )
        .route(
            "/visit",
            get(visit).layer((only_app(Method::GET), instances.clone())),
        )
        .route("/who", get(who).layer((only_app(Method::GET), instances)))
        .route(
            "/products",
            get(products).layer((any_site(Method::GET), tokens)),
        )
        .route_service("/webhook", webhooks)
        .with_state(Arc::new(backend)))
}

/// For everybody: Wix does not say of each person who it is.
async fn who(Extension(instance): Extension<AppInstance>) -> Json<Value> {
    let identity = match instance.identity() {
        Identity::Owner => "owner",
        Identity::Member => "member",
        Identity::Visitor => "visitor",
        _ => "unknown",
    };
    Json(json!({
        "identity": identity,
        "site": instance.instance_id(),
        "user": instance.user_id(),
        "visitor": instance.anonymous_id(),
    }))
}

/// For everybody who is logged in.
async fn visit(Extension(instance): Extension<AppInstance>) -> (StatusCode, Json<Value>) {
    match instance.identity() {
        Identity::Owner | Identity::Member => (
            StatusCode::OK,
            Json(json!({ "site": instance.instance_id(), "user": instance.user_id() })),
        ),
        _ => (
            StatusCode::FORBIDDEN,
            Json(json!({ "error": "Login required" })),
        ),
    }
}

/// For the owner of the site alone: the layer has seen to that. Data of several sites are told apart by the instance.
async fn settings(
    Extension(instance): Extension<AppInstance>,
    Json(settings): Json<Value>,
) -> Json<Value> {
    Json(json!({ "site": instance.instance_id(), "saved": settings }))
}

/// What a user's or a member's own token may not do: the app asks Wix in its own name. Every user and every member of the site may see
/// its products, so that the layer has decided already. For more than that, decide here by `info.subject_id()`.
async fn products(
    State(backend): State<Arc<Backend>>,
    Extension(info): Extension<TokenInfo>,
) -> Response {
    match ask_for_products(&backend, &info).await {
        Ok(products) => ([(CONTENT_TYPE, "application/json")], products).into_response(),
        Err(error) => match error.downcast::<ElevationError>() {
            Ok(refused) => {
                eprintln!("refused {}: {refused}", refused.kind());
                refused.to_response().map(Body::from)
            }
            Err(error) => {
                eprintln!("{error}");
                let mut response = Response::default();
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        },
    }
}

async fn ask_for_products(
    backend: &Backend,
    info: &TokenInfo,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let elevated = backend.elevation.access_token(info.instance_id()).await?;
    let mut request =
        http::Request::get(format!("{}/stores/v3/products", backend.wix_url)).body(Vec::new())?;
    elevated.authorize(&mut request);
    let response = backend
        .http
        .execute(request.try_into()?)
        .await?
        .error_for_status()?;
    Ok(response.text().await?)
}
