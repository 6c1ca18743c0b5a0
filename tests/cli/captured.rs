//! `hmac-auth explain`: the forms in which people have captured a request.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    explain::{URL, as_json, explained, now, signed},
    support::{Host, code, fed, file, has, printed, run, sh, text},
};

const POST_URL: &str = "https://host.example/a";

/// The head of a signed POST as HTTP/1.1 text, with these lines more.
fn post_head(body: &str, lines: &str) -> String {
    let headers = printed(&["sign", "POST", POST_URL, "--data", body]);
    format!("POST /a HTTP/1.1\nHost: host.example\n{lines}{headers}\n")
}

#[track_caller]
fn assert_accepted(captured: impl AsRef<[u8]>, args: &[&str]) {
    let captured = captured.as_ref();
    let output = fed(
        crate::support::tool(&[&["explain"], args].concat()),
        captured,
    );
    let all = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(code(&output), 0, "{}\n{all}", text(captured));
    assert!(!all.contains("note: "), "{all}");
}

/// A capture without its body is no reason to blame anybody for another one.
#[track_caller]
fn assert_lacks_body(captured: &str, args: &[&str]) {
    let answer = as_json(captured, args);
    let note = "the capture has no body: give `--body FILE`";
    assert_eq!(answer["notes"], json!([note]), "{captured}\n{answer:#}");
    assert_eq!(mistakes(&answer), of_no_body(&answer), "{answer:#}");
}

fn mistakes(answer: &Value) -> Vec<&str> {
    let hints = answer["hints"].as_array().unwrap().iter();
    hints
        .map(|hint| hint["mistake"].as_str().unwrap())
        .collect()
}

fn of_no_body(answer: &Value) -> Vec<&str> {
    if answer["kind"] == "wrong_digest" {
        vec!["body_missing"]
    } else {
        Vec::new()
    }
}

/// The real `curl -v`, against a host that refuses: for a query that curl's user has typed in
/// another order than the signer.
#[test]
fn the_output_of_curl_is_read() {
    assert!(has("curl"), "this test needs curl");
    let host = Host::start(&[]);
    let url = host.url("/a?b=1&a=2");
    let headers = printed(&["sign", "POST", &url, "--data", "{}"]);
    let sorted = host.url("/a?a=2&b=1");
    let mut curl = Command::new("curl");
    curl.args(["-v", "--silent", "--header", "@-", "--data", "{}", &sorted])
        .env("NO_PROXY", "127.0.0.1");
    let verbose = fed(curl, headers.as_bytes());
    let log = text(&verbose.stderr);
    assert!(log.contains("\n> POST /a?a=2&b=1 HTTP/1.1"), "{log}");
    let (_directory, body) = file("body", "{}");
    let args = [
        "--external-scheme",
        "http",
        "--body",
        body.to_str().unwrap(),
    ];
    let answer = as_json(&log, &args);
    assert_eq!(answer["kind"], "wrong_mac", "{answer:#}");
    assert_eq!(
        answer["hints"][0]["mistake"], "reordered_query",
        "{answer:#}"
    );
    assert!(host.stop().starts_with("refused wrong_mac: POST /a "));
}

