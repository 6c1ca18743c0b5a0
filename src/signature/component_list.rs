//! The list of the components that a signature covers.

use std::{fmt, hash::BuildHasher, sync::LazyLock};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::{
    component::{Component, ComponentName, Entry},
    coverage::Coverage,
    profile::{self, MAX_COMPONENTS},
};
use crate::structured::{Cursor, SyntaxError, skip_list};

/// A summary of the whole list of a signature's components.
#[derive(Clone, Copy)]
pub(crate) struct ComponentList {
    /// The joint coverage of the components without parameters.
    coverage: Coverage,
    start: ProfileStart,
}

/// How far a list goes along with the wire profile.
#[derive(Clone, Copy)]
pub(super) struct ProfileStart {
    /// Which fields of [`profile::OF_BODY`] follow [`profile::ALWAYS`].
    pub(super) of_body: [bool; profile::OF_BODY.len()],
    /// Where the list goes on with other components; 0 if it does not even begin as the profile
    /// says.
    others: u16,
}

/// `inner-list` of RFC 9651 section 3.1.1, of which only the start was compared with the profile.
#[derive(Clone, Copy)]
pub(super) struct UncheckedList {
    start: ProfileStart,
    /// Whether other components follow the start.
    has_others: bool,
}

impl UncheckedList {
    /// Steps over a list.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let start = ProfileStart::read(cursor);
        if start.is_there() && cursor.take(b')') {
            return Ok(Self {
                start,
                has_others: false,
            });
        }
        if start.is_there() {
            if cursor.peek() != Some(b' ') {
                return Err(cursor.error(NO_SEPARATOR));
            }
        } else {
            cursor.expect(b'(', "expected a list of components, `(…)`")?;
        }
        skip_list(cursor)?;
        Ok(Self {
            start,
            has_others: true,
        })
    }
}

const NO_SEPARATOR: &str = "expected a space or the end of the list, `)`";

impl ComponentList {
    /// Reads the list with which `value` begins, and says whether it is canonical.
    #[inline]
    pub(super) fn read(list: UncheckedList, value: &[u8]) -> Result<(Self, bool), SyntaxError> {
        let start = list.start;
        if !list.has_others {
            let coverage = start.coverage();
            return Ok((Self { coverage, start }, true));
        }
        Self::read_others(start, value)
    }

    /// Reads the components behind the start.
    #[inline(never)]
    fn read_others(start: ProfileStart, value: &[u8]) -> Result<(Self, bool), SyntaxError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_to(usize::from(start.others).max("(".len()));
        let mut reader = ListReader {
            start,
            others: SmallVec::new(),
            names: Names::default(),
            coverage: start.coverage(),
        };
        while reader.read_separator(&mut cursor)? {
            reader.read_component(&mut cursor)?;
        }
        let coverage = reader.coverage;
        Ok((Self { coverage, start }, cursor.is_canonical()))
    }

    /// The joint coverage of the components without parameters.
    pub(crate) fn coverage(self) -> Coverage {
        self.coverage
    }

    /// How far the list goes along with the profile, and the components behind that.
    pub(super) fn profile_start(self, list: &[u8]) -> Option<(ProfileStart, Components<'_>)> {
        let rest = Cursor::new(list.get(usize::from(self.start.others)..)?);
        self.start
            .is_there()
            .then_some((self.start, Components { rest }))
    }
}

impl ProfileStart {
    /// Steps over the start of a list, as far as the profile goes along with it.
    ///
    /// Nearly all lists are those of the profile. To compare them takes 1,700 instructions less
    /// than to read each component of a request with a body.
    fn read(cursor: &mut Cursor<'_>) -> Self {
        let list_start = cursor.position();
        let mut start = Self {
            of_body: [false; profile::OF_BODY.len()],
            others: 0,
        };
        if !take_components(cursor, profile::LIST_START) {
            return start;
        }
        for (index, text) in profile::LIST_OF_BODY.into_iter().enumerate() {
            start.of_body[index] = take_components(cursor, text);
        }
        start.others = u16::try_from(cursor.position() - list_start).unwrap_or_default();
        start
    }

    fn is_there(self) -> bool {
        self.others > 0
    }

    fn coverage(self) -> Coverage {
        if !self.is_there() {
            return Coverage::NONE;
        }
        let mut coverage = Coverage::ALWAYS;
        for (part, is_there) in Coverage::OF_BODY.into_iter().zip(self.of_body) {
            if is_there {
                coverage = coverage | part;
            }
        }
        coverage
    }

    /// Whether a component without parameters is among those of the start.
    fn has(self, name: ComponentName<&str>) -> bool {
        let of_body = profile::OF_BODY.iter().zip(self.of_body);
        self.is_there()
            && (profile::ALWAYS.contains(&name)
                || of_body
                    .filter(|(_, is_there)| *is_there)
                    .any(|(field, _)| name == ComponentName::Field(field.as_str())))
    }
}

