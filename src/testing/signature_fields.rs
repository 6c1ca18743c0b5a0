//! The signature of a request in parts that can be changed.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};

use crate::{
    message::{Lines, SIGNATURE, SIGNATURE_INPUT},
    secret::Secret,
    sign::SignOptions,
    signature::{RequestHead, SignatureBase, SignatureInput, SignatureInputs},
    structured::{ByteSequences, Cursor, begin_parameter, read_parameter, text},
};

/// The only signature of a request: its member in both fields.
#[derive(Clone)]
pub(super) struct SignatureFields {
    pub(super) label: String,
    /// Identifiers, such as `"@method"` with its quotes.
    pub(super) components: Vec<String>,
    /// Such as `created=1800000000`.
    pub(super) params: Vec<String>,
    pub(super) mac: [u8; 32],
}

impl SignatureFields {
    /// Reads both fields.
    ///
    /// # Panics
    ///
    /// If there is not exactly one signature, or if it is not well-formed.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut inputs = SignatureInputs::new(headers);
        let input = match (inputs.next(), inputs.next()) {
            (Some(Ok(input)), None) => input,
            (None, _) => panic!("sign the request of this test first: it has no `Signature-Input`"),
            (Some(Err(error)), _) | (_, Some(Err(error))) => {
                panic!("the `Signature-Input` of this test is malformed: {error}")
            }
            (Some(Ok(_)), Some(Ok(_))) => {
                panic!("the request of this test has several signatures: sign it once")
            }
        };
        let mut macs = ByteSequences::new(Lines::of(headers, SIGNATURE));
        let mac = match (macs.next(), macs.next()) {
            (Some(Ok(mac)), None) if mac.key == input.label().as_bytes() => mac.of_32(),
            _ => None,
        };
        Self {
            label: input.label().to_owned(),
            components: input.components().map(|one| one.to_string()).collect(),
            params: params(&input),
            mac: mac.expect("the `Signature` of this test is one MAC of 32 bytes"),
        }
    }

    /// The value of the member in `Signature-Input`.
    fn signed_text(&self) -> String {
        let list = format!("({})", self.components.join(" "));
        self.params
            .iter()
            .fold(list, |text, param| text + ";" + param)
    }

    /// The field `Signature-Input`.
    pub(super) fn input(&self) -> String {
        format!("{}={}", self.label, self.signed_text())
    }

    /// The field `Signature`.
    pub(super) fn signature(&self) -> String {
        self.signature_of(&STANDARD.encode(self.mac))
    }

    /// The field `Signature` with this text between the colons.
    pub(super) fn signature_of(&self, base64: &str) -> String {
        format!("{}=:{base64}:", self.label)
    }

    /// Where the parameter stands.
    pub(super) fn param(&self, key: &str) -> Option<usize> {
        let is_named = |param: &String| param.split('=').next() == Some(key);
        self.params.iter().position(is_named)
    }

    /// Sets a parameter where it stands, or else as the last one.
    pub(super) fn set_param(&mut self, key: &str, value: &str) {
        let param = format!("{key}={value}");
        match self.param(key) {
            Some(index) => self.params[index] = param,
            None => self.params.push(param),
        }
    }

    /// Replaces both fields of the request.
    pub(super) fn write_to(&self, request: &mut Request<Bytes>) {
        set_signature_input(request, &self.input());
        set_signature(request, &self.signature());
    }

    /// Computes the MAC anew, for a request that was changed or for fields that were.
    pub(super) fn sign(
        &mut self,
        request: &Request<Bytes>,
        secret: &Secret,
        options: &SignOptions,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_INPUT, value(&self.input()));
        let input = SignatureInputs::new(&headers)
            .next()
            .and_then(Result::ok)
            .expect("only well-formed members are signed");
        let mut head = RequestHead::from(request);
        head.set_scheme_without_uri(options.scheme);
        let base = SignatureBase::of_request(&head, &input)
            .expect("only components that the request has are signed");
        self.mac = secret.mac(base.as_str().as_bytes()).into_bytes();
    }
}

/// Each parameter as it is spelled.
fn params(input: &SignatureInput<'_>) -> Vec<String> {
    let mut cursor = Cursor::new(input.value());
    let list_len: usize = input
        .components()
        .map(|component| component.identifier().len() + 1)
        .sum();
    // Two parentheses, and a space between two components; an empty list has none.
    cursor.skip_to("(".len() + list_len.max(1));
    let mut params = Vec::new();
    while begin_parameter(&mut cursor) {
        let start = cursor.position();
        read_parameter(&mut cursor).expect("the member was read before");
        params.push(text(cursor.since(start)).to_owned());
    }
    params
}

pub(super) fn set_signature_input(request: &mut Request<Bytes>, text: &str) {
    request.headers_mut().insert(SIGNATURE_INPUT, value(text));
}

pub(super) fn set_signature(request: &mut Request<Bytes>, text: &str) {
    let mut signature = value(text);
    signature.set_sensitive(true);
    request.headers_mut().insert(SIGNATURE, signature);
}

pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("printable ASCII")
}
