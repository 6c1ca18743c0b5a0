//! `hmac-auth`: signs, sends, receives and explains requests on the command line.

use std::{env, process::ExitCode};

// The examples `host` and `consumer` have the same module, with the same path attribute.
#[path = "tool.rs"]
mod tool;

fn main() -> ExitCode {
    ExitCode::from(tool::run(env::args_os()))
}
