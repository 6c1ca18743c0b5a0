//! For your own tests: signatures that are the same in each run, and changed requests that a host
//! must refuse.
//!
//! Enable the feature `testing` in your `dev-dependencies` only.
//!
//! # Is my host protected?
//!
//! [`assert_protected`] signs a request, changes it in more than a hundred ways, and sends each
//! changed request to your service. If the service lets one through, the test fails with a list:
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use hmac_auth::{
//!     MemorySecrets, Secret, SecretStore, ValidateOptions,
//!     testing::{TamperOptions, assert_protected, fixed_time, sign_options},
//!     tower::ValidateAuthLayer,
//! };
//! use http::Request;
//!
//! // What the program builds at its start.
//! fn app(
//!     secrets: impl SecretStore + 'static,
//!     options: ValidateOptions,
//! ) -> Router {
//!     let options = options
//!         .authorities(["host.example"])
//!         .key_ids([("site-a", "site-a-secret")]);
//!     Router::new()
//!         .route("/orders", post(async |body: String| body))
//!         .layer(ValidateAuthLayer::new(secrets, options))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::from_text("a secret that only the tests know")?;
//! let secrets = MemorySecrets::new();
//! secrets.insert("site-a-secret", secret.clone());
//! // The host lives at the fixed time too.
//! let app = app(secrets, ValidateOptions::new().clock(fixed_time));
//!
//! let request = Request::post("https://host.example/orders?page=2")
//!     .header("content-type", "application/json")
//!     .body(Body::from(r#"{"month":11}"#))?;
//! let options =
//!     TamperOptions::new(secret).sign_options(sign_options().key_id("site-a"));
//! assert_protected(app, request, &options).await;
//! # Ok(())
//! # }
//! ```
//!
//! Call it once for each route: a route that was added after the layer is open.
//!
//! # One signed request
//!
//! [`signed`] signs in one line, at [`fixed_time`] and with a fixed nonce, so that the fields are
//! the same in each run. [`signed_with`] takes options of yours. axum takes a body of the type
//! `String` as it is:
//!
//! ```
//! use axum::{Router, routing::post};
//! use hmac_auth::{
//!     DEFAULT_SECRET_NAME, MemorySecrets, Secret, ValidateOptions,
//!     testing::{fixed_time, signed},
//!     tower::ValidateAuthLayer,
//! };
//! use http::Request;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Secret::from_text("a secret that only the tests know")?;
//! let secrets = MemorySecrets::new();
//! secrets.insert(DEFAULT_SECRET_NAME, secret.clone());
//! let options = ValidateOptions::new().clock(fixed_time);
//! let app: Router = Router::new()
//!     .route("/orders", post(async |body: String| body))
//!     .layer(ValidateAuthLayer::new(secrets, options));
//!
//! let request = Request::post("https://host.example/orders")
//!     .header("content-type", "text/plain")
//!     .body("hello".to_owned())?;
//! let response = app.oneshot(signed(request, &secret)).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # A client that signs
//!
//! Put a [`SignRequestLayer`](crate::tower::SignRequestLayer) around the router, and each request
//! of a test is signed. Do not fix the nonce here: the host refuses the second of two equal
//! signatures.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use hmac_auth::{
//!     DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions,
//!     testing::fixed_time,
//!     tower::{SignRequestLayer, ValidateAuthLayer},
//! };
//! use http::Request;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let secrets = MemorySecrets::new();
//! let secret = Secret::from_text("a secret that only the tests know")?;
//! secrets.insert(DEFAULT_SECRET_NAME, secret);
//! let options = ValidateOptions::new().clock(fixed_time);
//! let router: Router = Router::new()
//!     .route("/orders", get(async || "none"))
//!     .layer(ValidateAuthLayer::new(secrets.clone(), options));
//!
//! let options = SignOptions::new().clock(fixed_time);
//! let client = ServiceBuilder::new()
//!     .layer(SignRequestLayer::new(secrets, options))
//!     .service(router);
//! for _ in 0..2 {
//!     let url = "https://host.example/orders";
//!     let request = Request::get(url).body(Body::empty())?;
//!     let response = client.clone().oneshot(request).await?;
//!     assert_eq!(response.status(), 200);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # A host without tower
//!
//! [`tampered`] gives the changed requests themselves, for a server of any kind, and
//! [`wrongly_signed`] those that are well signed and that a host must refuse all the same.

pub use self::{
    options::TamperOptions,
    protected::assert_protected,
    signed::{fixed_time, sign_options, signed, signed_with},
    tampered::{Part, Tampered, tampered},
    wrongly_signed::wrongly_signed,
};

mod gzip;
mod options;
mod outcome;
mod protected;
mod signature_fields;
mod signed;
mod tampered;
mod wrongly_signed;
