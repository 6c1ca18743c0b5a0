//! The behaviour of the crate, by topic, seen through its public API.

mod actix;
mod client;
mod core;
mod examples;
mod pitfalls;
mod support;
mod tower;
mod velo;
mod wix;
