//! The layers for tower, in process and behind real sockets.

mod axum;
mod body;
pub(crate) mod caches;
mod client_uri;
mod clock;
mod directory;
mod drain;
mod events;
mod exchange;
mod guard;
#[cfg(feature = "metrics")]
mod metrics;
mod observe;
mod polling;
mod ready;
pub(crate) mod received_uri;
mod refusal;
mod responses;
mod router;
mod service;
mod signing;
mod sockets;
mod testing;
mod trace;
pub(crate) mod uniform;
mod unsigned;
pub(crate) mod upgrade;
mod upload;
