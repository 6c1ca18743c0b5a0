//! The command line tool: its subcommands, and its exit codes.

use std::{
    error::Error,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    iter,
};

use clap::{
    Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};

mod answer;
mod captured;
mod chunks;
mod command;
mod explain;
mod har;
mod host_args;
mod request_args;
mod secret;
mod secret_source;
mod send;
mod serve;
mod shell;
mod sign;
mod temporary_file;
mod text;

/// What a user reads: each error says what to do.
type Failure = Box<dyn Error + Send + Sync>;

/// How a subcommand ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// A host has refused, or would refuse.
    Refused,
}

/// Signs, sends, receives and explains HTTP requests that are authenticated with a shared secret
/// (RFC 9421, hmac-sha256).
///
/// The secret comes from a file, an environment variable or standard input, and never from an
/// argument.
///
/// Exit codes: 0 done, or accepted; 1 an error, which standard error explains; 2 wrong arguments;
/// 3 refused: `send` got no status 2xx, or `explain` explains a refusal.
#[derive(Parser)]
#[command(name = "hmac-auth", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a secret, or shows the fingerprint of one
    Secret(secret::SecretArgs),
    /// Signs a request, and prints its headers or a command that sends it
    Sign(sign::SignArgs),
    /// Signs a request, sends it, and prints the response
    Send(send::SendArgs),
    /// Runs a host to try clients on; standard error says why a request was refused
    Serve(serve::ServeArgs),
    /// Explains why a host accepts or refuses a captured request
    Explain(explain::ExplainArgs),
}

/// Runs the tool with these arguments, of which the first one is its name. Returns the exit code.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = Cli::try_parse_from(args).unwrap_or_else(|error| without_values(error).exit());
    let outcome = match cli.command {
        Command::Secret(args) => secret::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Explain(args) => explain::run(&args),
    };
    match outcome {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Refused) => 3,
        Err(error) => {
            tell(format_args!("error: {}", with_sources(&*error)));
            1
        }
    }
}

/// The same error without what the user has written: a header, a URL or a secret in a wrong place.
///
/// All other parts of an error are names and values that the tool itself knows.
fn without_values(mut error: clap::Error) -> clap::Error {
    let text = |context| match error.get(context) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let context = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => ContextKind::InvalidValue,
    };
    // Without a value, clap says that none is there. A secret may begin with hyphens, so only the
    // beginning of an option is shown.
    let is_option = context == ContextKind::InvalidArg
        && text(ContextKind::SuggestedArg).starts_with(text(context));
    if !text(context).is_empty() && !is_option {
        error.insert(context, ContextValue::String("…".to_owned()));
    }
    // How to pass the value in another way: with the value.
    error.remove(ContextKind::Suggested);
    error
}

/// Writes a text to standard output.
fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    printed(out.write_all(text).and_then(|()| out.flush()))
}

/// A reader that has seen enough, as `head` has, ends the printing, and changes no outcome.
fn printed(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Writes a line to standard error, if anybody reads it.
fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn with_sources(error: &(dyn Error + 'static)) -> String {
    let chain = iter::successors(Some(error), |&error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
