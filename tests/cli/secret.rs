//! `hmac-auth secret`, and where secrets come from.

use std::collections::BTreeSet;

use hmac_auth::Secret;

use crate::support::{SECRET, code, fed, file, printed, run, text, tool, unread};

const URL: &str = "https://host.example/orders";

fn fingerprint(text: &str) -> String {
    Secret::from_text(text).unwrap().fingerprint().to_string()
}

#[test]
fn it_makes_a_new_secret_each_time() {
    let secrets: BTreeSet<_> = (0..3).map(|_| printed(&["secret"])).collect();
    assert_eq!(secrets.len(), 3);
    for secret in &secrets {
        assert_eq!(secret.trim_end().len(), 43, "256 bits in base64url");
    }
}

#[test]
fn the_fingerprint_is_that_of_the_library() {
    let own = printed(&["secret", "--fingerprint"]);
    assert_eq!(own.trim_end(), fingerprint(SECRET));

    let (_directory, path) = file("site-a", "the secret of a file\n");
    let path = path.to_str().unwrap();
    let of_file = ["secret", "--fingerprint", "--secret-file", path];
    assert_eq!(
        printed(&of_file).trim_end(),
        fingerprint("the secret of a file")
    );
    std::fs::write(format!("{path}.previous"), "the secret of yesterday").unwrap();
    let both = format!(
        "{}\n{}\n",
        fingerprint("the secret of a file"),
        fingerprint("the secret of yesterday")
    );
    assert_eq!(printed(&of_file), both);

    let from_stdin = tool(&["secret", "--fingerprint", "--secret-stdin"]);
    let output = fed(from_stdin, b"the secret of a pipe\n");
    assert_eq!(
        text(&output.stdout).trim_end(),
        fingerprint("the secret of a pipe")
    );

    let mut other = tool(&["secret", "--fingerprint", "--secret-env", "OTHER_SECRET"]);
    let output = other
        .env("OTHER_SECRET", "the other variable")
        .output()
        .unwrap();
    assert_eq!(
        text(&output.stdout).trim_end(),
        fingerprint("the other variable")
    );

    let hex = tool(&[
        "secret",
        "--fingerprint",
        "--secret-stdin",
        "--encoding",
        "hex",
    ]);
    let output = fed(hex, b"000102030405060708090a0b0c0d0e0f");
    let bytes: Vec<u8> = (0..16).collect();
    let expected = Secret::from_bytes(&bytes)
        .unwrap()
        .fingerprint()
        .to_string();
    assert_eq!(text(&output.stdout).trim_end(), expected);
}

/// Without a secret nothing is signed; the error says what to do, and shows no secret.
#[test]
fn an_unusable_secret_is_an_error_with_a_remedy() {
    let (_directory, path) = file("short", "too short");
    let (_other, missing) = file("there", "");
    let missing = missing.with_file_name("missing");
    let long = "x".repeat(4097);
    for (args, input, complaint) in [
        (
            &["--secret-file", path.to_str().unwrap()][..],
            "",
            "at least 16",
        ),
        (
            &["--secret-file", missing.to_str().unwrap()],
            "",
            "the file of `--secret-file` does not exist",
        ),
        (
            &["--secret-env", "NO_SUCH_VARIABLE"],
            "",
            "the variable of `--secret-env` does not exist",
        ),
        (&["--secret-stdin"], "", "0 bytes"),
        (&["--secret-stdin"], &long, "more than 4096 bytes"),
        (
            &["--secret-stdin"],
            "a hidden secret\0with a NUL",
            "has a NUL",
        ),
        (
            &["--secret-stdin", "--hex"],
            "a hidden secret, not hexadecimal",
            "not hexadecimal",
        ),
    ] {
        let output = fed(
            tool(&[&["sign", "GET", URL], args].concat()),
            input.as_bytes(),
        );
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), 1, "{stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(complaint),
            "{stderr}"
        );
        assert!(
            !stderr.contains("hidden") && stderr.lines().count() == 1,
            "{stderr}"
        );
        assert!(output.stdout.is_empty());
    }
}

