//! `hmac-auth sign`: headers, and commands that a shell really runs.

use std::{fs, process::Command};

use hmac_auth::{
    MemorySecrets, Secret, ValidateOptions, signature::SignatureInputs, validate_auth,
};
use http::{HeaderName, HeaderValue, Request};

use crate::support::{Host, SECRET, code, fed, file, has, printed, run, sh, text, tool};

const URL: &str = "https://host.example/orders?page=2";

/// The request that the printed headers belong to.
fn request(method: &str, url: &str, printed: &str, body: &[u8]) -> Request<Vec<u8>> {
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .body(body.to_vec())
        .unwrap();
    for line in printed.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        request.headers_mut().append(
            name.parse::<HeaderName>().unwrap(),
            value.parse::<HeaderValue>().unwrap(),
        );
    }
    request
}

#[track_caller]
fn assert_accepted(request: &Request<Vec<u8>>, options: &ValidateOptions) {
    let secrets = MemorySecrets::new();
    secrets.insert("s", Secret::from_text(SECRET).unwrap());
    validate_auth(request, &secrets, &options.clone().secret_name("s")).unwrap();
}

#[test]
fn the_headers_are_accepted() {
    let headers = printed(&["sign", "GET", URL]);
    assert_accepted(&request("GET", URL, &headers, b""), &ValidateOptions::new());

    let json = r#"{"month":11}"#;
    let headers = printed(&["sign", "POST", URL, "--data", json]);
    assert!(
        headers.contains("content-type: application/json\n"),
        "{headers}"
    );
    let posted = request("POST", URL, &headers, json.as_bytes());
    assert_accepted(&posted, &ValidateOptions::new());
}

#[test]
fn each_option_is_in_the_signature() {
    let args = ["sign", "POST", URL, "--data", "{}", "--header", "X-Site: a"];
    let options = [
        "--cover",
        "X-Site",
        "--cover",
        "@target-uri",
        "--key-id",
        "site-a",
        "--tag",
        "orders",
        "--expires",
        "30",
        "--alg",
        "--digest",
        "sha-512",
        "--label",
        "mine",
        "--at",
        "1700000000",
    ];
    let headers = printed(&[&args[..], &options[..]].concat());
    let request = request("POST", URL, &headers, b"{}");
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let host = ValidateOptions::new()
        .at(at)
        .tag("orders")
        .require("x-site")
        .require("@target-uri")
        .key_ids([("site-a", "s")]);
    assert_accepted(&request, &host);
    let input = SignatureInputs::new(request.headers())
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(input.label(), "mine");
    assert_eq!(input.alg().as_deref(), Some("hmac-sha256"));
    assert_eq!(input.expires(), Some(1_700_000_030));
    assert!(headers.contains("content-digest: sha-512=:"), "{headers}");
}

#[test]
fn a_body_may_be_any_bytes_from_a_file_or_standard_input() {
    let bytes: Vec<u8> = (0..=255).collect();
    let (_directory, path) = file("body.bin", &bytes);
    let args = ["sign", "PUT", URL, "--data-file", path.to_str().unwrap()];
    let headers = printed(&args);
    assert!(headers.contains("content-type: application/octet-stream\n"));
    assert_accepted(
        &request("PUT", URL, &headers, &bytes),
        &ValidateOptions::new(),
    );

    let output = fed(tool(&["sign", "PUT", URL, "--data-file", "-"]), &bytes);
    let headers = text(&output.stdout);
    assert_accepted(
        &request("PUT", URL, &headers, &bytes),
        &ValidateOptions::new(),
    );
}

#[test]
fn what_cannot_be_signed_is_an_error_with_a_remedy() {
    for (args, complaint) in [
        (&["--cover", "x-absent"][..], "x-absent"),
        (&["--label", "Not a key"], "label"),
        (&["--key-id", "größe"], "printable ASCII"),
        (
            &["--data-file", "/no/such/file"],
            "cannot read /no/such/file",
        ),
    ] {
        let output = run(&[&["sign", "GET", URL], args].concat());
        assert_eq!(code(&output), 1);
        assert!(
            text(&output.stderr).contains(complaint),
            "{}",
            text(&output.stderr)
        );
    }
}

