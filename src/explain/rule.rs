//! The rules of a host, each with the expectation and what was found.

use std::fmt::{self, Write as _};

use super::facts::{Facts, Phase};
use crate::{
    escape::{escape, push_escaped},
    message::KnownField,
    signature::{Coverage, SignatureInput, profile},
    validate::{AuthError, AuthErrorKind},
};

/// How a rule came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleOutcome {
    /// The request follows the rule.
    Passed,
    /// The host refuses the request for this rule.
    Failed,
    /// An earlier rule has failed.
    NotReached,
}

impl RuleOutcome {
    /// The outcome in `snake_case`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not_reached",
        }
    }
}

/// A rule of the host. `Display` writes it in one line.
#[derive(Clone, Debug)]
pub struct Rule {
    name: &'static str,
    outcome: RuleOutcome,
    expected: String,
    found: String,
}

impl Rule {
    /// What the rule is about: `options`, `fields`, `parameters`, `coverage`, `time`, `authority`,
    /// `secret`, `base`, `mac` or `body`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How the rule came out.
    #[must_use]
    pub fn outcome(&self) -> RuleOutcome {
        self.outcome
    }

    /// What the host expects.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What the request has. Texts of the peer are escaped.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.outcome {
            RuleOutcome::Passed => "ok",
            RuleOutcome::Failed => "FAILED",
            RuleOutcome::NotReached => "-",
        };
        let Self {
            name,
            expected,
            found,
            ..
        } = self;
        write!(
            f,
            "  {mark:<6}  {name:<10}  expected {expected}; found {found}"
        )
    }
}

/// The rules in the order of the checks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Options,
    Fields,
    Parameters,
    Coverage,
    Time,
    Authority,
    Secret,
    Base,
    Mac,
    Body,
}

/// The rule for which a request is refused.
fn failed(phase: Phase, kind: AuthErrorKind) -> Name {
    use AuthErrorKind as Kind;

    match kind {
        // A part of the head that only a body makes wrong belongs to the body, too.
        _ if phase == Phase::Body => Name::Body,
        Kind::MissingSignature
        | Kind::MalformedSignatureInput
        | Kind::MalformedSignature
        | Kind::UnpairedLabel => Name::Fields,
        Kind::TooManyCandidates
        | Kind::UnknownKeyId
        | Kind::WrongTag
        | Kind::UnsupportedAlgorithm => Name::Parameters,
        Kind::NotCovered => Name::Coverage,
        Kind::MissingCreated | Kind::Stale | Kind::InFuture | Kind::Expired => Name::Time,
        Kind::MissingAuthority
        | Kind::ConflictingAuthority
        | Kind::InvalidAuthority
        | Kind::UnlistedAuthority => Name::Authority,
        Kind::Revoked | Kind::SecretUnavailable | Kind::DirectoryUnavailable => Name::Secret,
        Kind::UnsupportedComponent | Kind::AbsentComponent | Kind::NotAscii | Kind::TooLarge => {
            Name::Base
        }
        Kind::WrongMac => Name::Mac,
        Kind::Misconfigured => Name::Options,
        Kind::BodyTooLarge
        | Kind::BodyNotCovered
        | Kind::TrailersNotCovered
        | Kind::BodyUnreadable
        | Kind::WrongContentLength
        | Kind::MalformedDigest
        | Kind::UnsupportedDigest
        | Kind::WrongDigest
        | Kind::Replayed
        | Kind::BeforeGuardStart
        | Kind::ReplayGuardFull
        | Kind::ReplayGuardUnavailable => Name::Body,
    }
}

pub(super) fn rules(facts: &Facts<'_>, error: Option<&AuthError>) -> Vec<Rule> {
    let failed = error.map(|error| failed(facts.phase, error.kind()));
    let rule = |rule: Name, name, expected: String, found: String| Rule {
        name,
        outcome: match failed {
            Some(failed) if failed < rule => RuleOutcome::NotReached,
            Some(failed) if failed == rule => RuleOutcome::Failed,
            _ => RuleOutcome::Passed,
        },
        expected,
        found,
    };
    let input = facts.input.as_ref();
    let of_input = |found: &dyn Fn(&SignatureInput<'_>) -> String| {
        input.map_or_else(|| "no signature that can be read".to_owned(), found)
    };
    vec![
        rule(
            Name::Options,
            "options",
            "options that do not contradict themselves".to_owned(),
            match facts.options.check_without_directory() {
                Ok(()) => "no contradiction".to_owned(),
                Err(error) => error.to_string(),
            },
        ),
        rule(
            Name::Fields,
            "fields",
            "`Signature-Input` and `Signature`, with the same labels".to_owned(),
            found_fields(facts),
        ),
        rule(
            Name::Parameters,
            "parameters",
            expected_parameters(facts),
            of_input(&found_parameters),
        ),
        rule(
            Name::Coverage,
            "coverage",
            expected_coverage(facts),
            of_input(&found_coverage),
        ),
        rule(
            Name::Time,
            "time",
            expected_time(facts),
            of_input(&|input| found_time(input, facts.now())),
        ),
        rule(
            Name::Authority,
            "authority",
            expected_authority(facts),
            found_authority(facts),
        ),
        rule(
            Name::Secret,
            "secret",
            expected_secret(facts),
            found_secret(facts),
        ),
        rule(
            Name::Base,
            "base",
            "each covered component once, in ASCII".to_owned(),
            match &facts.base {
                None => "no signature that can be read".to_owned(),
                Some(Ok(base)) => format!("{} lines", base.as_str().split('\n').count()),
                Some(Err(error)) => error.to_string(),
            },
        ),
        rule(
            Name::Mac,
            "mac",
            "the MAC of the signature base below".to_owned(),
            found_mac(facts),
        ),
        rule(
            Name::Body,
            "body",
            "a covered digest of the body, or no body".to_owned(),
            found_body(facts, error),
        ),
    ]
}