#[test]
fn an_entry_of_a_har_file_is_read() {
    let captured = signed(URL, now(), |base| {
        base.replace("host.example", "Host.Example")
    });
    let headers: Vec<Value> = captured
        .text
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .chain([json!({"name": ":authority", "value": "host.example"})])
        .collect();
    let unsigned =
        json!({"request": {"method": "GET", "url": "https://cdn.example/x.js", "headers": []}});
    let entry =
        json!({"request": {"method": "GET", "url": URL, "httpVersion": "h2", "headers": headers}});
    let har = json!({"log": {"entries": [unsigned, entry]}}).to_string();
    assert_eq!(as_json(&har, &[])["hints"][0]["mistake"], "host_case");
    assert_eq!(as_json(&har, &["--entry", "2"])["kind"], "wrong_mac");
    assert_eq!(
        as_json(&har, &["--entry", "1"])["kind"],
        "missing_signature"
    );
    let output = explained(&har, &["--entry", "3"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("there are 2 requests: `--entry` counts from 1"));
}

/// A body has the lines that it likes: none of them is a request, or stands before the right one.
#[test]
fn lines_of_a_body_are_no_requests_of_curl() {
    let url = "https://host.example/a";
    let other = "> GET /other HTTP/1.1\n> Host: host.example\n> \n";
    for body in ["<a\n>text</a\n>\n", "> quoted\n> text", other] {
        let headers = printed(&["sign", "POST", url, "--data", body]);
        let head = format!("POST /a HTTP/1.1\nHost: host.example\n{headers}\n");
        let output = explained(&format!("{head}{body}"), &[]);
        assert_eq!(
            code(&output),
            0,
            "{body:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );

        let (_directory, path) = file("body", body);
        let sent: Vec<_> = head.lines().map(|line| format!("> {line}\n")).collect();
        let sent = sent.concat();
        let log = format!("* Connected\n{sent}< HTTP/1.1 200 OK\n< \n{body}");
        let output = explained(&log, &["--body", path.to_str().unwrap()]);
        assert_eq!(
            code(&output),
            0,
            "{log}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
}

/// A browser saves what no host has ever got, such as `data:` URLs.
#[test]
fn an_entry_that_cannot_be_read_hides_no_other_one() {
    let captured = signed(URL, now(), str::to_owned);
    let headers: Vec<Value> = (captured.text.lines().skip(2))
        .filter_map(|line| line.split_once(": "))
        .chain([("host", "host.example"), ("x-name", "\u{65e5}\u{672c}")])
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let data =
        json!({"request": {"method": "GET", "url": "data:image/png;base64,AA==", "headers": []}});
    let signed = |url| json!({"request": {"method": "GET", "url": url, "headers": headers}});
    let har = |entries: [&Value; 2]| json!({"log": {"entries": entries}}).to_string();
    let good = signed(URL);
    assert_eq!(as_json(&har([&data, &good]), &[])["accepted"], true);
    // The signed one is not left out in silence.
    let broken = signed("https://[");
    let plain = json!({"request": {"method": "GET", "url": URL, "headers": []}});
    let output = explained(&har([&plain, &broken]), &[]);
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 1, "{}", text(&output.stdout));
    assert!(stderr.contains("entry 2 of the HAR file: "), "{stderr}");
}

#[test]
fn a_body_in_the_text_counts_without_the_line_break_of_an_editor() {
    let url = "https://host.example/a";
    let headers = printed(&["sign", "POST", url, "--data", "{}"]);
    let head = format!("POST /a HTTP/1.1\nHost: host.example\nContent-Length: 2\n{headers}\n");
    for body in ["{}", "{}\n", "{}\r\n"] {
        assert_eq!(
            code(&explained(&format!("{head}{body}"), &[])),
            0,
            "{body:?}"
        );
    }
    let answer = as_json(&format!("{head}{{ }}"), &[]);
    assert_eq!(answer["kind"], "wrong_digest");
}

#[test]
fn what_is_no_request_is_an_error_with_a_remedy() {
    for (input, complaint) in [
        ("", "there is no request"),
        ("nonsense", "no request line"),
        ("GET / HTTP/1.1\nno header", "line 2 is no header"),
        ("GET http://[ HTTP/1.1\n", "no URI"),
        ("{", "the HAR file is no JSON"),
        ("{\"log\":{}}", "no `log.entries`"),
        (
            "{\"log\":{\"entries\":[{}]}}",
            "entry 1 of the HAR file: there is no `url`",
        ),
    ] {
        let output = explained(input, &[]);
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), 1, "{input}: {}", text(&output.stdout));
        assert!(stderr.contains(complaint), "{stderr}");
    }
    // More headers than any program keeps.
    let mut many = "GET / HTTP/1.1\n".to_owned();
    many.extend((0..40_000).map(|index| format!("x-{index}: y\n")));
    let output = explained(&many, &[]);
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 1, "{stderr}");
    assert!(stderr.contains(" is no header: "), "{stderr}");
    let output = run(&["explain", "/no/such/file"]);
    assert!(text(&output.stderr).contains("cannot read /no/such/file"));
}

