//! The backend of a Wix app: app instances, CORS, tokens and elevation.

mod app_instance;
mod cors;
mod cors_routes;
mod elevation;
mod origins;
mod token_routes;
mod tokens;
