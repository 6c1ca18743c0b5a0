//! Serves the page of the app. A real one lies on `https://<app-id>.wix.run`.

use std::io;

use axum::{
    Router,
    http::header::CONTENT_TYPE,
    response::{Html, IntoResponse},
    routing::get,
};
use tokio::net::TcpListener;

/// Starts it and tells its URL: on `localhost`, which is not the origin of the backend.
pub(crate) async fn start(backend_url: &str) -> io::Result<String> {
    let index = include_str!("page/index.html").replace("{{backend}}", backend_url);
    let app = Router::new()
        .route("/", get(|| async { Html(index) }))
        .route(
            "/app.js",
            get(|| async { script(include_str!("page/app.js")) }),
        )
        .route(
            "/wix-instance.js",
            get(|| async { script(include_str!("page/wix-instance.js")) }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(format!("http://localhost:{port}"))
}

fn script(text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript")], text)
}
