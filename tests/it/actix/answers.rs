//! What the answers of a host say to caches: no shared one may give them to anybody.

use actix_web::{
    error::ErrorNotFound,
    http::header::{CACHE_CONTROL, HeaderValue},
};

use crate::support::{
    actix::{ask, ask_with, middleware},
    layers::{Seen, whole},
    request::{get, signed},
};

/// The lines of the answer, joined.
fn cache_control(seen: &Seen) -> String {
    let lines = seen.response.headers().get_all("cache-control");
    let lines: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
    lines.join(", ")
}

#[tokio::test]
async fn no_shared_cache_may_store_what_does_not_say_so() {
    for (lines, expected) in [
        (&[][..], "private"),
        (&["max-age=60"], "max-age=60, private"),
        (&["max-age=60", "no-cache"], "max-age=60, no-cache, private"),
        (&["public"], "public"),
        (&["max-age=60", "PUBLIC"], "max-age=60, PUBLIC"),
        (&["s-maxage=60"], "s-maxage=60"),
        (&["no-store"], "no-store"),
        (&[r#"a="public""#], r#"a="public", private"#),
        (&[r#"a="public"#], r#"private, a="public"#),
    ] {
        let seen = ask_with(&middleware(), whole(signed(get())), move |response| {
            for line in lines {
                let line = HeaderValue::from_static(line);
                response.headers_mut().append(CACHE_CONTROL, line);
            }
            Ok(())
        })
        .await;
        assert_eq!((seen.refusal(), seen.calls), (None, 1));
        assert_eq!(cache_control(&seen), expected, "{lines:?}");
    }
}

/// An error of a middleware inside is an answer, too.
#[tokio::test]
async fn an_error_is_private_and_otherwise_as_it_was() {
    let fail = |_: &mut _| Err(ErrorNotFound("no such order"));
    let seen = ask_with(&middleware(), whole(signed(get())), fail).await;
    assert_eq!(seen.response.status(), 404);
    assert_eq!(seen.response.body(), "no such order");
    assert_eq!(cache_control(&seen), "private");
}

#[tokio::test]
async fn who_needs_no_signature_gets_private_answers_only_where_others_sign() {
    let lenient = middleware().allow_unsigned();
    assert_eq!(cache_control(&ask(&lenient, whole(get())).await), "private");
    let open = middleware().unprotected([(http::Method::GET, "/orders")]);
    assert_eq!(cache_control(&ask(&open, whole(get())).await), "");
}
