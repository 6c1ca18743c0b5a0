//! Changes of what `Signature-Input` says: components, parameters, times.

use super::{List, Part, SignatureFields, signature_fields::set_signature_input};

/// The largest integer of a structured field (RFC 9651 section 3.3.1).
const MAX_INTEGER: i64 = 999_999_999_999_999;

pub(super) fn add_components(list: &mut List<'_>, signature: &SignatureFields) {
    let components = &signature.components;
    let mut variants = rearranged(components);
    variants.push(("all dropped".to_owned(), Vec::new()));
    for added in [
        r#""@scheme""#,
        r#""@target-uri""#,
        r#""@request-target""#,
        r#""@status""#,
        r#""x-absent""#,
        r#""accept""#,
    ] {
        if !components.iter().any(|one| one == added) {
            for (place, index) in [("in front", 0), ("at the end", components.len())] {
                let mut more = components.clone();
                more.insert(index, added.to_owned());
                variants.push((format!("{added} added {place}"), more));
            }
        }
    }
    for (index, component) in components.iter().enumerate() {
        let name = component.trim_matches('"');
        for changed in [
            format!("{component};bs"),
            format!("{component};req"),
            format!("{component};sf"),
            format!("{component};x"),
            format!("\"{}\"", name.to_ascii_uppercase()),
            format!("\"{name}x\""),
            name.to_owned(),
        ] {
            let mut all = components.clone();
            let change = format!("{component} changed to {changed}");
            all[index] = changed;
            variants.push((change, all));
        }
    }
    for (change, components) in variants {
        let changed = SignatureFields {
            components,
            ..signature.clone()
        };
        add(list, Part::Components, &change, &changed);
    }
}

pub(super) fn add_params(list: &mut List<'_>, signature: &SignatureFields) {
    let params = &signature.params;
    let mut variants = rearranged(params);
    variants.push(("all dropped".to_owned(), Vec::new()));
    for (key, value) in [
        ("alg", "\"hmac-sha256\""),
        ("alg", "\"hmac-sha512\""),
        ("keyid", "\"other\""),
        ("nonce", "\"other\""),
        ("tag", "\"other\""),
        ("x", "1"),
        ("x", "?0"),
        ("created", "1"),
    ] {
        let added = format!("{key}={value}");
        if signature.param(key).is_none() || key == "created" {
            for (place, index) in [("in front", 0), ("at the end", params.len())] {
                let mut more = params.clone();
                more.insert(index, added.clone());
                variants.push((format!("`{added}` added {place}"), more));
            }
        }
    }
    for (index, param) in params.iter().enumerate() {
        let (key, value) = param.split_once('=').unwrap_or((param, "?1"));
        let text = value.trim_matches('"');
        for changed in [
            key.to_owned(),
            format!("{key}=\"\""),
            format!("{key}=0"),
            format!("{key}=\"{text}x\""),
            format!("{key}={text}.0"),
            format!("{key}=:{text}:"),
            format!("{key}=?1"),
            format!("{key}x={value}"),
            format!("{}={value}", key.to_ascii_uppercase()),
        ] {
            let mut all = params.clone();
            let change = format!("`{key}` changed to `{changed}`");
            if changed != *param {
                all[index] = changed;
                variants.push((change, all));
            }
        }
    }
    for (change, params) in variants {
        let changed = SignatureFields {
            params,
            ..signature.clone()
        };
        add(list, Part::Parameters, &change, &changed);
    }
}

pub(super) fn add_times(list: &mut List<'_>, signature: &SignatureFields) {
    let time = |key| {
        let param = signature.params[signature.param(key)?].split_once('=')?.1;
        param.parse::<i64>().ok()
    };
    let created = time("created").unwrap_or_default();
    let day = 24 * 60 * 60;
    for (change, key, seconds) in [
        ("`created` a second earlier", "created", created - 1),
        ("`created` a second later", "created", created + 1),
        ("`created` a day earlier", "created", created - day),
        ("`created` a day later", "created", created + day),
        ("`created` in 1970", "created", 0),
        ("`created` before 1970", "created", -1),
        (
            "`created` in milliseconds",
            "created",
            created.saturating_mul(1_000),
        ),
        ("`created` at the end of time", "created", MAX_INTEGER),
        ("`created` beyond the end of time", "created", i64::MAX),
        (
            "`expires` a second before `created`",
            "expires",
            created - 1,
        ),
        ("`expires` a day later", "expires", created + day),
        ("`expires` at the end of time", "expires", MAX_INTEGER),
    ] {
        if time(key) != Some(seconds) {
            let mut changed = signature.clone();
            changed.set_param(key, &seconds.to_string());
            add(list, Part::Time, change, &changed);
        }
    }
}

/// The items with one dropped, one doubled, or two of them swapped.
fn rearranged(items: &[String]) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut fewer = items.to_vec();
        fewer.remove(index);
        all.push((format!("`{item}` dropped"), fewer));
        for place in 0..=items.len() {
            let mut more = items.to_vec();
            more.insert(place, item.clone());
            all.push((format!("`{item}` once more as number {}", place + 1), more));
        }
        for (other, name) in items.iter().enumerate().skip(index + 1) {
            let mut swapped = items.to_vec();
            swapped.swap(index, other);
            all.push((format!("`{item}` and `{name}` swapped"), swapped));
        }
    }
    all
}

fn add(list: &mut List<'_>, part: Part, change: &str, changed: &SignatureFields) {
    let text = changed.input();
    list.add(part, change, |request| set_signature_input(request, &text));
}
