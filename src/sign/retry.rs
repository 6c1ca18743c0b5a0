//! Signing a request again: the signature of the earlier attempt gives way, and no other one.

use http::HeaderValue;

use super::{error::SignError, options::SignOptions};
use crate::{
    message::{Fields, KnownField, Lines},
    signature::SignatureInputs,
    structured::{ByteSequences, Dictionary, SyntaxError, skip_member},
};

/// The signatures of a request without that of an earlier attempt, line by line.
pub(super) struct OtherSignatures {
    pub(super) inputs: Vec<HeaderValue>,
    pub(super) signatures: Vec<HeaderValue>,
}

impl OtherSignatures {
    /// Looks for a signature with the label of `options`. If there is one of an earlier attempt,
    /// with the same key id, returns all but this one.
    ///
    /// A signature with the same label and another key id, or with none, may be that of another
    /// party: an error.
    pub(super) fn find(
        fields: &Fields<'_>,
        options: &SignOptions,
    ) -> Result<Option<Self>, SignError> {
        if !fields.has(KnownField::SignatureInput) && !fields.has(KnownField::Signature) {
            return Ok(None);
        }
        let label = options.label.as_str();
        let (mut is_taken, mut is_ours) = (false, false);
        let mut inputs = SignatureInputs::of(fields.lines(KnownField::SignatureInput));
        while let Some(input) = inputs.next() {
            match (input, inputs.label_read_over()) {
                (Ok(input), _) if input.label() == label => {
                    is_taken = true;
                    is_ours = options.key_id.is_some()
                        && input.key_id().as_deref() == options.key_id.as_deref();
                }
                (Err(_), Some(other)) => is_taken |= other == label,
                (Err(syntax), None) => return Err(SignError::MalformedSignature(syntax)),
                (Ok(_), _) => {}
            }
        }
        for signature in ByteSequences::new(fields.lines(KnownField::Signature)) {
            let signature = signature.map_err(SignError::MalformedSignature)?;
            is_taken |= signature.key == label.as_bytes();
        }
        if !is_taken {
            return Ok(None);
        }
        if !is_ours {
            return Err(SignError::LabelTaken {
                label: label.to_owned(),
            });
        }
        let others = |field| {
            others(fields.lines(field), label.as_bytes()).map_err(SignError::MalformedSignature)
        };
        let mut signatures = others(KnownField::Signature)?;
        for signature in &mut signatures {
            signature.set_sensitive(true);
        }
        Ok(Some(Self {
            inputs: others(KnownField::SignatureInput)?,
            signatures,
        }))
    }
}

/// The lines of a dictionary field without the member of `label`, and without empty lines.
fn others(lines: Lines<'_>, label: &[u8]) -> Result<Vec<HeaderValue>, SyntaxError> {
    let mut kept = Vec::new();
    for line in lines {
        let mut text = Vec::with_capacity(line.len());
        let mut members = Dictionary::new(std::iter::once(line));
        while let Some(key) = members.next_key()? {
            let start = members.cursor.position() - key.len();
            skip_member(&mut members.cursor)?;
            if key != label {
                if !text.is_empty() {
                    text.extend_from_slice(b", ");
                }
                text.extend_from_slice(members.cursor.since(start));
            }
        }
        if !text.is_empty() {
            kept.push(HeaderValue::from_bytes(&text).expect("a part of a header value"));
        }
    }
    Ok(kept)
}