/// Into a pipe, curl writes its progress too, without a line break behind it.
#[test]
fn the_progress_of_curl_hides_no_request() {
    assert!(has("curl"), "this test needs curl");
    let host = Host::start(&[]);
    let url = host.url("/a");
    let headers = printed(&["sign", "POST", &url, "--data", "{}"]);
    let (_directory, path) = file("headers", &headers);
    let (_other, body) = file("body", "{}");
    let body = [
        "--external-scheme",
        "http",
        "--body",
        body.to_str().unwrap(),
    ];
    for options in ["-v", "-sv", "-v --trace-time"] {
        let curl = format!("curl {options} -H @'{}' -d {{}} {url} 2>&1", path.display());
        let log = text(&sh(&curl).stdout);
        assert!(log.contains("> POST /a HTTP/1.1"), "{log}");
        assert_accepted(&log, &body);
        // If the connection takes long, the request stands behind the progress.
        let meter =
            "\r  0     0    0     0    0     0      0      0 --:--:--  0:00:01 --:--:--     0";
        let log = log.replacen("> POST", &format!("{meter}> POST"), 1);
        assert_accepted(&log, &body);
    }
}

#[test]
fn a_capture_without_its_body_is_told_so() {
    let head = post_head("{}", "Content-Length: 2\n");
    let of_curl: Vec<_> = head.lines().map(|line| format!("> {line}\n")).collect();
    assert_lacks_body(&of_curl.concat(), &[]);
    assert_lacks_body(&head, &[]);
    // The empty lines of an editor may be as long as the body was.
    for lines in ["\n", "\r\n", "\n\n", "\r\n\n"] {
        assert_lacks_body(&format!("{head}{lines}"), &[]);
    }
    assert_lacks_body(&format!("{head}\nHTTP/1.1 401 Unauthorized\n\n{{}}"), &[]);
    assert_lacks_body(&post_head("{}", ""), &[]);
    assert_lacks_body(&post_head("{}", "Transfer-Encoding: chunked\n"), &[]);
    assert_lacks_body(&har_of(&post_head("{}", ""), &Value::Null), &[]);
    let form = json!({"mimeType": "text/plain", "params": []});
    assert_lacks_body(&har_of(&post_head("{}", ""), &form), &[]);

    // A body that no digest covers is refused, and would be accepted without it.
    let uncovered = signed(URL, now(), str::to_owned);
    let uncovered = uncovered
        .text
        .replacen("Host", "Content-Length: 2\r\nHost", 1);
    assert_eq!(code(&explained(&uncovered, &[])), 0);
    assert_lacks_body(&uncovered, &[]);

    // An old request is explained twice.
    let at = (now() - 3_600).to_string();
    let headers = printed(&["sign", "POST", POST_URL, "--data", "{}", "--at", &at]);
    let old = format!("POST /a HTTP/1.1\nHost: host.example\n{headers}\n");
    let answer = as_json(&old, &[]);
    assert_eq!(answer["notes"].as_array().unwrap().len(), 1, "{answer:#}");
    assert_eq!(
        mistakes(&answer["atCreated"]),
        ["body_missing"],
        "{answer:#}"
    );

    // What is no capture without a body.
    let (_directory, body) = file("body", "{}");
    let body = body.to_str().unwrap();
    assert_accepted(&head, &["--body", body]);
    assert_accepted(of_curl.concat(), &["--body", body]);
    let (_directory, empty) = file("empty", "");
    let answer = as_json(&head, &["--body", empty.to_str().unwrap()]);
    assert_eq!(answer["kind"], "wrong_digest");
    assert_eq!(answer["notes"], json!([]), "{answer:#}");
    let without = post_head("", "Content-Length: 0\n");
    assert_accepted(&without, &[]);
}

