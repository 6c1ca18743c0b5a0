//! The layers for tower, in process and behind real sockets.

mod body;
mod events;
mod guard;
mod polling;
mod refusal;
mod router;
mod service;
mod signing;
mod sockets;
mod upload;