/// Texts that a shell, curl and `HTTPie` would read in another way if they could.
const HOSTILE: [&str; 12] = [
    "@/etc/hostname",
    "it's",
    "two\nlines\n",
    "$(exit 1) `exit 1` $HOME",
    "\\ \\n \\' \"quoted\"",
    "-X DELETE",
    "--",
    " leading and trailing ",
    "größe ✓",
    "!history *?[a] {b,c} ~ # & | ; < >",
    "\t\ttabs\r\n",
    "''''",
];

/// What the host has received, if it has accepted the request.
fn received(stdout: &str) -> serde_json::Value {
    serde_json::from_str(stdout).unwrap_or_else(|_| panic!("not accepted: {stdout}"))
}

#[test]
fn a_curl_command_is_accepted_whatever_the_texts_are() {
    assert!(has("curl"), "this test needs curl");
    let host = Host::start(&[]);
    for hostile in HOSTILE {
        // As a JSON text, so that the host says what it has received; and as it is.
        let json = serde_json::to_string(hostile).unwrap();
        for body in [json.as_str(), hostile] {
            let command = printed(&["sign", "POST", &host.url("/a"), "--data", body, "--curl"]);
            let output = sh(&format!("{} --silent", command.trim_end()));
            let answer = received(&text(&output.stdout));
            assert_eq!(answer["receivedBytes"], body.len(), "{command}");
            if body == json {
                assert_eq!(answer["received"], hostile, "{command}");
            }
        }
        // In a header, which has one line.
        let value = hostile
            .replace(['\n', '\r', '\t'], "")
            .replace(['ö', 'ß', '✓'], "");
        let header = format!("X-Site: {value}");
        let args = ["--header", header.as_str(), "--cover", "x-site", "--curl"];
        let command = printed(&[&["sign", "GET", &host.url("/a")], &args[..]].concat());
        let output = sh(&format!("{} --silent", command.trim_end()));
        let answer = received(&text(&output.stdout));
        assert!(
            answer["signedComponents"].to_string().contains("x-site"),
            "{command}"
        );
    }
    assert_eq!(host.stop(), "");
}

#[test]
fn a_curl_command_keeps_the_url_the_method_and_empty_headers() {
    assert!(has("curl"), "this test needs curl");
    let host = Host::start(&["--require", "x-empty"]);
    for path in [
        "/a/../b",
        "/o'hara?it's='1'",
        "/a%2fb%2Fc?x=%2f",
        "/a?b=[1]&c={1,2}&d=x y",
        "/a?",
        "/?a&a&b=1#fragment",
        "/größe?ü=|",
    ] {
        for method in ["GET", "DELETE", "OPTIONS", "BREW", "HEAD"] {
            let url = host.url(path);
            let args = [
                "sign", method, &url, "--header", "X-Empty:", "--cover", "x-empty",
            ];
            let command = printed(&[&args[..], &["--curl"]].concat());
            let output = sh(&format!("{} --silent --fail", command.trim_end()));
            assert!(output.status.success(), "{command}{}", text(&output.stderr));
        }
    }
    assert_eq!(host.stop(), "");
}

#[test]
fn a_curl_command_names_the_file_of_a_binary_body() {
    assert!(has("curl"), "this test needs curl");
    let host = Host::start(&[]);
    let bytes: Vec<u8> = (0..=255).rev().collect();
    for name in ["body.bin", "it's a file", "@file", "-file", "a\nb"] {
        let (directory, _path) = file(name, &bytes);
        // Also as a relative path, where a name could be an option.
        let output = tool(&["sign", "POST", &host.url("/a"), "--curl"])
            .arg(format!("--data-file={name}"))
            .current_dir(directory.path())
            .output()
            .unwrap();
        let command = text(&output.stdout);
        let output = Command::new("sh")
            .args(["-c", &format!("{} --silent", command.trim_end())])
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(directory.path())
            .output()
            .unwrap();
        let answer = received(&text(&output.stdout));
        assert_eq!(answer["receivedBytes"], 256, "{command}");
    }
    assert_eq!(host.stop(), "");
    // Without a file there is no name.
    for option in ["--curl", "--httpie"] {
        let output = fed(
            tool(&["sign", "POST", URL, "--data-file", "-", option]),
            &bytes,
        );
        assert_eq!(code(&output), 1);
        assert!(text(&output.stderr).contains("--data-file FILE"));
    }
}