fn found_fields(facts: &Facts<'_>) -> String {
    let fields = facts.request.fields();
    let is_there = |field| fields.has(field);
    match (
        is_there(KnownField::SignatureInput),
        is_there(KnownField::Signature),
    ) {
        (false, false) => "neither".to_owned(),
        (false, true) => "`Signature` only".to_owned(),
        (true, false) => "`Signature-Input` only".to_owned(),
        (true, true) if facts.labels.is_empty() => "no label that can be read".to_owned(),
        (true, true) => format!(
            "the labels {}",
            listing(facts.labels.iter().map(|one| &**one))
        ),
    }
}

fn expected_parameters(facts: &Facts<'_>) -> String {
    let mut text = match facts.options.listed_key_ids() {
        Some(listed) => format!("keyid among {}", listing(listed)),
        None => "any keyid".to_owned(),
    };
    if let Some(tag) = facts.options.required_tag() {
        let _ = write!(text, ", tag \"{}\"", escape(tag));
    }
    let _ = write!(text, ", alg \"{}\" or none", profile::ALGORITHM);
    text
}

fn found_parameters(input: &SignatureInput<'_>) -> String {
    let parameter = |name, value: Option<&str>| match value {
        Some(value) => format!("{name} \"{}\"", escape(value)),
        None => format!("no {name}"),
    };
    [
        parameter("keyid", input.key_id().as_deref()),
        parameter("tag", input.tag().as_deref()),
        parameter("alg", input.alg().as_deref()),
    ]
    .join(", ")
}

fn expected_coverage(facts: &Facts<'_>) -> String {
    let mut required = Coverage::ALWAYS | facts.options.required_parts();
    if facts.request.query().is_none_or(str::is_empty) {
        required = required.without(Coverage::QUERY);
    }
    let mut names: Vec<&str> = required.names().collect();
    names.extend(facts.options.required_fields());
    listing(names.into_iter())
}

fn found_coverage(input: &SignatureInput<'_>) -> String {
    let identifiers: Vec<String> = input
        .components()
        .map(|component| component.to_string())
        .collect();
    listing(identifiers.iter().map(|one| one.trim_matches('"')))
}

fn expected_time(facts: &Facts<'_>) -> String {
    let now = facts.now();
    format!(
        "`created` between {} and {}, now is {now}",
        now.saturating_sub(facts.options.max_age()),
        now.saturating_add(facts.options.max_skew()),
    )
}

fn found_time(input: &SignatureInput<'_>, now: i64) -> String {
    let Some(created) = input.created() else {
        return "no `created`".to_owned();
    };
    let age = now.saturating_sub(created);
    let mut text = match age {
        0.. => format!("{created}, {age} s old"),
        _ => format!("{created}, {} s in the future", age.saturating_neg()),
    };
    if let Some(expires) = input.expires() {
        let _ = write!(text, "; `expires` {expires}");
    }
    text
}

fn expected_authority(facts: &Facts<'_>) -> String {
    let listed = facts.options.listed_authorities();
    let source = match facts.options.forwarded_host() {
        Some(field) => format!(" in `{field}`"),
        None => String::new(),
    };
    if listed.is_empty() {
        format!("any authority{source}")
    } else {
        format!(
            "one of {}{source}",
            listing(listed.iter().map(|one| &**one))
        )
    }
}

fn found_authority(facts: &Facts<'_>) -> String {
    match crate::validate::named_authority(&facts.request, facts.options) {
        Ok(authority) => escape(authority.as_str()),
        Err(error) => error.to_string(),
    }
}

fn expected_secret(facts: &Facts<'_>) -> String {
    match &facts.claim {
        Some(claim) => format!("a secret named `{}`", escape(claim.secret_name())),
        None => "a secret for this consumer".to_owned(),
    }
}

fn found_secret(facts: &Facts<'_>) -> String {
    let fingerprints = facts.fingerprints();
    if fingerprints.is_empty() {
        return if facts.claim.is_some() {
            "none".to_owned()
        } else {
            "not looked up".to_owned()
        };
    }
    let mut text = String::new();
    for (index, fingerprint) in fingerprints.iter().enumerate() {
        let before = match index {
            0 => "the current one with the fingerprint ",
            1 => ", previous ",
            _ => " ",
        };
        let _ = write!(text, "{before}{fingerprint}");
    }
    text
}

fn found_mac(facts: &Facts<'_>) -> String {
    let base = facts.base.as_ref().and_then(|base| base.as_ref().ok());
    match base.and_then(|base| facts.signed_by(base.as_str())) {
        Some((secret, is_current)) => {
            let which = if is_current { "current" } else { "previous" };
            format!("it, under the {which} secret {}", secret.fingerprint())
        }
        None if facts.secrets.is_none() => "not checked".to_owned(),
        None => "another MAC".to_owned(),
    }
}

fn found_body(facts: &Facts<'_>, error: Option<&AuthError>) -> String {
    let len = facts.body.len();
    match error {
        Some(error) if facts.phase == Phase::Body => {
            format!("a body of {len} bytes: {}", error.kind())
        }
        _ if len == 0 => "no body".to_owned(),
        _ => format!("a body of {len} bytes"),
    }
}

/// Some names, escaped.
fn listing<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN: usize = 16;
    let mut text = String::new();
    for (index, name) in names.take(SHOWN + 1).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        if index == SHOWN {
            text.push('…');
        } else {
            push_escaped(&mut text, name);
        }
    }
    if text.is_empty() {
        text.push_str("nothing");
    }
    text
}
