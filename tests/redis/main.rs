//! The guard on Redis, against Debian's `redis-server`, and against stand-ins that do what a real
//! one does only when it breaks. `apt-get install redis-server` brings what it needs.

mod distrust;
mod once;
mod support;
