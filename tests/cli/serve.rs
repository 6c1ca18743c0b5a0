//! `hmac-auth serve`: what the operator of a host for trying reads.

use crate::support::{Host, code, run, text, tool};

#[track_caller]
fn send(args: &[&str], expected: i32) {
    let output = run(&[&["send"], args].concat());
    assert_eq!(
        code(&output),
        expected,
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

#[test]
fn each_requirement_is_one() {
    let host = Host::start(&[
        "--key-id",
        "site-a",
        "--key-id",
        "site-b",
        "--require",
        "x-site",
        "--tag",
        "orders",
    ]);
    let url = host.url("/a");
    let good = [
        "GET",
        &url,
        "--key-id",
        "site-b",
        "--tag",
        "orders",
        "--header",
        "X-Site: a",
        "--cover",
        "x-site",
    ];
    send(&good, 0);
    send(&["GET", &url, "--key-id", "site-c"], 3);
    send(&["GET", &url, "--key-id", "site-a"], 3);
    send(&["GET", &url, "--key-id", "site-a", "--tag", "orders"], 3);
    let log = host.stop();
    let kinds: Vec<_> = log
        .lines()
        .map(|line| line.split([' ', ':']).nth(1).unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["unknown_key_id", "wrong_tag", "not_covered"],
        "{log}"
    );
}

#[test]
fn a_request_counts_once_unless_the_guard_is_off() {
    for (args, refused) in [(&[][..], 1), (&["--no-replay-guard"], 0)] {
        let host = Host::start(args);
        let command = crate::support::printed(&["sign", "GET", &host.url("/a"), "--curl"]);
        for _ in 0..2 {
            crate::support::sh(&format!("{} --silent", command.trim_end()));
        }
        let log = host.stop();
        assert_eq!(
            log.matches("refused replayed: GET /a").count(),
            refused,
            "{log}"
        );
        assert_eq!(log.lines().count(), refused, "{log}");
    }
}

#[test]
fn the_base_is_shown_without_secret_values() {
    let host = Host::start(&["--show-base"]);
    let url = host.url("/a?token=HIDDEN");
    let cookie = ["--header", "Cookie: HIDDEN", "--cover", "cookie"];
    send(&[&["GET", &url], &cookie[..]].concat(), 0);
    let log = host.stop();
    assert!(log.starts_with("signature base:\n\"@method\": GET\n\"@authority\": 127.0.0.1:"));
    assert!(log.contains("\n\"cookie\": <6 bytes>\n"), "{log}");
    assert!(!log.contains("HIDDEN"), "{log}");
}

/// Who reads the log has gone away, and the host refuses as before.
#[test]
fn a_host_answers_even_if_nobody_reads_its_log() {
    let mut host = Host::start(&["--show-base", "--key-id", "site-a"]);
    host.close_log();
    let url = host.url("/a");
    send(&["GET", &url, "--key-id", "site-b"], 3);
    send(&["GET", &url, "--key-id", "site-a"], 0);
}

#[test]
fn authorities_and_their_scheme_are_checked() {
    let host = Host::start(&["--authority", "host.example"]);
    send(&["GET", &host.url("/a")], 3);
    assert!(host.stop().starts_with("refused unlisted_authority: "));
}

#[test]
fn a_host_without_a_secret_or_with_wrong_options_does_not_start() {
    let mut command = tool(&["serve", "--listen", "127.0.0.1:0"]);
    let output = command.env_remove("HMAC_AUTH_SECRET").output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("no environment variable HMAC_AUTH_SECRET"));
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--require", "@status"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("`@status` cannot be required"));
}
