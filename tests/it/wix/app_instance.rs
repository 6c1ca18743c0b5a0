//! App instances of Wix: real ones with their secrets, and what must be refused.

mod check;
mod layer;
mod sample;
