//! The guard on Redis, against Debian's `redis-server`, and against stand-ins that do what a real
//! one does only when it breaks. `apt-get install redis-server` brings what it needs.

mod command;
mod distrust;
mod fail_open;
mod lost_answers;
mod once;
mod reconnect;
mod support;
mod trouble;
mod two_levels;
