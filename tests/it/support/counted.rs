//! What a piece of work counts: one line for each series, by a recorder of its own.

use std::collections::BTreeMap;

use metrics::with_local_recorder;
use metrics_util::{
    CompositeKey,
    debugging::{DebugValue, DebuggingRecorder},
};

/// Series such as `requests_refused_total{kind=stale}`, without `hmac_auth_`, and their values. Of a
/// histogram, the value is the number of its samples.
pub(crate) type Series = BTreeMap<String, u64>;

/// The value of a series, as a recorder has it.
type Recorded = Vec<(CompositeKey, DebugValue)>;

/// Does the work on this thread, in a runtime, and returns all that was recorded.
pub(crate) fn recorded(work: impl Future<Output = ()>) -> Recorded {
    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    with_local_recorder(&recorder, || runtime.block_on(work));
    let snapshot = recorder.snapshotter().snapshot().into_vec();
    snapshot
        .into_iter()
        .map(|(key, _, _, value)| (key, value))
        .collect()
}

/// All series that the work has left.
pub(crate) fn counted(work: impl Future<Output = ()>) -> Series {
    let series = recorded(work).into_iter().map(|(key, value)| {
        let name = key.key().name().strip_prefix("hmac_auth_").unwrap();
        let labels: Vec<String> = key
            .key()
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let labels = match &labels[..] {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let value = match value {
            DebugValue::Counter(count) => count,
            DebugValue::Gauge(value) => value.0 as u64,
            DebugValue::Histogram(samples) => samples.len() as u64,
        };
        (format!("{name}{labels}"), value)
    });
    series.collect()
}

/// As [`counted`], of requests only: how long they took and how full the guard is stand elsewhere.
pub(crate) fn counted_requests(work: impl Future<Output = ()>) -> Series {
    let mut series = counted(work);
    series.retain(|name, _| name.starts_with("requests_"));
    series
}

pub(crate) fn series<const N: usize>(expected: [(&str, u64); N]) -> Series {
    expected
        .map(|(name, count)| (name.to_owned(), count))
        .into()
}
