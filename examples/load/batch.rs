//! Many requests at once: signed and written beforehand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use hmac_auth::{MemorySecrets, SignOptions, sign_request};
use http::Request;

use crate::{
    client::{Answer, Connection, sign_options, wire},
    host::{AUTHORITY, secrets},
};

/// As many signed requests as asked for, each another.
pub(crate) fn signed_posts(path: &str, body: &Bytes, count: usize) -> Vec<Vec<u8>> {
    let (secrets, options) = (secrets(), sign_options());
    let one = |_| signed_post(path, body, &secrets, &options);
    (0..count).map(one).collect()
}

pub(crate) fn signed_post(
    path: &str,
    body: &Bytes,
    secrets: &MemorySecrets,
    options: &SignOptions,
) -> Vec<u8> {
    let mut request = Request::post(format!("https://{AUTHORITY}{path}"))
        .header("content-type", "application/json")
        .body(body.clone())
        .expect("a valid request");
    sign_request(&mut request, secrets, options).expect("signing works");
    wire(&request)
}

/// What became of a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) status: u16,
    /// The latency.
    pub(crate) micros: f64,
}

/// Sends each request once, over all connections as fast as they go. The results are in the order of the requests.
pub(crate) async fn send_all(
    connections: &mut Vec<Connection>,
    requests: &Arc<Vec<Vec<u8>>>,
) -> Vec<Sent> {
    let next = Arc::new(AtomicUsize::new(0));
    let run = |mut connection: Connection| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move {
            let mut sent = Vec::with_capacity(requests.len());
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(index) else {
                    return (connection, sent);
                };
                let start = Instant::now();
                let answer = connection.call(request).await;
                let Answer { status, .. } = answer.expect("the host answers");
                let micros = start.elapsed().as_secs_f64() * 1e6;
                sent.push((index, Sent { status, micros }));
            }
        })
    };
    let tasks: Vec<_> = connections.drain(..).map(run).collect();
    let mut all = vec![Sent::default(); requests.len()];
    for task in tasks {
        let (connection, sent) = task.await.expect("no panic");
        connections.push(connection);
        for (index, sent) in sent {
            all[index] = sent;
        }
    }
    all
}
