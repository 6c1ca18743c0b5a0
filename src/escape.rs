//! A peer's text as an operator may see it.

pub(crate) use crate::shown::{push_shown as push_escaped, shown as escape};
