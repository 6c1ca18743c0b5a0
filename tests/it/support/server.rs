//! Hosts behind real sockets, on axum, hyper and actix, that note what happens within them.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{OriginalUri, State},
    middleware::{Next, from_fn},
    routing::any,
    serve::ListenerExt,
};
use bytes::Bytes;
use hmac_auth::{
    AuthError, AuthErrorKind, MemoryReplayGuard, ValidateOptions, Validated,
    actix::ValidateAuth,
    tower::{BufferedBody, Upload, ValidateAuthLayer},
};
use http::{Request, Response, StatusCode, request::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::BufReader,
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tower::ServiceBuilder;
use tower_http::{map_request_body::MapRequestBodyLayer, timeout::TimeoutLayer};

use crate::support::{
    actix::actix_host,
    request::{NOW, TestRequest, options, secrets, time},
    wire::{Answer, Connection, wire},
};

/// The longest body that the hosts accept.
pub(crate) const LIMIT: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Server {
    Axum,
    Hyper,
    Actix,
}

pub(crate) const SERVERS: [Server; 3] = [Server::Axum, Server::Hyper, Server::Actix];

/// A server and a route: each way in which a host here takes a body. Under `/api` are nested
/// routes, between other middleware.
pub(crate) const ROUTES: [(Server, &str); 7] = [
    (Server::Axum, "/orders"),
    (Server::Axum, "/upload"),
    (Server::Axum, "/api/orders"),
    (Server::Axum, "/api/upload"),
    (Server::Hyper, "/orders"),
    (Server::Actix, "/orders"),
    (Server::Actix, "/api/orders"),
];

/// Whether the handler reads the body while it is validated.
pub(crate) fn is_streamed(route: &str) -> bool {
    route.ends_with("/upload")
}

/// With a new host for each server.
pub(crate) async fn on_all_servers(test: impl AsyncFn(Host)) {
    on_all(&SERVERS.map(|server| (server, "")), async |host, _| {
        test(host).await;
    })
    .await;
}

/// With a new host for each route.
pub(crate) async fn on_all_routes(test: impl AsyncFn(Host, &str)) {
    on_all(&ROUTES, test).await;
}

/// With a new host for each route of axum and hyper: what actix does itself, it does otherwise.
pub(crate) async fn on_routes_of_hyper(test: impl AsyncFn(Host, &str)) {
    let [of_hyper @ .., _, _] = &ROUTES;
    assert!(of_hyper.iter().all(|(server, _)| *server != Server::Actix));
    on_all(of_hyper, test).await;
}

pub(crate) async fn on_all(places: &[(Server, &str)], test: impl AsyncFn(Host, &str)) {
    for (server, route) in places {
        // For whoever reads why the test has failed.
        println!("{server:?} {route}");
        timeout(
            Duration::from_secs(10),
            test(Host::start(*server).await, route),
        )
        .await
        .expect("nothing hangs");
    }
}

#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// What happened within a host.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// The bytes that the layer took from the bodies.
    pub(crate) body_bytes: usize,
    /// The paths of those who reached a handler.
    pub(crate) handled: Vec<String>,
    pub(crate) refused: Vec<AuthErrorKind>,
    /// What the reader of an upload got instead of an end.
    pub(crate) failed_uploads: Vec<Option<AuthErrorKind>>,
}

pub(crate) type Shared = Arc<Mutex<Seen>>;

impl Host {
    pub(crate) async fn start(server: Server) -> Self {
        Self::with(server, options(), Duration::from_secs(60)).await
    }

