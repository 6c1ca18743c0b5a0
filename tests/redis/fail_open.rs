//! Each request that is accepted without asking Redis leaves a trace.

use std::time::Duration;

use hmac_auth::{AuthErrorKind as Kind, DEFAULT_SECRET_NAME};
use tokio::time::sleep;

use crate::support::{
    log::Log,
    proof::{NOW, claim, new_proof, refusal, time},
    stand_in::guard_with_answer,
};

const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

#[tokio::test]
async fn each_one_is_an_event_that_says_why() {
    let (log, _guard) = Log::start();
    let open = guard_with_answer(FULL)
        .await
        .accept_replays_while_redis_is_down();
    for _ in 0..3 {
        claim(&open, &new_proof()).await.unwrap();
    }
    let log = log.text();
    let events: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(events.len(), 3, "{log}");
    for event in events {
        for part in [
            "may be a replay",
            &format!("consumer={DEFAULT_SECRET_NAME:?}"),
            "Redis has no memory left (OOM)",
        ] {
            assert!(event.contains(part), "{part} is not in: {event}");
        }
    }
}

/// The operator has spoken while the request waited: it was not accepted.
#[tokio::test]
async fn a_distrusted_request_is_no_such_event() {
    let (log, _guard) = Log::start();
    let open = guard_with_answer("")
        .await
        .accept_replays_while_redis_is_down();
    let operator = open.clone();
    let waiting = tokio::spawn(async move { refusal(&open, &new_proof()).await });
    sleep(Duration::from_millis(100)).await;
    operator.distrust_before(time(NOW + 1));
    assert_eq!(waiting.await.unwrap(), Kind::BeforeGuardStart);
    let log = log.text();
    assert!(!log.contains("may be a replay"), "{log}");
}

#[cfg(feature = "metrics")]
#[test]
fn each_one_counts_by_its_reason() {
    use hmac_auth::RedisReplayGuard;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};
    use redis::ErrorKind;

    use crate::support::failing::Failing;

    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            for (answer, times) in [
                (FULL, 3),
                ("", 1),
                (
                    "-READONLY You can't write against a read only replica.\r\n",
                    1,
                ),
                ("-LOADING Redis is loading the dataset in memory\r\n", 1),
                ("-MISCONF Errors writing to the AOF file\r\n", 1),
            ] {
                let closed = guard_with_answer(answer).await;
                let open = closed.clone().accept_replays_while_redis_is_down();
                for _ in 0..times {
                    claim(&open, &new_proof()).await.unwrap();
                }
                // What is refused counts as a refusal, in the layer.
                claim(&closed, &new_proof()).await.unwrap_err();
            }
            let broken = RedisReplayGuard::new(Failing((ErrorKind::Io, "broken").into()));
            let open = broken.accept_replays_while_redis_is_down();
            claim(&open, &new_proof()).await.unwrap();
        });
    });
    let snapshot = recorder.snapshotter().snapshot().into_vec();
    let mut counted: Vec<_> = snapshot
        .iter()
        .map(|(key, _, _, value)| {
            assert_eq!(key.key().name(), "hmac_auth_replay_guard_unchecked_total");
            let labels: Vec<_> = key.key().labels().collect();
            let [reason] = labels.as_slice() else {
                panic!("{labels:?}");
            };
            assert_eq!(reason.key(), "reason");
            let DebugValue::Counter(count) = value else {
                panic!("{value:?}");
            };
            (reason.value(), *count)
        })
        .collect();
    counted.sort_unstable();
    assert_eq!(
        counted,
        [
            ("connection", 1),
            ("full", 3),
            ("late", 1),
            ("loading", 1),
            ("read_only", 1),
            ("stopped", 1),
        ]
    );
}
