//! A consumer to try hosts with: it signs one request, sends it and prints the status and the body of the response.
//!
//! ```text
//! export HMAC_AUTH_SECRET=…   # the one of the host
//! cargo run --example consumer -- GET http://127.0.0.1:8080/_functions/siteStats
//! cargo run --example consumer -- POST http://127.0.0.1:8080/_functions/siteStats --data '{"month":11}'
//! ```
//!
//! The exit code is 0 if the status is 2xx. This is `hmac-auth send` of the command line tool, without the need to install it;
//! its code is in `src/bin/hmac-auth/send.rs`.

use std::{env, process::ExitCode};

#[path = "../src/bin/hmac-auth/tool.rs"]
mod tool;

fn main() -> ExitCode {
    let mut args: Vec<_> = env::args_os().collect();
    args.splice(1..1, ["send", "--brief"].map(Into::into));
    // Whatever has gone wrong, it is 1.
    ExitCode::from(tool::run(args).min(1))
}
