//! `hmac-auth secret`: makes a secret, or shows the fingerprint of one.

use std::io::{self, Write};

use clap::Args;
use hmac_auth::generate_secret;
use zeroize::Zeroizing;

use super::{Failure, Outcome, secret_source::SecretSource};

#[derive(Args)]
// A new secret comes from nowhere, and has one form.
#[command(mut_group("source", |source| source.requires("fingerprint")))]
pub(super) struct SecretArgs {
    /// Print the fingerprints of the given secret, and of those before it, instead of making one
    #[arg(long)]
    fingerprint: bool,
    #[command(flatten)]
    source: SecretSource,
}

pub(super) fn run(args: &SecretArgs) -> Result<Outcome, Failure> {
    let mut out = io::stdout().lock();
    if !args.fingerprint {
        let secret = Zeroizing::new(generate_secret()?);
        writeln!(out, "{}", *secret)?;
        return Ok(Outcome::Done);
    }
    let source = args.source.open()?;
    for fingerprint in source.store.lookup(&source.name)?.fingerprints() {
        writeln!(out, "{fingerprint}")?;
    }
    Ok(Outcome::Done)
}
