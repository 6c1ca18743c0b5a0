//! Signed messages under mutation: a change is refused, or the message is provably the same.

mod authority;
mod field;
mod input;
mod items;
mod kit;
mod member;
mod target;
