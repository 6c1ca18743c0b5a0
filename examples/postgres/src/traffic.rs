//! Consumers that call the host all the time, and what became of their calls.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hmac_auth::{
    MemorySecrets, Secret, SignOptions,
    client::{Client, invoke},
};
use http::{StatusCode, header::RETRY_AFTER};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

/// How the name of the secret is known to its consumer.
const SECRET_NAME: &str = "host-secret";

pub(crate) const REQUESTS_PER_SECOND: u32 = 200;

/// One consumer: its key id and the secret that it signs with.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) key_id: String,
    pub(crate) tenant: i64,
    secrets: MemorySecrets,
}

impl Site {
    pub(crate) fn new(key_id: impl Into<String>, tenant: i64, secret: &str) -> Self {
        let site = Self {
            key_id: key_id.into(),
            tenant,
            secrets: MemorySecrets::new(),
        };
        site.use_secret(secret);
        site
    }

    /// Signs with this secret from now on.
    pub(crate) fn use_secret(&self, secret: &str) {
        let secret = Secret::from_text(secret).expect("it is long enough");
        self.secrets.insert(SECRET_NAME, secret);
    }

    /// One request and its answer.
    pub(crate) async fn call(&self, client: &Client, host: SocketAddr) -> Answer {
        let began = Instant::now();
        let options = SignOptions::new()
            .secret_name(SECRET_NAME)
            .key_id(&*self.key_id);
        let url = format!("http://{host}/orders");
        let request = client.get(url).build().expect("a valid request");
        let response = invoke(client, request, &self.secrets, &options)
            .await
            .expect("the host answers");
        let (status, has_retry_after) = (
            response.status(),
            response.headers().contains_key(RETRY_AFTER),
        );
        let fields = format!("{:?}", without_date(response.headers()));
        let body = response.text().await.expect("a text");
        let outcome = match status {
            StatusCode::OK if body == self.expected() => Outcome::Accepted,
            StatusCode::UNAUTHORIZED => Outcome::Refused,
            StatusCode::SERVICE_UNAVAILABLE if has_retry_after => Outcome::TryLater,
            _ => Outcome::Wrong,
        };
        Answer {
            outcome,
            text: format!("{status} {fields} {body}"),
            time: began.elapsed(),
        }
    }

    fn expected(&self) -> String {
        let Self { key_id, tenant, .. } = self;
        format!("shop of {key_id}: tenant {tenant}, orders:read")
    }
}

fn without_date(headers: &http::HeaderMap) -> http::HeaderMap {
    let mut headers = headers.clone();
    headers.remove(http::header::DATE);
    headers
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With the name and the tenant of this consumer.
    Accepted,
    Refused,
    /// 503 with `Retry-After`.
    TryLater,
    Wrong,
}

pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// All that the peer sees, apart from the date.
    pub(crate) text: String,
    time: Duration,
}

/// A call of the traffic.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) key_id: String,
    pub(crate) sent: Instant,
    /// `None` until the answer is there.
    answer: Option<(Outcome, Duration)>,
}

impl Call {
    pub(crate) fn is(&self, outcome: Outcome) -> bool {
        self.answer.is_some_and(|(found, _)| found == outcome)
    }

    pub(crate) fn time(&self) -> Duration {
        self.answer.map_or(Duration::MAX, |(_, time)| time)
    }
}

/// All consumers in turn, as many requests a second as stated, whatever the host answers.
pub(crate) struct Traffic {
    calls: Arc<Mutex<Vec<Call>>>,
    began: Instant,
    ticking: JoinHandle<()>,
}

impl Traffic {
    pub(crate) fn start(client: &Client, host: SocketAddr, sites: &[Site]) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (client, sites, log) = (client.clone(), sites.to_vec(), Arc::clone(&calls));
        let ticking = tokio::spawn(async move {
            let mut ticks = interval(Duration::from_secs(1) / REQUESTS_PER_SECOND);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for site in sites.iter().cycle() {
                ticks.tick().await;
                let (client, site, log) = (client.clone(), site.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    let call = Call {
                        key_id: site.key_id.clone(),
                        sent: Instant::now(),
                        answer: None,
                    };
                    let index = {
                        let mut log = log.lock().expect("no panic");
                        log.push(call);
                        log.len() - 1
                    };
                    let answer = site.call(&client, host).await;
                    let answer = Some((answer.outcome, answer.time));
                    log.lock().expect("no panic")[index].answer = answer;
                });
            }
        });
        Self {
            calls,
            began: Instant::now(),
            ticking,
        }
    }

    /// Sends no more, and waits for the last answers.
    pub(crate) async fn stop(&self) {
        self.ticking.abort();
        let now = Instant::now();
        self.between(self.began, now).await;
    }

    /// The calls that were sent from `begin` until `end`, when all of them have their answers.
    pub(crate) async fn between(&self, begin: Instant, end: Instant) -> Vec<Call> {
        loop {
            let calls = self.calls.lock().expect("no panic").clone();
            let sent: Vec<_> = calls
                .into_iter()
                .filter(|call| (begin..end).contains(&call.sent))
                .collect();
            if sent.iter().all(|call| call.answer.is_some()) {
                return sent;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
