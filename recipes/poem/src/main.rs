//! A host with poem 3: an endpoint around the whole app, because poem has its own request type.

use hmac_auth::{
    AuthError, AuthErrorKind, Claim, EnvSecrets, MemoryReplayGuard, ValidateOptions, Validated,
    signature::RequestHead,
};
use poem::{
    Endpoint, EndpointExt, Request, Response, Route, Server, error::ReadBodyError, get, handler,
    http::HeaderValue, listener::TcpListener, web::Data,
};

/// Nothing in the app answers before the request is validated, not even to unknown paths.
struct Host<E> {
    app: E,
    secrets: EnvSecrets,
    options: ValidateOptions,
    guard: MemoryReplayGuard,
}

impl<E: Endpoint<Output = Response>> Endpoint for Host<E> {
    type Output = Response;
    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(match self.validate(request).await {
            Ok(request) => {
                let mut answer = self.app.get_response(request).await;
                let private = HeaderValue::from_static("private"); // for shared caches
                answer.headers_mut().entry("cache-control").or_insert(private);
                answer
            }
            Err(error) => {
                eprintln!("refused: {}: {error:#}", error.kind());
                let mut answer = Response::from((error.status(), error.public_body()));
                *answer.headers_mut() = error.to_response(&self.options).into_parts().0.headers;
                answer
            }
        })
    }
}

impl<E> Host<E> {
    async fn validate(&self, request: Request) -> Result<Request, AuthError> {
        drop(request.take_upgrade()); // No signature covers what follows an upgrade.
        let (mut parts, body) = request.into_parts();
        let head = RequestHead::new(&parts.method, &parts.uri, parts.version, &parts.headers);
        let mut head = Claim::parse(head, &self.options)?.verify_any(&self.secrets)?;
        let body = match body.into_bytes_limit(2 << 20).await {
            Err(ReadBodyError::PayloadTooLarge) => Err(AuthErrorKind::BodyTooLarge)?,
            body => body.map_err(|_| AuthErrorKind::BodyUnreadable)?,
        };
        head.update(&body);
        let validated = self.guard.first_use(head.finish()?)?;
        parts.extensions.insert(validated);
        Ok(Request::from_parts(parts, body.into()))
    }
}

#[handler]
fn hello(validated: Data<&Validated>) -> String {
    format!("hello, {}", validated.consumer())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: recipe-poem ADDRESS")?;
    let echo = poem::endpoint::make(|request: Request| async move { request.into_body() });
    let app = Route::new().at("/orders/:id", get(hello).post(echo));
    let host = Host {
        app: app.map_to_response().boxed(),
        secrets: EnvSecrets::new(""),
        options: ValidateOptions::new()
            .authorities(["api.example.com"])
            .key_ids([("site-a", "site-a-secret")]),
        guard: MemoryReplayGuard::new(),
    };
    host.options.check_with(&host.secrets)?;
    Ok(Server::new(TcpListener::bind(address)).run(host).await?)
}
