//! What Wix signs with a private key: webhooks, service plugins and requests with a digest.

mod alg;
mod body_digest;
mod event;
mod key;
mod look_alike;
mod mutation;
mod receive;
mod repeats;
mod service_plugin;
mod time;
