//! `hmac-auth explain`: each mistake is made in earnest, captured, and named.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output},
};

use hmac_auth::Secret;
use serde_json::{Value, json};

use crate::support::{SECRET, code, fed, file, has, printed, text, tool};

pub(crate) const URL: &str = "https://host.example/o'hara?b=2&a=x%20y";

/// The headers of a signed GET, by an own signer: `mistake` changes what it signs.
pub(crate) fn signed(url: &str, created: i64, mistake: impl Fn(&str) -> String) -> Captured {
    let rest = url.strip_prefix("https://").unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let input = format!(
        r#"("@method" "@authority" "@path" "@query");created={created};keyid="site-a";nonce="n""#
    );
    let base = mistake(&format!(
        "\"@method\": GET\n\"@authority\": {}\n\"@path\": {path}\n\"@query\": ?{query}\n\
         \"@signature-params\": {input}",
        authority.to_lowercase()
    ));
    let mac = Secret::from_text(SECRET)
        .unwrap()
        .mac(base.as_bytes())
        .into_bytes();
    let mac = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac);
    Captured {
        text: format!(
            "GET {target} HTTP/1.1\r\nHost: {authority}\r\nCookie: HIDDEN\r\n\
             Signature-Input: sig1={input}\r\nSignature: sig1=:{mac}:\r\n\r\n"
        ),
        base,
        mac,
    }
}

pub(crate) struct Captured {
    pub(crate) text: String,
    pub(crate) base: String,
    mac: String,
}

pub(crate) fn now() -> i64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    i64::try_from(now).unwrap()
}

pub(crate) fn explained(captured: &str, args: &[&str]) -> Output {
    fed(tool(&[&["explain"], args].concat()), captured.as_bytes())
}

