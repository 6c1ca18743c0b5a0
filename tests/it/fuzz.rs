//! The fuzz targets of `fuzz/`, over the inputs that are committed there: the corpus, and all that
//! ever found something.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use crate::support::node::node;

pub(crate) mod app_instance;
pub(crate) mod choices;
pub(crate) mod content_digest;
pub(crate) mod field;
pub(crate) mod host;
pub(crate) mod json;
pub(crate) mod mutate;
pub(crate) mod signature;
pub(crate) mod signature_input;
pub(crate) mod validate;
pub(crate) mod velo;
pub(crate) mod wix_answers;

#[test]
fn app_instance_over_the_corpus() {
    replay("app_instance", app_instance::run);
}

#[test]
fn content_digest_over_the_corpus() {
    replay("content_digest", content_digest::run);
}

#[test]
fn mutate_over_the_corpus() {
    replay("mutate", mutate::run);
}

#[test]
fn signature_over_the_corpus() {
    replay("signature", signature::run);
}

#[test]
fn signature_input_over_the_corpus() {
    replay("signature_input", signature_input::run);
}

#[test]
fn validate_over_the_corpus() {
    replay("validate", validate::run);
}

#[test]
fn velo_over_the_corpus() {
    if node().is_some() {
        replay("velo", velo::run);
    }
}

#[test]
fn wix_answers_over_the_corpus() {
    replay("wix_answers", wix_answers::run);
}

fn replay(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !root.exists() {
        // The package that is published has no `fuzz`.
        return;
    }
    let corpus = files(&root.join("corpus").join(target));
    assert!(!corpus.is_empty(), "no corpus");
    let found = files(&root.join("found").join(target));
    println!(
        "{} inputs, {} of which found something",
        corpus.len() + found.len(),
        found.len()
    );
    for file in corpus.iter().chain(&found) {
        let data = fs::read(file).expect("a file");
        let result = panic::catch_unwind(AssertUnwindSafe(|| run(&data)));
        assert!(
            result.is_ok(),
            "after {}: {}",
            file.display(),
            data.escape_ascii()
        );
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}
