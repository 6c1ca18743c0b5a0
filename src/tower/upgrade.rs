//! Upgrades of a connection: a service sees only those that the consumer has signed.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONNECTION, UPGRADE},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;

use crate::validate::Proof;

const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Whether the signature asks for the bytes that follow the request.
#[cfg(feature = "actix")]
pub(crate) fn is_signed(parts: &Parts, proof: &Proof) -> bool {
    proof.covers_field(UPGRADE.as_str()) || is_plain_connect(parts)
}

/// Removes what lets a service leave HTTP, unless the signature asks for that.
///
/// No signature covers the bytes after an upgrade. Anybody on the way can add the fields, and some
/// clients send `Upgrade: h2c` without need. Such a request is served, but without the upgrade.
pub(crate) fn remove_unsigned(parts: &mut Parts, proof: &Proof) {
    let has_field = parts.headers.contains_key(UPGRADE);
    // hyper adds it where the client asks for an upgrade, and to each `CONNECT`.
    let has_extension = parts.extensions.get::<OnUpgrade>().is_some();
    if !(has_field || has_extension) || proof.covers_field(UPGRADE.as_str()) {
        return;
    }
    if !is_plain_connect(parts) {
        parts.extensions.remove::<OnUpgrade>();
    }
    parts.headers.remove(UPGRADE);
    parts.headers.remove(HTTP2_SETTINGS);
    remove_connection_options(&mut parts.headers);
}

/// Whether the method itself asks for a tunnel, and nothing but the method.
///
/// Every signature covers the method. An extended `CONNECT` (RFC 8441) has a path, and its
/// `:protocol` says what follows. No signature can cover that.
fn is_plain_connect(parts: &Parts) -> bool {
    parts.method == Method::CONNECT && parts.uri.path_and_query().is_none()
}

/// Removes the options of `Connection` that name the removed fields. Other lines stay as they are.
fn remove_connection_options(headers: &mut HeaderMap) {
    let lines: Vec<HeaderValue> = headers.get_all(CONNECTION).iter().cloned().collect();
    headers.remove(CONNECTION);
    for line in lines {
        if !options(&line).any(is_of_upgrade) {
            headers.append(CONNECTION, line);
            continue;
        }
        let kept: Vec<&[u8]> = options(&line).filter(|one| !is_of_upgrade(one)).collect();
        match HeaderValue::from_bytes(&kept.join(&b", "[..])) {
            Ok(line) if !line.is_empty() => {
                headers.append(CONNECTION, line);
            }
            _ => {}
        }
    }
}

/// The members of a list (RFC 9110 section 5.6.1), without empty ones.
fn options(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|option| !option.is_empty())
}

fn is_of_upgrade(option: &[u8]) -> bool {
    [UPGRADE, HTTP2_SETTINGS]
        .iter()
        .any(|name| option.eq_ignore_ascii_case(name.as_str().as_bytes()))
}
