//! Two sites and one secret: a host and a consumer in one process, over real HTTP.
//!
//! ```text
//! cargo run --example site_to_site
//! ```
//!
//! The host serves the statistics of the Velo article to the consumer. Then the consumer tries what an attacker would try. For
//! each request the table shows what the peer got, the same for every refusal, and what the operator could see. The exit code
//! is 0 if every line came out as expected.

use std::{
    error::Error,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use axum::{Json, Router, routing::get};
use hmac_auth::{
    AuthErrorKind, DEFAULT_MAX_TIME_DIFF, DEFAULT_SECRET_NAME, MemorySecrets, Secret, SecretError,
    SignError, SignOptions, ValidateOptions, generate_secret, sign_request, signature::Scheme,
    tower::ValidateAuthLayer,
};
use http::{Request, StatusCode, header::CONTENT_TYPE};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Both sites store the same text, each under a name of its own: here both under the default one.
    let secret = generate_secret()?;
    let (last_refusal, address) = start_host(store(&secret)?).await?;
    let site = format!("http://{address}/_functions/siteStats");
    let site_of_others = format!(
        "http://other.example:{}/_functions/siteStats",
        address.port()
    );

    let consumer = store(&secret)?;
    let stranger = store(&generate_secret()?)?;
    let now = SignOptions::new();
    let earlier = SignOptions::new().at(SystemTime::now() - 2 * DEFAULT_MAX_TIME_DIFF);

    let signed_get = signed(get_stats(&site)?, &consumer, &now)?;
    let mut changed_body = signed(post_month(&site)?, &consumer, &now)?;
    *changed_body.body_mut() = br#"{"month":12}"#.to_vec();
    let mut changed_query = signed(get_stats(&format!("{site}?month=11"))?, &consumer, &now)?;
    *changed_query.uri_mut() = format!("{site}?month=12").parse()?;

    let cases = [
        ("signed GET", signed_get.clone(), None),
        (
            "signed POST",
            signed(post_month(&site)?, &consumer, &now)?,
            None,
        ),
        (
            "unsigned",
            get_stats(&site)?,
            Some(AuthErrorKind::MissingSignature),
        ),
        (
            "wrong secret",
            signed(get_stats(&site)?, &stranger, &now)?,
            Some(AuthErrorKind::WrongMac),
        ),
        (
            "changed body",
            changed_body,
            Some(AuthErrorKind::WrongDigest),
        ),
        (
            "changed query",
            changed_query,
            Some(AuthErrorKind::WrongMac),
        ),
        (
            "stale",
            signed(get_stats(&site)?, &consumer, &earlier)?,
            Some(AuthErrorKind::Stale),
        ),
        ("replayed", signed_get, Some(AuthErrorKind::Replayed)),
        (
            "other authority",
            signed(get_stats(&site_of_others)?, &consumer, &now)?,
            Some(AuthErrorKind::UnlistedAuthority),
        ),
    ];

    // Sends to this host also what is addressed to the other one, as an attacker does who has intercepted it there.
    let client = Client::builder()
        .no_proxy()
        .resolve("other.example", address)
        .build()?;
    let mut as_expected = true;
    println!(
        "{:<16} {:<7} {:<19} the peer's body",
        "request", "status", "the operator's kind"
    );
    for (name, request, expected) in cases {
        let response = client.execute(request.try_into()?).await?;
        let (status, body) = (response.status(), response.text().await?);
        let kind = last_refusal.lock().unwrap().take();

        let expected_status = if expected.is_none() {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        };
        let verdict = if (status, kind) == (expected_status, expected) {
            ""
        } else {
            "  <- NOT AS EXPECTED"
        };
        as_expected &= verdict.is_empty();
        let kind = kind.map_or("accepted", AuthErrorKind::as_str);
        println!(
            "{name:<16} {:<7} {kind:<19} {body}{verdict}",
            status.as_str()
        );
    }
    Ok(if as_expected {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn store(secret: &str) -> Result<MemorySecrets, SecretError> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(secret)?);
    Ok(secrets)
}

// The consumer.

fn get_stats(url: &str) -> http::Result<Request<Vec<u8>>> {
    Request::get(url).body(Vec::new())
}

fn post_month(url: &str) -> http::Result<Request<Vec<u8>>> {
    Request::post(url)
        .header(CONTENT_TYPE, "application/json")
        .body(br#"{"month":11}"#.to_vec())
}

fn signed(
    mut request: Request<Vec<u8>>,
    secrets: &MemorySecrets,
    options: &SignOptions,
) -> Result<Request<Vec<u8>>, SignError> {
    sign_request(&mut request, secrets, options)?;
    Ok(request)
}

// The host.

/// For the table; a real host writes it to its log.
type LastRefusal = Arc<Mutex<Option<AuthErrorKind>>>;

async fn start_host(secrets: MemorySecrets) -> Result<(LastRefusal, SocketAddr), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    let last_refusal = LastRefusal::default();
    let noted = Arc::clone(&last_refusal);
    let validate = ValidateAuthLayer::new(secrets, options).map_refusal(move |answer, error, _| {
        *noted.lock().unwrap() = Some(error.kind());
        answer
    });
    let app = Router::new()
        .route("/_functions/siteStats", get(site_stats).post(month_stats))
        // Around everything, so that nothing answers before the request is validated.
        .layer(validate);
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok((last_refusal, address))
}

async fn site_stats() -> Json<Value> {
    Json(json!({ "data": { "userCount": 100, "monthlyRevenue": 80091.23 } }))
}

async fn month_stats(Json(question): Json<Value>) -> Json<Value> {
    Json(json!({ "data": { "month": question["month"], "revenue": 80091.23 } }))
}
