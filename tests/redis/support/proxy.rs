//! A proxy in front of Redis that breaks connections where a test wants it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Passes everything on. Once told so, it passes a `SET` on, takes the answer of Redis, and breaks
/// the connection instead of answering.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    answers_to_lose: Arc<AtomicUsize>,
    /// How many times a `SET` came through.
    sets: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn to(redis: u16) -> Self {
        Self::listening(0, redis).await
    }

    pub(crate) async fn listening(port: u16, redis: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            answers_to_lose: Arc::default(),
            sets: Arc::default(),
        };
        let (lose, sets) = (Arc::clone(&proxy.answers_to_lose), Arc::clone(&proxy.sets));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", redis)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&lose), Arc::clone(&sets)));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn lose_next_answer(&self) {
        self.answers_to_lose.store(1, Ordering::SeqCst);
    }

    pub(crate) fn sets(&self) -> usize {
        self.sets.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    lose: Arc<AtomicUsize>,
    sets: Arc<AtomicUsize>,
) {
    let (mut from_client, mut from_server) = ([0; 4_096], [0; 4_096]);
    let mut loses = false;
    loop {
        tokio::select! {
            Ok(len @ 1..) = client.read(&mut from_client) => {
                let bytes = &from_client[..len];
                if bytes.windows(6).any(|word| word == b"\r\nNX\r\n") {
                    sets.fetch_add(1, Ordering::SeqCst);
                    loses = lose.swap(0, Ordering::SeqCst) > 0;
                }
                server.write_all(bytes).await.unwrap();
            }
            Ok(len @ 1..) = server.read(&mut from_server) => {
                // Redis has done it, and the host never learns that.
                if loses || client.write_all(&from_server[..len]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}
