//! The dashboard of a run: six panels as an SVG for the guide.
//!
//! The file is one block of HTML without blank lines, so that rustdoc puts it into the page as it is.
//! Texts and axes have `currentColor`, and the lines have colours that show on white and on dark grey.

use std::{collections::BTreeSet, fmt::Write};

use crate::scrape::Scrape;

const WIDTH: f64 = 720.0;
const PANEL_WIDTH: f64 = 345.0;
const PANEL_HEIGHT: f64 = 205.0;
const PLOT_LEFT: f64 = 42.0;
const PLOT_TOP: f64 = 60.0;
const PLOT_WIDTH: f64 = PANEL_WIDTH - PLOT_LEFT - 8.0;
const PLOT_HEIGHT: f64 = 112.0;
/// A rate is that of so many readings.
const WINDOW: usize = 4;

const COLOURS: [&str; 6] = [
    "#2f8fbf", "#d9822b", "#3a9e5f", "#c8504d", "#9471c4", "#8a8a8a",
];

/// The points of one line: seconds, and values in the unit of its panel.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

pub(crate) fn draw(scrapes: &[Scrape]) -> String {
    let consumers = rates(scrapes, "requests_validated_total", "consumer");
    let kinds = rates(scrapes, "requests_refused_total", "kind");
    let observed = rates(scrapes, "requests_would_be_refused_total", "kind");
    let sources = rates(scrapes, "directory_cache_answers_total", "source");
    let panels = [
        ("validated, by consumer (1/s)", consumers),
        ("refused, by kind (1/s)", kinds),
        ("validation time (µs)", times(scrapes)),
        ("replay guard, share of its capacity (%)", fill(scrapes)),
        ("would be refused, by kind (1/s)", observed),
        ("answers of the directory's cache, by source (1/s)", sources),
    ];
    let end = scrapes.last().map_or(1.0, |last| last.at.as_secs_f64());
    let mut svg = String::new();
    let rows = panels.len().div_ceil(2);
    #[expect(clippy::cast_precision_loss, reason = "a few panels")]
    for (index, (title, lines)) in panels.iter().enumerate() {
        let x = (index % 2) as f64 * (WIDTH - PANEL_WIDTH);
        let y = (index / 2) as f64 * PANEL_HEIGHT;
        panel(&mut svg, (x, y), title, lines, end);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few rows")]
    let height = rows as f64 * PANEL_HEIGHT;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" \
         style=\"max-width:{WIDTH}px\" font-family=\"sans-serif\" font-size=\"11\" \
         fill=\"currentColor\" role=\"img\" aria-label=\"A dashboard of the metrics\">\n\
         <title>The metrics of a host during a minute</title>\n{svg}</svg>\n"
    )
}

/// How many a second, by a label. A series that stays at zero has no line.
fn rates(scrapes: &[Scrape], name: &str, label: &str) -> Vec<Line> {
    let by_label: Vec<_> = scrapes
        .iter()
        .map(|scrape| scrape.by_label(name, label))
        .collect();
    let values: BTreeSet<&String> = by_label
        .iter()
        .flat_map(|sums| sums.iter().filter(|(_, sum)| **sum > 0.0))
        .map(|(value, _)| value)
        .collect();
    let line = |value: &String| Line {
        name: value.clone(),
        points: windows(scrapes)
            .map(|(from, to)| {
                let at = |index: usize| by_label[index].get(value).copied().unwrap_or(0.0);
                (
                    seconds(scrapes, to),
                    (at(to) - at(from)) / passed(scrapes, from, to),
                )
            })
            .collect(),
    };
    values.into_iter().map(line).collect()
}

/// The quantiles of the validation time, as Prometheus estimates them from the buckets.
fn times(scrapes: &[Scrape]) -> Vec<Line> {
    let quantile = |share: f64| {
        let points = windows(scrapes).filter_map(|(from, to)| {
            let of = |index: usize| scrapes[index].by_label("validation_seconds_bucket", "le");
            let (before, after) = (of(from), of(to));
            let mut buckets: Vec<(f64, f64)> = after
                .iter()
                .map(|(le, count)| {
                    let before = before.get(le).copied().unwrap_or(0.0);
                    (le.parse().unwrap_or(f64::INFINITY), count - before)
                })
                .collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            Some((seconds(scrapes, to), estimate(&buckets, share)? * 1e6))
        });
        Line {
            name: format!("p{:.0}", share * 100.0),
            points: points.collect(),
        }
    };
    vec![quantile(0.5), quantile(0.9)]
}

