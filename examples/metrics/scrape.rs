//! The metrics as Prometheus reads them.

use std::{collections::BTreeMap, time::Duration};

use crate::host::Host;

/// One reading of the endpoint.
pub(crate) struct Scrape {
    /// Since the start.
    pub(crate) at: Duration,
    /// The text before the value of each series, and the value.
    series: Vec<(String, f64)>,
}

impl Scrape {
    pub(crate) async fn read(host: &Host) -> Result<Self, reqwest::Error> {
        let url = format!("http://{}/metrics", host.address);
        let text = reqwest::Client::builder()
            .no_proxy()
            .build()?
            .get(url)
            .send()
            .await?
            .text()
            .await?;
        let series = text.lines().filter_map(|line| {
            let (series, value) = line.strip_prefix("hmac_auth_")?.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Ok(Self {
            at: host.started.elapsed(),
            series: series.collect(),
        })
    }

    /// The sum of a metric over all its labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|(_, value)| value).sum()
    }

    /// The sums of a metric by one label.
    pub(crate) fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (labels, value) in self.of(name) {
            if let Some(of_label) = value_of(labels, label) {
                *sums.entry(of_label.to_owned()).or_default() += value;
            }
        }
        sums
    }

    /// The labels and the value of each series of a metric.
    fn of(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.series.iter().filter_map(move |(series, value)| {
            let (of, labels) = series.split_once('{').unwrap_or((series, ""));
            (of == name).then_some((labels, *value))
        })
    }
}

fn value_of<'a>(labels: &'a str, label: &str) -> Option<&'a str> {
    let mut pairs = labels.trim_end_matches('}').split("\",");
    pairs.find_map(|pair| {
        Some(
            pair.strip_prefix(label)?
                .strip_prefix("=\"")?
                .trim_end_matches('"'),
        )
    })
}
