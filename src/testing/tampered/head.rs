//! Changes of the method and of the request target.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Uri,
    header::HOST,
    uri::{Authority, PathAndQuery},
};

use super::{List, Part};

const OTHER_AUTHORITY: &str = "other.example";

pub(super) fn add_method(list: &mut List<'_>) {
    let method = list.original().method().as_str();
    // No `OPTIONS`: a layer for CORS answers it outside, as it should.
    let mut others = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        .map(str::to_owned)
        .to_vec();
    others.extend([method.to_ascii_lowercase(), format!("{method}X")]);
    for other in others.iter().filter(|other| *other != method) {
        if let Ok(changed) = Method::from_bytes(other.as_bytes()) {
            list.add(Part::Method, other, |request| {
                *request.method_mut() = changed;
            });
        }
    }
}

pub(super) fn add_authority(list: &mut List<'_>) {
    let in_target = list.original().uri().authority();
    let host = list.headers().get(HOST).and_then(|host| host.to_str().ok());
    let Some(named) = in_target.map(Authority::as_str).or(host) else {
        return;
    };
    let (name, port) = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        _ => (named, ""),
    };
    let other_port = if port == "8444" { "8445" } else { "8444" };
    for (change, changed) in [
        ("another host", OTHER_AUTHORITY.to_owned()),
        ("a subdomain", format!("x.{named}")),
        ("a dot at the end", format!("{name}.")),
        ("another port", format!("{name}:{other_port}")),
        ("with user information", format!("user@{named}")),
    ] {
        if in_target.is_some() {
            let changed = with_target(list.original(), Some(&changed), None);
            if let Some(changed) = changed {
                list.add(Part::Authority, change, |request| {
                    *request.uri_mut() = changed;
                });
            }
        } else {
            list.add(Part::Authority, change, |request| {
                set_host(request, &[&changed]);
            });
        }
    }
    list.add(Part::Authority, "`Host` is twice there", |request| {
        set_host(request, &[named, named]);
    });
    list.add(
        Part::Authority,
        "two `Host` fields that differ",
        |request| {
            set_host(request, &[named, OTHER_AUTHORITY]);
        },
    );
    list.add(Part::Authority, "`Host` is empty", |request| {
        set_host(request, &[""]);
    });
    if in_target.is_some() {
        list.add(Part::Authority, "`Host` names another host", |request| {
            set_host(request, &[OTHER_AUTHORITY]);
        });
    }
    if let Some(uri) = without_authority(list.original()) {
        list.add(Part::Authority, "none at all", |request| {
            *request.uri_mut() = uri;
            request.headers_mut().remove(HOST);
        });
    }
}

fn set_host(request: &mut Request<Bytes>, values: &[&str]) {
    request.headers_mut().remove(HOST);
    for value in values {
        let value = HeaderValue::from_str(value).expect("made from a header value");
        request.headers_mut().append(HOST, value);
    }
}

pub(super) fn add_path(list: &mut List<'_>) {
    let uri = list.original().uri();
    let (path, query) = (uri.path(), uri.query());
    if !path.starts_with('/') || uri.path_and_query().is_none() {
        return; // `*`, or the target of `CONNECT`
    }
    let mut variants = vec![
        ("a slash at the end", format!("{path}/")),
        ("a slash in front", format!("/{path}")),
        ("a dot segment in front", format!("/.{path}")),
        (
            "a segment in front that goes up again",
            format!("/x/..{path}"),
        ),
        ("a letter at the end", format!("{path}x")),
        ("a path parameter at the end", format!("{path};x")),
        ("an encoded space at the end", format!("{path}%20")),
        ("an encoded zero byte at the end", format!("{path}%00")),
        ("the dot segments removed", path.replace("/./", "/")),
        (
            "encoded slashes decoded",
            path.replace("%2F", "/").replace("%2f", "/"),
        ),
    ];
    variants.extend(respelled(path));
    if path != "/" {
        let mut shorter = path.to_owned();
        shorter.pop();
        variants.push(("the last character cut", shorter));
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        variants.push(("the query moved into the path", format!("{path}%3F{query}")));
    }
    for (change, changed) in variants {
        let text = match query {
            Some(query) if change != "the query moved into the path" => {
                format!("{changed}?{query}")
            }
            _ => changed,
        };
        add_target(list, Part::Path, change, &text);
    }
}

