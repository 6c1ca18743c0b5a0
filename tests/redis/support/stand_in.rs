//! A server that answers each `SET … NX` as a test says.

use std::time::Duration;

use hmac_auth::RedisReplayGuard;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::server::guard_at;

/// A guard on a server that gives this answer to each `SET … NX`, or none if it is empty.
pub(crate) async fn guard_with_answer(answer: &str) -> RedisReplayGuard {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "redis://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    let answer = answer.to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, answer.clone()));
        }
    });
    guard_at(&url).await.time_limit(Duration::from_millis(500))
}

async fn serve(mut client: TcpStream, answer: String) {
    let mut bytes = [0; 4_096];
    while let Ok(len @ 1..) = client.read(&mut bytes).await {
        let bytes = &bytes[..len];
        let count = |word: &[u8]| bytes.windows(word.len()).filter(|one| *one == word).count();
        // What the crate `redis` says about itself when it connects.
        let greetings = "+OK\r\n".repeat(count(b"\r\nSETINFO\r\n"));
        let answers = answer.repeat(count(b"\r\nNX\r\n"));
        let answer = greetings + &answers;
        if client.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
