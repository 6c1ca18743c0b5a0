//! What `serde_json` does not keep of an object: whether a name stands there twice.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

/// Whether a name of the object stands there twice; `false` if the text is no object.
#[must_use]
pub fn repeats_name(json: &[u8]) -> bool {
    serde_json::from_slice(json).is_ok_and(|Repeats(repeats)| repeats)
}

struct Repeats(bool);

impl<'de> Deserialize<'de> for Repeats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Repeats;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Repeats, A::Error> {
        let (mut names, mut repeats) = (Vec::new(), false);
        while let Some((name, _)) = entries.next_entry::<String, IgnoredAny>()? {
            repeats |= names.contains(&name);
            names.push(name);
        }
        Ok(Repeats(repeats))
    }
}