#[track_caller]
pub(crate) fn as_json(captured: &str, args: &[&str]) -> Value {
    let output = explained(captured, &[&["--json"], args].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn each_mistake_is_named_with_and_without_the_base_of_the_peer() {
    let (upper, port) = ("HOST.EXAMPLE", "host.example:443");
    let cases: [(&str, &str, &str, u64); 9] = [
        ("host_case", "host.example", upper, 2),
        ("default_port", "host.example", port, 2),
        ("apostrophe", "o'hara", "o%27hara", 3),
        ("missing_question_mark", "\"@query\": ?", "\"@query\": ", 4),
        ("reordered_query", "b=2&a=x%20y", "a=x%20y&b=2", 4),
        ("reencoded_query", "x%20y", "x+y", 4),
        ("method_case", "GET", "get", 1),
        (
            "parameter_order",
            ";keyid=\"site-a\";nonce=\"n\"",
            ";nonce=\"n\";keyid=\"site-a\"",
            5,
        ),
        (
            "component_order",
            "\"@method\": GET\n\"@authority\": host.example",
            "\"@authority\": host.example\n\"@method\": GET",
            1,
        ),
    ];
    for (mistake, from, to, line) in cases {
        let captured = signed(URL, now(), |base| base.replacen(from, to, 1));
        let alone = as_json(&captured.text, &[]);
        assert_eq!(alone["kind"], "wrong_mac", "{mistake}: {alone:#}");
        assert_eq!(alone["hints"][0]["mistake"], mistake, "{alone:#}");
        assert_eq!(alone["hints"][0]["certain"], true, "{alone:#}");

        let (_directory, path) = file("base", &captured.base);
        let compared = as_json(&captured.text, &["--peer-base", path.to_str().unwrap()]);
        assert_eq!(compared["hints"], alone["hints"], "{compared:#}");
        assert_eq!(compared["difference"]["line"], line, "{compared:#}");
    }
}

/// A file ends with a line break, whether the peer has signed it or not.
#[test]
fn a_line_break_at_the_end_of_the_base_is_no_other_secret() {
    let captured = signed(URL, now(), |base| format!("{base}\n"));
    let (_directory, path) = file("base", &captured.base);
    let compared = as_json(&captured.text, &["--peer-base", path.to_str().unwrap()]);
    assert_eq!(compared["hints"][0]["mistake"], "line_breaks");
    assert_eq!(compared["hints"][0]["certain"], true);
    assert_eq!(compared["hints"].as_array().unwrap().len(), 1);
}

/// The page has each key, and no other one.
#[test]
fn the_keys_of_the_json_are_those_of_the_page() {
    const PAGE: &str = include_str!("../../docs/tool.md");
    let in_code = |text: &str| -> BTreeSet<String> {
        let words = text.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let table = PAGE
        .split_once("| key | value |\n| --- | --- |\n")
        .unwrap()
        .1;
    // Values are in parentheses, but for `null`.
    let keys_in = |text: &str| -> BTreeSet<String> {
        let parts = text.split('(').map(|part| part.rsplit(')').next().unwrap());
        let mut keys = in_code(&parts.collect::<Vec<_>>().concat());
        keys.remove("null");
        keys
    };
    let rows: BTreeMap<_, _> = (table.lines())
        .map_while(|row| row.strip_prefix("| ")?.split_once(" | "))
        .flat_map(|(keys, value)| in_code(keys).into_iter().map(|key| (key, keys_in(value))))
        .collect();
    let captured = signed(URL, now() - 3_600, |base| base.replace("GET", "get"));
    let (_directory, path) = file("base", &captured.base);
    let answer = as_json(&captured.text, &["--peer-base", path.to_str().unwrap()]);
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&answer), rows.keys().cloned().collect());
    for (key, example) in [
        ("rules", &answer["rules"][0]),
        ("hints", &answer["hints"][0]),
        ("difference", &answer["difference"]),
    ] {
        assert_eq!(keys(example), rows[key], "{key}");
    }
    let mut of_time = keys(&answer);
    of_time.retain(|key| !rows["atCreated"].contains(key));
    assert_eq!(keys(&answer["atCreated"]), of_time);

    let output = explained("nonsense", &["--json"]);
    assert_eq!((code(&output), text(&output.stdout)), (1, String::new()));
}

#[test]
fn a_good_request_is_accepted_and_a_late_one_is_explained_twice() {
    let good = signed(URL, now(), str::to_owned);
    let output = explained(&good.text, &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
    assert!(text(&output.stdout).starts_with("accepted: "));

    let late = signed(URL, now() - 3_600, str::to_owned);
    let output = explained(&late.text, &[]);
    assert_eq!(code(&output), 3);
    let all = text(&output.stdout);
    assert!(all.starts_with("refused: stale\n"), "{all}");
    assert!(all.contains("\nhint: clock (certain): "), "{all}");
    assert!(
        all.contains("as if it had come in time:\n\naccepted: "),
        "{all}"
    );
    assert_eq!(code(&explained(&late.text, &["--at", "created"])), 0);
    let at = (now() - 3_590).to_string();
    assert_eq!(code(&explained(&late.text, &["--at", &at])), 0);
    assert_eq!(code(&explained(&late.text, &["--max-age", "7200"])), 0);

    // A proxy signs too, a little later.
    let of_proxy = format!(
        "proxy=(\"@method\");created={};keyid=\"proxy\", sig1=",
        now() - 60
    );
    let both = late.text.replacen("sig1=(", &format!("{of_proxy}("), 1);
    let both = both.replacen("sig1=:", "proxy=:AAAA:, sig1=:", 1);
    let key_id = &["--key-id", "site-a"][..];
    assert_eq!(
        code(&explained(&both, &[key_id, &["--at", "created"]].concat())),
        0
    );
    let all = text(&explained(&both, key_id).stdout);
    assert!(
        all.contains("as if it had come in time:\n\naccepted: "),
        "{all}"
    );

    let milliseconds = signed(URL, now() * 1_000, str::to_owned);
    let answer = as_json(&milliseconds.text, &[]);
    assert_eq!(answer["kind"], "in_future");
    assert_eq!(answer["hints"][0]["mistake"], "milliseconds");
    assert_eq!(answer["atCreated"]["accepted"], true);
}

#[test]
fn another_secret_shows_by_its_fingerprint_and_its_encoding() {
    let captured = signed(URL, now(), str::to_owned);
    let mut other = tool(&["explain", "--json", "--peer-fingerprint"]);
    let theirs = printed(&["secret", "--fingerprint"]);
    other
        .arg(theirs.trim())
        .env("HMAC_AUTH_SECRET", "another secret, long enough");
    let output = fed(other, captured.text.as_bytes());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer["hints"],
        json!([{
            "mistake": "other_secret",
            "certain": true,
            "text": answer["hints"][0]["text"],
        }])
    );
    assert_ne!(answer["fingerprints"][0], theirs.trim());

    // The peer signs with the text, and this side reads hexadecimal digits; or the other way round.
    let digits = "000102030405060708090a0b0c0d0e0f";
    let url = "https://host.example/";
    for (signing, explaining, name) in [("text", "hex", "text"), ("hex", "text", "hex")] {
        let mut sign = tool(&["sign", "GET", url, "--encoding", signing]);
        let headers = text(
            &sign
                .env("HMAC_AUTH_SECRET", digits)
                .output()
                .unwrap()
                .stdout,
        );
        let request = format!("GET / HTTP/1.1\nHost: host.example\n{headers}\n");
        let mut explain = tool(&["explain", "--encoding", explaining]);
        explain.env("HMAC_AUTH_SECRET", digits);
        let all = text(&fed(explain, request.as_bytes()).stdout);
        assert!(
            all.contains(&format!(
                "with `--encoding {name}`, the request is accepted"
            )),
            "{all}"
        );
    }
}

#[test]
fn without_a_secret_all_else_is_explained() {
    let captured = signed(URL, now(), str::to_owned);
    let mut command = tool(&["explain"]);
    command.env_remove("HMAC_AUTH_SECRET");
    let output = fed(command, captured.text.as_bytes());
    let all = text(&output.stdout);
    assert_eq!(code(&output), 3);
    assert!(all.contains("  3  \"@path\": /o'hara"), "{all}");
    assert!(
        all.contains("note: no secret was given, so no MAC was checked"),
        "{all}"
    );
}

#[test]
fn credentials_and_macs_are_never_shown() {
    let captured = signed("https://host.example/?t=HIDDEN", now(), |base| {
        format!("{base}x")
    });
    let right = Secret::from_text(SECRET).unwrap();
    let right = right
        .mac(captured.base.strip_suffix('x').unwrap().as_bytes())
        .into_bytes();
    let right = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, right);
    for args in [
        &[][..],
        &["--json"],
        &["--show-values"],
        &["--json", "--show-values"],
    ] {
        let output = explained(&captured.text, args);
        let all = text(&output.stdout) + &text(&output.stderr);
        let shows_values = args.contains(&"--show-values");
        assert_eq!(all.contains("t=HIDDEN"), shows_values, "{all}");
        for secret in [SECRET, &captured.mac, &right] {
            assert!(!all.contains(secret), "{all}");
        }
    }
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let captured = signed(URL, now(), |base| format!("{base}\n"));
    let escapes = |args: &[&str]| text(&explained(&captured.text, args).stdout).contains('\u{1b}');
    assert!(!escapes(&[]));
    assert!(!escapes(&["--color", "never"]));
    assert!(escapes(&["--color", "always"]));
    if !has("script") {
        eprintln!("SKIPPED: `script` is not there, which makes a terminal");
        return;
    }
    // A terminal, with and without `NO_COLOR`.
    let (_directory, path) = file("request", &captured.text);
    for (no_color, expected) in [("", true), ("1", false)] {
        let program = env!("CARGO_BIN_EXE_hmac-auth");
        let output = Command::new("script")
            .args([
                "-qec",
                &format!("{program} explain '{}'", path.display()),
                "/dev/null",
            ])
            .env("NO_COLOR", no_color)
            .env("HMAC_AUTH_SECRET", SECRET)
            .output()
            .unwrap();
        let all = text(&output.stdout);
        assert!(all.contains("refused: wrong_mac"), "{all}");
        assert_eq!(all.contains('\u{1b}'), expected, "{all}");
    }
}

