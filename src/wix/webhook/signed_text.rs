//! A JWT up to the point where its signature is verified and its claims are decoded.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{
    error::{WebhookError, WebhookErrorKind as Kind},
    json,
    options::WebhookOptions,
};
use crate::escape::escape;

/// The longest webhook that is read, in bytes: 1 MiB.
pub const MAX_WEBHOOK_LEN: usize = 1024 * 1024;

/// The fields of the header that decide. Keys in it, such as `jwk`, are never used.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Names fields that the reader must understand, and there are none.
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

/// A field that is present, even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(Some)
}

/// The JSON of the claims, whose signature one of the keys has made.
///
/// Nothing of the claims is decoded before that.
pub(super) fn verified_json(text: &[u8], options: &WebhookOptions) -> Result<String, WebhookError> {
    if text.len() > MAX_WEBHOOK_LEN {
        let detail = format!("{} bytes", text.len());
        return Err(WebhookError::new(Kind::TooLarge).detail(detail));
    }
    let text = std::str::from_utf8(text)
        .map_err(|_| WebhookError::new(Kind::NotJwt).detail("it is not UTF-8"))?;
    let (header, claims, signature) = split(text)?;
    check_header(header)?;
    let signature = decode(signature, "signature")?;
    let message = &text[..=header.len() + claims.len()];
    if !options.is_signed(message.as_bytes(), &signature) {
        return Err(Kind::WrongSignature.into());
    }
    String::from_utf8(decode(claims, "payload")?)
        .map_err(|_| WebhookError::new(Kind::MalformedClaims).detail("they are not UTF-8"))
}

/// The header, the payload and the signature, all still in base64.
fn split(text: &str) -> Result<(&str, &str, &str), WebhookError> {
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None)
            if is_base64url(header) && is_base64url(claims) && is_base64url(signature) =>
        {
            Ok((header, claims, signature))
        }
        _ => Err(look_alike(text)),
    }
}

fn is_base64url(part: &str) -> bool {
    part.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The error of a text that comes in place of a JWT.
fn look_alike(text: &str) -> WebhookError {
    let trimmed = text.trim();
    let parts = || trimmed.split('.');
    let kind = match trimmed.as_bytes().first() {
        None => Kind::Missing,
        Some(b'{' | b'[') => Kind::PlainJson,
        Some(b'"' | b'\'') => Kind::Quoted,
        _ if trimmed.starts_with("OauthNG.JWS.") => Kind::AccessToken,
        _ if trimmed.starts_with("--") => Kind::Form,
        _ if parts().count() == 2 && parts().all(|part| !part.is_empty() && is_base64url(part)) => {
            Kind::AppInstance
        }
        _ if is_form(trimmed) => Kind::Form,
        _ => Kind::NotJwt,
    };
    let error = WebhookError::new(kind);
    if kind != Kind::NotJwt {
        return error;
    }
    let has_scheme = trimmed
        .get(.."bearer ".len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    if has_scheme {
        error.detail("`Bearer` stands before it")
    } else if trimmed.len() < text.len() {
        error.detail("whitespace stands around it: pass the raw body")
    } else if parts().count() != 3 {
        let detail = format!("it has {} parts with dots, not three", parts().count());
        error.detail(detail)
    } else if text.contains('=') {
        error.detail("its base64url has padding")
    } else {
        error.detail("it has characters that are not base64url")
    }
}

/// Whether the text begins with a name and `=`, as `application/x-www-form-urlencoded` does.
fn is_form(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else {
        return false;
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_%[]+".contains(&byte);
    !name.is_empty() && name.bytes().all(is_name) && !value.trim_matches('=').is_empty()
}

fn check_header(header: &str) -> Result<(), WebhookError> {
    let malformed =
        |reason: &str| WebhookError::new(Kind::MalformedHeader).detail(reason.to_owned());
    let json = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| malformed("it is not base64url"))?;
    let json = String::from_utf8(json).map_err(|_| malformed("it is not UTF-8"))?;
    let header: Header = json::object(&json).map_err(|reason| malformed(&reason))?;
    match &*header.alg {
        "RS256" if header.crit.is_none() => Ok(()),
        "RS256" => Err(malformed("it has `crit`, and no extension is understood")),
        alg if alg.eq_ignore_ascii_case("none") => Err(Kind::AlgNone.into()),
        alg if is_hmac(alg) => {
            let detail = format!("`{}`", escape(alg));
            Err(WebhookError::new(Kind::AlgHmac).detail(detail))
        }
        alg => {
            let detail = format!("it is `{}`", escape(alg));
            Err(WebhookError::new(Kind::WrongAlg).detail(detail))
        }
    }
}

fn is_hmac(alg: &str) -> bool {
    alg.get(..2)
        .is_some_and(|family| family.eq_ignore_ascii_case("HS"))
}

fn decode(part: &str, name: &str) -> Result<Vec<u8>, WebhookError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| {
        let detail = format!("its {name} is not base64url");
        WebhookError::new(Kind::NotJwt).detail(detail)
    })
}