    pub(crate) async fn with(
        server: Server,
        options: ValidateOptions,
        time_limit: Duration,
    ) -> Self {
        options.check().unwrap();
        let seen = Shared::default();
        let refused = seen.clone();
        let guard = Arc::new(MemoryReplayGuard::new().started_at(time(NOW)));
        let note = move |response, error: &AuthError, _: &Parts| {
            refused.lock().unwrap().refused.push(error.kind());
            response
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        if server == Server::Actix {
            let validate = ValidateAuth::new(secrets(), options, guard)
                .max_body_len(LIMIT as u64)
                .map_refusal(note);
            actix_host(listener.into_std().unwrap(), validate, time_limit, &seen);
        } else {
            let layer = ValidateAuthLayer::new(secrets(), options)
                .replay_guard(guard)
                .max_body_len(LIMIT as u64)
                .map_refusal(note);
            let time_limit =
                TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, time_limit);
            if server == Server::Axum {
                axum_host(listener, layer, time_limit, &seen);
            } else {
                hyper_host(listener, layer, time_limit, &seen);
            }
        }
        Self {
            server,
            address,
            seen,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection(BufReader::new(
            TcpStream::connect(self.address).await.unwrap(),
        ))
    }

    /// One request on a connection of its own.
    pub(crate) async fn answer(&self, request: &TestRequest) -> Answer {
        let mut connection = self.connect().await;
        connection.send(&wire(request)).await;
        connection.answer().await
    }

    pub(crate) async fn http2<
        B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    >(
        &self,
    ) -> SendRequest<B> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(crate) fn handled(&self) -> usize {
        self.seen().handled.len()
    }

    /// The refusals since the last time.
    pub(crate) fn refusals(&self) -> Vec<AuthErrorKind> {
        std::mem::take(&mut self.seen().refused)
    }

    pub(crate) async fn wait_for(&self, happened: impl Fn(&Seen) -> bool) {
        while !happened(&self.seen()) {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// A body over HTTP/2 that comes at once, except for its end: that waits for what happens
    /// within the host.
    pub(crate) fn held_open(
        &self,
        body: impl Into<Bytes>,
        until: impl Fn(&Seen) -> bool + Send + 'static,
    ) -> UnsyncBoxBody<Bytes, Infallible> {
        let host = self.clone();
        let end = async move {
            host.wait_for(until).await;
            None
        };
        Full::new(body.into()).with_trailers(end).boxed_unsync()
    }
}

pub(crate) fn axum_host(
    listener: TcpListener,
    layer: ValidateAuthLayer,
    time_limit: TimeoutLayer,
    seen: &Shared,
) {
    let orders = any(
        async |_: Extension<Validated>,
               State(seen): State<Shared>,
               OriginalUri(uri): OriginalUri,
               body: Bytes| {
            seen.lock().unwrap().handled.push(uri.path().to_owned());
            body.len().to_string()
        },
    );
    let pass = from_fn(async |request: axum::extract::Request, next: Next| next.run(request).await);
    let nested = layer
        .clone()
        .original_uri(|extensions| Some(&extensions.get::<OriginalUri>()?.0));
    let streaming = (
        nested.clone().streaming(),
        MapRequestBodyLayer::new(axum::body::Body::new),
    );
    let api = Router::new()
        .route(
            "/orders",
            orders.clone().layer((pass.clone(), nested, pass.clone())),
        )
        .route(
            "/upload",
            any(upload).layer((pass.clone(), streaming, pass)),
        );
    let counted = seen.clone();
    let app = Router::new()
        .nest("/api", api)
        .route("/orders", orders.clone().layer(layer.clone()))
        .route("/smuggled", orders.layer(layer.clone()))
        .route("/upload", any(upload).layer(layer.streaming()))
        .layer(MapRequestBodyLayer::new(move |body| {
            axum::body::Body::new(count(body, counted.clone()))
        }))
        .layer(time_limit)
        .with_state(seen.clone());
    let connections = seen.clone();
    let listener = listener.tap_io(move |_| connections.lock().unwrap().connections += 1);
    tokio::spawn(axum::serve(listener, app).into_future());
}

/// Reads an upload and says that all is well, whatever happens.
pub(crate) async fn upload(
    Extension(upload): Extension<Upload>,
    State(seen): State<Shared>,
    OriginalUri(uri): OriginalUri,
    request: axum::extract::Request,
) -> String {
    seen.lock().unwrap().handled.push(uri.path().to_owned());
    let mut body = request.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => read += frame.into_data().unwrap().len(),
            Err(error) => {
                let mut cause = Some(&error as &(dyn Error + 'static));
                while cause.is_some_and(|cause| !cause.is::<AuthError>()) {
                    cause = cause.and_then(Error::source);
                }
                let kind = cause
                    .and_then(|cause| cause.downcast_ref::<AuthError>())
                    .map(AuthError::kind);
                assert!(upload.validated().is_none());
                seen.lock().unwrap().failed_uploads.push(kind);
                return "all is well".to_owned();
            }
        }
    }
    assert!(upload.validated().is_some());
    read.to_string()
}

pub(crate) fn hyper_host(
    listener: TcpListener,
    layer: ValidateAuthLayer,
    time_limit: TimeoutLayer,
    seen: &Shared,
) {
    let (counted, handled) = (seen.clone(), seen.clone());
    let service = ServiceBuilder::new()
        .layer(time_limit)
        .layer(MapRequestBodyLayer::new(move |body: Incoming| {
            BufferedBody::new(count(body, counted.clone()))
        }))
        .layer(layer)
        .service_fn(move |request| answer(request, handled.clone()));
    let seen = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            seen.lock().unwrap().connections += 1;
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                // Some of the peers here break off, which is an error.
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

pub(crate) async fn answer<B>(
    request: Request<B>,
    seen: Shared,
) -> Result<Response<Full<Bytes>>, Infallible>
where
    B: Body<Data = Bytes, Error: std::fmt::Debug>,
{
    assert!(request.extensions().get::<Validated>().is_some());
    seen.lock()
        .unwrap()
        .handled
        .push(request.uri().path().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(body.len().to_string().into()))
}

pub(crate) fn count<B: Body<Data = Bytes>>(
    body: B,
    seen: Shared,
) -> impl Body<Data = Bytes, Error = B::Error> {
    body.map_frame(move |frame: Frame<Bytes>| {
        seen.lock().unwrap().body_bytes += frame.data_ref().map_or(0, Bytes::len);
        frame
    })
}