/// Steps over components if they stand here, and if the last of them has no parameters.
fn take_components(cursor: &mut Cursor<'_>, text: &str) -> bool {
    cursor.rest().get(text.len()) != Some(&b';') && cursor.take_text(text)
}

/// The state of reading a list.
struct ListReader {
    start: ProfileStart,
    /// The components behind the start, for comparison. Up to eight take no allocation.
    others: SmallVec<[Entry; 8]>,
    names: Names,
    coverage: Coverage,
}

impl ListReader {
    /// Steps over the spaces before the next component. Returns `false` at the end of the list.
    fn read_separator(&self, cursor: &mut Cursor<'_>) -> Result<bool, SyntaxError> {
        let spaces = cursor.spaces();
        if cursor.take(b')') {
            cursor.note_canonical(spaces == 0);
            return Ok(false);
        }
        let is_first = self.others.is_empty() && !self.start.is_there();
        if spaces == 0 && !is_first {
            return Err(cursor.error(NO_SEPARATOR));
        }
        cursor.note_canonical(spaces == usize::from(!is_first));
        Ok(true)
    }

    fn read_component(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
        let entry = Entry::read(cursor)?;
        let list = cursor.since(0);
        let is_repeated = self.names.may_have(entry.name_bytes(list))
            && (self.others.iter()).any(|one| one.is_same(list, &entry, list))
            || entry.is_plain() && self.start.has(Component::new(list, entry).name());
        if is_repeated {
            return Err(cursor.error("a component must not be repeated"));
        }
        let of_body = self.start.of_body.iter().filter(|is_there| **is_there);
        let of_start = if self.start.is_there() {
            profile::ALWAYS.len() + of_body.count()
        } else {
            0
        };
        if of_start + self.others.len() == MAX_COMPONENTS {
            return Err(cursor.error("at most 32 components are accepted, in 8 KiB"));
        }
        self.coverage = self.coverage | coverage_of(entry, list);
        self.others.push(entry);
        Ok(())
    }
}

/// The names of the components so far, by one bit of a hash each.
///
/// A peer may have made a list to be slow. To compare each name with all before it takes most of the
/// time of such a list.
#[derive(Default)]
struct Names(u64);

impl Names {
    /// Adds a name. Returns `false` if the name is not among those before.
    fn may_have(&mut self, name: &[u8]) -> bool {
        // Nobody outside of this process can choose names with one hash.
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        let bit = 1 << (HASHER.hash_one(name) % 64);
        let may_have = self.0 & bit != 0;
        self.0 |= bit;
        may_have
    }
}

/// The coverage of a component. A component with parameters covers no part of a request as a whole.
fn coverage_of(entry: Entry, list: &[u8]) -> Coverage {
    match entry.name {
        _ if !entry.is_plain() => Coverage::NONE,
        ComponentName::Field(()) => Coverage::of_field(entry.name_bytes(list)),
        name => Coverage::of_derived(&name),
    }
}

/// The components of a [`SignatureInput`](super::SignatureInput), in their order.
#[derive(Clone)]
pub struct Components<'a> {
    /// The canonical text of an accepted list, behind the components up to here.
    rest: Cursor<'a>,
}

impl<'a> Components<'a> {
    /// The components of a list. `list` is the text of an accepted list in canonical serialisation.
    pub(crate) fn of(list: &'a [u8]) -> Self {
        let mut rest = Cursor::new(list);
        rest.take(b'(');
        Self { rest }
    }
}

impl Components<'_> {
    /// Whether one of them is the whole field of this name, as it is.
    pub(crate) fn cover_field(mut self, name: &str) -> bool {
        self.any(|component| component.is_plain() && component.name() == ComponentName::Field(name))
    }
}

impl<'a> Iterator for Components<'a> {
    type Item = Component<'a>;

    fn next(&mut self) -> Option<Component<'a>> {
        self.rest.take(b' ');
        if self.rest.peek() != Some(b'"') {
            return None;
        }
        let identifier = Cursor::new(self.rest.rest());
        let mut end = identifier;
        // The text of an accepted list.
        let entry = Entry::read(&mut end).ok()?;
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
        let unchecked = UncheckedList::read(&mut cursor).ok()?;
        let components = ComponentList::read(unchecked, list.as_bytes()).ok()?;
        cursor.is_at_end().then_some(components)
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
            let canonical = one_by_one.replacen("( ", "(", 1);
            let fast: Vec<_> = Components::of(at_once.as_bytes()).collect();
            let slow: Vec<_> = Components::of(canonical.as_bytes()).collect();
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
