//! The behaviour of the crate, by topic, seen through its public API.

mod actix;
mod client;
mod core;
mod examples;
#[allow(
    unreachable_pub,
    reason = "its files belong to the library of `fuzz` too"
)]
mod fuzz;
mod migrate;
mod pitfalls;
mod support;
mod tower;
mod velo;
mod wix;
