//! A directory of consumers that counts the questions, and answers at once or later.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    task::Poll,
};

use hmac_auth::{
    AuthError, AuthErrorKind, Consumer, ConsumerDirectory, FindConsumer, Secret, SecretSet,
};

use crate::support::{request, secret};

/// A tenant of the application, attached to a consumer.
#[derive(Debug, PartialEq)]
pub(crate) struct Tenant(pub(crate) u32);

/// Knows `site-a`, who has the secret of most tests; `site-b`, who has two secrets; `gone`, who was
/// revoked; and `down`, for whom it cannot answer.
#[derive(Default)]
pub(crate) struct TestDirectory {
    added: Mutex<HashMap<String, Consumer>>,
    /// How often an answer is not there yet.
    pub(crate) waits: usize,
    pub(crate) asked: AtomicUsize,
}

impl TestDirectory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn waiting(waits: usize) -> Arc<Self> {
        Arc::new(Self {
            waits,
            ..Self::default()
        })
    }

    pub(crate) fn insert(&self, key_id: &str, consumer: Consumer) {
        self.added
            .lock()
            .unwrap()
            .insert(key_id.to_owned(), consumer);
    }

    /// How often it was asked since the last call.
    pub(crate) fn take_asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }

    fn answer(&self, key_id: &str) -> Result<Option<Consumer>, AuthError> {
        Ok(Some(match key_id {
            "site-a" => Consumer::new("Shop A", request::secret()).attach(Arc::new(Tenant(7))),
            "site-b" => {
                let [new, old]: [Secret; 2] = [secret::NEW, secret::OLD].map(secret::secret);
                Consumer::new("Shop B", SecretSet::with_previous(new, [old]).unwrap())
            }
            "gone" => return Err(AuthErrorKind::Revoked.into()),
            "down" => return Err(AuthError::directory_unavailable("no route to the database")),
            _ => return Ok(self.added.lock().unwrap().get(key_id).cloned()),
        }))
    }
}

impl ConsumerDirectory for TestDirectory {
    fn find(&self, key_id: &str) -> FindConsumer {
        assert!(key_id.len() <= hmac_auth::MAX_DIRECTORY_KEY_ID_LEN);
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut answer = Some(self.answer(key_id));
        let mut waits = self.waits;
        if waits == 0 {
            return FindConsumer::ready(answer.take().unwrap());
        }
        FindConsumer::pending(poll_fn(move |cx| {
            if waits > 0 {
                waits -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(answer.take().expect("polled after it was ready"))
        }))
    }
}

/// A directory that is slow, and a clock that goes on meanwhile.
pub(crate) struct SlowDirectory {
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) seconds: i64,
}

impl ConsumerDirectory for SlowDirectory {
    fn find(&self, _: &str) -> FindConsumer {
        let (now, seconds) = (Arc::clone(&self.now), self.seconds);
        FindConsumer::pending(async move {
            now.fetch_add(seconds, Ordering::Relaxed);
            Ok(Some(Consumer::new("Shop A", request::secret())))
        })
    }
}