/// A HAR file with the request of an HTTP/1.1 text, and this `postData`.
fn har_of(head: &str, data: &Value) -> String {
    let headers: Vec<_> = (head.lines().skip(1))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let request = json!({"method": "POST", "url": POST_URL, "headers": headers, "postData": data});
    json!({"log": {"entries": [{"request": request}]}}).to_string()
}

#[test]
fn the_body_of_an_entry_of_a_har_file_is_read() {
    let json = "{\"city\":\"K\u{f6}ln\"}";
    let data = json!({"mimeType": "application/json", "text": json});
    let har = har_of(&post_head(json, ""), &data);
    assert_accepted(&har, &[]);
    let (_directory, other) = file("other", "{}");
    let other = as_json(&har, &["--body", other.to_str().unwrap()]);
    assert_eq!(other["kind"], "wrong_digest");

    let bytes: Vec<u8> = (0..=255).collect();
    let (_directory, path) = file("body", &bytes);
    let args = [
        "sign",
        "POST",
        POST_URL,
        "--data-file",
        path.to_str().unwrap(),
    ];
    let head = format!("POST /a HTTP/1.1\nHost: host.example\n{}\n", printed(&args));
    let data = json!({"encoding": "base64", "text": STANDARD.encode(&bytes)});
    assert_accepted(har_of(&head, &data), &[]);
    let data = json!({"encoding": "base64", "text": "no base64"});
    let output = explained(&har_of(&head, &data), &[]);
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 1, "{}", text(&output.stdout));
    assert!(stderr.contains("`postData.text` is no base64"), "{stderr}");
}

/// RFC 9112, section 6.3: a request without `Content-Length` and `Transfer-Encoding` has no body.
#[test]
fn empty_lines_behind_the_head_are_no_body() {
    let head = signed(URL, now(), str::to_owned).text;
    for behind in ["", "\n", "\r\n", "\r\n\r\n", "  \n\n"] {
        assert_accepted(format!("{head}{behind}"), &[]);
        // As with the body, so without it.
        let head = post_head("{}", "Content-Length: 2\n");
        assert_accepted(format!("{head}{{}}{behind}"), &[]);
        let head = post_head("", "Content-Length: 0\n");
        assert_accepted(format!("{head}{behind}"), &[]);
    }
    // A text without a length is taken as the body that somebody has put there.
    assert_accepted(format!("{}{{}}", post_head("{}", "")), &[]);
    let answer = as_json(&format!("{head}{{}}"), &[]);
    assert_eq!(answer["kind"], "body_not_covered");
}

#[test]
fn a_body_of_its_length_may_look_like_none() {
    for body in ["\n", "\r\n", "  ", "HTTP/1.1 200 OK", "HTTP/2 is good\n"] {
        let head = post_head(body, &format!("Content-Length: {}\n", body.len()));
        for behind in ["", "\n", "\r\n\r\n", "\n\nHTTP/1.1 401 Unauthorized\n\n"] {
            assert_accepted(format!("{head}{body}{behind}"), &[]);
        }
    }
}

/// As `http -v` and Wireshark print a request.
#[test]
fn a_response_behind_the_request_is_no_body() {
    let response = "\n\n\nHTTP/1.1 401 Unauthorized\nContent-Length: 2\n\n{}";
    let get = signed(URL, now(), str::to_owned).text;
    assert_accepted(format!("{get}{response}"), &[]);
    let head = post_head("{}", "Content-Length: 2\n");
    assert_accepted(format!("{head}{{}}{response}"), &[]);
}

