//! The two functions of `examples/velo` under Node, with stand-ins for what Wix provides.

mod agreement;
mod answer;
mod limits;
mod memory;
mod options;
mod refusal;
mod response;
mod site;
mod standard;
