//! The guide: each page answers one question that is too long for the documentation of one item.

/// The lines to paste for axum, actix-web, hyper, tonic and reqwest, recipes for other frameworks, and where a
/// layer stands in the stack.
///
#[doc = include_str!("../docs/frameworks.md")]
pub mod frameworks {}

/// Which options a host needs when a proxy receives its requests.
///
#[doc = include_str!("../docs/behind-a-proxy.md")]
pub mod behind_a_proxy {}

/// From an older check to signatures, step by step: a header with the secret, an HMAC of your own,
/// `t=…,v1=…`, or the drafts of Cavage.
///
#[doc = include_str!("../docs/migrate.md")]
pub mod migrate {}

/// How to store secrets, replace them without an outage, and accept each request once.
///
#[doc = include_str!("../docs/secrets-and-rotation.md")]
pub mod secrets_and_rotation {}

/// A replay guard that several hosts share: Redis, its settings, and a failover.
///
#[cfg_attr(feature = "redis", doc = include_str!("../docs/several-hosts.md"))]
pub mod several_hosts {}

/// How a host finds its consumers in a database, and what it promises meanwhile.
///
#[doc = include_str!("../docs/consumers.md")]
pub mod consumers {}

/// For the operator: each kind of refusal, its cause, and its remedy.
///
#[doc = include_str!("../docs/refusals.md")]
pub mod refusals {}

/// How a host signs its answers, and how a consumer validates them.
///
#[doc = include_str!("../docs/signed-responses.md")]
pub mod signed_responses {}

/// The command line tool: it signs, sends, receives and explains requests.
///
#[doc = include_str!("../docs/tool.md")]
pub mod tool {}

/// The metrics that the layers record for Prometheus, a dashboard and alerts.
///
#[cfg_attr(feature = "metrics", doc = include_str!("../docs/metrics-dashboard.svg"))]
///
#[cfg_attr(feature = "metrics", doc = include_str!("../docs/metrics.md"))]
pub mod metrics {}

/// The backend of a Wix app, and a Wix site that calls a Rust server.
///
// The pictures as data, because rustdoc copies no files. Of two links with one name, the first one
// counts.
#[doc = include_str!("../docs/wix-page-links.md")]
///
#[doc = include_str!("../docs/wix.md")]
pub mod wix {}

/// How a backend receives webhooks, service plugin requests and signed requests from Wix.
///
#[doc = include_str!("../docs/wix-webhooks.md")]
pub mod wix_webhooks {}

/// How to call a host from curl, Python, Node and other languages.
///
#[doc = include_str!("../docs/other-clients.md")]
pub mod other_clients {}

/// Which packages of other languages agree with this crate, row by row, and whose fault a difference is.
///
#[doc = include_str!("../docs/interop.md")]
pub mod interop {}

/// The attacks that were thought of, and the promise of each check.
///
#[doc = include_str!("../docs/threat-model.md")]
pub mod threat_model {}

/// The cost of signing and validating, and how to measure it.
///
#[doc = include_str!("../docs/performance-chart.svg")]
///
#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

/// How many machines, and how large a Redis, a service needs.
///
#[doc = include_str!("../docs/capacity-chart.svg")]
///
#[doc = include_str!("../docs/capacity.md")]
pub mod capacity {}
