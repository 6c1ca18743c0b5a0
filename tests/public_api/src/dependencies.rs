//! The dependencies whose types are public: those that are in a signature, and those that `Cargo.toml` marks so.

use std::collections::{BTreeMap, BTreeSet};

/// Crates that come with Rust, and this one.
const ALWAYS: [&str; 4] = ["alloc", "core", "hmac_auth", "std"];

/// Where a public dependency has its types from: rustdoc names the crate that defines a type.
const REEXPORTED: [(&str, &str); 3] = [
    ("actix_http", "actix_web"),
    ("actix_service", "actix_web"),
    ("url", "reqwest"),
];

/// A bound that `pin-project-lite` writes into `Unpin`. Nobody else can name it.
const HIDDEN: &str = "pin_project_lite::__private::";

/// The crates of types in these items that the manifest does not mark `# public`, each with the first such item.
pub(crate) fn private_ones<'a>(items: &'a [String], manifest: &str) -> BTreeMap<String, &'a str> {
    let public = marked_public(manifest);
    let mut private = BTreeMap::new();
    for item in items {
        for name in crates(&item.replace(HIDDEN, "")) {
            let through = REEXPORTED.iter().find(|(defining, _)| *defining == name);
            let owner = through.map_or(name, |(_, owner)| owner);
            if !ALWAYS.contains(&owner) && !public.contains(owner) {
                private.entry(name.to_owned()).or_insert(item.as_str());
            }
        }
    }
    private
}

/// The first segment of each path.
fn crates(item: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    item.match_indices("::").filter_map(move |(end, _)| {
        let before = &item[..end];
        let name = &before[before.trim_end_matches(is_name).len()..];
        let is_first = !before[..before.len() - name.len()].ends_with("::");
        // A path of generics, such as `Self::Error`, begins with a capital letter.
        let is_crate = name.starts_with(|c: char| c.is_ascii_lowercase());
        (is_first && is_crate).then_some(name)
    })
}

/// As the code names them.
fn marked_public(manifest: &str) -> BTreeSet<String> {
    manifest
        .lines()
        .filter_map(|line| {
            let (declaration, comment) = line.split_once(" # ")?;
            let (name, _) = declaration.split_once(" = ")?;
            comment
                .starts_with("public")
                .then(|| name.replace('-', "_"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{crates, private_ones};

    const MANIFEST: &str = "[dependencies]\n\
        bytes = \"1\" # public, through `http`\n\
        actix-web = \"4\" # public\n\
        subtle = \"2\" # compares\n";

    #[test]
    fn a_path_begins_with_its_crate() {
        let item = "pub fn hmac_auth::f<T>(&core::Foo<bytes::Bytes>, <T as http::Ext>::Out) -> Self::Error";
        let names: Vec<_> = crates(item).collect();
        assert_eq!(names, ["hmac_auth", "core", "bytes", "http"]);
    }

    #[test]
    fn a_type_of_a_dependency_without_the_mark_is_found() {
        let found = |item: &str| {
            let items = [item.to_owned()];
            private_ones(&items, MANIFEST)
                .into_keys()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found("pub fn hmac_auth::f(bytes::Bytes) -> core::time::Duration"),
            [""; 0]
        );
        assert_eq!(found("pub fn hmac_auth::f(actix_http::Payload)"), [""; 0]);
        assert_eq!(found("pub fn hmac_auth::f() -> subtle::Choice"), ["subtle"]);
        assert_eq!(
            found("impl core::convert::From<smallvec::Error> for hmac_auth::E"),
            ["smallvec"]
        );
    }
}
