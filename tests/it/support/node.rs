//! `examples/velo` under Node: a worker that does what it is told, and a whole site.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use hmac_auth::DEFAULT_SECRET_NAME;
use serde_json::{Value, json};

use crate::support::{
    message::request_json,
    request::{NOW, SECRET, TestRequest},
};

/// `examples/velo` in Node, which does what it is told.
pub(crate) struct Worker {
    pub(crate) process: Child,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start() -> Option<Self> {
        node().map(|node| Self::of(&node, "www.example.com"))
    }

    /// On a site with another domain.
    pub(crate) fn of(node: &Node, site: &str) -> Self {
        let mut process = node
            .run("worker.mjs")
            .arg(site)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (
            process.stdin.take().unwrap(),
            BufReader::new(process.stdout.take().unwrap()),
        );
        Self {
            process,
            stdin,
            stdout,
        }
    }

    pub(crate) fn call(&mut self, call: impl Into<Value>) -> Value {
        let call = call.into();
        writeln!(self.stdin, "{call}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error} in {line:?} after {call}"))
    }

    pub(crate) fn ok(&mut self, call: impl Into<Value>) -> Value {
        let call = call.into();
        let mut answer = self.call(call.clone());
        assert!(answer.get("ok").is_some(), "{answer} after {call}");
        answer["ok"].take()
    }

    pub(crate) fn validate(&mut self, request: &TestRequest, options: impl Into<Value>) -> Value {
        self.call(json!({ "operation": "validate", "now": NOW, "request": request_json(request), "options": options.into() }))
    }

    pub(crate) fn accepts(&mut self, request: &TestRequest) {
        assert_eq!(self.validate(request, json!({})), json!({ "ok": true }));
    }

    /// The error; it has a kind, so it is a refusal and not a crash.
    pub(crate) fn refuses(&mut self, request: &TestRequest, options: impl Into<Value>) -> Value {
        let mut answer = self.validate(request, options);
        assert_eq!(
            answer["error"]["name"], "AuthError",
            "{answer} after {request:?}"
        );
        answer["error"].take()
    }

    pub(crate) fn verdict(&mut self, request: &TestRequest) -> String {
        let answer = self.validate(request, json!({ "onceOnly": "neverUsed" }));
        if answer == json!({ "ok": true }) {
            return "accepted".to_owned();
        }
        answer["error"]["kind"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Wix site with `examples/velo/http-functions.js`.
pub(crate) struct Site {
    pub(crate) process: Child,
    pub(crate) url: String,
}

impl Site {
    pub(crate) fn start() -> Option<Self> {
        let mut process = node()?
            .run("server.mjs")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            panic!(
                "the site did not start: {}",
                String::from_utf8_lossy(&process.wait_with_output().unwrap().stderr)
            );
        };
        Some(Self {
            process,
            url: url.to_owned(),
        })
    }

    /// What it has told its operator.
    pub(crate) fn stop(mut self) -> String {
        self.process.kill().unwrap();
        String::from_utf8(self.process.wait_with_output().unwrap().stderr).unwrap()
    }
}

/// How to start it, once it is known to be there.
pub(crate) struct Node {
    pub(crate) program: &'static str,
}

impl Node {
    pub(crate) fn run(&self, program: &str) -> Command {
        let mut command = Command::new(self.program);
        command.arg(format!("tests/it/velo/{program}"));
        command
            .env(
                "VELO_SECRETS",
                json!({ DEFAULT_SECRET_NAME: SECRET }).to_string(),
            )
            .env("NO_PROXY", "127.0.0.1");
        command.stdout(Stdio::piped());
        command
    }
}

/// Node, if there is one that can replace modules. Where checks must not be left out, its absence
/// is an error.
pub(crate) fn node() -> Option<Node> {
    let version = Command::new("node")
        .arg("--version")
        .output()
        .ok()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let numbers = version.as_deref().and_then(|version| {
        let mut numbers = version
            .trim()
            .strip_prefix('v')?
            .split('.')
            .map_while(|number| number.parse::<u32>().ok());
        Some((numbers.next()?, numbers.next()?))
    });
    if numbers.is_some_and(|numbers| numbers >= (20, 6)) {
        return Some(Node { program: "node" });
    }
    let reason = format!(
        "examples/velo is tested with Node 20.6 or later, found {}",
        version.as_deref().unwrap_or("none").trim()
    );
    assert!(env::var_os("CI").is_none(), "{reason}");
    // Past the test harness, which hides what a passing test prints.
    io::stderr()
        .write_all(format!("SKIPPED: {reason}\n").as_bytes())
        .unwrap();
    None
}
