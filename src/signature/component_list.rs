//! The list of the components that a signature covers.

use std::fmt;

use smallvec::SmallVec;

use super::{
    component::{Component, ComponentName, Entry},
    coverage::Coverage,
    profile::{self, LIST_START, MAX_COMPONENTS},
    span::Span,
};
use crate::structured::{Cursor, SyntaxError};

/// What the list of a signature's components says as a whole.
#[derive(Clone, Copy)]
pub(crate) struct ComponentList {
    /// What the components without parameters cover together.
    coverage: Coverage,
    begins_with_always: bool,
}

impl ComponentList {
    /// Reads `inner-list` of RFC 9651 section 3.1.1, whose items are components.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let mut reader = ListReader::new(cursor.position());
        // Nearly all signers cover these first. To compare them at once takes a tenth of the
        // instructions of reading them.
        let begins_with_always =
            cursor.rest().get(LIST_START.len()) != Some(&b';') && cursor.take_all(&LIST_START);
        if begins_with_always {
            reader.push_always();
        } else {
            cursor.expect(b'(', "expected a list of components, `(…)`")?;
        }
        while reader.read_separator(cursor)? {
            reader.read_component(cursor)?;
        }
        Ok(Self {
            coverage: reader.coverage,
            begins_with_always,
        })
    }

    /// What the components without parameters cover together.
    pub(crate) fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// Whether the list begins with what every request signature covers.
    pub(super) fn begins_with_always(&self) -> bool {
        self.begins_with_always
    }

    /// The components, in their order. `list` is the text that was read, in canonical serialisation.
    pub(crate) fn components<'a>(&self, list: &'a [u8]) -> Components<'a> {
        let mut rest = Cursor::new(list);
        rest.take(b'(');
        Components { rest }
    }

    /// The components behind those that every request signature covers, if the list begins with these.
    pub(super) fn components_after_always<'a>(&self, list: &'a [u8]) -> Option<Components<'a>> {
        let mut rest = Cursor::new(list);
        (self.begins_with_always && rest.take_all(&LIST_START)).then_some(Components { rest })
    }
}

/// The state of reading a list.
struct ListReader {
    /// Where the list starts in the line.
    start: usize,
    /// The components up to here, for comparison. Up to eight take no allocation.
    entries: SmallVec<[Entry; 8]>,
    coverage: Coverage,
}

impl ListReader {
    fn new(start: usize) -> Self {
        Self {
            start,
            entries: SmallVec::new(),
            coverage: Coverage::NONE,
        }
    }

    fn push_always(&mut self) {
        let mut start = 1;
        for name in profile::ALWAYS {
            let end = start + name.as_str().len() + "\"\"".len();
            let quoted_name = Span::new(start, end);
            self.entries.push(Entry::plain(name.map(drop), quoted_name));
            start = end + " ".len();
        }
        self.coverage = Coverage::ALWAYS;
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

    fn read_component(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
        let entry = Entry::read(cursor, self.start)?;
        let list = cursor.since(self.start);
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
    /// The canonical text of an accepted list, behind the components up to here.
    rest: Cursor<'a>,
}

impl<'a> Iterator for Components<'a> {
    type Item = Component<'a>;

    fn next(&mut self) -> Option<Component<'a>> {
        self.rest.take(b' ');
        let identifier = Cursor::new(self.rest.rest());
        let mut end = identifier;
        // At the end of the list stands a parenthesis, which is no component.
        let entry = Entry::read(&mut end, 0).ok()?;
        self.rest = end;
        Some(Component::new(identifier.rest(), entry))
    }
}

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
            let fast: Vec<_> = fast.components(at_once.as_bytes()).collect();
            let slow: Vec<_> = slow
                .components(one_by_one.replacen("( ", "(", 1).as_bytes())
                .collect();
            assert_eq!(fast, slow, "{end}");
        }
        for parameters in [";req", "; req", ";", "\"", " \"", "x"] {
            let list = format!("(\"@method\" \"@authority\" \"@path\" \"@query\"{parameters})");
            let components = read(&list);
            let expected = matches!(parameters, ";req" | "; req");
            assert_eq!(components.is_some(), expected, "{list}");
            assert!(components.is_none_or(|(list, _)| !list.coverage.includes(Coverage::QUERY)));
        }
    }
}
