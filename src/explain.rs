//! Why a host accepts or refuses a request, rule by rule: for the operator.
//!
//! [`explain`] makes the checks of [`validate_auth`] and keeps what each of them expected and found.
//! For a wrong MAC, it also looks for the usual mistakes of signers. With the signature base of the
//! peer, it names the first line that differs.
//!
//! ```
//! use hmac_auth::{
//!     DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions,
//!     explain::{Mistake, explain}, generate_secret, sign_request,
//! };
//!
//! let secrets = MemorySecrets::new();
//! let secret = Secret::from_text(&generate_secret()?)?;
//! secrets.insert(DEFAULT_SECRET_NAME, secret);
//! let url = "https://host.example/orders?id=7&month=11";
//! let mut request = http::Request::get(url).body("")?;
//! sign_request(&mut request, &secrets, &SignOptions::new())?;
//! let options = ValidateOptions::new();
//! assert!(explain(&request, &secrets, &options).is_accepted());
//!
//! // A proxy sorts the query on the way.
//! let url = "https://host.example/orders?month=11&id=7";
//! *request.uri_mut() = url.parse()?;
//! let explanation = explain(&request, &secrets, &options);
//! assert_eq!(explanation.hints()[0].mistake(), Mistake::ReorderedQuery);
//! println!("{explanation}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//!
//! An explanation is for the operator alone. A peer that learns the reason learns what to try next.
//!
//! No output has a key or a MAC. The values of `Authorization`, `Cookie`, `Proxy-Authorization`,
//! `Set-Cookie` and `Signature` are never shown. Other values that may be secret are shown only after
//! [`Explanation::show_values`]: those of the query, and of most fields.
//!
//! To look for mistakes takes up to some thousand MACs. Explain the one request that you look at, not
//! each request that is refused.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::Request;

pub use self::{
    difference::Difference,
    hint::{Hint, Mistake},
    rule::{Rule, RuleOutcome},
};
use self::{
    facts::{Facts, Phase},
    redacted::redacted,
};
use crate::{
    escape::escape,
    secret::{Fingerprint, SecretError, SecretSet, SecretStore},
    signature::SignatureBase,
    validate::{AuthError, AuthErrorKind, ValidateOptions, validate_auth},
};

mod difference;
mod facts;
mod guess;
mod hint;
mod query;
mod redacted;
mod rule;

/// Explains what [`validate_auth`] says about a request, for the operator.
///
/// The verdict is that of [`validate_auth`] with the same arguments. A replay
/// guard has no part in it: a request that was used before is accepted here. Each secret is looked
/// up as often as there.
///
/// ```
/// use hmac_auth::{AuthErrorKind, MemorySecrets, ValidateOptions, explain};
///
/// let request = http::Request::get("https://host.example/orders").body("")?;
/// let options = ValidateOptions::new();
/// let explanation = explain(&request, &MemorySecrets::new(), &options);
/// assert_eq!(explanation.kind(), Some(AuthErrorKind::MissingSignature));
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn explain<B: AsRef<[u8]>>(
    request: &Request<B>,
    secrets: &(impl SecretStore + ?Sized),
    options: &ValidateOptions,
) -> Explanation {
    let mut options = options.clone();
    // All steps happen at one time. Without a clock, the options are refused as they are.
    if options.check().is_ok() {
        let present = options.present();
        options = options.at(present);
    }
    let secrets = NotedSecrets {
        store: secrets,
        found: Mutex::default(),
    };
    let verdict = validate_auth(request, &secrets, &options);
    let is_right_in_time = |created| {
        let options = at(created).map(|time| options.clone().at(time));
        options.is_some_and(|options| validate_auth(request, &secrets, &options).is_ok())
    };
    let consumer = verdict
        .as_ref()
        .ok()
        .map(|validated| validated.consumer().to_owned());
    let error = verdict.err();
    let facts = Facts::of(request, &options, error.as_ref(), &|name| {
        secrets.set_named(name)
    });
    Explanation {
        rules: rule::rules(&facts, error.as_ref()),
        hints: hint::hints(&facts, error.as_ref(), &is_right_in_time),
        fingerprints: facts.fingerprints(),
        mac_is_right: match facts.phase {
            Phase::Accepted | Phase::Body => Some(true),
            _ if error.as_ref().map(AuthError::kind) == Some(AuthErrorKind::WrongMac) => {
                Some(false)
            }
            _ => None,
        },
        base: facts.base.and_then(Result::ok),
        consumer,
        error,
        difference: None,
        shows_values: false,
    }
}

