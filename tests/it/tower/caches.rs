//! What a host's answers say to caches: no shared one may give them to anybody.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use hmac_auth::{AuthErrorKind as Kind, tower::StreamedBody};
use http::{HeaderValue, Request, Response, StatusCode, header::CACHE_CONTROL};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    cases::{bad_bodies, bad_heads, refused_by_guards},
    layers::{Script, ask_both, layer, whole},
    request::{get, post, signed},
};

/// The lines of a handler, and how the joined field goes out.
const ANSWERS: &[(&[&str], &str)] = &[
    (&[], "private"),
    (&[""], "private"),
    (&[" , ,"], "private"),
    (&["max-age=60"], "max-age=60, private"),
    (&["max-age=60", "no-cache"], "max-age=60, no-cache, private"),
    (&["no-cache"], "no-cache, private"),
    (
        &["must-revalidate, max-age=0"],
        "must-revalidate, max-age=0, private",
    ),
    (&["immutable,"], "immutable,, private"),
    // The handler has spoken about shared caches: nothing changes.
    (&["public"], "public"),
    (&["PUBLIC, max-age=60"], "PUBLIC, max-age=60"),
    (&["max-age=60 ,\tPublic"], "max-age=60 ,\tPublic"),
    (&["private"], "private"),
    (&["max-age=60,private"], "max-age=60,private"),
    (&["Private"], "Private"),
    (&["no-store"], "no-store"),
    (&["No-Store, max-age=0"], "No-Store, max-age=0"),
    (&["s-maxage=60"], "s-maxage=60"),
    (&["S-MaxAge=0"], "S-MaxAge=0"),
    (&[r#"s-maxage="60""#], r#"s-maxage="60""#),
    (&["max-age=60", "public"], "max-age=60, public"),
    (&["public", "max-age=60"], "public, max-age=60"),
    (&[r#"a="\"", public"#], r#"a="\"", public"#),
    (&[r#"a="b,c",,public"#], r#"a="b,c",,public"#),
    // A qualified form speaks about some fields only.
    (&[r#"private="x""#], r#"private="x", private"#),
    (&["private=x"], "private=x, private"),
    (&[r#"private="""#], r#"private="", private"#),
    (
        &[r#"no-cache="set-cookie""#],
        r#"no-cache="set-cookie", private"#,
    ),
    // A name within a quoted string, or within another name, is no directive.
    (&[r#"a="public""#], r#"a="public", private"#),
    (&[r#"a="b, public, c""#], r#"a="b, public, c", private"#),
    (&[r#"a="\", public""#], r#"a="\", public", private"#),
    (&["x-public, not-private"], "x-public, not-private, private"),
    (&["public-key"], "public-key, private"),
    (&["a=public, b=no-store"], "a=public, b=no-store, private"),
    // A directive that is not as its definition says does not count.
    (&["public=1"], "public=1, private"),
    (&["no-store=1"], "no-store=1, private"),
    (&["s-maxage"], "s-maxage, private"),
    (&["s-maxage=x"], "s-maxage=x, private"),
    (&["s-maxage=-1"], "s-maxage=-1, private"),
    (&[r#"s-maxage="""#], r#"s-maxage="", private"#),
    // What is malformed may hide what comes behind it.
    (&["s-maxage="], "private, s-maxage="),
    (&[r#"a="b"#], r#"private, a="b"#),
    (&[r#"a="b\"#], r#"private, a="b\"#),
    (
        &[r#"a="public"#, r#"b", max-age=1"#],
        r#"private, a="public, b", max-age=1"#,
    ),
    (&["public max-age=60"], "private, public max-age=60"),
    (&["public; max-age=60"], "private, public; max-age=60"),
    (&["s-maxage = 60"], "private, s-maxage = 60"),
    (&[r#""public""#], r#"private, "public""#),
    (&["=public"], "private, =public"),
    (&[r#"a="b"public"#], r#"private, a="b"public"#),
    (&["öffentlich"], "private, öffentlich"),
];

/// The field as one text, as RFC 9110 section 5.3 joins its lines.
fn joined<B>(response: &Response<B>) -> String {
    let lines = response.headers().get_all(CACHE_CONTROL);
    let lines: Vec<&[u8]> = lines.iter().map(HeaderValue::as_bytes).collect();
    String::from_utf8(lines.join(&b", "[..])).unwrap()
}

fn answering(lines: &[&str]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    for line in lines {
        let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
        response.headers_mut().append(CACHE_CONTROL, value);
    }
    response
}

/// What becomes of an answer of the handler, in both modes.
async fn passed(answer: Response<Bytes>) -> [Response<Bytes>; 2] {
    let request = || whole(signed(get()));
    let answer = || ready(Ok::<_, Infallible>(answer.clone()));
    let buffered = service_fn(|_: Request<Script>| answer());
    let streamed = service_fn(|_: Request<StreamedBody<Script>>| answer());
    let layer = layer();
    [
        layer.layer(buffered).oneshot(request()).await.unwrap(),
        layer
            .streaming()
            .layer(streamed)
            .oneshot(request())
            .await
            .unwrap(),
    ]
}

#[tokio::test]
pub(crate) async fn pitfall_31_no_shared_cache_may_store_what_does_not_say_so() {
    for (lines, expected) in ANSWERS {
        for response in passed(answering(lines)).await {
            assert_eq!(joined(&response), *expected, "{lines:?}");
        }
    }
}

#[tokio::test]
async fn answers_with_any_status_are_private() {
    for status in [200, 204, 301, 304, 404, 410, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let mut answer = answering(&["max-age=60"]);
        *answer.status_mut() = status;
        answer.headers_mut().insert("x-other", "1".parse().unwrap());
        for response in passed(answer).await {
            assert_eq!(joined(&response), "max-age=60, private", "{status}");
            assert_eq!((response.status(), response.headers().len()), (status, 2));
        }
    }
}

#[tokio::test]
async fn refusals_are_stored_nowhere() {
    for (kind, layer, request) in [bad_heads(), refused_by_guards(), bad_bodies()]
        .into_iter()
        .flatten()
    {
        for seen in ask_both(&layer, request).await {
            assert_eq!(joined(&seen.response), "no-store", "{kind}");
        }
    }
}

/// A cached 404 would be given to those who sign, too.
#[tokio::test]
async fn a_replaced_refusal_is_stored_only_if_it_says_so() {
    for (lines, expected) in [
        (&[][..], "no-store"),
        (&["max-age=60"], "max-age=60, no-store"),
        (&["no-store"], "no-store"),
        (&["public"], "public"),
        (&[r#"a="public"#], r#"no-store, a="public"#),
    ] {
        let answer = answering(lines);
        let layer = layer().map_refusal(move |_, _, _| {
            let mut answer = answer.clone();
            *answer.status_mut() = StatusCode::NOT_FOUND;
            answer
        });
        for seen in ask_both(&layer, || whole(post())).await {
            assert_eq!(seen.refusal(), Some(Kind::MissingSignature));
            assert_eq!(joined(&seen.response), expected, "{lines:?}");
        }
    }
}
