//! A live service goes from an old check to signatures, as `docs/migrate.md` says: each step, with
//! each old scheme.

mod cavage;
#[cfg(feature = "metrics")]
mod metrics;
mod page;
mod shared_secret;
mod steps;
mod stripe_like;
mod timestamped;