/// No argument holds a secret, and two sources contradict each other.
#[test]
fn wrong_arguments_are_told_at_once() {
    for args in [
        &["sign", "GET", URL, "--secret", SECRET][..],
        &["sign", "GET", URL, "--secret-file", "a", "--secret-stdin"],
        &["sign", "GET", URL, "--secret-env", "a-b"],
        &["sign", "GET", URL, "--hex", "--encoding", "text"],
        &["sign", "GET", URL, "--at", "18446744073709551615"],
        &["sign", "GET", "not a URL"],
        &["sign", "GET", URL, "--curl", "--httpie"],
        // A new secret is none of a file, and has one form.
        &["secret", "--secret-file", "a"],
        &["secret", "--secret-env", "OTHER_SECRET"],
        &["secret", "--secret-stdin"],
        &["secret", "--encoding", "hex"],
        &["secret", "--hex"],
        &["explain", "--at", "yesterday"],
        &["explain", "--peer-fingerprint", "0a1b2c3"],
        &["nothing"],
        &[],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

/// Logs keep errors, and a secret in a wrong place is one.
#[test]
fn wrong_arguments_are_not_repeated() {
    for (args, complaint) in [
        (
            &[
                "sign",
                "GET",
                URL,
                "--header",
                "Authorization Bearer HIDDEN",
            ][..],
            "a header is 'Name: value'",
        ),
        (&["sign", "GET", "host/?token=HIDDEN"], "for '<URL>'"),
        (&["secret", "HIDDEN"], "unexpected argument '…' found"),
        (
            &["secret", "--secret", "HIDDEN"],
            "unexpected argument '--secret'",
        ),
        (
            &["secret", "--secret=HIDDEN"],
            "unexpected argument '--secret'",
        ),
        (
            &["secret", "--secret-env", "HIDDEN secret"],
            "'--secret-env <NAME>'",
        ),
        // A secret may begin with a hyphen, or with two.
        (&["secret", "-HIDDEN"], "unexpected argument '…' found"),
        (&["secret", "--HIDDEN"], "unexpected argument '…' found"),
        (
            &["secret", "--secret-fileHIDDEN"],
            "exists: '--secret-file'",
        ),
        (&["explain", "--HIDDEN"], "unexpected argument '…' found"),
        (
            &["sign", "GET", URL, "--", "HIDDEN"],
            "unexpected argument '…' found",
        ),
        (
            &["secret", "--fingerprint=HIDDEN"],
            "unexpected value '…' for '--fingerprint'",
        ),
        (
            &["secret", "--secret-stdin=HIDDEN"],
            "unexpected value '…' for '--secret-stdin'",
        ),
        (
            &["explain", "--json=HIDDEN"],
            "unexpected value '…' for '--json'",
        ),
        (
            &["sign", "GET", URL, "--encoding", "HIDDEN"],
            "invalid value '…' for '--encoding <ENCODING>'",
        ),
        (
            &["explain", "--color=HIDDEN"],
            "[possible values: auto, always, never]",
        ),
        (&["HIDDEN"], "unrecognized subcommand '…'"),
        (&["--", "HIDDEN"], "unrecognized subcommand '…'"),
        (&["help", "HIDDEN"], "unrecognized subcommand '…'"),
        (
            &["help", "secret", "--HIDDEN"],
            "unrecognized subcommand '…'",
        ),
        // Without a value, there is nothing to hide.
        (
            &["secret", "--encoding="],
            "a value is required for '--encoding <ENCODING>'",
        ),
        (
            &[
                "sign",
                "GET",
                URL,
                "--data",
                "HIDDEN",
                "--data-file",
                "HIDDEN",
            ],
            "the argument '--data <BODY>' cannot be used with '--data-file <FILE>'",
        ),
        (
            &["sign", "GET", URL, "--data", "HIDDEN", "--data", "HIDDEN"],
            "cannot be used multiple times",
        ),
        (
            &["sign", "--data", "HIDDEN"],
            "the following required arguments were not provided",
        ),
    ] {
        let output = run(args);
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), 2, "{stderr}");
        assert!(stderr.contains(complaint), "{stderr}");
        assert!(!stderr.contains("HIDDEN"), "{stderr}");
    }
}

