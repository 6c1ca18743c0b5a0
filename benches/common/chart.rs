//! The chart of a comparison: one horizontal bar for each contender, as an SVG for the guide.
//!
//! The file is one block of HTML without blank lines, so that rustdoc puts it into the page as it
//! is. Text and bars have `currentColor`, so that they follow the light and the dark theme.

use std::fmt::Write;

use crate::{contenders::Contender, table::Row};

const WIDTH: f64 = 720.0;
const LINE: f64 = 19.0;
const BAR: f64 = 13.0;
/// Room between two rows of the table, with the heading of the second one.
const HEADING: f64 = 34.0;
/// Where the bars begin; the names stand left of it.
const BARS_LEFT: f64 = 150.0;
/// Room for a number at the right of the longest bar.
const BARS_RIGHT: f64 = WIDTH - 80.0;

/// The rows with the short messages. With long bodies all contenders cost what hashing costs.
pub(crate) fn draw(rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .filter(|row| row.message.body.len() <= 1 << 10)
        .collect();
    let costs = rows.iter().flat_map(|row| &row.costs);
    let largest = costs.map(|(_, cost)| *cost).fold(1.0, f64::max);

    let mut bars = String::new();
    let mut y = 0.0;
    for row in rows {
        y += HEADING;
        let heading = y - 12.0;
        text(
            &mut bars,
            (0.0, heading),
            r#"font-weight="bold""#,
            &format!("{} {}", row.operation, row.message.name),
        );
        for (contender, cost) in &row.costs {
            bar(&mut bars, y, *contender, *cost, cost / largest);
            y += LINE;
        }
    }
    let height = y + 4.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"100%\" style=\"max-width:{WIDTH}px\" font-family=\"sans-serif\" font-size=\"13\" \
         fill=\"currentColor\" role=\"img\" aria-label=\"Instructions for one request\">\n\
         <title>Instructions for one request, without SHA instructions; shorter is better</title>\n\
         {bars}</svg>\n"
    )
}

fn bar(svg: &mut String, y: f64, contender: Contender, cost: f64, share: f64) {
    let (name, fill, weight) = match contender {
        // Readable on white and on the dark grey of rustdoc.
        Contender::Ours => ("hmac-auth", r##"fill="#2f8fbf""##, r#" font-weight="bold""#),
        Contender::Floor => ("bare hashing", r#"fill-opacity="0.25""#, ""),
        _ => (contender.name(), r#"fill-opacity="0.5""#, ""),
    };
    let width = (BARS_RIGHT - BARS_LEFT) * share;
    let baseline = y + BAR - 2.5;
    text(
        svg,
        (BARS_LEFT - 8.0, baseline),
        &format!(r#"text-anchor="end"{weight}"#),
        name,
    );
    let _ = writeln!(
        svg,
        "<rect x=\"{BARS_LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" {fill}/>",
    );
    let number = (BARS_LEFT + width + 6.0, baseline);
    text(svg, number, weight.trim_start(), &thousands(cost));
}

fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{text}</text>"
    );
}

/// Such as `20,154`.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
