//! Serves the page of the app. A real one lies on `https://<app-id>.wix.run`.

use std::io;

use axum::{
    Router,
    http::{
        HeaderName,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

/// Where Wix shows the pages of an app: in its dashboard and in its editor.
const FRAME_ANCESTORS: &str = "https://manage.wix.com https://editor.wix.com";

/// Starts it and tells its URL: on `localhost`, which is not the origin of the backend.
pub(crate) async fn start(backend_url: &str) -> io::Result<String> {
    let index = include_str!("page/index.html").replace("{{backend}}", &escape(backend_url));
    let scripts = [
        ("/app.js", include_str!("page/app.js")),
        ("/wix-instance.js", include_str!("page/wix-instance.js")),
        ("/words.js", include_str!("page/words.js")),
    ];
    let others = [
        ("/style.css", "text/css", include_str!("page/style.css")),
        ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ];
    let policy = policy(backend_url);
    let mut app = Router::new().route(
        "/",
        get(move || async { (headers("text/html; charset=utf-8", policy), index) }),
    );
    for (path, text) in scripts {
        app = app.route(
            path,
            get(move || async move { file("text/javascript", text) }),
        );
    }
    for (path, content_type, text) in others {
        app = app.route(path, get(move || async move { file(content_type, text) }));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(format!("http://localhost:{port}"))
}

/// The page runs and shows its own files alone, and calls its backend alone.
fn policy(backend_url: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src {backend_url}; base-uri 'none'; form-action 'none'; \
         frame-ancestors {FRAME_ANCESTORS}"
    )
}

fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    (headers(content_type, "default-src 'none'".to_owned()), text)
}

fn headers(content_type: &'static str, policy: String) -> [(HeaderName, String); 5] {
    [
        (CONTENT_TYPE, content_type.to_owned()),
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        // The URL of the page has the app instance.
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ]
}

/// For the value of an attribute in double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}
