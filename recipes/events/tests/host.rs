//! Events come while the connection is open, and only to whom has signed.

use std::io::{BufRead, BufReader};

use check::{Host, Signed, unsigned};
use hmac_auth::SignOptions;
use http::{HeaderName, HeaderValue, Method};

const LAST: HeaderName = HeaderName::from_static("last-event-id");

fn after(id: &'static str) -> Signed {
    let mut request = unsigned(Method::GET, "/events", b"");
    request.headers_mut().insert(LAST, HeaderValue::from_static(id));
    request
}

#[test]
fn only_valid_requests_get_events() {
    let host = Host::start(env!("CARGO_BIN_EXE_recipe-events"));
    let first = || host.signed(Method::GET, "/events", b"");
    assert_eq!(host.head(&first()).header("cache-control"), "no-cache, private");
    check::attacks_on(&host, 200, &first);

    let mut more = first();
    more.headers_mut().insert(LAST, HeaderValue::from_static("7"));
    assert_eq!(host.send(&more).status, 401, "added on the way");

    let options = || SignOptions::new().key_id("site-a").secret_name("site-a").cover(LAST);
    let answer = BufReader::new(host.open(&host.sign_with(options(), after("41"))));
    let lines = answer.lines().map(|line| line.unwrap());
    let fields = lines.filter(|line| line.starts_with("id:") || line.starts_with("data:"));
    let events: Vec<String> = fields.take(4).collect();
    assert_eq!(events, ["id: 42", "data: for site-a", "id: 43", "data: for site-a"]);
}
