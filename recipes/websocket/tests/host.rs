//! The handshake as a consumer signs it, and as nobody may send it.

use std::net::TcpStream;

use check::{Host, Signed};
use hmac_auth::SignOptions;
use http::header::UPGRADE;
use tungstenite::{client, client::IntoClientRequest};

/// `wss` in front of a TLS proxy: both sides take 443 for the default port.
const URL: &str = "wss://api.example.com/chat";

fn handshake(host: &Host, options: SignOptions) -> Signed {
    let request = URL.into_client_request().unwrap().map(|()| Vec::new());
    host.sign_with(options.key_id("site-a").secret_name("site-a"), request)
}

#[test]
fn a_signed_handshake_opens_a_websocket() {
    let host = Host::start(env!("CARGO_BIN_EXE_recipe-websocket"));
    let request = handshake(&host, SignOptions::new().cover(UPGRADE)).map(|_| ());
    let stream = TcpStream::connect(host.address()).unwrap();
    let (mut socket, _) = client(request, stream).unwrap();
    assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "hello, site-a");
    socket.send("how are you?".into()).unwrap();
    assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "how are you?");
}

#[test]
fn only_valid_handshakes_get_through() {
    let host = Host::start(env!("CARGO_BIN_EXE_recipe-websocket"));
    check::attacks_on(&host, 101, &|| handshake(&host, SignOptions::new().cover(UPGRADE)));

    let uncovered = handshake(&host, SignOptions::new());
    assert_eq!(host.head(&uncovered).status, 400, "there is no upgrade left");
}
