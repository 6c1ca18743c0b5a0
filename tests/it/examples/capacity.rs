//! The simulation: the guide has what it prints and draws.

use std::fs;

use crate::support::example::{example, text};

const PAGE: &str = include_str!("../../../docs/capacity.md");
const CHART: &str = include_str!("../../../docs/capacity-chart.svg");

#[tokio::test]
async fn the_guide_has_the_table_and_the_chart_of_the_simulation() {
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("chart.svg");
    let output = example("capacity")
        .arg("--chart")
        .arg(&chart)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(
        PAGE.contains(&format!("\n\n{table}\n")),
        "docs/capacity.md does not have this table:\n{table}"
    );
    assert!(
        fs::read_to_string(chart).unwrap() == CHART,
        "the chart is another one: cargo run --example capacity -- --chart docs/capacity-chart.svg"
    );
}

#[tokio::test]
async fn each_default_of_the_simulation_stands_in_the_guide() {
    let output = example("capacity").arg("--help").output().await.unwrap();
    let help = text(&output.stdout);
    let mut checked = 0;
    for row in PAGE.lines().filter(|line| line.starts_with("| `--")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let option = cells[1].trim_matches('`');
        let figure = cells[2].split(' ').next().unwrap().replace(',', "");
        let described = help.split(option).nth(1).unwrap();
        let default = described.split("[default: ").nth(1).unwrap();
        assert!(default.starts_with(&format!("{figure}]")), "{row}");
        checked += 1;
    }
    assert_eq!(checked, 8);
}

#[tokio::test]
async fn more_requests_or_fewer_cores_need_more_hosts() {
    let hosts = async |args: &[&str]| {
        let output = example("capacity").args(args).output().await.unwrap();
        let table = text(&output.stdout);
        let row = table.lines().last().unwrap();
        row.split('|')
            .nth(2)
            .unwrap()
            .trim()
            .parse::<usize>()
            .unwrap()
    };
    let few = hosts(&["--requests", "200000", "--seconds", "130"]).await;
    let more_requests = hosts(&["--requests", "2000000", "--seconds", "130"]).await;
    let fewer_cores = hosts(&["--requests", "200000", "--seconds", "130", "--cores", "1"]).await;
    assert!(few < more_requests && few < fewer_cores);
}
