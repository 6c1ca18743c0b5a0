//! Elevation against a stand-in for the two OAuth endpoints of Wix.

mod failure;
mod sharing;
mod visitor;
