//! The middleware for actix, in process and behind real sockets. What `tower::sockets` shows of every
//! server holds for actix too.

mod answers;
mod bodies;
mod expect;
mod extract;
mod guard;
mod kinds;
mod paths;
mod refusal;
mod responses;
mod unsigned;
mod upgrade;
