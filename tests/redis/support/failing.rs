//! A connection that only fails.

use redis::{Cmd, Pipeline, RedisError, RedisFuture, Value, aio::ConnectionLike};

#[derive(Clone)]
pub(crate) struct Failing(pub(crate) RedisError);

impl ConnectionLike for Failing {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        let error = self.0.clone();
        Box::pin(async { Err(error) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        unreachable!("one request is one command")
    }

    fn get_db(&self) -> i64 {
        0
    }
}
