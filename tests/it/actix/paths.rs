//! Which path counts: scopes do not cut it, and what changes it has to be named.

use actix_web::{
    App, HttpRequest,
    http::header::{self, HeaderValue},
    middleware::NormalizePath,
    test::read_body,
    web,
};
use hmac_auth::{
    AuthErrorKind as Kind,
    actix::{RecordUri, ValidateAuth},
    tower::received_uri,
};
use http::Uri;

use crate::support::{
    actix::{head_of, middleware},
    recorder::EVENTS,
    request::{get, signed},
};

/// The path that the handler sees, or the kind of the refusal, of a request that is signed for one
/// path and sent to another one.
macro_rules! outcome {
    ($app:expr, $signed_for:expr, $sent_to:expr) => {{
        let app = actix_web::test::init_service($app).await;
        let mut request = get();
        *request.uri_mut() = at($signed_for);
        let mut request = signed(request);
        *request.uri_mut() = at($sent_to);
        let response = head_of(&request).send_request(&app).await;
        let kind = response.response().extensions().get::<Kind>().copied();
        match kind {
            Some(kind) => Err(kind),
            None => Ok(String::from_utf8(read_body(response).await.to_vec()).unwrap()),
        }
    }};
}

fn at(path: &str) -> Uri {
    format!("https://host.example{path}").parse().unwrap()
}

async fn path(request: HttpRequest) -> String {
    request.path().to_owned()
}

#[tokio::test]
async fn scopes_do_not_cut_the_path() {
    type Make = fn(ValidateAuth) -> actix_web::Scope;
    let nested: Make = |_| {
        let inner = web::scope("/v1").route("/orders", web::get().to(path));
        web::scope("/admin").service(inner)
    };
    let called = "/admin/v1/orders";
    let app = || App::new().service(nested(middleware())).wrap(middleware());
    assert_eq!(outcome!(app(), called, called), Ok(called.to_owned()));
    assert_eq!(outcome!(app(), "/orders", called), Err(Kind::WrongMac));

    // Within the innermost one.
    let app = || {
        let inner = web::scope("/v1").route("/orders", web::get().to(path));
        App::new().service(web::scope("/admin").service(inner.wrap(middleware())))
    };
    assert_eq!(outcome!(app(), called, called), Ok(called.to_owned()));
    assert_eq!(outcome!(app(), "/orders", called), Err(Kind::WrongMac));

    // Around one resource.
    let app = || {
        let orders = web::resource("/orders/{id}").route(web::get().to(path));
        App::new().service(orders.wrap(middleware()))
    };
    // Encoded or not, the path counts as it was sent.
    assert_eq!(
        outcome!(app(), "/orders/%2561?a=%20b", "/orders/%2561?a=%20b"),
        Ok("/orders/%2561".to_owned())
    );
    assert_eq!(
        outcome!(app(), "/orders/a", "/orders/%61"),
        Err(Kind::WrongMac)
    );
}

#[tokio::test]
async fn a_changed_path_is_refused_until_it_is_named() {
    let app = |validate| {
        App::new()
            .route("/orders", web::get().to(path))
            .wrap(validate)
            .wrap(NormalizePath::trim())
    };
    // Nobody tells this one that the path was changed.
    assert_eq!(
        outcome!(app(middleware()), "/orders", "/orders/"),
        Ok("/orders".to_owned())
    );

    let recorded = |validate| app(validate).wrap(RecordUri::new());
    EVENTS.take();
    for signed_for in ["/orders", "/orders/"] {
        let refused = outcome!(recorded(middleware()), signed_for, "/orders/");
        assert_eq!(refused, Err(Kind::Misconfigured));
        let events = EVENTS.take();
        let reason = &events[0]["reason"];
        assert!(reason.contains("the path `/orders/` was changed to `/orders`"));
    }
    assert_eq!(
        outcome!(recorded(middleware()), "/orders", "/orders"),
        Ok("/orders".to_owned())
    );
    let named = || middleware().original_uri(received_uri);
    assert_eq!(
        outcome!(recorded(named()), "/orders/", "/orders/"),
        Ok("/orders".to_owned())
    );
    assert_eq!(
        outcome!(recorded(named()), "/orders", "/orders/"),
        Err(Kind::WrongMac)
    );
    // The outermost one counts.
    let twice = app(named())
        .wrap(RecordUri::new())
        .wrap(NormalizePath::trim());
    let twice = twice.wrap(RecordUri::new());
    assert_eq!(
        outcome!(twice, "/orders/", "/orders/"),
        Ok("/orders".to_owned())
    );
    // Where nothing has noted it.
    assert_eq!(
        outcome!(app(named()), "/orders", "/orders"),
        Err(Kind::Misconfigured)
    );

    // Outside of what changes the path, nothing is needed.
    let outside = App::new()
        .route("/orders", web::get().to(path))
        .wrap(NormalizePath::trim())
        .wrap(middleware());
    assert_eq!(
        outcome!(outside, "/orders/", "/orders/"),
        Ok("/orders".to_owned())
    );
}

/// Over HTTP/2, actix accepts a path that `http` 1 cannot hold. What normalises it makes another one of
/// it, for which the signature of no other path may count.
#[tokio::test]
async fn a_path_that_cannot_be_noted_is_refused() {
    use actix_web::http::uri::{PathAndQuery, Uri as OldUri};

    let app = |validate| {
        App::new()
            .route("/orders", web::get().to(path))
            .wrap(validate)
            .wrap(NormalizePath::trim())
            .wrap(RecordUri::new())
    };
    let long = format!("{}orders", "/".repeat(70_000));
    for signed_for in ["/", "/orders"] {
        let mut request = get();
        *request.uri_mut() = at(signed_for);
        let request = signed(request);
        for validate in [middleware(), middleware().original_uri(received_uri)] {
            let mut target = actix_web::http::uri::Parts::default();
            target.path_and_query =
                Some(PathAndQuery::from_maybe_shared(long.clone().into_bytes()).unwrap());
            let app = actix_web::test::init_service(app(validate)).await;
            let mut sent = head_of(&request).to_request();
            sent.head_mut().uri = OldUri::from_parts(target).unwrap();
            let host = HeaderValue::from_static("host.example");
            sent.head_mut().headers.insert(header::HOST, host);
            let response = actix_web::test::call_service(&app, sent).await;
            let kind = response.response().extensions().get::<Kind>().copied();
            assert!(
                matches!(
                    kind,
                    Some(Kind::Misconfigured | Kind::ConflictingAuthority | Kind::AbsentComponent)
                ),
                "{signed_for}: {kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_proxy_has_cut_or_rewritten_is_put_back() {
    let app = |validate| {
        App::new()
            .route("/orders", web::get().to(path))
            .wrap(validate)
    };
    let cut = || app(middleware().path_prefix("/api"));
    assert_eq!(
        outcome!(cut(), "/api/orders?a", "/orders?a"),
        Ok("/orders".to_owned())
    );
    assert_eq!(outcome!(cut(), "/orders", "/orders"), Err(Kind::WrongMac));

    let trusting = || app(middleware().trust_client_uri(|_| Some(at("/public/orders"))));
    assert_eq!(
        outcome!(trusting(), "/public/orders", "/orders"),
        Ok("/orders".to_owned())
    );
    let unsure = app(middleware().trust_client_uri(|_| None));
    assert_eq!(
        outcome!(unsure, "/orders", "/orders"),
        Err(Kind::Misconfigured)
    );
}
