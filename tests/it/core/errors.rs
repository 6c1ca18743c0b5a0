//! Errors: every kind is reached by name, and each reader gets what it may read.

mod answer;
mod kind;
pub(crate) mod remedy;
mod signing;
mod text;