pub(super) fn add_query(list: &mut List<'_>) {
    let uri = list.original().uri();
    let path = uri.path();
    if !path.starts_with('/') || uri.path_and_query().is_none() {
        return;
    }
    let query = uri.query().unwrap_or_default();
    let mut variants: Vec<(String, String)> = Vec::new();
    let mut add = |change: &str, query: String| variants.push((change.to_owned(), query));
    if query.is_empty() {
        add("a pair added", "x=1".to_owned());
        add("a name added", "x".to_owned());
    } else {
        add("removed", String::new());
        for (change, changed) in [
            ("a pair added at the end", format!("{query}&x=1")),
            ("a pair added in front", format!("x=1&{query}")),
            ("an empty pair at the end", format!("{query}&")),
            ("an empty pair in front", format!("&{query}")),
            ("a question mark added", format!("{query}?")),
            ("an equals sign added", format!("{query}=")),
            ("an encoded space added", format!("{query}%20")),
            ("spaces encoded as `%20`", query.replace('+', "%20")),
            ("spaces encoded as `+`", query.replace("%20", "+")),
            ("equals signs encoded", query.replace('=', "%3D")),
            ("semicolons between the pairs", query.replace('&', ";")),
        ] {
            add(change, changed);
        }
        for (change, changed) in respelled(query) {
            add(change, changed);
        }
        let pairs: Vec<&str> = query.split('&').collect();
        for (change, changed) in rearranged(&pairs) {
            add(&change, changed.join("&"));
        }
        for (index, pair) in pairs.iter().enumerate() {
            let name = pair.split('=').next().unwrap_or_default();
            let mut changed = pairs.clone();
            let longer = format!("{pair}x");
            changed[index] = &longer;
            add(&format!("pair {} changed", index + 1), changed.join("&"));
            let repeated = format!("{name}=x");
            add(
                &format!(
                    "the key of pair {} repeated with another value at the end",
                    index + 1
                ),
                format!("{query}&{repeated}"),
            );
            add(
                &format!(
                    "the key of pair {} repeated with another value in front",
                    index + 1
                ),
                format!("{repeated}&{query}"),
            );
        }
    }
    for (change, changed) in variants {
        let mark = if changed.is_empty() { "" } else { "?" };
        let text = format!("{path}{mark}{changed}");
        add_target(list, Part::Query, &change, &text);
    }
}

/// Orders of the pairs that mean something else to a handler that reads the first or the last one.
fn rearranged<'a>(pairs: &[&'a str]) -> Vec<(String, Vec<&'a str>)> {
    let reversed = pairs.iter().rev().copied().collect();
    let mut all = vec![("all pairs in the other order".to_owned(), reversed)];
    for index in 0..pairs.len() {
        let number = index + 1;
        let mut fewer = pairs.to_vec();
        fewer.remove(index);
        all.push((format!("pair {number} removed"), fewer));
        let mut more = pairs.to_vec();
        more.insert(index, pairs[index]);
        all.push((format!("pair {number} doubled"), more));
        if index > 0 {
            let mut swapped = pairs.to_vec();
            swapped.swap(index - 1, index);
            all.push((format!("pairs {index} and {number} swapped"), swapped));
        }
    }
    all
}

/// The same text to a reader that decodes it or minds no case, and another one on the wire.
fn respelled(text: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let escape = text.find('%').filter(|start| text.len() > start + 2);
    let letter = text
        .char_indices()
        .find(|(index, letter)| letter.is_ascii_alphabetic() && !text[..*index].ends_with('%'));
    if let Some((index, letter)) = letter {
        let (before, after) = (&text[..index], &text[index + 1..]);
        let encoded = format!("{before}%{:02X}{after}", u32::from(letter));
        all.push(("a letter percent-encoded", encoded));
        let other_case = if letter.is_ascii_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        };
        all.push((
            "the case of a letter",
            format!("{before}{other_case}{after}"),
        ));
    }
    if let Some(start) = escape {
        let (before, after) = (&text[..start], &text[start + 3..]);
        let digits = &text[start + 1..start + 3];
        for (change, digits) in [
            ("an escape in lower case", digits.to_ascii_lowercase()),
            ("an escape in upper case", digits.to_ascii_uppercase()),
        ] {
            all.push((change, format!("{before}%{digits}{after}")));
        }
        all.push((
            "an escape escaped again",
            format!("{before}%25{digits}{after}"),
        ));
    }
    all.retain(|(_, one)| one != text);
    all
}

/// Adds a request for this path and query, if there can be one.
fn add_target(list: &mut List<'_>, part: Part, change: &str, path_and_query: &str) {
    let changed = with_target(list.original(), None, Some(path_and_query));
    if let Some(uri) = changed {
        list.add(part, change, |request| *request.uri_mut() = uri);
    }
}

/// The URI with another authority, or with another path and query.
fn with_target(
    request: &Request<Bytes>,
    authority: Option<&str>,
    path_and_query: Option<&str>,
) -> Option<Uri> {
    let mut parts = request.uri().clone().into_parts();
    if let Some(authority) = authority {
        parts.authority = Some(Authority::try_from(authority).ok()?);
    }
    if let Some(text) = path_and_query {
        parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    }
    Uri::from_parts(parts).ok()
}

/// The URI in origin form.
fn without_authority(request: &Request<Bytes>) -> Option<Uri> {
    let path_and_query = request.uri().path_and_query()?.clone();
    Some(Uri::from(path_and_query))
}
