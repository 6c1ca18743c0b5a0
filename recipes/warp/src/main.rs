//! A host with warp 0.4: its filters are a service of tower, so the layer fits around all of them.

use std::{env, error::Error, time::Duration};

use hmac_auth::{
    EnvSecrets, ValidateOptions, Validated,
    tower::{BufferedBody, ValidateAuthLayer},
};
use hyper::{body::Bytes, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time::sleep};
use tower::ServiceBuilder;
use tower_http::map_request_body::MapRequestBodyLayer;
use warp::Filter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: recipe-warp ADDRESS")?;
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret")]);
    options.check_with(&secrets)?;

    let order = warp::path!("orders" / String).map(|_id| ()).untuple_one();
    let hello = warp::get().and(warp::ext::get()).map(hello);
    let echo = warp::post().and(warp::body::bytes()).map(echo);
    let host = ServiceBuilder::new()
        // The body of hyper cannot be made from bytes; this one stands in for it.
        .layer(MapRequestBodyLayer::new(BufferedBody::new))
        .layer(ValidateAuthLayer::new(secrets, options))
        .service(warp::service(order.and(hello.or(echo))));
    let listener = TcpListener::bind(address).await?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_secs(1)).await; // Too many open files, mostly.
            continue;
        };
        let host = TowerToHyperService::new(host.clone());
        // With a timer, hyper does not wait for a head that never ends.
        let mut http = http1::Builder::new();
        let connection = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), host);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
    }
}

fn hello(validated: Validated) -> String {
    format!("hello, {}", validated.consumer())
}

fn echo(body: Bytes) -> Vec<u8> {
    body.into()
}
