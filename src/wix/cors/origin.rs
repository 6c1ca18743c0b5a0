//! Serialised origins, as browsers write them (RFC 6454 section 6.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::escape::escape;

/// Why a text is no origin that a browser could send, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is no origin: {remedy}")]
pub struct OriginError {
    /// The given text, escaped, without a password.
    shown: Box<str>,
    remedy: Box<str>,
}

impl OriginError {
    fn new(text: &str, remedy: impl Into<Box<str>>) -> Self {
        Self {
            shown: escape(text).into(),
            remedy: remedy.into(),
        }
    }
}

/// Checks that a browser writes this origin exactly so.
pub(super) fn check_origin(text: &str) -> Result<(), OriginError> {
    let without_user = text.rsplit_once('@').map_or(text, |(_, behind)| behind);
    match serialised(text) {
        Ok(origin) if origin == text => Ok(()),
        Ok(origin) => Err(OriginError::new(without_user, format!("write `{origin}`"))),
        Err(remedy) => Err(OriginError::new(without_user, remedy)),
    }
}

/// The origin of a URL as a browser writes it, or what to do.
fn serialised(text: &str) -> Result<String, &'static str> {
    if text.contains('*') {
        return Err(
            "name each origin as a whole, or use `cors_for_any_origin` on a route where the \
             access token is the gate",
        );
    }
    if text == "null" {
        return Err("every sandboxed page has it, so leave it out");
    }
    let text = text.trim().to_ascii_lowercase();
    let (scheme, default_port, rest) = if let Some(rest) = text.strip_prefix("https://") {
        ("https", 443, rest)
    } else if let Some(rest) = text.strip_prefix("http://") {
        ("http", 80, rest)
    } else {
        return Err("begin it with `https://`, as in `https://www.shop.example`");
    };
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("leave out the user before the `@`");
    }
    let behind_host = if authority.starts_with('[') {
        authority.find(']').unwrap_or(authority.len())
    } else {
        0
    };
    let (host, port) = match authority[behind_host..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(behind_host + colon);
            (host, read_port(&port[1..], default_port)?)
        }
        None => (authority, default_port),
    };
    let host = check_host(host)?;
    Ok(if port == default_port {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}:{port}")
    })
}

fn read_port(text: &str, default_port: u16) -> Result<u16, &'static str> {
    if text.is_empty() {
        return Ok(default_port);
    }
    // `parse` alone would accept `+80`.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| is_number && *port > 0);
    port.ok_or("write the port as a number from 1 to 65535")
}

/// The host as a browser writes it, without the dot of a fully qualified name.
fn check_host(host: &str) -> Result<&str, &'static str> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        let is_canonical = address
            .parse::<Ipv6Addr>()
            .is_ok_and(|parsed| parsed.to_string() == address && !address.contains('.'));
        return if is_canonical {
            Ok(host)
        } else {
            Err("write the IPv6 address in its short form between brackets, as in `[::1]`")
        };
    }
    if !host.is_ascii() {
        return Err("write the host in Punycode, `xn--…`, as browsers send it");
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_of_label)
    };
    if !host.split('.').all(is_label) {
        return Err("write the name of one host behind `://`, as in `https://www.shop.example`");
    }
    // Browsers read every host with a number at its end as an IPv4 address.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("write the IPv4 address with four numbers, as in `127.0.0.1`");
    }
    Ok(host)
}

/// Whether the whole of a serialised origin (RFC 6454 section 6.2) is `localhost`: the scheme, the
/// host, and perhaps a port.
pub(super) fn is_localhost(origin: &str) -> bool {
    let Some(authority) = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
    else {
        return false;
    };
    match authority.split_once(':') {
        None => authority == "localhost",
        Some((host, port)) => {
            // `parse` alone would accept `+80` and `080`, which no browser writes.
            let is_number =
                port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
            host == "localhost" && is_number && port.parse::<u16>().is_ok()
        }
    }
}
