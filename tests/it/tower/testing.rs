//! The kit for the tests of users, on hosts of many kinds.

mod holes;
mod protected;
