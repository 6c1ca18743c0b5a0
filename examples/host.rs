//! A host to try clients on: it answers `GET` and `POST /_functions/siteStats` to everyone who signs with the shared secret.
//!
//! ```text
//! export HMAC_AUTH_SECRET=$(openssl rand -hex 32)
//! cargo run --example host -- --listen 127.0.0.1:8080
//! ```
//!
//! Call it with the `consumer` example, or with curl, Python or Node as `examples/clients.md` shows. The operator reads why a
//! request was refused on stderr; the peer does not learn it. This is `hmac-auth serve` of the command line tool, without the
//! need to install it; its code is in `src/bin/hmac-auth/serve.rs`.

use std::{env, process::ExitCode};

#[path = "../src/bin/hmac-auth/tool.rs"]
mod tool;

fn main() -> ExitCode {
    let mut args: Vec<_> = env::args_os().collect();
    args.splice(1..1, ["serve", "--only-site-stats"].map(Into::into));
    ExitCode::from(tool::run(args))
}
