//! Hosts on actix, behind real sockets and in process, that note what happens within them.

use std::{
    io,
    net::TcpListener,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    App, Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, HttpServer,
    body::{MessageBody, to_bytes},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform, fn_service},
    error::{ErrorRequestTimeout, PayloadError},
    http::{ConnectionType, Method},
    middleware::{Next, from_fn},
    test::TestRequest as ActixRequest,
    web,
};
use bytes::Bytes;
use futures_core::Stream;
use hmac_auth::{AuthErrorKind, Validated, actix::ValidateAuth};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use tokio::time::timeout;

use crate::support::{
    layers::{Script, Seen, guard},
    recorder::Recorder,
    request::{options, secrets},
    server::Shared,
};

pub(crate) fn middleware() -> ValidateAuth {
    Recorder::install();
    ValidateAuth::new(secrets(), options(), Arc::new(guard()))
}

/// Serves `/orders`, and `/api/orders` in a scope, from two workers.
pub(crate) fn actix_host(
    listener: TcpListener,
    validate: ValidateAuth,
    time_limit: Duration,
    seen: &Shared,
) {
    let (seen, connections) = (seen.clone(), seen.clone());
    let server = HttpServer::new(move || {
        let counted = seen.clone();
        App::new()
            .app_data(web::Data::new(seen.clone()))
            .route("/orders", web::route().to(orders))
            .service(web::scope("/api").route("/orders", web::route().to(orders)))
            .wrap(validate.clone())
            .wrap(from_fn(
                move |mut request: ServiceRequest, next: Next<_>| {
                    count(&mut request, &counted);
                    limited(request, next, time_limit)
                },
            ))
    })
    .on_connect(move |_, _| connections.lock().unwrap().connections += 1)
    .workers(2)
    .disable_signals()
    .listen_auto_h2c(listener)
    .unwrap();
    tokio::spawn(server.run());
}

async fn orders(
    _: Validated,
    seen: web::Data<Shared>,
    request: HttpRequest,
    body: web::Bytes,
) -> String {
    seen.lock().unwrap().handled.push(request.path().to_owned());
    body.len().to_string()
}

async fn limited<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
    time_limit: Duration,
) -> Result<ServiceResponse<B>, Error> {
    timeout(time_limit, next.call(request))
        .await
        .unwrap_or_else(|_| Err(ErrorRequestTimeout("too slow")))
}

/// Counts the bytes that are taken from the body.
fn count(request: &mut ServiceRequest, seen: &Shared) {
    let payload = request.take_payload();
    request.set_payload(match payload {
        Payload::None => Payload::None,
        payload => Payload::Stream {
            payload: Box::pin(Counted(payload, seen.clone())),
        },
    });
}

struct Counted(Payload, Shared);

impl Stream for Counted {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.0).poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &polled {
            self.1.lock().unwrap().body_bytes += bytes.len();
        }
        polled
    }
}

/// What came of a request in process, without an app around the middleware.
///
/// The service inside answers as the `Handler` of the layers does, with what `answer` adds.
pub(crate) async fn ask_with(
    validate: &ValidateAuth,
    request: Request<Script>,
    answer: impl Fn(&mut HttpResponse) -> Result<(), Error> + Clone + 'static,
) -> Seen {
    let polls = Arc::clone(&request.body().polls);
    let calls = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&calls);
    let handler = fn_service(move |request: ServiceRequest| {
        counted.fetch_add(1, Ordering::Relaxed);
        let answer = answer.clone();
        async move {
            let (request, mut payload) = request.into_parts();
            let body = web::Bytes::from_request(&request, &mut payload).await?;
            let consumer = request.extensions().get::<Validated>().cloned();
            let consumer = consumer.map_or("nobody".to_owned(), |one| one.consumer().to_owned());
            let mut response = HttpResponse::Created()
                .insert_header(("x-consumer", consumer))
                .body(body);
            answer(&mut response)?;
            Ok::<_, Error>(ServiceResponse::new(request, response))
        }
    });
    let service = validate.new_transform(handler).await.unwrap();
    let response = match service.call(request_of(request)).await {
        Ok(response) => response.into_parts().1.map_into_boxed_body(),
        Err(error) => {
            // A middleware outside of this one may ask for no more.
            let status = error.as_response_error().status_code();
            let response = error.error_response();
            assert_eq!(response.status(), status);
            response
        }
    };
    Seen {
        response: answer_of(response).await,
        calls: calls.load(Ordering::Relaxed),
        polls: polls.load(Ordering::Relaxed),
    }
}

pub(crate) async fn ask(validate: &ValidateAuth, request: Request<Script>) -> Seen {
    ask_with(validate, request, |_| Ok(())).await
}

/// The head of a request as a server of actix makes it.
pub(crate) fn head_of<B>(request: &Request<B>) -> ActixRequest {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap();
    let head = ActixRequest::with_uri(&request.uri().to_string()).method(method);
    request.headers().iter().fold(head, |head, (name, value)| {
        head.append_header((name.as_str(), value.as_bytes()))
    })
}

fn request_of(request: Request<Script>) -> ServiceRequest {
    let mut made = head_of(&request).to_srv_request();
    let script = request.into_body();
    made.set_payload(if script.is_end_stream() {
        Payload::None
    } else {
        Payload::Stream {
            payload: Box::pin(Scripted(script)),
        }
    });
    made
}

/// The answer as a peer sees it over HTTP/1.1.
async fn answer_of(response: HttpResponse) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = response.status().as_u16().try_into().unwrap();
    for (name, value) in response.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        answer.headers_mut().append(name, value);
    }
    if response.head().connection_type() == ConnectionType::Close {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert("connection", close);
    }
    if let Some(kind) = response.extensions().get::<AuthErrorKind>() {
        answer.extensions_mut().insert(*kind);
    }
    *answer.body_mut() = to_bytes(response.into_body()).await.unwrap();
    answer
}

/// A script as a payload, or as the stream of an answer. Actix keeps trailers to itself.
pub(crate) struct Scripted(pub(crate) Script);

impl Stream for Scripted {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.and_then(|frame| match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => Some(Err(PayloadError::Io(io::Error::other(error)))),
        }))
    }
}
