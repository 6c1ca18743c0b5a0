//! From the drafts of Cavage, whose field is named `Signature` too.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, header::AUTHORIZATION, request::Parts};
use sha2::{Digest, Sha256};

use super::steps::{
    MapHead, OLD_SECRET, OldSecrets, STEPS, Scheme, app, assert_open_until_required, both, events,
    insert, is_accepted, mac, old, plain, signed, stripped, test_each_step, text,
};
use crate::support::request::TestRequest;

/// The old signature in `Authorization`, which the draft allows: the only way to send both.
pub(super) const IN_AUTHORIZATION: Scheme = Scheme {
    add: add_to_authorization,
    find,
};

/// The old signature in `Signature`.
pub(super) const IN_SIGNATURE: Scheme = Scheme {
    add: add_to_signature,
    find,
};

const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

const HEADERS: &str = "(request-target) host date digest";

fn digest(body: &[u8]) -> String {
    format!("SHA-256={}", STANDARD.encode(Sha256::digest(body)))
}

/// The lines that are signed.
fn signed_text(head: &Parts) -> Option<String> {
    Some(format!(
        "(request-target): {} {}\nhost: {}\ndate: {}\ndigest: {}",
        head.method.as_str().to_lowercase(),
        head.uri.path_and_query()?,
        text(head, "host")?,
        text(head, "date")?,
        text(head, "digest")?,
    ))
}

/// Adds `Date` and `Digest`, and returns the signature.
fn sign(request: &mut TestRequest, secret: &str) -> String {
    let digest = digest(request.body());
    insert(request, "date", DATE);
    insert(request, "digest", &digest);
    let (head, body) = std::mem::take(request).into_parts();
    let signature = STANDARD.encode(mac(secret, signed_text(&head).unwrap().as_bytes()));
    *request = TestRequest::from_parts(head, body);
    format!(r#"keyId="site-a",algorithm="hmac-sha256",headers="{HEADERS}",signature="{signature}""#)
}

fn add_to_authorization(request: &mut TestRequest, secret: &str) {
    let signature = sign(request, secret);
    insert(request, "authorization", &format!("Signature {signature}"));
}

fn add_to_signature(request: &mut TestRequest, secret: &str) {
    let signature = sign(request, secret);
    insert(request, "signature", &signature);
}

/// What the layer must not see.
#[derive(Clone)]
struct OldSignature(HeaderValue);

/// The page shows this function.
async fn set_old_signature_aside(mut request: Request, next: Next) -> Response {
    // RFC 9421 always has both fields.
    if !request.headers().contains_key("signature-input") {
        if let Some(old) = request.headers_mut().remove("signature") {
            request.extensions_mut().insert(OldSignature(old));
        }
    }
    next.run(request).await
}

/// The page shows this function.
fn old_signature(head: &Parts) -> Option<&str> {
    let from_field = || {
        let value = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
        value.strip_prefix("Signature ")
    };
    match head.extensions.get::<OldSignature>() {
        Some(OldSignature(value)) => value.to_str().ok(),
        None => from_field(),
    }
}

fn find(secrets: OldSecrets, head: &Parts, body: &[u8]) -> Option<&'static str> {
    // Before the first step, nobody has set anything aside.
    let value = old_signature(head).or_else(|| text(head, "signature"))?;
    let parameter = |name: &str| {
        let mut parts = value.split(',').filter_map(|part| part.split_once('='));
        let (_, quoted) = parts.find(|(key, _)| *key == name)?;
        quoted.strip_prefix('"')?.strip_suffix('"')
    };
    let is_as_agreed = parameter("algorithm")? == "hmac-sha256"
        && parameter("headers")? == HEADERS
        && text(head, "digest")? == digest(body);
    if !is_as_agreed {
        return None;
    }
    let (signature, signed) = (parameter("signature")?, signed_text(head)?);
    let mut secrets = secrets.iter();
    secrets
        .find(|(_, secret)| STANDARD.encode(mac(secret, signed.as_bytes())) == signature)
        .map(|(consumer, _)| *consumer)
}

/// The host with the middleware around the layer, until signatures are required.
fn app_beside(step: Step) -> Router {
    let app = app(step, IN_SIGNATURE);
    match step {
        Step::Before | Step::Require => app,
        Step::Observe | Step::AcceptBoth => app.layer(from_fn(set_old_signature_aside)),
    }
}

test_each_step!(IN_AUTHORIZATION);

#[tokio::test]
async fn a_request_can_be_repeated_until_the_last_step() {
    assert_open_until_required(IN_AUTHORIZATION, |request| request).await;
}

