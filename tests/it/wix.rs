//! The backend of a Wix app: app instances, CORS, tokens and elevation.

mod app_instance;
mod cors;
mod elevation;
mod tokens;
