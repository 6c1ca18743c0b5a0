//! Extractors of actix: what the middleware has proven, and an error where none stands.

use actix_web::{
    App,
    body::MessageBody,
    dev::ServiceResponse,
    test::{init_service, read_body},
    web,
};
use hmac_auth::{AuthErrorKind, Validated, actix::MaybeValidated};
use http::Method;

use crate::support::{
    actix::{head_of, middleware},
    recorder::{EVENTS, Recorder},
    request::{get, signed, with_header},
};

async fn consumer(validated: Validated) -> String {
    validated.consumer().to_owned()
}

async fn perhaps(caller: MaybeValidated) -> String {
    let name = caller.validated().map(|one| one.consumer().to_owned());
    assert_eq!(caller.into_validated().is_some(), name.is_some());
    name.unwrap_or("nobody".to_owned())
}

/// The status and the text of the answer of an app.
macro_rules! call {
    ($app:expr, $request:expr) => {
        read(head_of(&$request).send_request(&$app).await).await
    };
}

async fn read(response: ServiceResponse<impl MessageBody>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = read_body(response).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

const NAME: &str = hmac_auth::DEFAULT_SECRET_NAME;

#[tokio::test]
async fn the_proof_is_an_argument_of_the_handler() {
    let app = App::new()
        .route("/orders", web::get().to(consumer))
        .wrap(middleware());
    let app = init_service(app).await;
    assert_eq!(call!(app, signed(get())), ok(NAME));
    assert_eq!(call!(app, get()).0, 401);

    let app = App::new()
        .route("/orders", web::get().to(perhaps))
        .wrap(middleware().allow_unsigned());
    let app = init_service(app).await;
    assert_eq!(call!(app, signed(get())), ok(NAME));
    assert_eq!(call!(app, get()), ok("nobody"));
    let bad = with_header(get(), "signature", "sig1=:AA==:");
    assert_eq!(call!(app, bad).0, 401);
}

/// A forgotten middleware is an error of the server, and never an open door.
#[tokio::test]
async fn without_a_middleware_the_answer_is_500() {
    Recorder::install();
    let app = App::new()
        .route("/consumer", web::get().to(consumer))
        .route("/perhaps", web::get().to(perhaps));
    let app = init_service(app).await;
    for (path, wanted) in [
        ("/consumer", "`Validated`"),
        ("/perhaps", "`MaybeValidated`"),
    ] {
        let mut request = signed(get());
        *request.uri_mut() = path.parse().unwrap();
        EVENTS.take();
        assert_eq!(call!(app, request), (500, String::new()));
        let events = format!("{:?}", EVENTS.take());
        for part in [wanted, "no `ValidateAuth` stands around its route", path] {
            assert!(events.contains(part), "{part}: {events}");
        }
    }
    // A route beside the scope that is protected.
    let scope = web::scope("/orders").route("", web::get().to(consumer));
    let app = App::new()
        .service(scope.wrap(middleware().allow_unsigned()))
        .route("/beside", web::get().to(perhaps));
    let app = init_service(app).await;
    let mut beside = get();
    *beside.uri_mut() = "/beside".parse().unwrap();
    assert_eq!(call!(app, beside).0, 500);
}

/// `None` is what actix makes of every error: then at least the log says what is wrong.
#[tokio::test]
async fn what_actix_makes_of_an_option_is_in_the_log() {
    async fn option(validated: Option<Validated>) -> String {
        format!("{}", validated.is_some())
    }
    Recorder::install();
    let app = App::new().route("/orders", web::get().to(option));
    let app = init_service(app).await;
    EVENTS.take();
    assert_eq!(call!(app, signed(get())), ok("false"));
    let events = format!("{:?}", EVENTS.take());
    assert!(events.contains("no `ValidateAuth` stands"), "{events}");
}

/// A handler that insists on a proof is no place for requests without one.
#[tokio::test]
async fn the_proof_of_an_unsigned_request_is_an_error_that_says_so() {
    let app = App::new()
        .route("/orders", web::get().to(consumer))
        .wrap(middleware().allow_unsigned());
    let app = init_service(app).await;
    EVENTS.take();
    assert_eq!(call!(app, get()), (500, String::new()));
    let events = format!("{:?}", EVENTS.take());
    assert!(events.contains("take `MaybeValidated`"), "{events}");
}

/// An unprotected route has no mark: nobody has looked whether it is signed.
#[tokio::test]
async fn an_unprotected_route_proves_nothing() {
    let app = App::new()
        .route("/orders", web::get().to(perhaps))
        .wrap(middleware().unprotected([(Method::GET, "/orders")]));
    let app = init_service(app).await;
    for request in [get(), signed(get())] {
        assert_eq!(call!(app, request).0, 500);
    }
}

/// Two of them around one route, with one guard: the operator reads what is wrong.
#[tokio::test]
async fn two_around_one_route_refuse_and_say_why() {
    let validate = middleware();
    let app = App::new()
        .route("/orders", web::get().to(consumer))
        .wrap(validate.clone())
        .wrap(validate);
    let app = init_service(app).await;
    EVENTS.take();
    assert_eq!(call!(app, signed(get())).0, 401);
    let events = EVENTS.take();
    assert_eq!(events[0]["kind"], AuthErrorKind::Replayed.as_str());
    assert!(events[0]["reason"].contains("two layers with one guard"));
}
