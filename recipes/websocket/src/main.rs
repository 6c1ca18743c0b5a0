//! A WebSocket with axum 0.8: the handshake is signed, and TLS alone protects what follows it.
//!
//! The consumer covers the field `upgrade`: see the test beside this program. Without that, the
//! layer takes the upgrade out of the request, because anybody on the way could have added it.

use std::{env, error::Error, time::Duration};

use axum::{
    Router,
    extract::ws::{WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use hmac_auth::{EnvSecrets, ValidateOptions, Validated, tower::ValidateAuthLayer};
use tokio::{net::TcpListener, time::timeout};

/// A proof is for the moment of the handshake: after this, the consumer has to prove itself again.
const LONGEST_CHAT: Duration = Duration::from_secs(15 * 60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: recipe-websocket ADDRESS")?;
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret")]);
    options.check_with(&secrets)?;
    let app = Router::new()
        .route("/chat", any(handshake))
        .layer(ValidateAuthLayer::new(secrets, options));
    Ok(axum::serve(TcpListener::bind(address).await?, app).await?)
}

async fn handshake(validated: Validated, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(64 * 1024).on_upgrade(async move |socket| {
        // Its end, an error and the timeout all close the connection.
        let _ = timeout(LONGEST_CHAT, chat(socket, validated)).await;
    })
}

async fn chat(mut socket: WebSocket, validated: Validated) -> Result<(), axum::Error> {
    let hello = format!("hello, {}", validated.consumer());
    socket.send(hello.into()).await?;
    while let Some(message) = socket.recv().await {
        socket.send(message?).await?;
    }
    Ok(())
}
