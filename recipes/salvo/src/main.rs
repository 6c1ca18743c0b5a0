//! A host with salvo 1: the layer of tower fits with `.compat()`.

use std::{env, error::Error};

use hmac_auth::{EnvSecrets, ValidateOptions, Validated, tower::ValidateAuthLayer};
use salvo::{
    Listener, Request, Router, Server, Service,
    conn::TcpListener,
    handler,
    http::{ParseError, ReqBody},
    prelude::TowerLayerCompat,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: recipe-salvo ADDRESS")?;
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret")]);
    options.check_with(&secrets)?;
    let validate = ValidateAuthLayer::new(secrets, options);

    let orders = Router::with_path("/orders/{id}").get(hello).post(echo);
    // Around the service, because the hoops of a router do not run for unknown paths.
    let host = Service::new(orders).hoop(validate.compat::<ReqBody>());
    let acceptor = TcpListener::new(address).try_bind().await?;
    Server::new(acceptor).serve(host).await;
    Ok(())
}

#[handler]
async fn hello(request: &mut Request) -> Option<String> {
    let validated: &Validated = request.extensions().get()?;
    Some(format!("hello, {}", validated.consumer()))
}

#[handler]
async fn echo(request: &mut Request) -> Result<String, ParseError> {
    let body = request.payload_with_max_size(2 << 20).await?;
    Ok(String::from_utf8_lossy(body).into_owned())
}
