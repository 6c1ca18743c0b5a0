//! The policy of a host, as arguments.

use std::time::Duration;

use clap::{Args, ValueEnum};
use hmac_auth::{ValidateOptions, signature::Scheme};

#[derive(Args)]
pub(super) struct HostArgs {
    /// Accept only this key id; repeatable [default: any, and none]
    #[arg(long = "key-id", value_name = "ID")]
    key_ids: Vec<String>,
    /// An authority of this host, `host` or `host:port`; repeatable [default: any]
    #[arg(long = "authority", value_name = "HOST")]
    authorities: Vec<String>,
    /// One more component that each signature must cover; repeatable
    #[arg(long, value_name = "COMPONENT")]
    require: Vec<String>,
    /// Accept only signatures with this tag
    #[arg(long)]
    tag: Option<String>,
    /// How old a signature may be [default: 60]
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
    /// The scheme that clients use
    #[arg(long, value_enum)]
    external_scheme: Option<SchemeArg>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemeArg {
    Http,
    Https,
}

impl HostArgs {
    /// Whether a signature with this key id may be meant for this host.
    pub(super) fn accepts_key_id(&self, key_id: Option<&str>) -> bool {
        self.key_ids.is_empty() || self.key_ids.iter().any(|one| Some(one.as_str()) == key_id)
    }

    /// The options for a secret of this name.
    pub(super) fn options(&self, secret_name: &str, scheme: Scheme) -> ValidateOptions {
        let scheme = match self.external_scheme {
            Some(SchemeArg::Http) => Scheme::Http,
            Some(SchemeArg::Https) => Scheme::Https,
            None => scheme,
        };
        let mut options = ValidateOptions::new()
            .secret_name(secret_name)
            .external_scheme(scheme);
        if !self.key_ids.is_empty() {
            let key_ids = self.key_ids.iter().map(|id| (id.as_str(), secret_name));
            options = options.key_ids(key_ids);
            if self.key_ids.len() > 1 {
                // The tool has one secret.
                options = options.accept_shared_secret_names();
            }
        }
        if !self.authorities.is_empty() {
            options = options.authorities(self.authorities.iter().map(String::as_str));
        }
        for component in &self.require {
            options = options.require(component.as_str());
        }
        if let Some(tag) = &self.tag {
            options = options.tag(tag.as_str());
        }
        if let Some(seconds) = self.max_age {
            options = options.max_time_diff(Duration::from_secs(seconds));
        }
        options
    }
}
