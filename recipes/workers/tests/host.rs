//! The module in Node, under the attacks that its server lets through: the web knows no GET with a
//! body, and resolves dots.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use check::Host;
use http::Method;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";

#[test]
fn only_valid_requests_get_through() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--lib", "--package", "recipe-workers", "--target", TARGET])
        .arg("--target-dir")
        .arg(folder)
        .stdin(Stdio::null())
        .status();
    assert!(built.unwrap().success());
    let module = folder.join(TARGET).join("debug/recipe_workers.wasm");
    let javascript = folder.join("javascript");
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).nodejs(true).unwrap().typescript(false);
    bindgen.generate(&javascript).unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(javascript.join("recipe_workers.js"));
    let host = Host::run(&mut node);
    check::attacks_on_routes(&host);
    let unknown = check::unsigned(Method::GET, "/unknown", b"");
    assert_eq!(host.send(&unknown).body, check::REFUSED);
}
