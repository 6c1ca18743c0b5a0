//! The layers behind real sockets: what framing, pipelining, slow, endless and broken connections make of a request.
#![cfg(feature = "tower")]

mod common;

use std::{
    convert::Infallible,
    error::Error,
    future::{self, Future},
    io,
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
use common::{
    NOW, TestRequest, get, options, post, secrets, sign_options, signed, signed_as, time,
    with_header,
};
use hmac_auth::{
    AuthError, AuthErrorKind, MemoryReplayGuard, ValidateOptions, Validated,
    signature::Scheme,
    tower::{BufferedBody, SignRequestLayer, Upload, ValidateAuthLayer},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header::HOST,
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{map_request_body::MapRequestBodyLayer, timeout::TimeoutLayer};

/// The longest body that the hosts accept.
const LIMIT: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    Axum,
    Hyper,
}

const SERVERS: [Server; 2] = [Server::Axum, Server::Hyper];

/// A server and a route: each way in which a host here takes a body. Under `/api` are nested routes, between other middleware.
const ROUTES: [(Server, &str); 5] = [
    (Server::Axum, "/orders"),
    (Server::Axum, "/upload"),
    (Server::Axum, "/api/orders"),
    (Server::Axum, "/api/upload"),
    (Server::Hyper, "/orders"),
];

/// Whether the handler reads the body while it is validated.
fn is_streamed(route: &str) -> bool {
    route.ends_with("/upload")
}

/// With a new host for each server.
async fn on_all_servers(test: impl AsyncFn(Host)) {
    on_all(&SERVERS.map(|server| (server, "")), async |host, _| {
        test(host).await;
    })
    .await;
}

/// With a new host for each route.
async fn on_all_routes(test: impl AsyncFn(Host, &str)) {
    on_all(&ROUTES, test).await;
}

async fn on_all(places: &[(Server, &str)], test: impl AsyncFn(Host, &str)) {
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
struct Host {
    server: Server,
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

/// What happened within a host.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    /// The bytes that the layer took from the bodies.
    body_bytes: usize,
    /// The paths of those who reached a handler.
    handled: Vec<String>,
    refused: Vec<AuthErrorKind>,
    /// What the reader of an upload got instead of an end.
    failed_uploads: Vec<Option<AuthErrorKind>>,
}

type Shared = Arc<Mutex<Seen>>;

impl Host {
    async fn start(server: Server) -> Self {
        Self::with(server, options(), Duration::from_secs(60)).await
    }

    async fn with(server: Server, options: ValidateOptions, time_limit: Duration) -> Self {
        options.check().unwrap();
        let seen = Shared::default();
        let refused = seen.clone();
        let layer = ValidateAuthLayer::new(secrets(), options)
            .replay_guard(MemoryReplayGuard::new().started_at(time(NOW)))
            .max_body_len(LIMIT as u64)
            .map_refusal(move |response, error, _| {
                refused.lock().unwrap().refused.push(error.kind());
                response
            });
        let time_limit = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, time_limit);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        match server {
            Server::Axum => axum_host(listener, layer, time_limit, &seen),
            Server::Hyper => hyper_host(listener, layer, time_limit, &seen),
        }
        Self {
            server,
            address,
            seen,
        }
    }

    async fn connect(&self) -> Connection {
        Connection(BufReader::new(
            TcpStream::connect(self.address).await.unwrap(),
        ))
    }

    /// One request on a connection of its own.
    async fn answer(&self, request: &TestRequest) -> Answer {
        let mut connection = self.connect().await;
        connection.send(&wire(request)).await;
        connection.answer().await
    }

    async fn http2<B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static>(
        &self,
    ) -> SendRequest<B> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn handled(&self) -> usize {
        self.seen().handled.len()
    }

    /// The refusals since the last time.
    fn refusals(&self) -> Vec<AuthErrorKind> {
        std::mem::take(&mut self.seen().refused)
    }

    async fn wait_for(&self, happened: impl Fn(&Seen) -> bool) {
        while !happened(&self.seen()) {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// A body over HTTP/2 that comes at once, except for its end: that waits for what happens within the host.
    fn held_open(
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

fn axum_host(
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
async fn upload(
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

fn hyper_host(
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

async fn answer<B>(request: Request<B>, seen: Shared) -> Result<Response<Full<Bytes>>, Infallible>
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

fn count<B: Body<Data = Bytes>>(
    body: B,
    seen: Shared,
) -> impl Body<Data = Bytes, Error = B::Error> {
    body.map_frame(move |frame: Frame<Bytes>| {
        seen.lock().unwrap().body_bytes += frame.data_ref().map_or(0, Bytes::len);
        frame
    })
}

/// HTTP/1.1 by hand.
struct Connection(BufReader<TcpStream>);

#[derive(Debug)]
struct Answer {
    status: u16,
    body: String,
}

impl Connection {
    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn answer(&mut self) -> Answer {
        let (status, len) = self.head().await.unwrap().expect("an answer");
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).await.unwrap();
        Answer {
            status,
            body: String::from_utf8(body).unwrap(),
        }
    }

    async fn status(&mut self) -> u16 {
        self.answer().await.status
    }

    /// The status of an answer without a body, and the length it tells; `None` at the end of the connection.
    async fn head(&mut self) -> io::Result<Option<(u16, usize)>> {
        let mut status = None;
        let mut len = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                assert_eq!(status, None, "the connection ends within an answer");
                return Ok(None);
            }
            match (
                status,
                line.trim_end().to_ascii_lowercase().split_once([':', ' ']),
            ) {
                (None, Some(("http/1.1", rest))) => status = rest[..3].parse().ok(),
                (Some(_), Some(("content-length", value))) => len = value.trim().parse().unwrap(),
                (Some(status), None) => return Ok(Some((status, len))),
                (Some(_), Some(_)) => {}
                (None, _) => panic!("not an answer: {line:?}"),
            }
        }
    }

    /// The status of the next answer, unless the host has closed the connection.
    async fn next(&mut self) -> Option<u16> {
        let (status, len) = self.head().await.ok()??;
        self.0.read_exact(&mut vec![0; len]).await.ok()?;
        Some(status)
    }
}

/// The whole answer over HTTP/2.
async fn answered(response: impl Future<Output = hyper::Result<Response<Incoming>>>) -> Answer {
    let (parts, body) = response.await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        body: String::from_utf8(body.into()).unwrap(),
    }
}

/// The head as HTTP/1.1 writes it, with the fields of the framing.
fn head(request: &TestRequest, framing: &str) -> Vec<u8> {
    head_for(
        request,
        request.uri().path_and_query().unwrap().as_str(),
        "host: host.example\r\n",
        framing,
    )
}

fn head_for(request: &TestRequest, target: &str, host: &str, framing: &str) -> Vec<u8> {
    let mut text =
        format!("{} {target} HTTP/1.1\r\n{host}{framing}", request.method()).into_bytes();
    for (name, value) in request.headers() {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    text
}

fn wire(request: &TestRequest) -> Vec<u8> {
    let framing = match request.body().len() {
        0 => String::new(),
        len => format!("content-length: {len}\r\n"),
    };
    [&head(request, &framing), request.body().as_slice()].concat()
}

const CHUNKED: &str = "transfer-encoding: chunked\r\n";

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// A whole chunked request.
fn chunked(request: &TestRequest, chunk_len: usize, trailers: &str) -> Vec<u8> {
    let chunks: Vec<u8> = request.body().chunks(chunk_len).flat_map(chunk).collect();
    [
        &head(request, CHUNKED),
        &*chunks,
        format!("0\r\n{trailers}\r\n").as_bytes(),
    ]
    .concat()
}

fn signed_post(path: &str, body: impl Into<Vec<u8>>) -> TestRequest {
    let mut request = post();
    *request.uri_mut() = format!("https://host.example{path}").parse().unwrap();
    *request.body_mut() = body.into();
    signed(request)
}

/// A request with a signature that is not its own.
fn forged(mut request: TestRequest) -> TestRequest {
    *request.uri_mut() = format!(
        "{}?forged",
        request.uri().to_string().split('?').next().unwrap()
    )
    .parse()
    .unwrap();
    request
}

#[tokio::test]
async fn http_1_names_its_authority_in_host() {
    on_all_servers(async |host| {
        let mut connection = host.connect().await;
        for (field, expected) in [
            ("host: host.example\r\n", Ok(())),
            ("host: HOST.example:443\r\n", Ok(())),
            (
                "host: host.example:80\r\n",
                Err(AuthErrorKind::UnlistedAuthority),
            ),
            (
                "host: other.example\r\n",
                Err(AuthErrorKind::UnlistedAuthority),
            ),
            ("", Err(AuthErrorKind::MissingAuthority)),
            (
                "host: host.example\r\nhost: other.example\r\n",
                Err(AuthErrorKind::ConflictingAuthority),
            ),
            (
                "host: host.example\r\nhost: host.example\r\n",
                Err(AuthErrorKind::ConflictingAuthority),
            ),
        ] {
            connection
                .send(&head_for(&signed(get()), "/orders?page=2", field, ""))
                .await;
            assert_eq!(
                connection.status().await,
                if expected.is_ok() { 200 } else { 401 },
                "{field}"
            );
            assert_eq!(
                host.refusals(),
                expected.err().into_iter().collect::<Vec<_>>(),
                "{field}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_absolute_target_must_agree_with_host() {
    on_all_servers(async |host| {
        let mut connection = host.connect().await;
        for (target, field, status) in [
            (
                "https://host.example/orders?page=2",
                "host: host.example\r\n",
                200,
            ),
            (
                "https://host.example/orders?page=2",
                "host: other.example\r\n",
                401,
            ),
            (
                "https://other.example/orders?page=2",
                "host: host.example\r\n",
                401,
            ),
            (
                "https://user@host.example/orders?page=2",
                "host: host.example\r\n",
                401,
            ),
        ] {
            connection
                .send(&head_for(&signed(get()), target, field, ""))
                .await;
            assert_eq!(connection.status().await, status, "{target} {field}");
        }
        assert_eq!(
            host.refusals()[..2],
            [AuthErrorKind::ConflictingAuthority; 2]
        );
    })
    .await;
}

#[tokio::test]
async fn http_2_names_its_authority_in_the_target() {
    on_all_servers(async |host| {
        let mut http2 = host.http2().await;
        let listed = signed(get());
        let mut other = signed(get());
        *other.uri_mut() = "https://other.example/orders?page=2".parse().unwrap();
        let mut conflicting = signed(get());
        conflicting
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("other.example"));
        for (request, expected) in [
            (listed, None),
            (other, Some(AuthErrorKind::UnlistedAuthority)),
            (conflicting, Some(AuthErrorKind::ConflictingAuthority)),
        ] {
            let response = http2.send_request(request.map(Full::from)).await.unwrap();
            assert_eq!(
                response.status(),
                if expected.is_none() { 200 } else { 401 }
            );
            assert_eq!(host.refusals(), expected.into_iter().collect::<Vec<_>>());
        }
    })
    .await;
}

/// Forwards in origin form to `upstream`, as a proxy does that ends TLS.
async fn proxy(upstream: SocketAddr, keeps_host: bool) -> Host {
    let client = Client::builder(TokioExecutor::new()).build_http::<Incoming>();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let target = request.uri().path_and_query().unwrap();
        *request.uri_mut() = format!("http://{upstream}{target}").parse().unwrap();
        let headers = request.headers_mut();
        let host = if keeps_host {
            headers[HOST].clone()
        } else {
            HeaderValue::try_from(upstream.to_string()).unwrap()
        };
        for (name, value) in [
            ("x-forwarded-host", headers[HOST].clone()),
            ("via", HeaderValue::from_static("1.1 proxy")),
        ] {
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(HOST, host);
        client.request(request)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    Host {
        server: Server::Hyper,
        address,
        seen: Shared::default(),
    }
}

#[tokio::test]
async fn a_host_behind_a_proxy_knows_its_outer_names() {
    const WHOLE_URI: &str = r#"("@method" "@target-uri");created=1700000000"#;
    on_all_servers(async |host| {
        let outside = proxy(host.address, true).await;
        assert_eq!(outside.answer(&signed(get())).await.status, 200);
        assert_eq!(
            outside.answer(&signed_post("/orders", "12345")).await.body,
            "5"
        );
        assert_eq!(
            outside.answer(&signed_as(get(), WHOLE_URI)).await.status,
            200
        );

        // What a peer could write into forwarded headers counts for nothing.
        let outside = proxy(host.address, false).await;
        assert_eq!(outside.answer(&signed(get())).await.status, 401);
        assert_eq!(host.refusals(), [AuthErrorKind::UnlistedAuthority]);

        let host = Host::with(
            host.server,
            options().external_scheme(Scheme::Http),
            Duration::from_secs(60),
        )
        .await;
        let outside = proxy(host.address, true).await;
        assert_eq!(
            outside.answer(&signed_as(get(), WHOLE_URI)).await.status,
            401
        );
        assert_eq!(host.refusals(), [AuthErrorKind::WrongMac]);
    })
    .await;
}

#[tokio::test]
async fn bodies_are_limited_to_the_byte() {
    on_all_routes(async |host, route| {
        let (most, more) = (
            signed_post(route, vec![7; LIMIT]),
            signed_post(route, vec![7; LIMIT + 1]),
        );
        assert_eq!(host.answer(&most).await.body, LIMIT.to_string());
        assert_eq!(host.handled(), 1);

        // Refused although not a byte of the body was sent, and without inviting the client to send it.
        for expect in ["", "expect: 100-continue\r\n"] {
            let mut connection = host.connect().await;
            connection
                .send(&head(
                    &more,
                    &format!("{expect}content-length: {}\r\n", LIMIT + 1),
                ))
                .await;
            let Answer { status, body } = connection.answer().await;
            assert_eq!((status, &*body), (413, r#"{"error":"Payload too large"}"#));
        }
        assert_eq!((host.handled(), host.seen().body_bytes), (1, LIMIT));

        // A chunked body tells its length only at its end.
        let mut connection = host.connect().await;
        connection
            .send(&chunked(&signed_post(route, vec![7; LIMIT]), 1000, ""))
            .await;
        assert_eq!(connection.answer().await.body, LIMIT.to_string());
        connection.send(&chunked(&more, 1000, "")).await;
        assert_eq!(connection.status().await, 413);
        assert_eq!(host.refusals(), [AuthErrorKind::BodyTooLarge; 3]);
    })
    .await;
}

#[tokio::test]
async fn only_who_is_authenticated_is_told_to_continue() {
    on_all_routes(async |host, route| {
        let request = signed_post(route, "12345");
        let framing = "expect: 100-continue\r\ncontent-length: 5\r\n";

        let mut connection = host.connect().await;
        connection
            .send(&head(&forged(request.clone()), framing))
            .await;
        assert_eq!(connection.status().await, 401);
        assert_eq!(
            (host.handled(), host.refusals()),
            (0, vec![AuthErrorKind::WrongMac])
        );

        let mut connection = host.connect().await;
        connection.send(&head(&request, framing)).await;
        assert_eq!(connection.status().await, 100);
        connection.send(b"12345").await;
        let Answer { status, body } = connection.answer().await;
        assert_eq!((status, &*body), (200, "5"));
    })
    .await;
}

#[tokio::test]
async fn slow_bodies_are_waited_for_as_long_as_the_time_limit_allows() {
    on_all_routes(async |host, route| {
        let request = signed_post(route, vec![7; 20]);
        let mut connection = host.connect().await;
        connection
            .send(&head(&request, "content-length: 20\r\n"))
            .await;
        for _ in 0..20 {
            connection.send(&[7]).await;
            sleep(Duration::from_millis(3)).await;
        }
        assert_eq!(connection.answer().await.body, "20");

        let host = Host::with(host.server, options(), Duration::from_millis(200)).await;
        let request = signed_post(route, vec![7; LIMIT]);
        let stream = TcpStream::connect(host.address).await.unwrap();
        let (read, mut write) = stream.into_split();
        write
            .write_all(&head(&request, &format!("content-length: {LIMIT}\r\n")))
            .await
            .unwrap();
        let slow = tokio::spawn(async move {
            while write.write_all(&[7]).await.is_ok() {
                sleep(Duration::from_millis(3)).await;
            }
        });
        let mut answer = String::new();
        BufReader::new(read).read_line(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert_eq!(host.handled(), usize::from(is_streamed(route)));
        // The host has closed the connection.
        slow.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn endless_bodies_are_read_no_further_than_the_limit() {
    const CHUNK: usize = 16 * 1024;
    on_all_routes(async |host, route| {
        let request = signed_post(route, "the digest of another body");
        let (read, mut write) = TcpStream::connect(host.address).await.unwrap().into_split();
        write.write_all(&head(&request, CHUNKED)).await.unwrap();
        let endless = tokio::spawn(async move {
            let chunk = chunk(&[7; CHUNK]);
            while write.write_all(&chunk).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        let mut answer = String::new();
        BufReader::new(read).read_line(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        // The host has closed the connection, and of the body only what passed the limit was ever asked for.
        endless.await.unwrap();
        let taken = host.seen().body_bytes;
        assert!(
            (LIMIT + 1..=LIMIT + CHUNK).contains(&taken),
            "{taken} bytes"
        );
    })
    .await;
}

#[tokio::test]
async fn trailers_are_refused_over_both_versions() {
    on_all_routes(async |host, route| {
        let mut connection = host.connect().await;
        connection
            .send(&chunked(
                &signed_post(route, "12345"),
                2,
                "x-unsigned: 1\r\n",
            ))
            .await;
        assert_eq!(connection.status().await, 401);

        let trailers = HeaderMap::from_iter([(
            HeaderName::from_static("x-unsigned"),
            HeaderValue::from_static("1"),
        )]);
        let request = signed_post(route, "12345")
            .map(|body| Full::from(body).with_trailers(future::ready(Some(Ok(trailers)))));
        assert_eq!(
            answered(host.http2().await.send_request(request))
                .await
                .status,
            401
        );

        assert_eq!(host.refusals(), [AuthErrorKind::TrailersNotCovered; 2]);
        if is_streamed(route) {
            assert_eq!(
                host.seen().failed_uploads,
                [Some(AuthErrorKind::TrailersNotCovered); 2]
            );
        } else {
            assert_eq!(host.handled(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_is_nobody_elses_trouble() {
    on_all_routes(async |host, route| {
        let request = signed_post(route, vec![7; 1000]);
        for framing in ["content-length: 1000\r\n", CHUNKED] {
            let mut connection = host.connect().await;
            connection.send(&head(&request, framing)).await;
            connection
                .send(&if framing == CHUNKED {
                    chunk(&[7; 400])
                } else {
                    vec![7; 400]
                })
                .await;
            host.wait_for(|seen| seen.body_bytes >= 400).await;
            drop(connection);
            if is_streamed(route) {
                host.wait_for(|seen| seen.failed_uploads.len() == 1).await;
                assert_eq!(
                    host.seen().failed_uploads.pop(),
                    Some(Some(AuthErrorKind::BodyUnreadable))
                );
            } else {
                host.wait_for(|seen| seen.refused.len() == 1).await;
                assert_eq!(host.handled(), 0);
            }
            assert_eq!(host.refusals(), [AuthErrorKind::BodyUnreadable]);
            host.seen().handled.clear();
            host.seen().body_bytes = 0;

            let request = signed_post(route, "12345");
            assert_eq!(host.answer(&request).await.body, "5");
            host.seen().handled.clear();
            host.seen().body_bytes = 0;
            // A failed upload has used its signature up; a body that was only buffered has not.
            if is_streamed(route) {
                break;
            }
        }
    })
    .await;
}

/// All bytes of the body have come: only the reset tells that its end has not.
#[tokio::test]
async fn a_stream_that_is_reset_is_no_other_streams_trouble() {
    on_all_routes(async |host, route| {
        let mut http2 = host.http2().await;
        let [reset, other] = ["1234567", "12345"].map(|body| {
            let request = signed_post(route, body);
            http2.send_request(
                request.map(|body| host.held_open(body, |seen| !seen.refused.is_empty())),
            )
        });
        host.wait_for(|seen| seen.body_bytes == 12).await;
        drop(reset);
        let Answer { status, body } = answered(other).await;
        assert_eq!((status, &*body), (200, "5"));
        assert_eq!(host.refusals(), [AuthErrorKind::BodyUnreadable]);
        if is_streamed(route) {
            assert_eq!(
                host.seen().failed_uploads,
                [Some(AuthErrorKind::BodyUnreadable)]
            );
        } else {
            assert_eq!(host.handled(), 1);
        }
        assert_eq!(host.seen().connections, 1);
    })
    .await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    on_all_routes(async |host, route| {
        let mut wrong_digest = signed_post(route, "12345");
        *wrong_digest.body_mut() = b"54321".to_vec();
        let requests = [
            (signed_post(route, "1"), 200),
            (forged(signed(get())), 401),
            (signed_post(route, "12"), 200),
            (wrong_digest, 401),
            (signed(get()), 200),
            (get(), 401),
            (signed_post(route, "123"), 200),
        ];
        let mut connection = host.connect().await;
        connection
            .send(
                &requests
                    .iter()
                    .flat_map(|(request, _)| wire(request))
                    .collect::<Vec<_>>(),
            )
            .await;
        for (index, (_, status)) in requests.iter().enumerate() {
            assert_eq!(connection.status().await, *status, "{index}");
        }
        assert_eq!(host.handled(), 4 + usize::from(is_streamed(route)));
        assert_eq!(host.seen().connections, 1);
    })
    .await;
}

/// The body of a refused request is itself made of requests, and of valid ones: none may ever be taken for the next.
#[tokio::test]
async fn a_refused_body_is_never_taken_for_a_request() {
    const CASES: [(usize, bool, bool); 6] = [
        (0, false, false),
        (0, true, false),
        (0, false, true),
        (0, true, true),
        (20_000, false, false),
        (LIMIT, false, true),
    ];
    on_all_routes(async |host, route| {
        for (padding, is_chunked, is_late) in CASES {
            let host = Host::start(host.server).await;
            let mut body = wire(&signed_post("/smuggled", "12345")).repeat(3);
            body.resize(body.len() + padding, b' ');
            let refused = forged(signed_post(route, body));
            let (head, body) = if is_chunked {
                (
                    head(&refused, CHUNKED),
                    [chunk(refused.body()), b"0\r\n\r\n".to_vec()].concat(),
                )
            } else {
                (
                    head(
                        &refused,
                        &format!("content-length: {}\r\n", refused.body().len()),
                    ),
                    refused.body().clone(),
                )
            };
            let next = wire(&with_header(
                signed_post(route, "123"),
                "connection",
                "close",
            ));

            let mut connection = host.connect().await;
            let mut statuses = Vec::new();
            if is_late {
                connection.send(&head).await;
                statuses.extend(connection.next().await);
                // The host may have closed the connection already.
                let _ = connection.0.write_all(&[body, next].concat()).await;
            } else {
                connection.send(&[head, body, next].concat()).await;
            }
            while let Some(status) = connection.next().await {
                statuses.push(status);
            }
            assert!(
                matches!(statuses[..], [401 | 413] | [401 | 413, 200]),
                "{padding} {is_chunked} {is_late}: {statuses:?}"
            );
            assert_eq!(host.seen().handled, vec![route; statuses.len() - 1]);
        }
    })
    .await;
}

/// All bodies are under way at once: none ends before the host has taken the bytes of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_of_one_connection_are_told_apart() {
    on_all_routes(async |host, route| {
        let taken = (0..100)
            .filter(|number| number % 20 != 0)
            .map(|number| 100 * number)
            .sum::<usize>();
        let mut http2 = host.http2().await;
        let answers = (0..100)
            .map(|number| {
                let mut request = signed_post(route, vec![7; 100 * number]);
                match number % 20 {
                    0 => request = forged(request),
                    10 => request.body_mut()[0] = 8,
                    _ => {}
                }
                http2.send_request(
                    request.map(|body| host.held_open(body, move |seen| seen.body_bytes == taken)),
                )
            })
            .collect::<Vec<_>>();
        for (number, answer) in answers.into_iter().enumerate() {
            let Answer { status, body } = answered(answer).await;
            let refusal = r#"{"error":"Invalid authentication token"}"#.to_owned();
            let expected = if number % 10 == 0 {
                (401, refusal)
            } else {
                (200, (100 * number).to_string())
            };
            assert_eq!((status, body), expected, "{number}");
        }
        let failed_uploads = if is_streamed(route) { 5 } else { 0 };
        assert_eq!(
            host.seen().failed_uploads,
            vec![Some(AuthErrorKind::WrongDigest); failed_uploads]
        );
        assert_eq!(
            (host.handled(), host.seen().connections),
            (90 + failed_uploads, 1)
        );
        let refused = host.refusals();
        let of = |kind| refused.iter().filter(|refused| **refused == kind).count();
        assert_eq!(
            (
                of(AuthErrorKind::WrongMac),
                of(AuthErrorKind::WrongDigest),
                refused.len()
            ),
            (5, 5, 10)
        );
    })
    .await;
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_open() {
    on_all_routes(async |host, route| {
        let mut connection = host.connect().await;
        for round in 0..5 {
            connection
                .send(&wire(&forged(signed_post(route, "12345"))))
                .await;
            assert_eq!(connection.status().await, 401, "{round}");
            connection.send(&wire(&signed_post(route, "12345"))).await;
            assert_eq!(connection.answer().await.body, "5", "{round}");
        }
        assert_eq!((host.handled(), host.seen().connections), (5, 1));
    })
    .await;
}

#[tokio::test]
async fn a_signing_client_is_understood_over_both_versions() {
    on_all_servers(async |host| {
        for is_http2 in [false, true] {
            let host = Host::start(host.server).await;
            let address = host.address;
            // Finds the host under its outer name.
            let connector = service_fn(move |_: Uri| {
                Box::pin(async move { TcpStream::connect(address).await.map(TokioIo::new) })
            });
            let client = Client::builder(TokioExecutor::new())
                .http2_only(is_http2)
                .build::<_, Full<Bytes>>(connector);
            let unsigned = client.request(get().map(Full::from)).await.unwrap();
            assert_eq!(unsigned.status(), 401);
            assert!(unsigned.headers().contains_key("accept-signature"));
            unsigned.into_body().collect().await.unwrap();

            let mut signing = ServiceBuilder::new()
                .layer(SignRequestLayer::new(secrets(), sign_options()))
                .service(client);
            for len in [0, 1, 1024, LIMIT] {
                let request = post().map(|_| Full::from(vec![7; len]));
                let response = signing.ready().await.unwrap().call(request).await.unwrap();
                assert_eq!(response.status(), 200, "{is_http2} {len}");
                assert_eq!(
                    response.into_body().collect().await.unwrap().to_bytes(),
                    len.to_string()
                );
            }
            // The last one: over HTTP/1.1, hyper closes a connection whose body it has not read.
            let too_large = post().map(|_| Full::from(vec![7; LIMIT + 1]));
            assert_eq!(
                signing
                    .ready()
                    .await
                    .unwrap()
                    .call(too_large)
                    .await
                    .unwrap()
                    .status(),
                413
            );
            assert_eq!(host.handled(), 4);
            assert_eq!(host.seen().connections, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn no_method_is_let_through_unsigned() {
    on_all_routes(async |host, route| {
        for method in [
            Method::HEAD,
            Method::OPTIONS,
            Method::DELETE,
            Method::TRACE,
            Method::from_bytes(b"ODD").unwrap(),
        ] {
            let request = with_header(get(), "origin", "https://site.example");
            let mut request = with_header(request, "access-control-request-method", "POST");
            *request.method_mut() = method.clone();
            *request.uri_mut() = format!("https://host.example{route}").parse().unwrap();
            let before = host.handled();
            for (request, expected) in [(request.clone(), 401), (signed(request), 200)] {
                let mut connection = host.connect().await;
                connection.send(&wire(&request)).await;
                let (status, _) = connection.head().await.unwrap().expect("an answer");
                assert_eq!(status, expected, "{method}");
            }
            assert_eq!(host.handled(), before + 1);
        }
        assert_eq!(host.refusals(), [AuthErrorKind::MissingSignature; 5]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_copies_sent_at_once_one_is_accepted() {
    on_all_routes(async |host, route| {
        for _ in 0..20 {
            let request = signed_post(route, "12345");
            let (one, other) = tokio::join!(host.answer(&request), host.answer(&request));
            assert!(
                matches!((one.status, other.status), (200, 401) | (401, 200)),
                "{one:?} {other:?}"
            );
            assert_eq!(host.refusals(), [AuthErrorKind::Replayed]);
        }
        assert_eq!(host.handled(), 20);
    })
    .await;
}
