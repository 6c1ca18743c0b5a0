//! `hmac-auth serve`: a host to try clients on.
//!
//! A host in production also limits time and connections.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use clap::Args;
use hmac_auth::{
    AuthError, Claim, ValidateOptions, Validated,
    signature::Scheme,
    tower::{AnswerBody, BufferedBody, ValidateAuthLayer},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE, request};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tower_layer::Layer;
use tower_service::Service;

use super::{Failure, Outcome, host_args::HostArgs, print, secret_source::SecretSource, tell};

/// The digest of a body is only known at its end, so a host decides how much it is ready to hold
/// until then.
const MAX_BODY_LEN: u64 = 1024 * 1024;

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// The largest body, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_BODY_LEN)]
    max_body_len: u64,
    /// Accept a request as often as it is sent
    #[arg(long)]
    no_replay_guard: bool,
    /// Write the signature base of each signed request to standard error, without secret values
    #[arg(long)]
    show_base: bool,
    /// Answer `GET` and `POST /_functions/siteStats` only
    #[arg(long, hide = true)]
    only_site_stats: bool,
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    source: SecretSource,
}

pub(super) fn run(args: &ServeArgs) -> Result<Outcome, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(args))
}

async fn serve(args: &ServeArgs) -> Result<Outcome, Failure> {
    let source = args.source.open()?;
    // Clients reach this host directly. Behind a TLS proxy they say `https`.
    let options = args.host.options(&source.name, Scheme::Http);
    // A host without a usable secret does not start, instead of refusing everybody later; nor does
    // one with wrong options.
    options.check_with(&source.store)?;
    let mut layer = ValidateAuthLayer::new(source.store, options.clone())
        .max_body_len(args.max_body_len)
        .map_refusal(|answer, error, head| {
            log_refusal(error, head);
            answer
        });
    if args.no_replay_guard {
        layer = layer.without_replay_guard();
    }
    // The layer stands around everything, also unknown paths and other methods: nothing answers
    // before the request is validated.
    let validated = layer.sign_responses().layer(Answers {
        only_site_stats: args.only_site_stats,
    });
    let listener = TcpListener::bind(&args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    print(format!("listening on http://{}\n", listener.local_addr()?).as_bytes())?;
    let shown = args.show_base.then_some(options);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(serve_connection(
            stream,
            peer,
            validated.clone(),
            shown.clone(),
        ));
    }
}

async fn serve_connection<S>(
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    shown: Option<ValidateOptions>,
) where
    S: Service<
            Request<BufferedBody<Incoming>>,
            Response = Response<AnswerBody<Full<Bytes>>>,
            Error = Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let service = service_fn(move |request: Request<Incoming>| {
        if let Some(options) = &shown {
            show_base(&request, options);
        }
        let mut request = request.map(BufferedBody::new);
        request.extensions_mut().insert(peer);
        let mut service = service.clone();
        async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        }
    });
    // A client that goes away is no reason to stop. The operator of the client sees that there.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What is behind the validation.
#[derive(Clone)]
struct Answers {
    only_site_stats: bool,
}

impl Service<Request<BufferedBody<Incoming>>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BufferedBody<Incoming>>) -> Self::Future {
        let only_site_stats = self.only_site_stats;
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // The layer has read the body, and answers itself if the body cannot be read.
            let body = body
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes);
            let status = match (&head.method, head.uri.path()) {
                _ if !only_site_stats => StatusCode::OK,
                (&Method::GET | &Method::HEAD | &Method::POST, "/_functions/siteStats") => {
                    StatusCode::OK
                }
                (_, "/_functions/siteStats") => StatusCode::METHOD_NOT_ALLOWED,
                _ => StatusCode::NOT_FOUND,
            };
            // `Validated` is the proof, so that nothing is answered without it.
            let validated = head.extensions.get::<Validated>();
            let mut response = match validated {
                Some(validated) if status == StatusCode::OK => {
                    let answer = answer(validated, &body.unwrap_or_default());
                    let mut response = Response::new(Full::from(answer.to_string()));
                    let json = HeaderValue::from_static("application/json");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                    response
                }
                _ => Response::new(Full::default()),
            };
            *response.status_mut() = status;
            Ok(response)
        })
    }
}

/// Some data to see, and what the host knows about the request.
fn answer(validated: &Validated, body: &[u8]) -> Value {
    let covered: Vec<String> = validated
        .components()
        .map(|component| component.to_string())
        .collect();
    json!({
        "data": { "userCount": 100, "monthlyRevenue": 80091.23 },
        "keyId": validated.key_id(),
        "received": serde_json::from_slice::<Value>(body).ok(),
        "receivedBytes": body.len(),
        "signedComponents": covered,
    })
}

/// Shows what the host takes to be signed. Values that may be secret are redacted.
fn show_base(request: &Request<Incoming>, options: &ValidateOptions) {
    let base = Claim::parse(request, options).and_then(|claim| claim.signature_base());
    if let Ok(base) = base {
        tell(format_args!("signature base:\n{base}\n"));
    }
}

/// One line for the operator. What the peer has chosen is escaped and cut.
fn log_refusal(error: &AuthError, head: &request::Parts) {
    let path: String = head
        .uri
        .path()
        .chars()
        .take(100)
        .flat_map(char::escape_default)
        .collect();
    let peer = head.extensions.get::<SocketAddr>();
    let peer = peer.map_or("?".to_owned(), ToString::to_string);
    tell(format_args!(
        "refused {}: {} {path} from {peer}: {error:#}",
        error.kind(),
        head.method
    ));
}
