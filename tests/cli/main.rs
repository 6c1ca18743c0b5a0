//! The command line tool as its users run it: with real files, a real shell and a real curl.

mod captured;
mod explain;
mod secret;
mod send;
mod serve;
mod sign;
mod support;
