//! The list of the components that a signature covers.

use std::{fmt, slice};

use smallvec::SmallVec;

use super::{
    component::{Component, ComponentName, Entry},
    coverage::Coverage,
    profile::{self, LIST_START, MAX_COMPONENTS},
    span::Span,
};
use crate::structured::{Cursor, SyntaxError};

/// The components of a signature, by their places in the text of the list.
pub(crate) struct ComponentList {
    /// Most signatures cover at most eight components, which then take no allocation.
    entries: SmallVec<[Entry; 8]>,
    /// What the components without parameters cover together.
    coverage: Coverage,
    begins_with_always: bool,
}

/// As one copy; a derived clone takes each entry by itself.
impl Clone for ComponentList {
    fn clone(&self) -> Self {
        Self {
            entries: SmallVec::from_slice(&self.entries),
            coverage: self.coverage,
            begins_with_always: self.begins_with_always,
        }
    }
}

impl ComponentList {
    /// Reads `inner-list` of RFC 9651 section 3.1.1, whose items are components.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let start = cursor.position();
        let mut list = Self {
            entries: SmallVec::new(),
            coverage: Coverage::NONE,
            begins_with_always: false,
        };
        // Nearly all signers cover these first. To compare them at once takes a tenth of the
        // instructions of reading them.
        if cursor.rest().get(LIST_START.len()) != Some(&b';') && cursor.take_all(&LIST_START) {
            let mut start = 1;
            for name in profile::ALWAYS {
                let end = start + name.as_str().len() + "\"\"".len();
                let quoted_name = Span::new(start, end);
                list.entries.push(Entry::plain(name.map(drop), quoted_name));
                start = end + " ".len();
            }
            list.coverage = Coverage::ALWAYS;
            list.begins_with_always = true;
        } else {
            cursor.expect(b'(', "expected a list of components, `(…)`")?;
        }
        while list.read_separator(cursor)? {
            let entry = Entry::read(cursor, start)?;
            list.push(entry, cursor, start)?;
        }
        Ok(list)
    }

    /// Steps over the spaces before the next component. Returns `false` at the end of the list.
    fn read_separator(&self, cursor: &mut Cursor<'_>) -> Result<bool, SyntaxError> {
        let spaces = cursor.spaces();
        if cursor.take(b')') {
            cursor.note_canonical(spaces == 0);
            return Ok(false);
        }
        let is_first = self.entries.is_empty();
        if spaces == 0 && !is_first {
            return Err(cursor.error("expected a space or the end of the list, `)`"));
        }
        cursor.note_canonical(spaces == usize::from(!is_first));
        Ok(true)
    }

    fn push(&mut self, entry: Entry, cursor: &Cursor<'_>, start: usize) -> Result<(), SyntaxError> {
        let list = cursor.since(start);
        let mut same_kind = self.entries.iter().filter(|one| one.name == entry.name);
        if same_kind.any(|one| one.is_same(list, &entry, list)) {
            return Err(cursor.error("a component must not be repeated"));
        }
        if self.entries.len() == MAX_COMPONENTS {
            return Err(cursor.error("at most 32 components are accepted, in 8 KiB"));
        }
        self.coverage = self.coverage | coverage_of(entry, list);
        self.entries.push(entry);
        Ok(())
    }

    /// What the components without parameters cover together.
    pub(crate) fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// Whether the list begins with what every request signature covers.
    pub(super) fn begins_with_always(&self) -> bool {
        self.begins_with_always
    }

    /// The components, in their order. `list` is the text that was read.
    pub(crate) fn components<'a>(&'a self, list: &'a str) -> Components<'a> {
        Components {
            list,
            entries: self.entries.iter(),
        }
    }
}

/// What a component covers. One with parameters covers no part of a request as a whole.
fn coverage_of(entry: Entry, list: &[u8]) -> Coverage {
    match entry.name {
        _ if !entry.is_plain() => Coverage::NONE,
        ComponentName::Field(()) if entry.quoted_name(list) == br#""content-digest""# => {
            Coverage::CONTENT_DIGEST
        }
        name => Coverage::of_derived(&name),
    }
}

/// The components of a [`SignatureInput`](super::SignatureInput), in their order.
#[derive(Clone)]
pub struct Components<'a> {
    list: &'a str,
    entries: slice::Iter<'a, Entry>,
}

impl<'a> Iterator for Components<'a> {
    type Item = Component<'a>;

    fn next(&mut self) -> Option<Component<'a>> {
        let entry = self.entries.next()?;
        Some(Component::new(self.list, *entry))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Components<'_> {}

impl fmt::Debug for Components<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Option<(ComponentList, bool)> {
        let mut cursor = Cursor::new(list.as_bytes());
        let components = ComponentList::read(&mut cursor).ok()?;
        cursor
            .is_at_end()
            .then(|| (components, cursor.is_canonical()))
    }

    /// A space that is not canonical makes the reader read the same list one by one.
    #[test]
    fn a_known_beginning_is_read_like_any_other() {
        for end in [
            "",
            "\"@method\"",
            "\"@scheme\"",
            "\"content-type\"",
            "\"content-type\";bs",
            "\"x-y\" \"x-y\"",
            "\"@query\";req",
            "x",
        ] {
            let at_once = format!("(\"@method\" \"@authority\" \"@path\" \"@query\" {end})")
                .replace(" )", ")");
            let one_by_one = at_once.replacen("(\"", "( \"", 1);
            let (fast, slow) = (read(&at_once), read(&one_by_one));
            assert_eq!(fast.is_some(), slow.is_some(), "{end}");
            let Some((fast, true)) = fast else {
                assert!(fast.is_none(), "{end}");
                continue;
            };
            let (slow, false) = slow.unwrap() else {
                panic!("{end}")
            };
            assert_eq!(fast.coverage, slow.coverage, "{end}");
            let fast: Vec<_> = fast.components(&at_once).collect();
            let slow: Vec<_> = slow.components(&one_by_one).collect();
            assert_eq!(fast, slow, "{end}");
        }
        for parameters in [";req", "; req", ";", "\"", " \"", "x"] {
            let list = format!("(\"@method\" \"@authority\" \"@path\" \"@query\"{parameters})");
            let components = read(&list);
            let expected = matches!(parameters, ";req" | "; req");
            assert_eq!(components.is_some(), expected, "{list}");
            assert!(
                components.is_none_or(|(list, _)| !list.entries[3].is_plain()
                    && !list.coverage.includes(Coverage::QUERY))
            );
        }
    }
}