fn estimate(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let rank = buckets.last()?.1 * share;
    let (mut below, mut count_below) = (0.0, 0.0);
    for (le, count) in buckets {
        if *count >= rank && *count > count_below && le.is_finite() {
            return Some(below + (le - below) * (rank - count_below) / (count - count_below));
        }
        (below, count_below) = (*le, *count);
    }
    None
}

fn fill(scrapes: &[Scrape]) -> Vec<Line> {
    let share = |scrape: &Scrape| {
        let capacity = scrape.sum("replay_guard_capacity");
        (capacity > 0.0).then(|| 100.0 * scrape.sum("replay_guard_signatures") / capacity)
    };
    let points = scrapes
        .iter()
        .filter_map(|scrape| Some((scrape.at.as_secs_f64(), share(scrape)?)));
    vec![Line {
        name: "guard".to_owned(),
        points: points.collect(),
    }]
}

/// The first and the last reading of each window.
fn windows(scrapes: &[Scrape]) -> impl Iterator<Item = (usize, usize)> {
    (WINDOW..scrapes.len()).map(|to| (to - WINDOW, to))
}

fn seconds(scrapes: &[Scrape], index: usize) -> f64 {
    scrapes[index].at.as_secs_f64()
}

fn passed(scrapes: &[Scrape], from: usize, to: usize) -> f64 {
    seconds(scrapes, to) - seconds(scrapes, from)
}

fn panel(svg: &mut String, (x, y): (f64, f64), title: &str, lines: &[Line], end: f64) {
    let largest = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|(_, value)| *value)
        .fold(0.0, f64::max);
    let top = round_up(largest);
    let _ = writeln!(svg, "<g transform=\"translate({x:.0} {y:.0})\">");
    text(svg, (0.0, 12.0), "font-weight=\"bold\"", title);
    let (mut left, mut y) = (0.0, 22.0);
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        #[expect(clippy::cast_precision_loss, reason = "a short name")]
        let width = 22.0 + line.name.len() as f64 * 5.2;
        if left + width > PANEL_WIDTH {
            (left, y) = (0.0, y + 14.0);
        }
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.0}\" y=\"{y:.0}\" width=\"9\" height=\"9\" fill=\"{colour}\"/>"
        );
        let place = (left + 12.0, y + 9.0);
        text(svg, place, "font-size=\"10\"", &line.name);
        left += width;
    }
    for share in [0.0, 0.5, 1.0] {
        let height = PLOT_TOP + PLOT_HEIGHT * (1.0 - share);
        let _ = writeln!(
            svg,
            "<path d=\"M{PLOT_LEFT} {height:.1}h{PLOT_WIDTH}\" stroke=\"currentColor\" \
             stroke-opacity=\"0.2\"/>"
        );
        let place = (PLOT_LEFT - 5.0, height + 4.0);
        text(
            svg,
            place,
            "text-anchor=\"end\"",
            &(top * share).to_string(),
        );
    }
    for share in [0.0, 0.5, 1.0] {
        let place = (
            PLOT_LEFT + PLOT_WIDTH * share,
            PLOT_TOP + PLOT_HEIGHT + 15.0,
        );
        let anchor = match share {
            0.0 => "text-anchor=\"start\"",
            1.0 => "text-anchor=\"end\"",
            _ => "text-anchor=\"middle\"",
        };
        text(svg, place, anchor, &format!("{:.0} s", end * share));
    }
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let mut points = String::new();
        for (second, value) in &line.points {
            let x = PLOT_LEFT + PLOT_WIDTH * second / end;
            let y = PLOT_TOP + PLOT_HEIGHT * (1.0 - value / top);
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>",
            points.trim_end()
        );
    }
    svg.push_str("</g>\n");
}

fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{text}</text>"
    );
}

/// The next number of the form 1, 2, 4, 6 or 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(0.1).log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    let step = steps.iter().find(|step| *step * power >= value);
    step.copied().unwrap_or(10.0) * power
}
