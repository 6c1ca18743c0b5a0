//! A host with rocket 0.5, over HTTP/1.1: a data guard. Unknown paths are 404 without a check.

use hmac_auth::{AuthError, AuthErrorKind, Claim, EnvSecrets, MemoryReplayGuard, ValidateOptions};
use rocket::data::{Data, FromData, Outcome, ToByteUnit};
use rocket::{Request, Response, fairing::AdHoc, get, http::Status, post, routes};

struct Host(EnvSecrets, ValidateOptions, MemoryReplayGuard);
type Refusal = Option<http::Response<&'static str>>;

/// The proof and the body. Let it be the only guard of a route: all others decide before it.
struct Signed(hmac_auth::Validated, Vec<u8>);

#[rocket::async_trait]
impl<'r> FromData<'r> for Signed {
    type Error = AuthError;
    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let host: &Host = request.rocket().state().expect("managed");
        let error = match validate(host, request, data).await {
            Ok(signed) => return Outcome::Success(signed),
            Err(error) => error,
        };
        request.local_cache(|| Refusal::Some(error.to_response(&host.1)));
        Outcome::Error((Status::new(error.status().as_u16()), error))
    }
}

async fn validate(host: &Host, request: &Request<'_>, data: Data<'_>) -> Result<Signed, AuthError> {
    let Host(secrets, options, guard) = host;
    // Rocket makes GET of HEAD before it calls a guard, so a fairing has noted what was sent.
    let method = request.local_cache(|| request.method()).as_str();
    let mut head = http::Request::builder().method(method).uri(request.uri().to_string());
    for header in request.headers().iter() {
        head = head.header(header.name().as_str(), header.value().as_bytes());
    }
    let head = head.body(()).map_err(|_| AuthErrorKind::NotAscii)?;
    let mut head = Claim::parse(&head, options)?.verify_any(secrets)?;
    let body =
        data.open(2.mebibytes()).into_bytes().await.or(Err(AuthErrorKind::BodyUnreadable))?;
    let is_whole = body.is_complete();
    let body = is_whole.then(|| body.into_inner()).ok_or(AuthErrorKind::BodyTooLarge)?;
    head.update(&body);
    Ok(Signed(guard.first_use(head.finish()?)?, body))
}

async fn finish<'r>(request: &'r Request<'_>, answer: &mut Response<'r>) {
    answer.adjoin_raw_header("cache-control", "private"); // beside what the handler says
    if let Some(refusal) = request.local_cache(|| Refusal::None) {
        for (name, value) in refusal.headers() {
            answer.set_raw_header(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
        }
        answer.set_sized_body(None, std::io::Cursor::new(*refusal.body()));
    }
}

#[get("/orders/<_id>", data = "<signed>")]
fn hello(_id: &str, signed: Signed) -> String {
    format!("hello, {}", signed.0.consumer())
}

#[post("/orders/<_id>", data = "<signed>")]
fn echo(_id: &str, signed: Signed) -> Vec<u8> {
    signed.1
}

#[rocket::launch]
fn rocket() -> _ {
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new().authorities(["api.example.com"]);
    let options = options.key_ids([("site-a", "site-a-secret")]);
    options.check_with(&secrets).expect("usable options");
    rocket::build()
        .manage(Host(secrets, options, MemoryReplayGuard::new()))
        .attach(AdHoc::on_request("method", |request, _| {
            request.local_cache(|| request.method());
            Box::pin(async {})
        }))
        .attach(AdHoc::on_response("finish", |request, answer| Box::pin(finish(request, answer))))
        .mount("/", routes![hello, echo])
}
