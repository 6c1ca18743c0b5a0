//! The descriptions, and the page of the guide: both name each metric.

use std::collections::BTreeSet;

use hmac_auth::{AuthErrorKind, describe_metrics};
use metrics::with_local_recorder;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::support::counted::counted;

const PAGE: &str = include_str!("../../../../docs/metrics.md");

/// The names in the text that metrics of this crate can have.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("hmac_auth_"))
        .collect()
}

/// As the exporter of Prometheus lists them.
fn described() -> BTreeSet<String> {
    let recorder = PrometheusBuilder::new().build_recorder();
    // Only what was recorded is shown with its description.
    let rendered = with_local_recorder(&recorder, || {
        describe_metrics();
        for name in names(PAGE) {
            match name.ends_with("_total") {
                true => metrics::counter!(name.to_owned()).increment(1),
                false if name.ends_with("_seconds") => {
                    metrics::histogram!(name.to_owned()).record(1.0);
                }
                false => metrics::gauge!(name.to_owned()).set(1.0),
            }
        }
        recorder.handle().render()
    });
    let help = rendered
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP "));
    help.map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_page_names_each_metric_and_no_other() {
    let rows = PAGE
        .lines()
        .filter(|line| line.starts_with("| `hmac_auth_"));
    let table: BTreeSet<String> = rows
        .map(|row| names(row).into_iter().next().unwrap().to_owned())
        .collect();
    assert_eq!(table.len(), 19);
    assert_eq!(described(), table);
    // The alerts and the text use those names, with the endings of a histogram.
    for name in names(PAGE) {
        let name = name.strip_suffix("_count").unwrap_or(name);
        assert!(table.contains(name), "{name}");
    }
}

#[test]
fn refusals_begin_at_zero() {
    let counted = counted(async { describe_metrics() });
    assert_eq!(counted.len(), AuthErrorKind::ALL.len());
    for kind in AuthErrorKind::ALL {
        let name = format!("requests_refused_total{{kind={kind}}}");
        assert_eq!(counted.get(&name), Some(&0));
    }
}
