//! The parser of `examples/velo` under Node, and that of this crate: both read the same.
//!
//! The fields have one line here, without space around it: a site gets them so.

use std::{
    cell::RefCell,
    io::{BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind,
    signature::{SIGNATURE_INPUT, SignatureInputs},
};
use http::HeaderMap;
use serde_json::{Value, json};

use super::{content_digest, content_digest::Verdict, field, signature};

/// Compares what both read: the first byte says which field it is.
///
/// # Panics
///
/// If there is a difference, or if Node cannot be started.
pub fn run(data: &[u8]) {
    let Some((reader, text)) = data.split_first() else {
        return;
    };
    let reader = reader % 3;
    let text = match reader {
        0 => [text, b", last.=()"].concat(),
        1 => signature::with_mac(text),
        _ => content_digest::with_digests(text),
    };
    let text = text.trim_ascii();
    if text.contains(&b'\n') || !field::append(&mut HeaderMap::new(), &SIGNATURE_INPUT, text) {
        return;
    }
    let theirs = ask(reader, text);
    match reader {
        0 => compare_inputs(text, &theirs),
        1 => compare_signature(text, &theirs),
        _ => compare_digest(text, &theirs),
    }
}

fn compare_inputs(text: &[u8], theirs: &Value) {
    let mut headers = HeaderMap::new();
    field::append(&mut headers, &SIGNATURE_INPUT, text);
    let inputs: Vec<_> = SignatureInputs::new(&headers).collect();
    let last = inputs.last().and_then(|last| last.as_ref().ok());
    let is_read = last.is_some_and(|input| input.label() == "last.");
    let ours = if is_read {
        inputs
            .iter()
            .map(|input| {
                let input = input.as_ref().ok()?;
                Some(json!([
                    input.label(),
                    // As it is signed.
                    theirs_of(input),
                    input.created(),
                    input.expires(),
                    input.nonce(),
                    input.alg(),
                    input.key_id(),
                    input.tag(),
                ]))
            })
            .collect()
    } else {
        json!({ "kind": "malformed_signature_input" })
    };
    assert_eq!(ours, *theirs);
}

/// The canonical text of a member, as `sfv` writes it.
fn theirs_of(input: &hmac_auth::signature::SignatureInput<'_>) -> String {
    // `Debug` shows it, whatever the components are.
    let shown = format!("{input:?}");
    let quoted = shown.split_once("value: ").expect("the value").1;
    let quoted = quoted.strip_suffix(" }").expect("the end");
    serde_json::from_str(quoted).expect("printable ASCII in quotes")
}

fn compare_signature(text: &[u8], theirs: &Value) {
    let right = STANDARD.decode(signature::with_mac(&[1])).expect("base64");
    let right = json!(right);
    match signature::compare(text) {
        None => assert_eq!(*theirs, right),
        Some(kind) => {
            assert_ne!(*theirs, right, "{kind}");
            if theirs.is_object() {
                assert_eq!(*theirs, json!({ "kind": "malformed_signature" }));
                assert_eq!(kind, AuthErrorKind::MalformedSignature);
            }
        }
    }
}

fn compare_digest(text: &[u8], theirs: &Value) {
    let ours = match content_digest::compare(text) {
        Verdict::Right => json!("right"),
        Verdict::Wrong => json!("wrong"),
        Verdict::Unsupported => json!({ "kind": "unsupported_digest" }),
        Verdict::Malformed => json!({ "kind": "malformed_digest" }),
    };
    assert_eq!(ours, *theirs);
}

/// Node, with the parser.
struct Site {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Site {
    fn start() -> Self {
        // The package is the crate, or that of the targets.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = [".", ".."].map(|up| root.join(up).join("tests/it/velo/fields.mjs"));
        let program = program.iter().find(|path| path.exists());
        let mut process = Command::new("node")
            .arg(program.expect("the program"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self {
            process,
            input,
            output,
        }
    }

    fn ask(&mut self, reader: u8, text: &[u8]) -> Value {
        let len = u32::try_from(text.len()).expect("a field").to_le_bytes();
        let question = [&[reader], &len[..], text].concat();
        self.input.write_all(&question).expect("a running program");
        let mut len = [0; 4];
        self.output.read_exact(&mut len).expect("an answer");
        let mut answer = vec![0; u32::from_le_bytes(len) as usize];
        self.output.read_exact(&mut answer).expect("an answer");
        serde_json::from_slice(&answer).expect("JSON")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn ask(reader: u8, text: &[u8]) -> Value {
    thread_local! {
        static SITE: RefCell<Site> = RefCell::new(Site::start());
    }
    SITE.with_borrow_mut(|site| site.ask(reader, text))
}
