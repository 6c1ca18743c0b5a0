//! Items of the tamper kit: what is changed in each of them is what its description says.

use std::time::Duration;

use hmac_auth::testing::{TamperOptions, Tampered, tampered, wrongly_signed};
use http::{HeaderName, Request};

use crate::support::request::{NOW, TestRequest, secret, sign_options, signed_with};

/// A request with something of everything.
fn request(path: &str) -> TestRequest {
    Request::post(format!("https://host.example{path}?x=1"))
        .header("content-type", "text/plain")
        .header("x-site", "one")
        .header("x-site", "two")
        .body(b"hello".to_vec())
        .unwrap()
}

fn options() -> hmac_auth::SignOptions {
    let site = HeaderName::from_static("x-site");
    sign_options()
        .cover(site)
        .expires_in(Duration::from_secs(30))
}

fn changed(path: &str) -> Vec<Tampered> {
    tampered(&signed_with(request(path), &options()))
}

fn well_signed() -> Vec<Tampered> {
    let options = TamperOptions::new(secret()).sign_options(options());
    wrongly_signed(&request("/a/b"), &options)
}

#[track_caller]
fn find<'i>(items: &'i [Tampered], description: &str) -> &'i Tampered {
    items
        .iter()
        .find(|item| item.description() == description)
        .unwrap_or_else(|| panic!("no `{description}` in {items:#?}"))
}

fn lines<'i>(item: &'i Tampered, name: &str) -> Vec<&'i str> {
    let lines = item.request().headers().get_all(name).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[test]
fn the_path_is_changed() {
    let items = changed("/a%2Fb");
    let path = |description| find(&items, description).request().uri().path();
    for (change, expected) in [
        ("path: a letter percent-encoded", "/%61%2Fb"),
        ("path: the case of a letter", "/A%2Fb"),
        ("path: an escape in lower case", "/a%2fb"),
        ("path: an escape escaped again", "/a%252Fb"),
        ("path: the last character cut", "/a%2F"),
    ] {
        assert_eq!(path(change), expected);
    }
    let cut = "path: the last character cut";
    assert_eq!(find(&changed("/a"), cut).request().uri().path(), "/");
    let has_cut = |items: &[Tampered]| items.iter().any(|item| item.description() == cut);
    assert!(!has_cut(&changed("/")));
    // What begins like an escape is none.
    assert!(has_cut(&changed("/100%")));
}

#[test]
fn lines_of_a_field_are_changed() {
    let items = changed("/a/b");
    for (change, name, expected) in [
        (
            "field: `x-site`: moved before the line above in line 2",
            "x-site",
            &["two", "one"][..],
        ),
        (
            "field: `x-site`: the line removed in line 1",
            "x-site",
            &["two"],
        ),
        (
            "field: `content-type`: the case of a letter",
            "content-type",
            &["Text/plain"],
        ),
        (
            "field: `content-type`: one bit flipped in the middle",
            "content-type",
            &["text/qlain"],
        ),
    ] {
        assert_eq!(lines(find(&items, change), name), expected);
    }
}

#[test]
fn both_signature_fields_are_changed() {
    let items = changed("/a/b");
    let find = |change| find(&items, change);
    let input = |change| lines(find(change), "signature-input")[0];
    let label = "signature fields: `signature-input`: without its label";
    assert!(
        input(label).starts_with("(\"@method\" "),
        "{}",
        input(label)
    );
    let scheme = "components: \"@scheme\" added in front";
    assert!(input(scheme).starts_with("sig1=(\"@scheme\" \"@method\" "));
    let created = "parameters: `created` changed to `created=?1`";
    assert!(input(created).contains(";created=?1;"));
    let early = input("time: `created` before 1970");
    assert!(early.contains(";created=-1;"), "{early}");
    let long = input("time: `expires` a day later");
    let expires = format!(";created={NOW};expires={};", NOW + 86_400);
    assert!(long.contains(&expires), "{long}");
    find("MAC: all bits flipped");
}

#[test]
fn what_is_well_signed_is_wrong_as_it_says() {
    let items = well_signed();
    let line = |change: &str, name| lines(find(&items, change), name)[0];
    let digest = "Content-Digest: well signed, of `sha-256`, and a wrong one of `sha-512`";
    let digest = line(digest, "content-digest");
    assert!(digest.starts_with("sha-256=:"), "{digest}");
    assert!(digest.contains(":, sha-512=:"), "{digest}");
    let query = line(
        "components: well signed, without \"@query\"",
        "signature-input",
    );
    assert!(!query.contains("@query"), "{query}");
    let year = 366 * 24 * 60 * 60;
    for (change, created) in [
        ("a year older than the host accepts", NOW - 60 - year),
        (
            "a year further in the future than the host accepts",
            NOW + 15 + year,
        ),
    ] {
        let input = line(&format!("time: well signed, {change}"), "signature-input");
        assert!(
            input.contains(&format!(";created={created};nonce=")),
            "{input}"
        );
    }
}
