//! Looks for the mistake with which the signature is right.

use super::{
    facts::Facts,
    hint::{Hint, Mistake},
    query::{other_apostrophes, other_orders, other_spellings},
};
use crate::{digest::BodyDigest, message::KnownField};

/// How many bytes are authenticated at most to find a mistake.
const MAX_WORK: usize = 8 * 1024 * 1024;

/// The texts that the peer may have signed instead of the base, each with its mistake.
struct Texts<'b> {
    base: &'b str,
    all: Vec<(Mistake, String)>,
}

/// The mistake with which the MAC is right, or else another secret.
pub(super) fn mistakes_of_text(facts: &Facts<'_>) -> Option<Hint> {
    let base = facts.base.as_ref()?.as_ref().ok()?.as_str();
    let mut texts = Texts {
        base,
        all: Vec::new(),
    };
    texts.add_authorities(facts);
    texts.add_queries();
    texts.add_paths();
    texts.add_others();
    let mut work = 0;
    for (mistake, text) in &texts.all {
        work += text.len();
        if work > MAX_WORK {
            break;
        }
        if facts.signed_by(text).is_some() {
            return Some(Hint::proven(*mistake));
        }
    }
    Some(Hint::likely(Mistake::OtherSecret))
}

impl Texts<'_> {
    fn add(&mut self, mistake: Mistake, text: String) {
        if text != self.base {
            self.all.push((mistake, text));
        }
    }

    /// Adds the text with another value of each component with one of these names.
    fn add_values(
        &mut self,
        mistake: Mistake,
        names: &[&str],
        value: impl Fn(&str, &str) -> Option<String>,
    ) {
        let lines = self.base.split('\n').map(|line| {
            let changed = names.iter().find_map(|name| {
                let old = line.strip_prefix(&format!("\"{name}\": "))?;
                Some(format!("\"{name}\": {}", value(name, old)?))
            });
            changed.unwrap_or_else(|| line.to_owned())
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        self.add(mistake, text);
    }

    fn add_authority(&mut self, mistake: Mistake, change: impl Fn(&str) -> String) {
        self.add_values(mistake, &["@authority", "@target-uri"], |name, old| {
            if name == "@authority" {
                return Some(change(old));
            }
            let (scheme, rest) = old.split_once("://")?;
            let end = rest.find('/').unwrap_or(rest.len());
            Some(format!(
                "{scheme}://{}{}",
                change(&rest[..end]),
                &rest[end..]
            ))
        });
    }

    fn add_authorities(&mut self, facts: &Facts<'_>) {
        for port in [":443", ":80"] {
            self.add_authority(Mistake::DefaultPort, |old| format!("{old}{port}"));
        }
        self.add_authority(Mistake::DefaultPort, |old| {
            old.rsplit_once(':')
                .map_or(old, |(host, _)| host)
                .to_owned()
        });
        // The peer may sign the authority as it was sent, perhaps with the port.
        let mut hosts = facts.request.fields().lines(KnownField::Host);
        let sent = [
            hosts
                .next()
                .map(|host| String::from_utf8_lossy(host).into_owned()),
            facts.request.authority_of_target().map(str::to_owned),
        ];
        for sent in sent.into_iter().flatten() {
            self.add_authority(Mistake::HostCase, |_| sent.clone());
        }
        self.add_authority(Mistake::HostCase, str::to_ascii_uppercase);
        self.add_authority(Mistake::HostCase, |old| capitalised(old, 1));
        self.add_authority(Mistake::HostCase, |old| capitalised(old, usize::MAX));
    }

    /// Adds the text with another query, in whatever component the query stands.
    fn add_query(&mut self, mistake: Mistake, change: impl Fn(&str) -> Option<String>) {
        let names = ["@query", "@target-uri", "@request-target"];
        self.add_values(mistake, &names, |_, old| {
            let (before, query) = old.split_once('?')?;
            Some(format!("{before}?{}", change(query)?))
        });
    }

    fn add_queries(&mut self) {
        self.add_values(Mistake::MissingQuestionMark, &["@query"], |_, old| {
            old.strip_prefix('?').map(str::to_owned)
        });
        for index in 0..2 {
            self.add_query(Mistake::Apostrophe, |query| {
                Some(other_apostrophes(query)[index].clone())
            });
        }
        let query = self.base.split('\n').find_map(|line| {
            let is_of_query = ["\"@query\": ", "\"@target-uri\": ", "\"@request-target\": "]
                .iter()
                .any(|start| line.starts_with(start));
            Some(line.split_once('?').filter(|_| is_of_query)?.1.to_owned())
        });
        let Some(query) = query else {
            return;
        };
        for other in other_spellings(&query, &['&', '=']) {
            self.add_query(Mistake::ReencodedQuery, |_| Some(other.clone()));
        }
        let parameters: Vec<_> = query.split('&').collect();
        for order in other_orders(&parameters) {
            let other = order.join("&");
            self.add_query(Mistake::ReorderedQuery, |_| Some(other.clone()));
        }
    }

    fn add_paths(&mut self) {
        let Some(path) = self.base.split('\n').find_map(|line| {
            let path = line.strip_prefix("\"@path\": ")?;
            Some(path.to_owned())
        }) else {
            return;
        };
        for other in other_apostrophes(&path) {
            self.add_values(Mistake::Apostrophe, &["@path"], |_, _| Some(other.clone()));
        }
        for other in other_spellings(&path, &['/']) {
            self.add_values(Mistake::ReencodedPath, &["@path"], |_, _| {
                Some(other.clone())
            });
        }
        // A client that parses the URL anew changes the path and the query at once.
        for index in 0..2 {
            let names = ["@path", "@query", "@target-uri", "@request-target"];
            self.add_values(Mistake::Apostrophe, &names, |_, old| {
                Some(other_apostrophes(old)[index].clone())
            });
        }
    }

    fn add_others(&mut self) {
        for case in [str::to_ascii_lowercase, str::to_ascii_uppercase] {
            self.add_values(Mistake::MethodCase, &["@method"], |_, old| Some(case(old)));
        }
        for (here, there) in [("https", "http"), ("http", "https")] {
            self.add_values(
                Mistake::OtherScheme,
                &["@scheme", "@target-uri"],
                |_, old| {
                    let rest = old.strip_prefix(here)?;
                    let is_whole = rest.is_empty() || rest.starts_with("://");
                    is_whole.then(|| format!("{there}{rest}"))
                },
            );
        }
        self.add(Mistake::LineBreaks, format!("{}\n", self.base));
        self.add(Mistake::LineBreaks, self.base.replace('\n', "\r\n"));
        self.add(
            Mistake::LineBreaks,
            format!("{}\r\n", self.base.replace('\n', "\r\n")),
        );
        let Some((lines, params)) = self.base.rsplit_once('\n') else {
            return;
        };
        if let Some((list, parameters)) = params.split_once(')') {
            let parameters: Vec<_> = parameters.split_terminator(';').skip(1).collect();
            for order in other_orders(&parameters) {
                let parameters = order.join(";");
                let text = format!("{lines}\n{list});{parameters}");
                self.add(Mistake::ParameterOrder, text);
            }
        }
        let lines: Vec<_> = lines.split('\n').collect();
        for order in other_orders(&lines) {
            self.add(
                Mistake::ComponentOrder,
                format!("{}\n{params}", order.join("\n")),
            );
        }
    }
}

/// With a capital at the start of some of its labels.
fn capitalised(host: &str, labels: usize) -> String {
    let changed = host.split('.').enumerate().map(|(index, label)| {
        let (first, rest) = label.split_at_checked(1).unwrap_or((label, ""));
        if index < labels {
            first.to_ascii_uppercase() + rest
        } else {
            label.to_owned()
        }
    });
    changed.collect::<Vec<_>>().join(".")
}

/// Why the digest is not that of the body.
pub(super) fn mistakes_of_body(facts: &Facts<'_>) -> Hint {
    let fields = facts.request.fields();
    let is_digest_of = |body: &[u8]| {
        let digest = BodyDigest::read(fields.lines(KnownField::ContentDigest));
        digest.is_ok_and(|mut digest| {
            digest.update(body);
            digest.matches()
        })
    };
    let body = facts.body;
    let with = |end: &[u8]| [body, end].concat();
    let without_breaks: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let without_returns: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\r').collect();
    let others = [
        with(b"\n"),
        with(b"\r\n"),
        body.trim_ascii_end().to_vec(),
        without_breaks,
        without_returns,
    ];
    if others.iter().any(|other| is_digest_of(other)) {
        return Hint::proven(Mistake::BodyLineBreaks);
    }
    let is_coded = fields.has(KnownField::ContentEncoding) || body.starts_with(&[0x1f, 0x8b]);
    Hint::likely(if body.trim_ascii().is_empty() {
        Mistake::BodyMissing
    } else if is_coded {
        Mistake::ContentCoding
    } else {
        Mistake::OtherBody
    })
}
