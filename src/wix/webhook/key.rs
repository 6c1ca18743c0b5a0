//! The public key of an app: read from the texts in which configurations hold it.

use std::{fmt, str::FromStr};

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jsonwebtoken::{Algorithm, DecodingKey, crypto::aws_lc};

use super::{hex::hex, key_error::WebhookKeyError};
use crate::{crypto::Sha256, escape::escape};

/// RFC 7518 section 3.3 asks for 2,048 bits at least, and the engine takes 8,192 at most.
const MIN_BITS: usize = 2048;
const MAX_BITS: usize = 8192;

/// The public key of an app, from the webhooks page of its dashboard.
///
/// ```
/// use hmac_auth::wix::{WebhookKey, WebhookKeyError};
///
/// let refused = WebhookKey::from_pem("-----BEGIN PUBLIC KEY-----").unwrap_err();
/// assert_eq!(refused, WebhookKeyError::Truncated);
/// ```
#[derive(Clone)]
pub struct WebhookKey {
    key: DecodingKey,
    bits: usize,
    /// Tells keys apart in logs.
    fingerprint: Box<str>,
}

impl WebhookKey {
    /// Reads the key from PEM, as the dashboard shows it.
    ///
    /// Variables and files hold a PEM in other ways too, and these are understood:
    ///
    /// - with `\n` spelled out for each line break, or in one line;
    /// - with quotation marks around it;
    /// - as base64 of the whole PEM;
    /// - as base64 alone, without the lines BEGIN and END.
    ///
    /// # Errors
    ///
    /// [`WebhookKeyError`] with a remedy.
    pub fn from_pem(text: &str) -> Result<Self, WebhookKeyError> {
        let text = with_line_breaks(unquoted(text));
        let text = text.trim();
        if text.is_empty() {
            return Err(WebhookKeyError::Empty);
        }
        if text.contains("-----") {
            return Self::from_der(&pem_contents(text)?);
        }
        let bytes = decode_base64(text).ok_or(WebhookKeyError::NotPem)?;
        match std::str::from_utf8(&bytes) {
            Ok(pem) if pem.contains("-----") => Self::from_der(&pem_contents(pem.trim())?),
            // What is not a sequence of ASN.1 is most likely no key at all, but a secret.
            _ if bytes.first() != Some(&0x30) => Err(WebhookKeyError::NotPem),
            _ => Self::from_der(&bytes),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, WebhookKeyError> {
        // The engine does not look behind the end of the key.
        if !is_one_sequence(der) {
            return Err(WebhookKeyError::NotRsa);
        }
        let components = aws_lc::DEFAULT_PROVIDER
            .key_utils
            .rsa_pub_components_from_public_key;
        let (modulus, exponent) = components(der).map_err(|_| WebhookKeyError::NotRsa)?;
        let bits = bit_len(&modulus);
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(WebhookKeyError::WrongLength { bits });
        }
        Ok(Self {
            key: DecodingKey::from_rsa_raw_components(&modulus, &exponent),
            bits,
            fingerprint: hex(Sha256::digest(&modulus)).into(),
        })
    }

    /// Whether the private key that belongs to this one has signed the message, with RS256.
    ///
    /// Names the engine, and so never asks for the one that the process has installed.
    pub(super) fn has_signed(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        if signature.len() != self.bits.div_ceil(8) {
            return false;
        }
        (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&Algorithm::RS256, &self.key)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

impl FromStr for WebhookKey {
    type Err = WebhookKeyError;

    fn from_str(text: &str) -> Result<Self, WebhookKeyError> {
        Self::from_pem(text)
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookKey")
            .field("bits", &self.bits)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// The text without whitespace and one pair of quotation marks around it.
fn unquoted(text: &str) -> &str {
    // Some editors begin a file with a mark of the byte order.
    let text = text.trim_start_matches('\u{feff}').trim();
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner.trim();
        }
    }
    text
}

/// The text with a line break for each one that is spelled out, however often it was escaped.
fn with_line_breaks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        let (before, escape) = rest.split_at(start);
        out.push_str(before);
        let letter = escape.trim_start_matches('\\');
        if let Some(behind) = letter.strip_prefix(['n', 'r']) {
            out.push('\n');
            rest = behind;
        } else {
            out.push_str(&escape[..escape.len() - letter.len()]);
            rest = letter;
        }
    }
    out.push_str(rest);
    out
}

/// The bytes of a trimmed text that has exactly one PEM with a public key.
fn pem_contents(text: &str) -> Result<Vec<u8>, WebhookKeyError> {
    let (before, text) = text
        .split_once("-----BEGIN ")
        .ok_or(WebhookKeyError::NotPem)?;
    let (label, text) = text.split_once("-----").ok_or(WebhookKeyError::Truncated)?;
    if label.ends_with("PRIVATE KEY") {
        return Err(WebhookKeyError::PrivateKey);
    }
    if !matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY") {
        let label = escape(label);
        return Err(WebhookKeyError::WrongLabel { label });
    }
    let end = format!("-----END {label}-----");
    let (base64, behind) = text.split_once(&*end).ok_or(WebhookKeyError::Truncated)?;
    if !before.is_empty() || !behind.is_empty() {
        return Err(WebhookKeyError::Several);
    }
    decode_base64(base64).ok_or(WebhookKeyError::NotBase64)
}

/// The bytes of base64 that may be broken into lines, in one of the two alphabets, padded or not.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);

    let text: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text));
    bytes.ok().filter(|bytes| !bytes.is_empty())
}

/// Whether one sequence of ASN.1 begins and ends with these bytes (DER, X.690 section 8.1.3).
fn is_one_sequence(der: &[u8]) -> bool {
    let (len, contents) = match der {
        [0x30, len @ 0..=0x7f, contents @ ..] | [0x30, 0x81, len, contents @ ..] => {
            (usize::from(*len), contents)
        }
        [0x30, 0x82, high, low, contents @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), contents)
        }
        _ => return false,
    };
    contents.len() == len
}

fn bit_len(number: &[u8]) -> usize {
    let Some(first) = number.iter().position(|byte| *byte != 0) else {
        return 0;
    };
    let zeros = number[first].leading_zeros() as usize;
    (number.len() - first) * 8 - zeros
}
