//! `hmac-auth send`: signed, sent, and shown.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    net::TcpListener,
    os::unix::ffi::OsStrExt,
    process::Command,
    thread,
};

use tempfile::TempDir;

use crate::support::{
    Host, SECRET, changed_on_the_way, code, fed, file, has, run, sh, text, tool, unread,
};

#[test]
fn it_shows_the_status_the_headers_and_the_body() {
    let host = Host::start(&[]);
    let output = run(&[
        "send",
        "POST",
        &host.url("/a?b=c"),
        "--data",
        r#"{"month":11}"#,
    ]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let answer = text(&output.stdout);
    assert!(answer.starts_with("200 OK\n"), "{answer}");
    assert!(
        answer.contains("\ncontent-type: application/json\n"),
        "{answer}"
    );
    // As the host has sent it: a reader copies it.
    assert!(
        answer.contains("\nsignature-input: sig1=(\"@status\" "),
        "{answer}"
    );
    assert!(answer.contains(r#""received":{"month":11}"#), "{answer}");
    let brief = run(&["send", "--brief", "GET", &host.url("/a")]);
    assert!(text(&brief.stdout).starts_with("200 OK\n{\"data\":"));
    assert_eq!(host.stop(), "");
}

#[test]
fn a_refusal_is_code_3_and_an_error_is_code_1() {
    let host = Host::start(&[]);
    let mut other = tool(&["send", "GET", &host.url("/a")]);
    let output = other
        .env("HMAC_AUTH_SECRET", "another secret, long enough")
        .output();
    let output = output.unwrap();
    assert_eq!(code(&output), 3);
    assert!(text(&output.stdout).starts_with("401 Unauthorized\n"));
    assert!(
        host.stop()
            .starts_with("refused wrong_mac: GET /a from 127.0.0.1:")
    );

    let output = run(&["send", "GET", "http://127.0.0.1:1/a?token=HIDDEN"]);
    assert_eq!(code(&output), 1);
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(stderr.contains("127.0.0.1:1/a"), "{stderr}");
    assert!(!stderr.contains("HIDDEN"), "logs keep errors: {stderr}");
}

/// What is printed has no reader, and the outcome is the same.
#[test]
fn a_reader_that_goes_away_changes_no_outcome_of_sending() {
    let host = Host::start(&[]);
    let url = host.url("/a");
    let send = || tool(&["send", "GET", &url]);
    assert_eq!(code(&unread(send(), b"")), 0);
    let mut other = send();
    other.env("HMAC_AUTH_SECRET", "another secret, long enough");
    assert_eq!(code(&unread(other, b"")), 3);
}

#[test]
fn a_signed_response_is_validated() {
    let host = Host::start(&[]);
    let output = run(&["send", "--require-signed-response", "GET", &host.url("/a")]);
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stderr), "the response is signed by the host\n");
    assert_eq!(host.stop(), "");
}

/// On the way, somebody changes the body, or takes the signature away.
#[test]
fn a_response_that_was_changed_is_code_3() {
    let unsigned = ("signature", "x-removed");
    for (edit, args, expected, expected_code) in [
        (("Revenue", "revenue"), &[][..], "refused wrong_digest: ", 3),
        (unsigned, &[], "the response is not signed: ", 0),
        (
            unsigned,
            &["--require-signed-response"],
            "refused unsigned: ",
            3,
        ),
    ] {
        let host = Host::start(&[]);
        let url = changed_on_the_way(&host, edit.0, edit.1);
        let output = run(&[&["send", "GET", &url][..], args].concat());
        let told = text(&output.stderr);
        assert!(told.starts_with(expected), "{told}{}", host.stop());
        assert_eq!(code(&output), expected_code, "{told}");
        // No program behind a pipe takes a refused answer for one of the host.
        let is_given = text(&output.stdout).starts_with("200 OK\n");
        assert_eq!(is_given, expected_code == 0, "{}", text(&output.stdout));
        assert_eq!(told.contains("\n200 OK\n"), !is_given, "{told}");
    }
}

/// A terminal does what is written to it: the body of a stranger must not reach it as it is.
#[test]
fn no_body_controls_a_terminal() {
    if !has("script") {
        eprintln!("SKIPPED: `script` is not there, which makes a terminal");
        return;
    }
    let host = Host::start(&[]);
    let url = changed_on_the_way(&host, "Revenue", "\u{1b}[31m\u{9b}");
    let program = env!("CARGO_BIN_EXE_hmac-auth");
    for (options, expected) in [("", "\\u{1b}[31m\\u{9b}"), ("--brief", "Revenue")] {
        let url = if options.is_empty() {
            url.clone()
        } else {
            host.url("/a")
        };
        let output = Command::new("script")
            .args([
                "-qec",
                &format!("{program} send {options} GET {url}"),
                "/dev/null",
            ])
            .env("HMAC_AUTH_SECRET", SECRET)
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap();
        let all = text(&output.stdout);
        assert!(all.contains(expected), "{all}");
        assert!(!all.contains(['\u{1b}', '\u{9b}']), "{all}");
    }
}

#[test]
fn any_bytes_are_sent() {
    let host = Host::start(&[]);
    let (_directory, path) = file("body", (0..=255).collect::<Vec<u8>>());
    let path = path.to_str().unwrap();
    let output = run(&["send", "PUT", &host.url("/a"), "--data-file", path]);
    assert!(text(&output.stdout).contains(r#""receivedBytes":256"#));
    assert_eq!(host.stop(), "");
}

/// A curl that is this script, and the path to it.
fn stand_in_of_curl(script: &str) -> (TempDir, String) {
    let (directory, path) = file("curl", format!("#!/bin/sh\n{script}"));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", directory.path().display());
    (directory, path)
}

/// Over https, curl sends the request: here to a stand-in that shows what it was given.
#[test]
fn over_https_curl_gets_the_request_on_its_standard_input() {
    let stand_in = "printf 'HTTP/1.1 103 Early Hints\\r\\n\\r\\nHTTP/2 201 \\r\\nx-args: %s\\r\\n\\r\\n' \"$*\"\n\
        cat\n";
    let (_directory, path) = stand_in_of_curl(stand_in);
    let body = "@it's \"two\"\nlines\\";
    let mut command = tool(&["send", "POST", "https://host.example/a?b=c", "--data", body]);
    let output = command.env("PATH", path).output().unwrap();
    let answer = text(&output.stdout);
    assert_eq!(code(&output), 0, "{answer}{}", text(&output.stderr));
    assert!(
        answer.starts_with("201 Created\nx-args: --disable "),
        "{answer}"
    );
    let (head, config) = answer.split_once("\n\n").unwrap();
    assert!(
        !head.contains("signature"),
        "arguments are for all to see: {head}"
    );
    assert!(
        config.contains("\nheader = \"signature: sig1=:"),
        "{config}"
    );
    assert!(
        config.contains("\ndata-raw = \"@it's \\\"two\\\"\\nlines\\\\\"\n"),
        "{config}"
    );
    assert!(
        config.ends_with("\nurl = \"https://host.example/a?b=c\"\n"),
        "{config}"
    );
}

/// The configuration is on curl's standard input, and cannot hold all bytes.
#[test]
fn a_binary_body_of_standard_input_goes_over_https_too() {
    let stand_in = "config=$(cat)\n\
        file=$(printf '%s\\n' \"$config\" | sed -n 's/^data-binary = \"@\\(.*\\)\"$/\\1/p')\n\
        printf 'HTTP/1.1 200 OK\\r\\nx-args: %s\\r\\nx-file: %s\\r\\nx-mode: %s\\r\\n\\r\\n' \
            \"$*\" \"$file\" \"$(stat -c %a \"$file\")\"\n\
        cat \"$file\"\n";
    let (_directory, path) = stand_in_of_curl(stand_in);
    let body: Vec<u8> = (0..=255).collect();
    let args = ["send", "PUT", "https://host.example/a", "--data-file", "-"];
    let mut command = tool(&args);
    command.env("PATH", path);
    let output = fed(command, &body);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let answer = text(&output.stdout);
    assert!(output.stdout.ends_with(&body), "{answer}");
    // Nobody else reads the file, and none is left behind.
    assert!(answer.contains("\nx-mode: 600\n"), "{answer}");
    let name = answer.split_once("\nx-file: ").unwrap().1;
    let name = name.lines().next().unwrap();
    assert!(!std::path::Path::new(name).exists(), "{name}");
}

/// The configuration of curl is text. The user has given no file, so there is none to rename.
#[test]
fn a_directory_for_temporary_files_needs_a_name_that_is_text() {
    let (_directory, path) = stand_in_of_curl("exit 2\n");
    let temporary = TempDir::new().unwrap();
    let temporary = temporary.path().join(OsStr::from_bytes(b"\xff"));
    std::fs::create_dir(&temporary).unwrap();
    let mut command = tool(&["send", "PUT", "https://host.example/a", "--data-file", "-"]);
    command.env("PATH", path).env("TMPDIR", &temporary);
    let output = fed(command, b"\0");
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 1, "{stderr}");
    assert!(stderr.contains("set `TMPDIR`"), "{stderr}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

/// It has read nothing, and ended: that is no success.
#[test]
fn a_curl_that_ends_at_once_is_an_error() {
    let (_directory, path) = stand_in_of_curl("exec 0<&-\nexit 2\n");
    let mut command = tool(&["send", "POST", "https://host.example/", "--data-file", "-"]);
    command.env("PATH", path);
    let output = fed(command, "a".repeat(300_000).as_bytes());
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 1, "{stderr}");
    assert!(
        stderr.contains("curl has not sent the request: exit status: 2"),
        "{stderr}"
    );
}

/// 0x9b begins a command for some terminals.
#[test]
fn a_header_of_the_peer_controls_no_terminal() {
    let script =
        "cat >/dev/null; printf 'HTTP/1.1 200 OK\\r\\nx-name: \\2332J\\ta \"b\"\\r\\n\\r\\n'\n";
    let (_directory, path) = stand_in_of_curl(script);
    let mut command = tool(&["send", "GET", "https://host.example/"]);
    let answer = text(&command.env("PATH", path).output().unwrap().stdout);
    assert!(answer.contains("\nx-name: \\x9b2J\\ta \"b\"\n"), "{answer}");
}

/// Behind a proxy, curl shows the answer of the proxy first, unless it is told not to.
#[test]
fn the_answer_of_a_proxy_is_not_that_of_the_host() {
    assert!(has("curl"), "this test needs curl");
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let served = thread::spawn(move || {
        let (mut client, _) = proxy.accept().unwrap();
        let mut buffer = [0; 4096];
        let _ = client.read(&mut buffer).unwrap();
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .unwrap();
    });
    // The tunnel ends at once; a stand-in makes that a success, to see what the real one prints.
    let curl = sh("command -v curl").stdout;
    let curl = text(&curl);
    let script = format!(
        "{} \"$@\"; printf 'HTTP/1.1 401 \\r\\n\\r\\n'\n",
        curl.trim()
    );
    let (_directory, path) = stand_in_of_curl(&script);
    let output = tool(&["send", "GET", "https://host.example/"])
        .env("PATH", path)
        .env("https_proxy", format!("http://{address}"))
        .output()
        .unwrap();
    served.join().unwrap();
    assert!(
        text(&output.stdout).starts_with("401 "),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(code(&output), 3);
}

/// The real curl reads that configuration as it is meant.
#[test]
fn the_real_curl_reads_the_configuration() {
    assert!(has("curl"), "this test needs curl");
    let output = run(&["send", "GET", "https://127.0.0.1:1/"]);
    assert_eq!(code(&output), 1);
    let stderr = text(&output.stderr);
    assert!(stderr.contains("curl has not sent the request"), "{stderr}");
    // It was this URL that it has tried.
    assert!(stderr.contains("127.0.0.1"), "{stderr}");
}

#[test]
fn without_curl_the_error_says_what_to_do() {
    let mut command = tool(&["send", "GET", "https://host.example/"]);
    let output = command.env("PATH", "/nonexistent").output().unwrap();
    assert_eq!(code(&output), 1);
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("install it, or use `hmac-auth sign`"),
        "{stderr}"
    );
}
