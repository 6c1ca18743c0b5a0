//! `hmac-auth send`: signed, sent, and shown.

use crate::support::{Host, changed_on_the_way, code, file, has, run, text, tool};

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

    let output = run(&["send", "GET", "http://127.0.0.1:1/"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).starts_with("error: "));
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

/// Over https, curl sends the request: here to a stand-in that shows what it was given.
#[test]
fn over_https_curl_gets_the_request_on_its_standard_input() {
    let stand_in = "#!/bin/sh\n\
        printf 'HTTP/1.1 103 Early Hints\\r\\n\\r\\nHTTP/2 201 \\r\\nx-args: %s\\r\\n\\r\\n' \"$*\"\n\
        cat\n";
    let (directory, path) = file("curl", stand_in);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap();
    let path = format!(
        "{}:{}",
        directory.path().display(),
        std::env::var("PATH").unwrap()
    );
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
