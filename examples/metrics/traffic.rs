//! Consumers, and what goes wrong.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, client::sign, generate_secret,
};
use reqwest::{Client, Method, Request};
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};

use crate::host::{Host, SHOPS};

/// What a client does.
#[derive(Clone, Copy)]
enum Habit {
    Signs,
    /// Its proxy changes some bodies for a while.
    IsRewritten,
    /// Sends some requests twice.
    Repeats,
    /// Has a key id and no secret.
    Forges,
    /// Has neither.
    Guesses,
    /// Calls the route that only observes, and signs some requests.
    BeginsToSign,
}

/// The clients, for a minute times `scale`. They stop when the result is dropped.
pub(crate) fn start(host: &Host, scale: f64) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    let [(one, _), (two, _), (three, _)] = SHOPS;
    for (habit, key_id, a_second) in [
        (Habit::Signs, one, 60.0),
        (Habit::IsRewritten, two, 35.0),
        (Habit::Repeats, three, 18.0),
        (Habit::Forges, one, 9.0),
        (Habit::Guesses, "", 4.0),
        (Habit::BeginsToSign, two, 12.0),
    ] {
        let client = Shop::new(host, habit, key_id, scale);
        clients.spawn(client.run(a_second));
    }
    let (is_down, unit) = (Arc::clone(&host.directory_is_down), scale);
    clients.spawn(async move {
        sleep(Duration::from_secs(42).mul_f64(unit)).await;
        is_down.store(true, Ordering::Relaxed);
        sleep(Duration::from_secs(12).mul_f64(unit)).await;
        is_down.store(false, Ordering::Relaxed);
    });
    clients
}

struct Shop {
    habit: Habit,
    key_id: &'static str,
    secrets: MemorySecrets,
    client: Client,
    url: String,
    started: Instant,
    scale: f64,
}

impl Shop {
    fn new(host: &Host, habit: Habit, key_id: &'static str, scale: f64) -> Self {
        let secrets = MemorySecrets::new();
        let secret = match habit {
            Habit::Forges | Habit::Guesses => {
                let text = generate_secret().expect("the system has random numbers");
                Secret::from_text(&text).expect("long enough")
            }
            _ => host.secrets[key_id].clone(),
        };
        secrets.insert(DEFAULT_SECRET_NAME, secret);
        let path = match habit {
            Habit::BeginsToSign => "reports",
            _ => "orders",
        };
        Self {
            habit,
            key_id,
            secrets,
            client: Client::builder().no_proxy().build().expect("a client"),
            url: format!("http://{}/{path}", host.address),
            started: host.started,
            scale,
        }
    }

    async fn run(self, a_second: f64) {
        let mut ticks = interval(Duration::from_secs(1).div_f64(a_second));
        for count in 0.. {
            ticks.tick().await;
            for request in self.requests(count) {
                // What comes of it is in the metrics.
                let _ = self.client.execute(request).await;
            }
        }
    }

    fn requests(&self, count: u64) -> Vec<Request> {
        // More and less, as over a day.
        let second = self.started.elapsed().as_secs_f64() / self.scale;
        let share = 0.75 + 0.25 * (second / 9.0).sin();
        #[expect(clippy::cast_precision_loss, reason = "a minute has few requests")]
        if (count as f64 * 0.618).fract() > share {
            return Vec::new();
        }
        let method = match self.habit {
            Habit::BeginsToSign => Method::GET,
            _ => Method::POST,
        };
        let mut request = Request::new(method, self.url.parse().expect("a URL"));
        if self.is_unsigned(second, count) {
            return vec![request];
        }
        if request.method() == Method::POST {
            *request.body_mut() = Some(format!(r#"{{"order":{count}}}"#).into());
        }
        let key_id = match self.habit {
            Habit::Guesses => format!("shop-{}", 1_000 + count),
            _ => self.key_id.to_owned(),
        };
        let options = SignOptions::new().key_id(key_id);
        sign(&mut request, &self.secrets, &options).expect("signing works");
        match self.habit {
            Habit::IsRewritten if (18.0..30.0).contains(&second) && count % 3 == 0 => {
                *request.body_mut() = Some(format!(r#"{{ "order": {count} }}"#).into());
                vec![request]
            }
            Habit::Repeats if count % 6 == 0 => {
                let again = request.try_clone().expect("its body is in memory");
                vec![request, again]
            }
            _ => vec![request],
        }
    }

    /// Whether the client does not sign this request yet.
    fn is_unsigned(&self, second: f64, count: u64) -> bool {
        let signed_parts = match second {
            ..20.0 => 1,
            20.0..40.0 => 2,
            _ => 4,
        };
        matches!(self.habit, Habit::BeginsToSign) && count % 4 >= signed_parts
    }
}
