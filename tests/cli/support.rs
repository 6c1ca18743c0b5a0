//! The tool as a process, and a host that it runs.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
};

use tempfile::TempDir;

pub(crate) const SECRET: &str = "a secret that only these tests know";

/// The tool with the secret in its variable.
pub(crate) fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hmac-auth"));
    command
        .args(args)
        .env("HMAC_AUTH_SECRET", SECRET)
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("NO_COLOR");
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    tool(args).output().unwrap()
}

/// What the tool prints if it succeeds.
#[track_caller]
pub(crate) fn printed(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    text(&output.stdout)
}

/// With this text as standard input.
pub(crate) fn fed(command: Command, input: &[u8]) -> Output {
    let mut process = piped(command);
    // A program that needs no input may have ended.
    let _ = process.stdin.take().unwrap().write_all(input);
    process.wait_with_output().unwrap()
}

/// The same, with pipes as output that nobody reads any more.
pub(crate) fn unread(command: Command, input: &[u8]) -> Output {
    let mut process = piped(command);
    drop((process.stdout.take(), process.stderr.take()));
    let _ = process.stdin.take().unwrap().write_all(input);
    process.wait_with_output().unwrap()
}

fn piped(mut command: Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory with one file.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    (directory, path)
}

/// Whether a program is there.
pub(crate) fn has(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs a script in a POSIX shell.
pub(crate) fn sh(script: &str) -> Output {
    Command::new("sh")
        .args(["-c", script])
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap()
}

/// `hmac-auth serve` on a free port; ends with this value.
pub(crate) struct Host {
    process: Child,
    pub(crate) site: String,
}

impl Host {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut process = tool(&["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let site = line.trim_end().strip_prefix("listening on ");
        let site = site.expect("the host has started").to_owned();
        Self { process, site }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site)
    }

    /// Nobody reads what it tells its operator.
    pub(crate) fn close_log(&mut self) {
        drop(self.process.stderr.take());
    }

    /// What it has told its operator.
    pub(crate) fn stop(mut self) -> String {
        self.process.kill().unwrap();
        let mut log = String::new();
        let mut stderr = self.process.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        log
    }
}

/// The URL of a proxy for one request to this host. In the response, it replaces a text by another
/// one of the same length.
pub(crate) fn changed_on_the_way(host: &Host, text: &'static str, other: &'static str) -> String {
    assert_eq!(text.len(), other.len());
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a", proxy.local_addr().unwrap());
    let host = host.site.strip_prefix("http://").unwrap().to_owned();
    thread::spawn(move || {
        let (mut client, _) = proxy.accept().unwrap();
        let mut server = TcpStream::connect(host).unwrap();
        let mut buffer = [0; 16 * 1024];
        // A GET is one packet on loopback, and so is a short response.
        let len = client.read(&mut buffer).unwrap();
        server.write_all(&buffer[..len]).unwrap();
        let len = server.read(&mut buffer).unwrap();
        let response = String::from_utf8_lossy(&buffer[..len]).replace(text, other);
        client.write_all(response.as_bytes()).unwrap();
    });
    url
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
