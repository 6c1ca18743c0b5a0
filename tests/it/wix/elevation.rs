//! Elevation against a stand-in for the two OAuth endpoints of Wix.

mod app_instance;
mod failure;
mod kinds;
mod sharing;
mod visitor;