#[test]
fn a_body_in_chunks_is_put_together() {
    let body = r#"{"month":11}"#;
    let head = post_head(body, "Transfer-Encoding: chunked\n");
    for chunks in [
        "c\r\n{\"month\":11}\r\n0\r\n\r\n",
        "3\r\n{\"m\r\n9;name=\"x\"\r\nonth\":11}\r\n000\r\n\r\n",
        // As an editor saves it.
        "3\n{\"m\n9\nonth\":11}\n0\n\n\n",
        "0C\n{\"month\":11}\n0",
        // A program has put it together before.
        body,
    ] {
        assert_accepted(format!("{head}{chunks}"), &[]);
    }
    let (_directory, path) = file("body", body);
    let given = ["--body", path.to_str().unwrap()];
    for broken in [
        "c\r\n{\"month\"",
        "d\r\n{\"month\":11}\r\n0\r\n\r\n",
        "1\r\n{\"month\":11}\r\n0\r\n\r\n",
        "c\r\n{\"month\":11}\r\n",
        "ffffffffffffffffffff\r\n{",
        "c\r\n{\"month\":11}\r\n0\r\nX-Trailer: a\r\n\r\n",
    ] {
        let captured = format!("{head}{broken}");
        let output = explained(&captured, &[]);
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), 1, "{broken}: {}", text(&output.stdout));
        assert!(stderr.contains("`--body FILE`"), "{stderr}");
        assert_accepted(&captured, &given);
    }
    // A host refuses all trailers.
    let trailers = "c\n{\"month\":11}\n0\nX-Trailer: a\n\n";
    let stderr = text(&explained(&format!("{head}{trailers}"), &[]).stderr);
    assert!(stderr.contains("trailers_not_covered"), "{stderr}");
}

/// The body was put together before, and begins as a chunk does.
#[test]
fn a_number_is_a_body_and_no_chunk() {
    for body in ["12", "deadbeef", "0", "0c;a", "ffffffffffffffffffff"] {
        let head = post_head(body, "Transfer-Encoding: chunked\n");
        assert_accepted(format!("{head}{body}"), &[]);
    }
    let head = post_head("12", "Transfer-Encoding: chunked\n");
    let answer = as_json(&format!("{head}12\n"), &[]);
    assert_eq!(mistakes(&answer), ["body_line_breaks"], "{answer:#}");
}

#[test]
fn a_body_of_no_chunks_is_empty_and_not_missing() {
    let head = post_head("", "Transfer-Encoding: chunked\n");
    for end in ["0\r\n\r\n", "0\n\n", "0\n"] {
        assert_accepted(format!("{head}{end}"), &[]);
    }
    let head = post_head("{}", "Transfer-Encoding: chunked\n");
    let answer = as_json(&format!("{head}0\r\n\r\n"), &[]);
    assert_eq!(mistakes(&answer), ["body_missing"], "{answer:#}");
    assert_eq!(answer["notes"], json!([]), "{answer:#}");
}

/// As PowerShell and some editors write a file.
#[test]
fn byte_order_marks_and_utf_16_are_read() {
    type Form = fn(&str) -> Vec<u8>;
    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }
    fn big(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }
    let forms: [Form; 5] = [
        |text| format!("\u{feff}{text}").into_bytes(),
        |text| little(&format!("\u{feff}{text}")),
        |text| big(&format!("\u{feff}{text}")),
        little,
        big,
    ];
    let captured = signed(URL, now(), |base| base.replace("GET", "get"));
    let base = captured.base.clone();
    let of_curl: Vec<_> = (captured.text.lines())
        .map(|line| format!("> {line}\r\n"))
        .collect();
    let har = har_of(&post_head("{}", ""), &json!({"text": "{}"}));
    for form in forms {
        assert_accepted(form(&har), &[]);
        let (_directory, path) = file("base", form(&base));
        for text in [&captured.text, &of_curl.concat()] {
            let args = ["explain", "--json", "--peer-base", path.to_str().unwrap()];
            let output = fed(crate::support::tool(&args), &form(text));
            let answer: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {:?}", output.stderr));
            assert_eq!(answer["hints"][0]["mistake"], "method_case", "{answer:#}");
            assert_eq!(answer["difference"]["line"], 1, "{answer:#}");
        }
    }
}
