//! The backend of a Wix app: app instances, CORS, tokens, elevation and webhooks.

mod app_instance;
mod cors;
mod cors_routes;
mod elevation;
mod events;
mod origins;
mod token_routes;
mod tokens;
mod webhook;
