//! Replay: each signature counts once.

pub(crate) mod against_a_set;
pub(crate) mod guard;
pub(crate) mod memory;
pub(crate) mod once;
pub(crate) mod places;
mod two_levels;