/// `--secret-file "$SECRET"` is soon written, and such a value names no place.
#[test]
fn a_secret_that_stands_for_its_place_is_not_repeated() {
    let (_directory, path) = file("file", "");
    let below_a_file = path.join("HIDDEN");
    let long = "HIDDEN".repeat(100);
    for (option, value) in [
        ("--secret-file", "HIDDEN"),
        ("--secret-file", "HIDDEN/+=="),
        ("--secret-file", "HIDDEN/.."),
        ("--secret-file", "HIDDEN.previous"),
        ("--secret-file", &long),
        ("--secret-file", below_a_file.to_str().unwrap()),
        ("--secret-env", "HIDDEN"),
        ("--secret-env", "HIDDEN_1"),
        ("--secret-env", "HIDDEN_PREVIOUS"),
    ] {
        for command in [
            &["secret", "--fingerprint"][..],
            &["sign", "GET", URL],
            &["send", "GET", "http://127.0.0.1:1/"],
            &["serve", "--listen", "127.0.0.1:0"],
            &["explain"],
            &["explain", "--json"],
        ] {
            let args = [command, &[option, value]].concat();
            let output = fed(tool(&args), b"GET / HTTP/1.1\nHost: host.example\n\n");
            let stderr = text(&output.stderr);
            assert_eq!(code(&output), 1, "{args:?}: {stderr}");
            assert!(stderr.contains(option), "{stderr}");
            let all = text(&output.stdout) + &stderr;
            assert!(!all.to_uppercase().contains("HIDDEN"), "{args:?}: {all}");
        }
    }
    // No argument has the name of the variable that counts otherwise.
    let output = tool(&["sign", "GET", URL])
        .env_remove("HMAC_AUTH_SECRET")
        .output()
        .unwrap();
    let stderr = text(&output.stderr);
    assert!(stderr.contains("HMAC_AUTH_SECRET"), "{stderr}");
}

#[test]
fn standard_input_has_one_use() {
    let (_directory, path) = file("body", "x");
    for args in [
        &["sign", "POST", URL, "--data-file", "-", "--secret-stdin"][..],
        &["explain", "-", "--secret-stdin"],
        &["explain", "--secret-stdin"],
    ] {
        let output = fed(tool(args), b"whatever it may be");
        assert_eq!(code(&output), 1);
        assert!(text(&output.stderr).contains("standard input cannot be both"));
    }
    let path = path.to_str().unwrap();
    let args = ["sign", "POST", URL, "--data-file", path, "--secret-stdin"];
    assert_eq!(code(&fed(tool(&args), SECRET.as_bytes())), 0);
}

/// `head` has seen enough: that is no error, and changes nothing about the outcome.
#[test]
fn a_reader_that_goes_away_changes_no_outcome() {
    let refused = ["explain", "--color=never"];
    let request = "GET / HTTP/1.1\nHost: host.example\n\n";
    for (args, input, expected) in [
        (&["secret"][..], "", 0),
        (&["secret", "--fingerprint"], "", 0),
        (&["sign", "GET", URL], "", 0),
        (&["sign", "GET", URL, "--curl"], "", 0),
        (&refused, request, 3),
        (&["explain", "--json"], request, 3),
        // Arguments that were wrong stay wrong, even if nobody reads why.
        (&["sign", "GET", URL, "--label", "Not a key"], "", 1),
    ] {
        let output = unread(tool(args), input.as_bytes());
        assert_eq!(code(&output), expected, "{args:?}");
    }
}

#[test]
fn help_names_the_exit_codes_and_no_secret() {
    let help = printed(&["--help"]);
    assert!(help.contains("Exit codes: 0 done"), "{help}");
    for command in ["secret", "sign", "send", "serve", "explain"] {
        assert!(help.contains(command));
        let help = printed(&[command, "--help"]);
        assert!(!help.contains(SECRET), "{help}");
    }
}
