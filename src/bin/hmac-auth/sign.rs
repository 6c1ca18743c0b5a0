//! `hmac-auth sign`: signs a request and prints it.

use std::io::{self, Write};

use clap::Args;

use super::{Failure, Outcome, command, request_args::RequestArgs};

#[derive(Args)]
pub(super) struct SignArgs {
    #[command(flatten)]
    request: RequestArgs,
    /// Print a curl command for a POSIX shell, instead of the headers
    #[arg(long, conflicts_with = "httpie")]
    curl: bool,
    #[arg(
        long,
        help = "Print an HTTPie command for a POSIX shell, instead of the headers"
    )]
    httpie: bool,
}

pub(super) fn run(args: &SignArgs) -> Result<Outcome, Failure> {
    let signed = args.request.sign()?;
    let mut out = io::stdout().lock();
    if args.curl {
        writeln!(out, "{}", command::curl(&signed)?)?;
    } else if args.httpie {
        writeln!(out, "{}", command::httpie(&signed)?)?;
    } else {
        for (name, value) in signed.request.headers() {
            write!(out, "{name}: ")?;
            out.write_all(value.as_bytes())?;
            writeln!(out)?;
        }
    }
    Ok(Outcome::Done)
}
