//! What a host saw of a request whose MAC is wrong.

use std::fmt;

use crate::{escape::escape, message::RequestHead, secret::SecretSet, signature::SignatureBase};

/// How many bytes of each text are kept: more than an operator sees of it.
const MAX_KEPT: usize = 300;

/// The secrets that were tried, and the request that this host saw. In most cases, a proxy or a
/// router between consumer and host has changed the request.
///
/// The text is made when somebody reads it. Nobody reads most of them, and to refuse a request must
/// not take longer than to accept it.
pub(super) struct Seen {
    secrets: SecretSet,
    /// Method, authority and path, one behind the other. The peer wrote them.
    texts: Vec<u8>,
    method_end: usize,
    authority_end: usize,
    query_len: usize,
    /// What else may help.
    advice: [&'static str; 2],
}

impl Seen {
    pub(super) fn new(request: &RequestHead<'_>, secrets: &SecretSet, base: SignatureBase) -> Self {
        // The room of the base is no longer needed: refusing takes no more allocations than
        // accepting.
        let (mut texts, _) = base.into_parts();
        texts.clear();
        push_start(&mut texts, request.method().as_bytes());
        let method_end = texts.len();
        if let Ok(authority) = request.authority() {
            authority.push_lower_case(&mut texts);
            texts.truncate(method_end + MAX_KEPT);
        }
        let authority_end = texts.len();
        push_start(&mut texts, request.path().as_bytes());
        Self {
            secrets: secrets.clone(),
            texts,
            method_end,
            authority_end,
            query_len: request.query().map_or(0, str::len),
            advice: [""; 2],
        }
    }

    /// Adds what a caller knows that may help.
    pub(super) fn advise(&mut self, advice: &'static str) {
        if let Some(free) = self.advice.iter_mut().find(|one| one.is_empty()) {
            *free = advice;
        }
    }
}

fn push_start(texts: &mut Vec<u8>, text: &[u8]) {
    texts.extend_from_slice(&text[..text.len().min(MAX_KEPT)]);
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "secrets tried, by their fingerprints: ";
        for fingerprint in self.secrets.fingerprints() {
            write!(f, "{before}{fingerprint}")?;
            before = ", ";
        }
        let (method, rest) = self.texts.split_at(self.method_end);
        let (authority, path) = rest.split_at(self.authority_end - self.method_end);
        // A text that was cut may end in a part of a character.
        let [method, authority, path] =
            [method, authority, path].map(|text| escape(&String::from_utf8_lossy(text)));
        write!(f, "; seen here: {method} {authority} {path}")?;
        if self.query_len > 0 {
            let len = self.query_len;
            write!(
                f,
                " with a query of {len} bytes, which a proxy may have re-encoded or reordered"
            )?;
        }
        let [first, second] = self.advice;
        write!(f, "{first}{second}")
    }
}
