//! What each host must do with right, altered, repeated and unsigned requests.

use std::thread;

use http::{
    HeaderValue, Method, Uri,
    header::{CACHE_CONTROL, HOST},
};

use crate::{Answer, Host, MAX_BODY_LEN, REFUSED, Signed, unsigned};

/// Targets that a server may be tempted to write in another way.
const ODD_TARGETS: [&str; 4] =
    ["/orders/a%2Fb", "/orders/a%7eb?q=%2f%2F+c&q=", "/orders//7", "/orders/7?"];

/// A host that answers nothing before a request is validated, not even to unknown paths.
pub fn attacks(host: &Host) {
    for (method, target) in [
        (Method::GET, "/unknown"),
        (Method::GET, "/"),
        (Method::DELETE, "/orders/7"),
        (Method::OPTIONS, "/orders/7"),
    ] {
        let known = host.send(&host.signed(method.clone(), target, b""));
        assert!(matches!(known.status, 404 | 405), "{method} {target}: {known:?}");
        assert_refused(&host.send(&unsigned(method, target, b"")), target);
    }
    attack_with_body(host);
    attacks_on_routes(host);
}

/// The target is as it was sent, although clients of the web would resolve the dots.
pub fn keeps_dots(host: &Host) {
    let answer = host.send(&host.signed(Method::GET, "/orders/6/../7", b""));
    assert!(matches!(answer.status, 200 | 404), "{answer:?}");
}

/// A body that somebody has added to a request without one.
pub fn attack_with_body(host: &Host) {
    let mut request = host.signed(Method::GET, "/orders/7", b"");
    *request.body_mut() = b"{}".to_vec();
    assert_refused(&host.send(&request), "a body");
}

/// A host with `GET /orders/{id}`, which greets the consumer by the name `site-a`, and with
/// `POST /orders/{id}`, which answers the body that it has got.
pub fn attacks_on_routes(host: &Host) {
    let get = || host.signed(Method::GET, "/orders/7?page=2", b"");
    let post = || host.signed(Method::POST, "/orders/7", br#"{"month":11}"#);

    let answer = host.send(&get());
    assert_eq!((answer.status, &*answer.body), (200, "hello, site-a"));
    assert_eq!(answer.header("cache-control"), "private");
    let answer = host.send(&post());
    assert_eq!((answer.status, &*answer.body), (200, r#"{"month":11}"#));
    for target in ODD_TARGETS {
        let answer = host.send(&host.signed(Method::GET, target, b""));
        assert!(matches!(answer.status, 200 | 404), "{target}: {answer:?}");
    }
    let head = host.send(&host.signed(Method::HEAD, "/orders/7", b""));
    assert!(matches!(head.status, 200 | 405), "HEAD is signed as HEAD");

    for (what, request) in altered(&get(), &post()) {
        assert_refused(&host.send(&request), what);
    }
    assert_refused(&host.send(&unsigned(Method::GET, "/orders/7", b"")), "unsigned");
    assert_refused(&host.send(&unsigned(Method::POST, "/orders/7", b"{}")), "unsigned");
    let mut elsewhere = unsigned(Method::GET, "/orders/7", b"");
    let other = HeaderValue::from_static("other.example");
    elsewhere.headers_mut().insert(HOST, other);
    assert_refused(&host.send(&host.sign(elsewhere)), "for another host");

    let large = vec![b'x'; MAX_BODY_LEN + 1];
    let answer = host.send(&host.signed(Method::POST, "/orders/7", &large));
    assert_eq!(answer.status, 413);
    assert_eq!(answer.body, r#"{"error":"Payload too large"}"#);
    let answer = host.send(&host.signed(Method::POST, "/orders/7", &large[1..]));
    assert_eq!((answer.status, answer.body.len()), (200, MAX_BODY_LEN));

    // All workers share one guard: of many copies at once, one is accepted.
    let request = post();
    let copies: Vec<Answer> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| host.send(&request))).collect();
        threads.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let (accepted, refused): (Vec<_>, Vec<_>) =
        copies.iter().partition(|answer| answer.status == 200);
    assert_eq!(accepted.len(), 1);
    for answer in refused {
        assert_refused(answer, "repeated");
    }
}

/// The four cases that every protected route must tell apart: valid, repeated, altered, unsigned.
pub fn attacks_on(host: &Host, status: u16, request: &dyn Fn() -> Signed) {
    let valid = request();
    assert_eq!(host.head(&valid).status, status);
    assert_refused(&host.send(&valid), "repeated");
    let mut altered = request();
    *altered.uri_mut() = format!("{}?x=1", altered.uri().path()).parse().expect("a target");
    assert_refused(&host.send(&altered), "altered");
    let mut unsigned = request();
    unsigned.headers_mut().remove("signature");
    unsigned.headers_mut().remove("signature-input");
    assert_refused(&host.send(&unsigned), "unsigned");
}

/// Each has a signature that was right before the change.
fn altered(get: &Signed, post: &Signed) -> Vec<(&'static str, Signed)> {
    let changed = |request: &Signed, change: &dyn Fn(&mut Signed)| {
        let mut request = request.clone();
        change(&mut request);
        request
    };
    let set = |name: &'static str, value: &'static str| {
        move |request: &mut Signed| {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    };
    let target = |target: &'static str| {
        move |request: &mut Signed| *request.uri_mut() = Uri::from_static(target)
    };
    let method =
        |method: Method| move |request: &mut Signed| *request.method_mut() = method.clone();
    let body =
        |body: &'static [u8]| move |request: &mut Signed| *request.body_mut() = body.to_vec();
    vec![
        ("another method", changed(get, &method(Method::POST))),
        ("GET as HEAD", changed(get, &method(Method::HEAD))),
        ("another path", changed(get, &target("/orders/8?page=2"))),
        ("an encoded path", changed(get, &target("/orders/%37?page=2"))),
        ("another query", changed(get, &target("/orders/7?page=3"))),
        ("no query", changed(get, &target("/orders/7"))),
        ("another body", changed(post, &body(br#"{"month":12}"#))),
        ("no body", changed(post, &body(b""))),
        ("another type", changed(post, &set("content-type", "text/plain"))),
        ("an encoding", changed(post, &set("content-encoding", "gzip"))),
        ("another digest", changed(post, &set("content-digest", "sha-256=:AAAA:"))),
        ("another host", changed(get, &set("host", "other.example"))),
        ("a wrong signature", changed(get, &set("signature", "sig1=:AAAA:"))),
        (
            "half of a signature",
            changed(get, &|request| {
                request.headers_mut().remove("signature");
            }),
        ),
    ]
}

/// The answer is the same for every reason, and no cache keeps it.
pub(crate) fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}");
    // The answer to HEAD has no body.
    assert!([REFUSED, ""].contains(&&*answer.body), "{what}: {}", answer.body);
    assert_eq!(answer.header(CACHE_CONTROL.as_str()), "no-store", "{what}");
    assert_eq!(answer.header("www-authenticate"), "Signature", "{what}");
    assert!(answer.header("accept-signature").starts_with("sig1=("), "{what}");
}
