//! Compares the public API with the committed listing, and looks for types of dependencies that are not public.
//!
//! Arguments: the JSON of rustdoc, `Cargo.toml`, the listing, and `--accept` to write the listing anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fs,
    process::ExitCode,
};

mod dependencies;

/// What rustdoc has to write, and the Rust whose rustdoc writes it.
const FORMAT: &str = "57, as Rust 1.95 writes it";

/// The marker traits that a user needs. The compiler knows others, which come and go with its versions.
const MARKERS: [&str; 5] = ["Copy", "Send", "StructuralPartialEq", "Sync", "Unpin"];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (json, manifest, listing, accept) = match args.as_slice() {
        [json, manifest, listing] => (json, manifest, listing, false),
        [json, manifest, listing, flag] if flag == "--accept" => (json, manifest, listing, true),
        _ => return Err("arguments: JSON CARGO_TOML LISTING [--accept]".into()),
    };

    let items = public_items(json)?;
    let private = dependencies::private_ones(&items, &fs::read_to_string(manifest)?);
    for (name, item) in &private {
        println!(
            "`{name}` is not marked `# public` in Cargo.toml, but its type is public:\n  {item}"
        );
    }

    let new = items.join("\n") + "\n";
    if accept {
        fs::write(listing, new)?;
        println!("{} public items are written", items.len());
        return Ok(exit_code(private.is_empty()));
    }
    let committed = fs::read_to_string(listing)?;
    for line in differences(&committed, &new) {
        println!("{line}");
    }
    if new == committed {
        println!("{} public items, as listed", items.len());
    } else {
        println!("\nThe public API is not as listed. To accept that: .ci/public_api --accept");
    }
    Ok(exit_code(private.is_empty() && new == committed))
}

fn exit_code(is_good: bool) -> ExitCode {
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn public_items(json: &str) -> Result<Vec<String>, String> {
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .build()
        .map_err(|error| {
            format!(
                "{error}: rustdoc must write the format {FORMAT}. With another Rust, choose another version of \
                 `public-api` in tests/public_api/Cargo.toml, then look at the difference"
            )
        })?;
    let items: Vec<_> = api
        .items()
        .map(ToString::to_string)
        .filter(|item| !is_other_marker(item))
        .collect();
    if items.is_empty() {
        return Err(format!("{json} has no public item"));
    }
    Ok(items)
}

/// `impl core::marker::Freeze for …` and the like.
fn is_other_marker(item: &str) -> bool {
    let Some((_, path)) = item
        .strip_prefix("impl")
        .and_then(|rest| rest.split(" for ").next())
        .and_then(|head| head.rsplit_once("core::"))
    else {
        return false;
    };
    let Some(name) = path
        .strip_prefix("marker::")
        .or_else(|| path.strip_prefix("panic::unwind_safe::"))
    else {
        return false;
    };
    !MARKERS.contains(&name)
}

/// The lines that only one of them has, as `- …` and `+ …`, in their order.
fn differences(committed: &str, new: &str) -> Vec<String> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in committed.lines() {
        counts.entry(line).or_default().0 += 1;
    }
    for line in new.lines() {
        counts.entry(line).or_default().1 += 1;
    }
    let is_different = |line: &&str| {
        let (committed, new) = counts[*line];
        committed != new
    };
    let mut seen = BTreeSet::new();
    committed
        .lines()
        .chain(new.lines())
        .filter(is_different)
        .filter(|line| seen.insert(*line))
        .map(|line| {
            let (committed, new) = counts[line];
            let sign = if new > committed { '+' } else { '-' };
            format!("{sign} {line}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{differences, is_other_marker};

    #[test]
    fn a_change_is_a_line_that_is_gone_and_a_new_one() {
        assert_eq!(differences("a\nb\n", "a\nb\n"), [""; 0]);
        assert_eq!(differences("a\nb\n", "a\nc\n"), ["- b", "+ c"]);
        assert_eq!(differences("a\na\n", "a\n"), ["- a"]);
    }

    #[test]
    fn only_the_traits_that_a_user_needs_are_listed() {
        for (trait_path, is_listed) in [
            ("core::marker::Send", true),
            ("!core::marker::Sync", true),
            ("core::marker::Copy", true),
            ("core::clone::Clone", true),
            ("!core::marker::Freeze", false),
            ("core::marker::UnsafeUnpin", false),
            ("!core::panic::unwind_safe::RefUnwindSafe", false),
        ] {
            for generics in ["", "<S>"] {
                let item = format!("impl{generics} {trait_path} for hmac_auth::Secret");
                assert_eq!(!is_other_marker(&item), is_listed, "{item}");
            }
        }
    }
}
