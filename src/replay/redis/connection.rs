//! The connection of the guard, and what takes its place.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use redis::{Cmd, RedisResult, Value, aio::ConnectionLike};
use tokio::{sync::Semaphore, time::sleep};

/// How long a new connection, or the failure to make one, keeps the next one off.
const PAUSE: Duration = Duration::from_secs(1);

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
    pub(super) fn replace(&self) {
        let Some(connect) = &self.connect else {
            return;
        };
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else {
            return;
        };
        let (connect, current) = (Arc::clone(connect), Arc::clone(&self.ask));
        tokio::spawn(async move {
            if let Ok(ask) = connect().await {
                *current.write().unwrap_or_else(PoisonError::into_inner) = ask;
            }
            sleep(PAUSE).await;
            drop(turn);
        });
    }
}

fn ask_by(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Ask {
    Arc::new(move |command| {
        let mut connection = connection.clone();
        Box::pin(async move { command.query_async(&mut connection).await })
    })
}
