//! The example consumers: accepted, refused, and not started without a secret.

use crate::support::example::{Host, INVALID, example, text};

#[tokio::test]
async fn site_to_site_comes_out_as_expected() {
    let output = example("site_to_site").output().await.unwrap();
    let table = text(&output.stdout);
    assert!(output.status.success(), "{table}{}", text(&output.stderr));
    let lines: Vec<_> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "signed GET 200 accepted",
        "signed POST 200 accepted",
        "unsigned 401 missing_signature",
        "wrong secret 401 wrong_mac",
        "changed body 401 wrong_digest",
        "changed query 401 wrong_mac",
        "stale 401 stale",
        "replayed 401 replayed",
        "other authority 401 unlisted_authority",
    ];
    assert_eq!(lines.len(), expected.len(), "{table}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[tokio::test]
async fn a_consumer_is_accepted() {
    let host = Host::start(&[]).await;
    let get = host.consumer("GET", &[]).await;
    assert_eq!(
        (get.status.code(), text(&get.stderr)),
        (Some(0), String::new())
    );
    assert!(
        text(&get.stdout).starts_with("200 OK\n{\"data\":{"),
        "{}",
        text(&get.stdout)
    );

    let post = host
        .consumer(
            "POST",
            &["--data", r#"{"month":11}"#, "--header", "X-Trace: 7"],
        )
        .await;
    assert_eq!(post.status.code(), Some(0));
    assert!(
        text(&post.stdout).contains(r#""received":{"month":11}"#),
        "{}",
        text(&post.stdout)
    );

    // What the client normalises or encodes is signed as it is sent.
    let odd = format!("{}?q=a b&ü=|'%2f%zz", host.url).replace("siteStats", "x/../siteStats");
    assert_eq!(
        example("consumer")
            .args(["GET", &odd])
            .output()
            .await
            .unwrap()
            .status
            .code(),
        Some(0)
    );

    let other_type = host
        .consumer(
            "PUT",
            &["--data", "a=b", "--header", "Content-Type: text/plain"],
        )
        .await;
    assert_eq!(
        (other_type.status.code(), text(&other_type.stdout)),
        (Some(1), "405 Method Not Allowed\n\n".to_owned())
    );
    assert_eq!(host.stop().await, "");
}

#[tokio::test]
async fn a_consumer_with_another_secret_is_refused() {
    let host = Host::start(&[]).await;
    let output = host
        .consumer_command("GET")
        .env("HMAC_AUTH_SECRET", "another secret of some length")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        format!("401 Unauthorized\n{INVALID}\n")
    );
    let log = host.stop().await;
    assert!(
        log.starts_with("refused wrong_mac: GET /_functions/siteStats from 127.0.0.1:"),
        "{log}"
    );
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn a_secret_may_be_hexadecimal() {
    let host = Host::start(&["--hex"]).await;
    assert_eq!(
        host.consumer("POST", &["--hex", "--data", "{}"])
            .await
            .status
            .code(),
        Some(0)
    );
    // Its text is another secret.
    assert_eq!(
        host.consumer("POST", &["--data", "{}"]).await.status.code(),
        Some(1)
    );
    assert!(host.stop().await.starts_with("refused wrong_mac: "));
}

#[tokio::test]
async fn without_a_usable_secret_nothing_starts() {
    let consumer = ["GET", "http://127.0.0.1:9/_functions/siteStats"];
    for (secret, args, complaint) in [
        (
            None,
            &[][..],
            "there is no environment variable HMAC_AUTH_SECRET",
        ),
        (
            Some(""),
            &[],
            "the secret has 0 bytes, at least 16 are needed",
        ),
        (
            Some("too short"),
            &[],
            "the secret has 9 bytes, at least 16 are needed",
        ),
        (
            Some("not hexadecimal at all"),
            &["--hex"],
            "the secret is not hexadecimal",
        ),
    ] {
        for (program, operands) in [("host", &[][..]), ("consumer", &consumer)] {
            let mut command = example(program);
            match secret {
                Some(secret) => command.env("HMAC_AUTH_SECRET", secret),
                None => command.env_remove("HMAC_AUTH_SECRET"),
            };
            let output = command.args(operands).args(args).output().await.unwrap();
            let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(
                (output.status.code(), stdout.as_str()),
                (Some(1), ""),
                "{stderr}"
            );
            assert!(
                stderr.starts_with("error: ") && stderr.contains(complaint),
                "{stderr}"
            );
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            assert!(
                secret.is_none_or(|secret| secret.is_empty() || !stderr.contains(secret)),
                "{stderr}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_options_are_told_at_once() {
    let host = Host::start(&[]).await;
    let taken = host.url.authority().unwrap().to_string();
    for (args, complaint) in [
        (
            ["--authority", "host.example/path"],
            "the authority `host.example/path` is not `host` or `host:port`",
        ),
        (["--listen", &taken], "cannot listen on"),
    ] {
        let output = example("host").args(args).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(complaint),
            "{}",
            text(&output.stderr)
        );
    }
    let output = host.consumer("GET", &["--header", "no colon"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("a header is 'Name: value'"),
        "{}",
        text(&output.stderr)
    );
}
