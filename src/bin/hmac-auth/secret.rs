//! `hmac-auth secret`: makes a secret, or shows the fingerprint of one.

use std::fmt::Write;

use clap::Args;
use hmac_auth::generate_secret;
use zeroize::Zeroizing;

use super::{Failure, Outcome, print, secret_source::SecretSource};

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
    if !args.fingerprint {
        let secret = Zeroizing::new(generate_secret()?);
        print(secret.as_bytes())?;
        print(b"\n")?;
        return Ok(Outcome::Done);
    }
    let source = args.source.open()?;
    let mut text = String::new();
    for fingerprint in source.store.lookup(&source.name)?.fingerprints() {
        writeln!(text, "{fingerprint}")?;
    }
    print(text.as_bytes())?;
    Ok(Outcome::Done)
}
