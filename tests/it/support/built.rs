//! The examples as programs, built before a test runs them.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

/// The program of an example.
///
/// Cargo builds it first, because `cargo test --test NAME` builds no example. A program of an
/// earlier build would be tested instead.
pub(crate) fn built(example: &str) -> PathBuf {
    static PROGRAMS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    programs
        .entry(example.to_owned())
        .or_insert_with(|| build(example))
        .clone()
}

fn build(example: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", example])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--no-default-features", "--features", &features()])
        .args(["--profile", &profile()])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", env!("CARGO")));
    assert!(
        output.status.success(),
        "`cargo build --example {example}` failed: its errors are above"
    );
    let messages = String::from_utf8(output.stdout).unwrap();
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == example)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo did not say where it put the example {example}"))
}

/// Those that a build of this test was asked for. The examples have all others in any case.
fn features() -> String {
    [
        ("aws-lc-rs", cfg!(feature = "aws-lc-rs")),
        ("default", cfg!(feature = "default")),
        ("fips", cfg!(feature = "fips")),
        ("js", cfg!(feature = "js")),
        ("rust-crypto", cfg!(feature = "rust-crypto")),
    ]
    .into_iter()
    .filter_map(|(name, is_on)| is_on.then_some(name))
    .collect::<Vec<_>>()
    .join(",")
}

/// That of this test: its name is that of the directory, but for `dev`.
fn profile() -> String {
    let program = env::current_exe().unwrap();
    let directory = program
        .ancestors()
        .nth(2)
        .and_then(Path::file_name)
        .unwrap();
    match directory.to_str().unwrap() {
        "debug" => "dev".to_owned(),
        name => name.to_owned(),
    }
}
