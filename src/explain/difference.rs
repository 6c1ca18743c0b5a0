//! The first line in which two signature bases differ.

use std::{collections::BTreeSet, fmt};

use super::{
    hint::Mistake,
    query::{decoded, decoded_query, other_apostrophes, sorted_parameters},
    redacted::redacted,
};

/// The first line in which the base of the peer differs from the one that was built here.
///
/// Values are redacted, as in the lines of the base.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    index: usize,
    ours: Option<String>,
    theirs: Option<String>,
    /// How many bytes both lines have in common at their start.
    same_bytes: usize,
}

impl Difference {
    /// The number of the line; the first one is 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.index + 1
    }

    /// The line as it was built here; `None` behind the last one.
    #[must_use]
    pub fn ours(&self) -> Option<&str> {
        self.ours.as_deref()
    }

    /// The line of the peer; `None` behind the last one.
    #[must_use]
    pub fn theirs(&self) -> Option<&str> {
        self.theirs.as_deref()
    }

    /// The position of the first byte that differs, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.same_bytes + 1
    }

    pub(super) fn redacted(self, shows_values: bool) -> Self {
        let shown = |line: Option<String>| line.map(|line| redacted(&line, shows_values));
        Self {
            ours: shown(self.ours),
            theirs: shown(self.theirs),
            ..self
        }
    }

    /// `None` if both texts are the same.
    pub(super) fn between(ours: &str, theirs: &str) -> Option<(Self, Mistake)> {
        // An editor adds a line break at the end of a file.
        let theirs = theirs.strip_suffix('\n').unwrap_or(theirs);
        if ours == theirs {
            return None;
        }
        let (our_lines, their_lines): (Vec<_>, Vec<_>) =
            (ours.split('\n').collect(), theirs.split('\n').collect());
        let same = our_lines.iter().zip(&their_lines);
        let index = same.take_while(|(ours, theirs)| ours == theirs).count();
        let (ours, theirs) = (our_lines.get(index), their_lines.get(index));
        let mistake = match (ours, theirs) {
            (Some(ours), Some(theirs)) => of_lines(ours, theirs, &our_lines, &their_lines),
            _ => Mistake::OtherComponents,
        };
        let bytes = |line: Option<&&str>| line.map_or(Vec::new(), |line| line.as_bytes().to_vec());
        let (our_bytes, their_bytes) = (bytes(ours), bytes(theirs));
        let same_bytes = our_bytes.iter().zip(&their_bytes);
        Some((
            Self {
                index,
                ours: ours.map(|line| (*line).to_owned()),
                theirs: theirs.map(|line| (*line).to_owned()),
                same_bytes: same_bytes
                    .take_while(|(ours, theirs)| ours == theirs)
                    .count(),
            },
            mistake,
        ))
    }
}

fn of_lines(ours: &str, theirs: &str, our_lines: &[&str], their_lines: &[&str]) -> Mistake {
    if theirs.strip_suffix('\r') == Some(ours) {
        return Mistake::LineBreaks;
    }
    let (our_name, our_value) = ours.split_once(": ").unwrap_or((ours, ""));
    let (their_name, their_value) = theirs.split_once(": ").unwrap_or((theirs, ""));
    if our_name == "\"content-digest\"" && our_name == their_name {
        let is_coding = |line: &&str| line.starts_with("\"content-encoding\": ");
        return if our_lines.iter().chain(their_lines).any(is_coding) {
            Mistake::ContentCoding
        } else {
            Mistake::OtherBody
        };
    }
    if our_name == their_name {
        return of_values(our_name, our_value, their_value);
    }
    // The value is empty: some programs take the blank before it away.
    if theirs.strip_suffix(':') == Some(our_name) {
        return of_values(our_name, our_value, "");
    }
    let names = |lines: &[&str]| -> BTreeSet<String> {
        let names = lines.iter().map(|line| line.split(": ").next());
        names.flatten().map(str::to_owned).collect()
    };
    if names(our_lines) == names(their_lines) {
        Mistake::ComponentOrder
    } else {
        Mistake::OtherComponents
    }
}

