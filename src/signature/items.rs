use super::{
    base::ALWAYS_LIST,
    component::Component,
    coverage::Coverage,
    kind::Kind,
    syntax::{Cursor, SyntaxError},
};

/// How many components a signature may cover.
pub const MAX_COMPONENTS: usize = 32;

/// The components of a signature: where they begin in the inner list, and what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Items {
    starts: [u16; MAX_COMPONENTS],
    /// `None` for those with parameters.
    kinds: [Option<Kind>; MAX_COMPONENTS],
    len: u8,
    /// What those without parameters say together.
    pub(super) coverage: Coverage,
}

impl Items {
    pub(super) const NONE: Self = Self {
        starts: [0; MAX_COMPONENTS],
        kinds: [None; MAX_COMPONENTS],
        len: 0,
        coverage: Coverage::NONE,
    };

    /// Those of a list that begins with [`ALWAYS_LIST`].
    const ALWAYS: Self = {
        let mut items = Self::NONE;
        (items.starts[0], items.kinds[0]) = (1, Some(Kind::Method));
        (items.starts[1], items.kinds[1]) = (11, Some(Kind::Authority));
        (items.starts[2], items.kinds[2]) = (24, Some(Kind::Path));
        (items.starts[3], items.kinds[3]) = (32, Some(Kind::Query));
        items.len = 4;
        items.coverage = Coverage::ALWAYS;
        items
    };

    /// Reads `inner-list` of RFC 8941 section 3.1.1, whose items are components, into `self`, which must be [`NONE`](Self::NONE).
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
        let start = cursor.position();
        // What nearly all signers cover first: to compare it at once takes a tenth of the instructions of reading it.
        if cursor.take_items(ALWAYS_LIST) {
            *self = Self::ALWAYS;
        } else {
            cursor.expect(b'(', "expected a list of components, `(…)`")?;
        }
        // Those with parameters are rare, and kept for comparison.
        let mut with_parameters = Vec::new();
        loop {
            let len = self.len();
            let spaces = cursor.spaces();
            if cursor.take(b')') {
                cursor.canonical &= spaces == 0;
                return Ok(());
            }
            cursor.canonical &= spaces == usize::from(len > 0);
            if len > 0 && spaces == 0 {
                return Err(cursor.error("expected a space or the end of the list, `)`"));
            }
            let item = *cursor;
            let kind = read_kind(cursor)?;
            let is_plain = cursor.peek() != Some(b';');
            let repeated = if is_plain {
                self.coverage = self.coverage | Coverage::of(kind);
                let is_same = |other| {
                    kind.is_single()
                        || cursor.since(start)[self.start(other)..]
                            .starts_with(cursor.since(item.position()))
                };
                (0..len).any(|other| self.kinds[other] == Some(kind) && is_same(other))
            } else {
                *cursor = item;
                let component = Component::read(cursor)?;
                let repeated = with_parameters.contains(&component);
                with_parameters.push(component);
                repeated
            };
            if repeated {
                return Err(cursor.error("a component must not be repeated"));
            }
            let (Some(free), Ok(offset)) = (
                self.starts.get_mut(len),
                u16::try_from(item.position() - start),
            ) else {
                return Err(cursor.error("at most 32 components are accepted, in 8 KiB"));
            };
            *free = offset;
            self.kinds[len] = is_plain.then_some(kind);
            self.len += 1;
        }
    }

    /// Whether they begin with what all signatures of the wire profile cover.
    pub(super) fn begin_with_always(&self) -> bool {
        self.kinds[..4] == Self::ALWAYS.kinds[..4]
    }

    pub(super) fn len(&self) -> usize {
        self.len.into()
    }

    /// Where it begins in the list.
    pub(super) fn start(&self, index: usize) -> usize {
        self.starts[index].into()
    }

    /// What it names; `None` if it has parameters.
    pub(super) fn kind(&self, index: usize) -> Option<Kind> {
        self.kinds[index]
    }
}

/// Reads a name. To compare the likely ones at once takes a quarter of the instructions.
fn read_kind(cursor: &mut Cursor<'_>) -> Result<Kind, SyntaxError> {
    if cursor.take_items(br#""content-digest""#) {
        Ok(Kind::ContentDigest)
    } else if cursor.take_items(br#""content-type""#) {
        Ok(Kind::ContentType)
    } else {
        Ok(Kind::of(cursor.string()?.raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Option<(Items, bool)> {
        let (mut items, mut cursor) = (Items::NONE, Cursor::new(list.as_bytes()));
        items
            .read(&mut cursor)
            .ok()
            .filter(|()| cursor.is_at_end())
            .map(|()| (items, cursor.canonical))
    }

    /// A space that is not canonical makes the same list be read one by one.
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
            let one_by_one = at_once.replacen("@query\"", "@query\" ", 1);
            let (at_once, one_by_one) = (read(&at_once), read(&one_by_one));
            assert_eq!(at_once.is_some(), one_by_one.is_some(), "{end}");
            if let (Some((known, true)), Some((read, false))) = (at_once, one_by_one) {
                assert_eq!(
                    (known.kinds, known.len, known.coverage),
                    (read.kinds, read.len, read.coverage),
                    "{end}"
                );
                assert_eq!(known.starts[..4], read.starts[..4], "{end}");
            } else {
                assert!(at_once.is_none(), "{end}");
            }
        }
        for parameters in [";req", "; req", ";", "\"", " \"", "x"] {
            let list = format!("(\"@method\" \"@authority\" \"@path\" \"@query\"{parameters})");
            let expected = matches!(parameters, ";req" | "; req");
            assert_eq!(read(&list).is_some(), expected, "{list}");
            assert!(
                read(&list).is_none_or(|(items, _)| items.kind(3).is_none()
                    && !items.coverage.includes(Coverage::QUERY))
            );
        }
    }
}