#[tokio::test]
async fn what_the_old_text_leaves_out_can_be_changed_until_the_last_step() {
    assert_open_until_required(IN_AUTHORIZATION, |mut request| {
        insert(&mut request, "content-type", "text/plain");
        request
    })
    .await;
}

/// A layer alone takes the old field for a broken one. It says so while it observes, and would cut
/// off each old consumer in the next step.
#[tokio::test]
async fn a_layer_alone_refuses_the_old_field() {
    let request = || old(IN_SIGNATURE, OLD_SECRET);
    let observing = app(Step::Observe, IN_SIGNATURE);
    assert!(is_accepted(&observing, request()).await);
    let (bad, good) = events(&observing, request()).await;
    assert_eq!((bad.len(), good.len()), (1, 0));
    assert_eq!(bad[0]["message"], "request would be refused");
    assert_eq!(bad[0]["kind"], "malformed_signature");
    assert!(!bad[0]["reason"].contains(OLD_SECRET));

    let accepting = app(Step::AcceptBoth, IN_SIGNATURE);
    assert!(!is_accepted(&accepting, request()).await);
    let (bad, _) = events(&accepting, request()).await;
    assert_eq!(bad[0]["kind"], "malformed_signature");
}

/// With the middleware, a consumer goes from one field to the other in one step of its own.
#[tokio::test]
async fn with_the_middleware_each_consumer_sends_one_of_both() {
    for (step, old_is_accepted, new_is_accepted) in [
        (Step::Before, true, false),
        (Step::Observe, true, false),
        (Step::AcceptBoth, true, true),
        (Step::Require, false, true),
    ] {
        let app = || app_beside(step);
        let ask = async |request| is_accepted(&app(), request).await;
        let old = |secret| old(IN_SIGNATURE, secret);
        assert_eq!(ask(old(OLD_SECRET)).await, old_is_accepted, "{step:?}");
        assert!(!ask(old("a guess at the old secret")).await, "{step:?}");
        assert_eq!(ask(signed(plain())).await, new_is_accepted, "{step:?}");
        assert!(!ask(plain()).await, "{step:?}");
        // Half a signature is not an old one.
        let half = signed(plain()).map_head(|head| {
            head.headers.remove("signature-input");
        });
        assert!(!ask(half).await, "{step:?}");
    }
    let (bad, good) = events(&app_beside(Step::Observe), old(IN_SIGNATURE, OLD_SECRET)).await;
    assert_eq!((bad.len(), good.len()), (0, 0));
}

/// Both in the field `Signature`: in either order, in two lines or in one, it is no dictionary. The
/// reason is `malformed_signature`, and no step takes it for the old one alone.
#[tokio::test]
async fn both_in_one_field_are_refused() {
    let old = old(IN_SIGNATURE, OLD_SECRET);
    let old_line = old.headers()["signature"].clone();
    let new = signed(stripped(old));
    let new_line = new.headers()["signature"].clone();
    let joined = |first: &HeaderValue, second: &HeaderValue| {
        let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
        HeaderValue::try_from(format!("{first}, {second}")).unwrap()
    };
    for lines in [
        vec![old_line.clone(), new_line.clone()],
        vec![new_line.clone(), old_line.clone()],
        vec![joined(&old_line, &new_line)],
        vec![joined(&new_line, &old_line)],
    ] {
        let request = || {
            new.clone().map_head(|head| {
                head.headers.remove("signature");
                for line in &lines {
                    head.headers.append("signature", line.clone());
                }
            })
        };
        for step in [Step::AcceptBoth, Step::Require] {
            let app = app_beside(step);
            assert!(!is_accepted(&app, request()).await, "{step:?}: {lines:?}");
            let (bad, _) = events(&app, request()).await;
            assert_eq!(bad[0]["kind"], "malformed_signature", "{lines:?}");
        }
    }
}

/// Whoever removes the new signature must bring an old one, and after the last step nothing helps.
#[tokio::test]
async fn the_middleware_opens_nothing() {
    for step in STEPS {
        let request = stripped(both(IN_AUTHORIZATION));
        let is_open = is_accepted(&app_beside(step), request).await;
        assert_eq!(is_open, step != Step::Require, "{step:?}");
        let request = stripped(signed(plain()));
        assert!(!is_accepted(&app_beside(step), request).await, "{step:?}");
    }
    // Also if it was left where it is.
    let app = app(Step::Require, IN_SIGNATURE).layer(from_fn(set_old_signature_aside));
    for request in [
        old(IN_SIGNATURE, OLD_SECRET),
        old(IN_AUTHORIZATION, OLD_SECRET),
    ] {
        assert!(!is_accepted(&app, request).await);
    }
    assert!(is_accepted(&app, signed(plain())).await);
}