fn at(unix_seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(unix_seconds.unsigned_abs());
    if unix_seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

/// What [`explain`] has found. `Display` writes it in some lines.
///
/// It proves nothing, even about a request that is accepted.
pub struct Explanation {
    error: Option<AuthError>,
    consumer: Option<String>,
    rules: Vec<Rule>,
    base: Option<SignatureBase>,
    /// Of the secrets that were tried.
    fingerprints: Vec<Fingerprint>,
    /// `None` if no MAC was checked.
    mac_is_right: Option<bool>,
    hints: Vec<Hint>,
    difference: Option<Difference>,
    shows_values: bool,
}

impl Explanation {
    /// Whether [`validate_auth`] accepts the request.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.error.is_none()
    }

    /// The kind of the refusal.
    #[must_use]
    pub fn kind(&self) -> Option<AuthErrorKind> {
        self.error().map(AuthError::kind)
    }

    /// The refusal itself.
    #[must_use]
    pub fn error(&self) -> Option<&AuthError> {
        self.error.as_ref()
    }

    /// The consumer of an accepted request, as
    /// [`Validated::consumer`](crate::Validated::consumer) names it.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        self.consumer.as_deref()
    }

    /// The rules in the order in which a host checks them. At most one has failed.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The fingerprints of the secrets that were tried, that of the current one first.
    #[must_use]
    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.fingerprints
    }

    /// The lines of the signature base as this host builds it; none if it cannot be built. Values
    /// are redacted.
    #[must_use]
    pub fn base_lines(&self) -> Vec<String> {
        let lines = self.base.iter().flat_map(|base| base.as_str().split('\n'));
        lines
            .map(|line| redacted(line, self.shows_values))
            .collect()
    }

    /// What may be wrong, the most likely first.
    #[must_use]
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// The first line in which the base of the peer differs, after [`compare`](Self::compare).
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        let difference = self.difference.clone()?;
        Some(difference.redacted(self.shows_values))
    }

    /// Shows all values of the signature base, but for those that are credentials in any case.
    #[must_use]
    pub fn show_values(mut self) -> Self {
        self.shows_values = true;
        self
    }

    /// Compares the signature base with that of the peer, line by line. A line break at its end does
    /// not count.
    ///
    /// The difference is a hint, unless a mistake is certain without it.
    ///
    /// ```
    /// # use hmac_auth::{
    /// #     DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions,
    /// #     explain::{Mistake, explain}, generate_secret, sign_request,
    /// # };
    /// # let secrets = MemorySecrets::new();
    /// # secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    /// # let mut request = http::Request::get("https://host.example/").body("")?;
    /// # sign_request(&mut request, &secrets, &SignOptions::new())?;
    /// let theirs = "\"@method\": GET\n\"@authority\": HOST.example\n\"@path\": /";
    /// let explanation =
    ///     explain(&request, &secrets, &ValidateOptions::new()).compare(theirs);
    /// let difference = explanation.difference().expect("they differ");
    /// assert_eq!(difference.line(), 2);
    /// assert_eq!(explanation.hints()[0].mistake(), Mistake::HostCase);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn compare(mut self, peer_base: &str) -> Self {
        let Some(base) = &self.base else {
            return self;
        };
        let found = Difference::between(base.as_str(), peer_base);
        let hint = match &found {
            Some((_, mistake)) => Some(Hint::likely(*mistake)),
            // Both sides have signed the same text, and the MACs differ.
            None => (self.mac_is_right == Some(false)).then(|| Hint::proven(Mistake::OtherSecret)),
        };
        if let Some(hint) = hint.filter(|_| !self.has_proven_mistake()) {
            self.prefer(hint);
        }
        self.difference = found.map(|(difference, _)| difference);
        self
    }

    /// Compares the fingerprints of the secrets that were tried with that of the peer's secret.
    ///
    /// If the MAC is right, or a mistake is certain, the peer has signed with one of these secrets.
    /// Another fingerprint then changes nothing.
    #[must_use]
    pub fn compare_fingerprint(mut self, peer_fingerprint: &str) -> Self {
        let is_tried = |one: &Fingerprint| one.as_str().eq_ignore_ascii_case(peer_fingerprint);
        let is_explained = self.mac_is_right == Some(true) || self.has_proven_mistake();
        if self.fingerprints.iter().any(is_tried) {
            // Both sides have the same secret, so their texts differ.
            self.hints
                .retain(|hint| hint.mistake() != Mistake::OtherSecret);
        } else if !self.fingerprints.is_empty() && !is_explained {
            self.prefer(Hint::proven(Mistake::OtherSecret));
        }
        self
    }

    /// Whether the MAC is right with a mistake: then it was made with one of the secrets here.
    fn has_proven_mistake(&self) -> bool {
        let mut hints = self.hints.iter();
        hints.any(|one| one.is_proven() && one.mistake() != Mistake::OtherSecret)
    }

    /// Puts a hint in front of all others that are not proven.
    fn prefer(&mut self, hint: Hint) {
        self.hints
            .retain(|one| one.is_proven() && one.mistake() != hint.mistake());
        self.hints.push(hint);
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, &self.consumer) {
            (Some(error), _) => {
                writeln!(f, "refused: {}", error.kind())?;
                writeln!(f, "reason:  {error:#}")?;
            }
            (None, consumer) => {
                let consumer = consumer.as_deref().unwrap_or_default();
                writeln!(f, "accepted: {}", escape(consumer))?;
            }
        }
        writeln!(f, "\nrules:")?;
        for rule in &self.rules {
            writeln!(f, "{rule}")?;
        }
        if self.base.is_some() {
            writeln!(f, "\nsignature base, as built here:")?;
            for (index, line) in self.base_lines().iter().enumerate() {
                writeln!(f, "  {:>2}  {line}", index + 1)?;
            }
        }
        if let Some(difference) = self.difference() {
            writeln!(f, "\n{difference}")?;
        }
        for (index, hint) in self.hints.iter().enumerate() {
            let before = if index == 0 { "\n" } else { "" };
            writeln!(f, "{before}hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("error", &self.error)
            .field("base", &self.base)
            .field("hints", &self.hints)
            .finish_non_exhaustive()
    }
}

/// A store that keeps what it has given: what is explained is what was tried.
struct NotedSecrets<'a, S: ?Sized> {
    store: &'a S,
    found: Mutex<Vec<(String, SecretSet)>>,
}

impl<S: ?Sized> NotedSecrets<'_, S> {
    fn set_named(&self, name: &str) -> Option<SecretSet> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = found.iter().find(|(one, _)| one == name);
        of_name.map(|(_, set)| set.clone())
    }
}

impl<S: SecretStore + ?Sized> SecretStore for NotedSecrets<'_, S> {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        let set = self.store.lookup(name)?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push((name.to_owned(), set.clone()));
        Ok(set)
    }
}
