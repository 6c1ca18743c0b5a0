//! Each consumer has a rate of its own, and only what is proven counts.

use check::{Host, unsigned};
use http::Method;

#[test]
fn each_consumer_has_a_rate_of_its_own() {
    let host = Host::start(env!("CARGO_BIN_EXE_recipe-rate-limit"));
    let by = |consumer| host.sign_as(consumer, unsigned(Method::GET, "/orders/7", b""));
    check::attacks_on(&host, 200, &|| by("site-a"));
    // One was proven so far. What names `site-a` without proof takes nothing of its rate.
    for _ in 0..20 {
        let mut forged = by("site-b");
        let input = forged.headers()["signature-input"].to_str().unwrap();
        let input = input.replace("site-b", "site-a").parse().unwrap();
        forged.headers_mut().insert("signature-input", input);
        assert_eq!(host.send(&forged).status, 401);
    }
    for _ in 0..9 {
        assert_eq!(host.send(&by("site-a")).status, 200);
    }
    let limited = host.send(&by("site-a"));
    assert_eq!(limited.status, 429);
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=7).contains(&wait), "{wait}");
    assert_eq!(host.send(&by("site-b")).body, "hello, site-b");
}