/// A stand-in that prints its arguments shows what a shell makes of the words.
#[test]
fn a_shell_reads_the_words_of_an_httpie_command_as_they_are_meant() {
    let stand_in =
        "http() { printf '%s\\n' \"$#\"; for word; do printf '<%s>\\n' \"$word\"; done; }";
    for hostile in HOSTILE.into_iter().filter(|text| *text != "--") {
        let command = printed(&["sign", "POST", URL, "--data", hostile, "--httpie"]);
        let words = text(&sh(&format!("{stand_in}\n{command}")).stdout);
        assert!(
            words.contains(&format!("<--raw={hostile}>")),
            "{command}{words}"
        );
        assert!(
            words.contains("<POST>\n<https://host.example/orders?page=2>\n"),
            "{words}"
        );
        assert!(words.contains("\n<signature-input:sig1=("), "{words}");
    }
    let (directory, path) = file("it's", [0, 1, 2]);
    let args = [
        "sign",
        "POST",
        URL,
        "--data-file",
        path.to_str().unwrap(),
        "--httpie",
    ];
    let words = text(&sh(&format!("http() {{ wc -c; }}\n{}", printed(&args))).stdout);
    assert_eq!(words.trim(), "3");
    fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn what_httpie_would_change_is_an_error() {
    for (url, header) in [
        ("https://host.example/a%2fb", "X-A: b"),
        ("https://host.example/%41", "X-A: b"),
        ("https://host.example/?a=[1]", "X-A: b"),
        ("https://host.example/", "X-A: b\\=c"),
    ] {
        let output = run(&["sign", "GET", url, "--header", header, "--httpie"]);
        assert_eq!(code(&output), 1, "{url} {header}");
        assert!(
            text(&output.stderr).contains("use --curl"),
            "{}",
            text(&output.stderr)
        );
    }
    let output = run(&["sign", "POST", URL, "--data", "--", "--httpie"]);
    assert!(
        text(&output.stderr).contains("use --curl"),
        "{}",
        text(&output.stderr)
    );
    let header = printed(&["sign", "GET", URL, "--header", "X-A: =b", "--httpie"]);
    assert!(header.contains("'x-a:\\=b'"), "{header}");
    let empty = printed(&["sign", "GET", URL, "--header", "X-A:", "--httpie"]);
    assert!(empty.contains("'x-a;'"), "{empty}");
}

#[test]
fn an_httpie_command_is_accepted() {
    if !has("http") {
        eprintln!("SKIPPED: HTTPie is not there");
        return;
    }
    let host = Host::start(&[]);
    for hostile in HOSTILE.into_iter().filter(|text| *text != "--") {
        let url = host.url("/o'hara?a=1&b='2'");
        let command = printed(&["sign", "POST", &url, "--data", hostile, "--httpie"]);
        let output = sh(&command);
        let answer = received(&text(&output.stdout));
        assert_eq!(answer["receivedBytes"], hostile.len(), "{command}");
    }
    let (_directory, path) = file("body", [0, 1, 2, 255]);
    let args = [
        "--data-file",
        path.to_str().unwrap(),
        "--header",
        "X-A: =@b",
        "--cover",
        "x-a",
    ];
    let command = printed(&[&["sign", "PUT", &host.url("/a"), "--httpie"], &args[..]].concat());
    assert_eq!(
        received(&text(&sh(&command).stdout))["receivedBytes"],
        4,
        "{command}"
    );
    assert_eq!(host.stop(), "");
}

#[test]
fn headers_go_into_curl_as_they_are() {
    assert!(has("curl"), "this test needs curl");
    let host = Host::start(&[]);
    let url = host.url("/orders?page=2");
    let headers = printed(&["sign", "GET", &url]);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--header", "@-", &url])
        .env("NO_PROXY", "127.0.0.1");
    let output = fed(curl, headers.as_bytes());
    assert_eq!(received(&text(&output.stdout))["receivedBytes"], 0);
    assert_eq!(host.stop(), "");
}
