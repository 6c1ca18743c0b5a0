//! The text of an app instance, `signature.payload`, up to the point where its signature is
//! verified and its payload is decoded.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::error::{AppInstanceError, AppInstanceErrorKind};
use crate::{crypto::Mac, secret::SecretSet};

/// The longest app instance that is read, in bytes. Real ones have some hundred.
pub const MAX_APP_INSTANCE_LEN: usize = 8 * 1024;

/// Both parts of an app instance are base64 in one of the two alphabets, padded or not: Wix has
/// published all of them. The bits behind the last byte must be zero.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);

/// The JSON of an app instance whose signature one of the secrets has made.
///
/// Nothing of the payload is decoded before that, and nothing is allocated.
pub(super) fn verified_json(text: &str, secrets: &SecretSet) -> Result<String, AppInstanceError> {
    json_if(text, |payload, signature| {
        secrets.verified_by(payload.as_bytes(), signature).is_some()
    })
}

/// The JSON of an app instance whose signature is *not* verified here: Wix has called exactly this
/// text active. Its shape is that which a verified one has.
pub(super) fn vouched_json(text: &str) -> Result<String, AppInstanceError> {
    json_if(text, |_, _| true)
}

/// The JSON of an app instance whose payload, still in base64, and signature are `genuine`.
fn json_if(
    text: &str,
    genuine: impl FnOnce(&str, &Mac) -> bool,
) -> Result<String, AppInstanceError> {
    if text.len() > MAX_APP_INSTANCE_LEN {
        return Err(AppInstanceErrorKind::TooLarge.into());
    }
    let (signature, payload) = text.split_once('.').ok_or_else(|| look_alike(text))?;
    let json = decode_signature(signature).and_then(|signature| {
        if genuine(payload, &signature) {
            decode_payload(payload)
        } else {
            Err(AppInstanceErrorKind::WrongMac.into())
        }
    });
    // Nothing with a dot is base64, so only a refusal asks for a second dot: each app instance
    // would spend 250 instructions on that.
    json.map_err(|error| {
        if payload.is_empty() || payload.contains('.') {
            look_alike(text).into()
        } else {
            error
        }
    })
}

/// The kind of a text that pages send in place of an app instance.
fn look_alike(text: &str) -> AppInstanceErrorKind {
    if text.is_empty() {
        AppInstanceErrorKind::Missing
    } else if text.starts_with("OauthNG.JWS.") {
        AppInstanceErrorKind::AccessToken
    } else if text.starts_with("wixcode-pub.") {
        AppInstanceErrorKind::PublicInstance
    } else if text.starts_with("eyJ") && text.matches('.').count() == 2 {
        AppInstanceErrorKind::Jwt
    } else {
        AppInstanceErrorKind::NotTwoParts
    }
}

fn decode_signature(signature: &str) -> Result<Mac, AppInstanceError> {
    // One byte more, so that a longer signature is decoded and seen to be too long.
    let mut bytes = [0; 33];
    let len = URL_SAFE
        .decode_slice(signature, &mut bytes)
        .or_else(|_| STANDARD.decode_slice(signature, &mut bytes));
    let [mac @ .., _] = bytes;
    if len == Ok(32) {
        Ok(Mac::new(mac))
    } else {
        Err(AppInstanceErrorKind::MalformedSignature.into())
    }
}

fn decode_payload(payload: &str) -> Result<String, AppInstanceError> {
    let malformed =
        |reason: &str| AppInstanceError::new(AppInstanceErrorKind::MalformedPayload).detail(reason);
    let json = URL_SAFE
        .decode(payload)
        .or_else(|_| STANDARD.decode(payload))
        .map_err(|_| malformed("it is not base64"))?;
    String::from_utf8(json).map_err(|_| malformed("it is not UTF-8"))
}
