//! `hmac-auth sign`: signs a request and prints it.

use std::io::Write;

use clap::Args;

use super::{Failure, Outcome, command, print, request_args::RequestArgs};

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
    let mut text = Vec::new();
    if args.curl {
        writeln!(text, "{}", command::curl(&signed)?)?;
    } else if args.httpie {
        writeln!(text, "{}", command::httpie(&signed)?)?;
    } else {
        for (name, value) in signed.request.headers() {
            write!(text, "{name}: ")?;
            text.extend(value.as_bytes());
            text.push(b'\n');
        }
    }
    print(&text)?;
    Ok(Outcome::Done)
}
