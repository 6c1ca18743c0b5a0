//! The metrics: each request counts once, and no label is a text of a peer.

mod consumers;
mod directory;
mod guard;
mod page;
mod requests;
mod state;
