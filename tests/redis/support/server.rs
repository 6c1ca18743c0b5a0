//! A server of Redis for one test, on a port of its own.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use hmac_auth::RedisReplayGuard;
use redis::{
    Client, FromRedisValue, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    options: Vec<String>,
    directory: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With further options, such as `--maxmemory 1mb`.
    pub(crate) async fn start_with(options: &str) -> Self {
        Self::start_on(free_port(), options).await
    }

    pub(crate) async fn start_on(port: u16, options: &str) -> Self {
        let options: Vec<_> = options.split_whitespace().map(str::to_owned).collect();
        let directory = TempDir::new().unwrap();
        let child = spawn(port, &directory, &options);
        let server = Self {
            child,
            port,
            options,
            directory,
        };
        server.wait_until_ready().await;
        server
    }

    /// Ends it at once, as a lost machine does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, on the same port and files.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.directory, &self.options);
        self.wait_until_ready().await;
    }

    async fn wait_until_ready(&self) {
        let limit = Instant::now() + Duration::from_secs(10);
        while self.try_ask::<String>(&["PING"]).await.is_err() {
            assert!(Instant::now() < limit, "redis-server does not answer");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// What an operator asks it, such as `["CONFIG", "SET", …]`.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).await.unwrap()
    }

    async fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let client = Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await
    }

    /// A guard with a connection of its own: another host.
    pub(crate) async fn guard(&self) -> RedisReplayGuard {
        guard_at(&self.url()).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Long, because these tests run on busy machines.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(5);

pub(crate) async fn guard_at(url: &str) -> RedisReplayGuard {
    RedisReplayGuard::new(connect(url).await).time_limit(TIME_LIMIT)
}

pub(crate) async fn connect(url: &str) -> ConnectionManager {
    try_connect(url.to_owned()).await.unwrap()
}

pub(crate) async fn try_connect(url: String) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_max_delay(Duration::from_millis(200))
        .set_response_timeout(None);
    ConnectionManager::new_with_config(Client::open(url)?, config).await
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(port: u16, directory: &TempDir, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--port"])
        .arg(port.to_string())
        .arg("--dir")
        .arg(directory.path())
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need Redis: apt-get install redis-server")
}
