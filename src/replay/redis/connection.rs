//! The connection of the guard, and what takes its place.

use std::{
    fmt::Display,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use redis::{Cmd, RedisResult, Value, aio::ConnectionLike};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::trouble::Trouble;

/// How long a new connection, or the failure to make one, keeps the next one off.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a try to connect may take: a manager gives up much earlier. While one hangs, there is
/// no other.
const LONGEST_TRY: Duration = Duration::from_secs(30);

pub(super) type Reply = Pin<Box<dyn Future<Output = RedisResult<Value>> + Send>>;

type Ask = Arc<dyn Fn(Cmd) -> Reply + Send + Sync>;

type Connecting = Pin<Box<dyn Future<Output = RedisResult<Ask>> + Send>>;

/// A clone is the same connection.
#[derive(Clone)]
pub(super) struct Connection {
    ask: Arc<RwLock<Ask>>,
    connect: Option<Arc<dyn Fn() -> Connecting + Send + Sync>>,
    /// There is one: whoever makes a connection has it.
    turn: Arc<Semaphore>,
}

impl Connection {
    pub(super) fn new(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Self {
        Self {
            ask: Arc::new(RwLock::new(ask_by(connection))),
            connect: None,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    pub(super) fn connect_again<C, F>(
        mut self,
        connect: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
        F: Future<Output = RedisResult<C>> + Send + 'static,
    {
        self.connect = Some(Arc::new(move || -> Connecting {
            let connecting = connect();
            Box::pin(async move { connecting.await.map(ask_by) })
        }));
        self
    }

    pub(super) fn ask(&self, command: Cmd) -> Reply {
        let ask = Arc::clone(&self.ask.read().unwrap_or_else(PoisonError::into_inner));
        ask(command)
    }

    /// Makes another connection in the background, unless that was just done.
    pub(super) fn replace(&self, key_prefix: &Arc<str>) {
        let Some(connect) = &self.connect else {
            return;
        };
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else {
            return;
        };
        let (connect, current) = (Arc::clone(connect), Arc::clone(&self.ask));
        let key_prefix = Arc::clone(key_prefix);
        tokio::spawn(async move {
            match timeout(LONGEST_TRY, connect()).await {
                Ok(Ok(ask)) => {
                    *current.write().unwrap_or_else(PoisonError::into_inner) = ask;
                }
                // The present connection goes on to say why it gave up: an outage instead would be
                // accepted by a guard that accepts those.
                Ok(Err(error)) => report(Trouble::of(&error, &key_prefix)),
                Err(_) => report(format_args!("it has not ended within {LONGEST_TRY:?}")),
            }
            sleep(PAUSE).await;
            drop(turn);
        });
    }
}

/// Says why there is no other connection.
fn report(reason: impl Display) {
    tracing::warn!(
        target: "hmac_auth",
        %reason,
        "Redis refuses the connection of the replay guard, and `connect_again` has made no other"
    );
}

fn ask_by(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Ask {
    Arc::new(move |command| {
        let mut connection = connection.clone();
        Box::pin(async move { command.query_async(&mut connection).await })
    })
}