/// A proxy has decompressed or compressed the body, and says so in `Content-Encoding`, or does not.
#[test]
fn a_body_that_a_proxy_has_coded_is_a_matter_of_the_content_coding() {
    assert!(has("gzip"), "this test needs gzip");
    let (directory, path) = file("body.json", r#"{"month":11}"#);
    let gzip = Command::new("gzip").arg("-k").arg(&path).status().unwrap();
    assert!(gzip.success());
    let compressed = directory.path().join("body.json.gz");
    let (path, compressed) = (path.to_str().unwrap(), compressed.to_str().unwrap());
    let url = "https://host.example/a";
    let coding = ["--header", "Content-Encoding: gzip"];
    let args = [
        &["sign", "POST", url, "--data-file", compressed],
        &coding[..],
    ]
    .concat();
    let request = format!("POST /a HTTP/1.1\nHost: host.example\n{}\n", printed(&args));
    assert_eq!(code(&explained(&request, &["--body", compressed])), 0);
    let decompressed = request.replacen("content-encoding: gzip\n", "", 1);
    assert_ne!(decompressed, request);
    let plain = printed(&["sign", "POST", url, "--data-file", path]);
    let plain = format!("POST /a HTTP/1.1\nHost: host.example\n{plain}\n");
    assert_eq!(code(&explained(&plain, &["--body", path])), 0);
    let was_compressed = plain.replacen("Host", "Content-Encoding: gzip\nHost", 1);
    for (captured, body, kind) in [
        (&request, path, "wrong_digest"),
        (&decompressed, path, "absent_component"),
        (&was_compressed, compressed, "not_covered"),
    ] {
        let answer = as_json(captured, &["--body", body]);
        assert_eq!(answer["kind"], kind, "{answer:#}");
        assert_eq!(
            answer["hints"][0]["mistake"], "content_coding",
            "{answer:#}"
        );
    }
}
