//! Instructions, counted by running this program again under callgrind.

use std::{env, fs, path::Path, process::Command};

/// The counts of the first `runs` runs of `function`, such as `instructions::measured_run`, when this program is given `--measured`.
pub(crate) fn count(function: &str, runs: usize) -> Vec<f64> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(function.replace("::", "-"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("the directory of cargo for such files");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .args([
            format!("--toggle-collect={function}"),
            format!("--dump-after={function}"),
        ])
        .arg(format!(
            "--callgrind-out-file={}",
            directory.join("counts").display()
        ))
        .arg(env::current_exe().expect("the path of this program"))
        .arg("--measured")
        .output()
        .expect("valgrind");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let count = |run: usize| {
        let counts = fs::read_to_string(directory.join(format!("counts.{run}")))
            .expect("a file for each run");
        let total = counts
            .lines()
            .find_map(|line| line.strip_prefix("totals: "))
            .expect("a total");
        total.parse().expect("one number")
    };
    (1..=runs).map(count).collect()
}
