//! The consumer and its attacker: each request goes out twice, to different hosts.

use std::{
    error::Error,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use hmac_auth::{SignOptions, sign_request};
use http::{
    Request, StatusCode, Uri,
    header::{HOST as HOST_FIELD, RETRY_AFTER},
};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    cluster::NAMES,
    host::{AUTHORITY, HOST, REFUSED, secrets},
};

/// How long the consumer waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many requests wait for an answer at most: a slow machine sends fewer a second.
const IN_FLIGHT: usize = 24;

/// What is sent in a scene.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) requests: u32,
    pub(crate) per_second: u32,
    /// How much later the second copy follows, one request after the other.
    pub(crate) lags: Vec<Lag>,
    /// How old the signature of a request is when it goes out first.
    pub(crate) age: Duration,
    /// The hosts of both copies, where it matters.
    pub(crate) route: Option<[&'static str; 2]>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Lag {
    /// Both copies go out at once.
    None,
    /// The second copy goes out so long after the answer to the first one.
    After(Duration),
}

/// A request and what became of its two copies.
pub(crate) struct Sent {
    pub(crate) order: u32,
    pub(crate) lag: Lag,
    pub(crate) copies: [Copy; 2],
}

pub(crate) struct Copy {
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) outcome: Outcome,
    /// The host that has answered, if one has.
    pub(crate) host: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Accepted,
    /// 401, with the kind that only this example shows.
    Refused(String),
    /// 503 with `Retry-After`, with the kind.
    TryLater(String),
    /// No answer of a host.
    Lost,
}

#[derive(Clone)]
struct Consumer {
    client: Client<HttpConnector, Full<Bytes>>,
    cluster: SocketAddr,
    turns: Arc<Semaphore>,
}

impl Plan {
    /// How long it takes to send all first copies, if the machine is fast enough.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(1) * self.requests / self.per_second
    }

    pub(crate) async fn send(&self, cluster: SocketAddr) -> Result<Vec<Sent>, Box<dyn Error>> {
        let consumer = Consumer {
            client: Client::builder(TokioExecutor::new()).build_http(),
            cluster,
            turns: Arc::new(Semaphore::new(IN_FLIGHT)),
        };
        let mut ticks = interval(Duration::from_secs(1) / self.per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tasks = JoinSet::new();
        for (order, lag) in (0..self.requests).zip(self.lags.iter().copied().cycle()) {
            ticks.tick().await;
            let request = consumer.signed(order, self.age)?;
            let (consumer, route) = (consumer.clone(), self.route);
            // Without a turn, the next request would be signed long before it goes out.
            let turn = Arc::clone(&consumer.turns).acquire_owned().await?;
            tasks.spawn(async move {
                let copies = if lag == Lag::None {
                    let [first, second] = route.unwrap_or_else(|| two_hosts(order));
                    let copies = tokio::join!(
                        consumer.call(&request, Some(first)),
                        consumer.call(&request, Some(second)),
                    );
                    copies.into()
                } else {
                    let first = consumer.call(&request, route.map(|[first, _]| first)).await;
                    drop(turn);
                    if let Lag::After(lag) = lag {
                        sleep(lag).await;
                    }
                    let second = match route {
                        Some([_, second]) => Some(second),
                        None => first.host.map(|first| other_than(first, order)),
                    };
                    let _turn = consumer.turns.acquire().await.expect("it is never closed");
                    let second = consumer.call(&request, second).await;
                    [first, second]
                };
                Sent { order, lag, copies }
            });
        }
        Ok(tasks.join_all().await)
    }
}

impl Consumer {
    fn signed(&self, order: u32, age: Duration) -> Result<Request<Full<Bytes>>, Box<dyn Error>> {
        let body = Bytes::from(format!(r#"{{"order":{order}}}"#));
        let mut request = Request::post(format!("https://{AUTHORITY}/orders/{order}"))
            .header("content-type", "application/json")
            .body(body)?;
        let options = SignOptions::new().at(SystemTime::now() - age);
        sign_request(&mut request, &secrets(), &options)?;
        // The signature is for the name of the host, and the connection goes to HAProxy.
        let (mut head, body) = request.into_parts();
        head.uri = Uri::try_from(format!("http://{}/orders/{order}", self.cluster))?;
        head.headers.insert(HOST_FIELD, AUTHORITY.parse()?);
        Ok(Request::from_parts(head, Full::new(body)))
    }

    /// One copy, to the server of this name or to the next one.
    async fn call(&self, request: &Request<Full<Bytes>>, server: Option<&str>) -> Copy {
        let mut request = request.clone();
        if let Some(server) = server {
            let server = server.parse().expect("a short name");
            request.headers_mut().insert("x-server", server);
        }
        let sent = Instant::now();
        let answer = timeout(PATIENCE, self.client.request(request)).await;
        let (outcome, host) = match answer {
            Ok(Ok(answer)) => outcome(&answer),
            _ => (Outcome::Lost, None),
        };
        Copy {
            sent,
            answered: Instant::now(),
            outcome,
            host,
        }
    }
}

fn outcome<B>(answer: &http::Response<B>) -> (Outcome, Option<&'static str>) {
    let field = |name: &str| answer.headers().get(name)?.to_str().ok();
    let host = field(HOST).and_then(|host| NAMES.into_iter().find(|name| *name == host));
    let kind = field(REFUSED).unwrap_or_default().to_owned();
    let outcome = match answer.status() {
        StatusCode::OK => Outcome::Accepted,
        StatusCode::UNAUTHORIZED => Outcome::Refused(kind),
        StatusCode::SERVICE_UNAVAILABLE if field(RETRY_AFTER.as_str()).is_some() => {
            Outcome::TryLater(kind)
        }
        // HAProxy itself has answered.
        _ => Outcome::Lost,
    };
    (outcome, host)
}

/// Any two different hosts, another pair for each order.
fn two_hosts(order: u32) -> [&'static str; 2] {
    let first = NAMES[(order % 3) as usize];
    [first, other_than(first, order / 3)]
}

fn other_than(first: &str, order: u32) -> &'static str {
    let mut others = NAMES.into_iter().filter(|name| *name != first);
    others
        .nth((order % 2) as usize)
        .expect("there are three hosts")
}
