//! Bearer tokens beside signatures, with axum 0.8. If there is a signature, it alone decides.
//!
//! The middleware stands around all routes, so that no handler is open to whoever sends neither.

use std::{env, error::Error, sync::Arc};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use hmac_auth::{
    AuthError, AuthErrorKind, EnvSecrets, ValidateOptions, Validated, tower::ValidateAuthLayer,
};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

/// Who calls: take it as an `Extension` in handlers, and decide what each of them may do.
#[derive(Clone)]
enum Caller {
    Consumer(Validated),
    User(&'static str),
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: recipe-bearer ADDRESS")?;
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret")]);
    options.check_with(&secrets)?;
    let token = env::var("USER_TOKEN").ok().filter(|token| token.len() >= 32);
    let state = Arc::new((token.ok_or("USER_TOKEN needs 32 characters")?, options.clone()));
    let app = Router::new()
        .route("/orders/{id}", get(hello).post(hello))
        .layer(from_fn_with_state(state, authenticate))
        .layer(ValidateAuthLayer::new(secrets, options).allow_unsigned());
    Ok(axum::serve(TcpListener::bind(address).await?, app).await?)
}

async fn authenticate(
    State(state): State<Arc<(String, ValidateOptions)>>,
    validated: Option<Validated>,
    mut request: Request,
    next: Next,
) -> Response {
    let (token, options) = &*state;
    let user = || user(request.headers(), token).map(Caller::User);
    let Some(caller) = validated.map(Caller::Consumer).or_else(user) else {
        let mut refusal = AuthError::from(AuthErrorKind::MissingSignature).to_response(options);
        refusal.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return refusal.map(Body::from);
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Put your own check of tokens here. Compare secrets in constant time.
fn user(headers: &HeaderMap, token: &str) -> Option<&'static str> {
    let given = headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")?;
    bool::from(given.ct_eq(token.as_bytes())).then_some("ada")
}

async fn hello(Extension(caller): Extension<Caller>) -> String {
    match caller {
        Caller::Consumer(validated) => format!("hello, {}", validated.consumer()),
        Caller::User(name) => format!("hello, {name}"),
    }
}
