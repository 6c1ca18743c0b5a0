//! A connection that notes each command, and says that it was executed.

use std::sync::{Arc, Mutex};

use redis::{Arg, Cmd, Pipeline, RedisFuture, Value, aio::ConnectionLike};

#[derive(Clone, Default)]
pub(crate) struct Recording(Arc<Mutex<Vec<Vec<String>>>>);

impl Recording {
    /// The words of the only command since the last call.
    pub(crate) fn command(&self) -> Vec<String> {
        let mut commands = self.0.lock().unwrap();
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
    }
}

impl ConnectionLike for Recording {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let words = command.args_iter().map(|word| match word {
            Arg::Simple(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => unreachable!("each word is there"),
        });
        self.0.lock().unwrap().push(words.collect());
        Box::pin(async { Ok(Value::Okay) })
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
