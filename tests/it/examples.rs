//! The examples as their users run them: as processes, over real HTTP.

mod capacity;
mod client;
mod consumer;
mod foreign_response;
mod host;
mod refreshed;
mod wix_backend;
