//! The layers behind real sockets: what framing and broken connections make of a request.

mod authority;
mod body;
mod connection;
mod refused;