fn of_values(name: &str, ours: &str, theirs: &str) -> Mistake {
    let differ_by_apostrophes = || other_apostrophes(ours).iter().any(|one| one == theirs);
    match name {
        "\"@method\"" if ours.eq_ignore_ascii_case(theirs) => Mistake::MethodCase,
        "\"@authority\"" => of_authorities(ours, theirs),
        "\"@scheme\"" => Mistake::OtherScheme,
        "\"@query\"" if ours.strip_prefix('?') == Some(theirs) => Mistake::MissingQuestionMark,
        "\"@query\"" | "\"@path\"" if differ_by_apostrophes() => Mistake::Apostrophe,
        "\"@query\"" => of_queries(ours, theirs),
        "\"@path\"" if decoded(ours) == decoded(theirs) => Mistake::ReencodedPath,
        "\"@path\"" => Mistake::OtherPath,
        "\"@target-uri\"" => of_targets(ours, theirs),
        "\"@signature-params\"" => of_params(ours, theirs),
        "\"content-encoding\"" => Mistake::ContentCoding,
        _ if without_space(ours) == without_space(theirs) => Mistake::FieldSpace,
        _ => Mistake::OtherValue,
    }
}

fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The host of an authority, in lower case.
pub(super) fn host_of(authority: &str) -> String {
    let parts = authority.rsplit_once(':');
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = parts.filter(|(_, port)| is_port(port));
    host.map_or(authority, |(host, _)| host)
        .to_ascii_lowercase()
}

fn of_authorities(ours: &str, theirs: &str) -> Mistake {
    if ours.eq_ignore_ascii_case(theirs) {
        Mistake::HostCase
    } else if host_of(ours) == host_of(theirs) {
        Mistake::DefaultPort
    } else {
        Mistake::OtherAuthority
    }
}

fn of_queries(ours: &str, theirs: &str) -> Mistake {
    if decoded_query(ours) == decoded_query(theirs) {
        Mistake::ReencodedQuery
    } else if sorted_parameters(ours) == sorted_parameters(theirs) {
        Mistake::ReorderedQuery
    } else {
        Mistake::OtherValue
    }
}

fn of_targets(ours: &str, theirs: &str) -> Mistake {
    let split = |text: &str| {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        [scheme, authority, path, query].map(str::to_owned)
    };
    let names = ["\"@scheme\"", "\"@authority\"", "\"@path\"", "\"@query\""];
    let (ours, theirs) = (split(ours), split(theirs));
    let parts = names.iter().zip(ours.iter().zip(&theirs));
    let mut different = parts.filter(|(_, (ours, theirs))| ours != theirs);
    match different.next() {
        Some((name, (ours, theirs))) => of_values(name, ours, theirs),
        None => Mistake::MissingQuestionMark,
    }
}

fn of_params(ours: &str, theirs: &str) -> Mistake {
    let split = |text: &str| {
        let (list, parameters) = text.split_once(')').unwrap_or((text, ""));
        let list: Vec<_> = list
            .trim_start_matches('(')
            .split(' ')
            .map(str::to_owned)
            .collect();
        let parameters: Vec<_> = parameters.split(';').skip(1).map(str::to_owned).collect();
        (list, parameters)
    };
    let sorted = |texts: &[String]| {
        let mut texts = texts.to_vec();
        texts.sort_unstable();
        texts
    };
    let ((our_list, ours), (their_list, theirs)) = (split(ours), split(theirs));
    if our_list != their_list {
        return if sorted(&our_list) == sorted(&their_list) {
            Mistake::ComponentOrder
        } else {
            Mistake::OtherComponents
        };
    }
    if sorted(&ours) == sorted(&theirs) {
        return Mistake::ParameterOrder;
    }
    let created = |parameters: &[String]| {
        let created = parameters
            .iter()
            .find_map(|one| one.strip_prefix("created="));
        created.and_then(|created| created.parse::<i64>().ok())
    };
    match (created(&ours), created(&theirs)) {
        (Some(ours), Some(theirs)) if ours == theirs / 1_000 || theirs == ours / 1_000 => {
            Mistake::Milliseconds
        }
        _ => Mistake::OtherSignature,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line(), self.column());
        writeln!(f, "the bases differ in line {line}, from byte {column} on:")?;
        writeln!(f, "  here  {}", self.ours().unwrap_or("no such line"))?;
        write!(f, "  peer  {}", self.theirs().unwrap_or("no such line"))
    }
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ours, theirs, .. } = self.clone().redacted(false);
        f.debug_struct("Difference")
            .field("line", &self.line())
            .field("ours", &ours)
            .field("theirs", &theirs)
            .finish()
    }
}
