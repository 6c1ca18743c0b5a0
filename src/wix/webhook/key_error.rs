//! Why a text is not the public key of an app.

/// Why a text is not the public key of an app. The error never shows the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookKeyError {
    /// The text is empty.
    #[error(
        "the public key is empty: copy it from the webhooks page of the app's dashboard, with the \
         lines BEGIN and END"
    )]
    Empty,
    /// The text is neither PEM nor base64 of it.
    #[error(
        "the public key is neither PEM nor base64: copy it from the webhooks page of the app's \
         dashboard, with the lines BEGIN and END; the app secret is another value"
    )]
    NotPem,
    /// The text begins as PEM, and its line END is missing.
    #[error(
        "the line END of the public key is missing: a variable with one line needs `\\n` in place \
         of each line break, or base64 of the whole file"
    )]
    Truncated,
    /// The text has something before, behind or beside the one key.
    #[error("there is more than one public key: give exactly one, and others with `also_accept`")]
    Several,
    /// The text between the lines BEGIN and END is not base64.
    #[error("the text between BEGIN and END is not base64: copy the public key again, unchanged")]
    NotBase64,
    /// The text is a private key.
    #[error(
        "this is a private key, and only Wix has that of your app: copy the public key from the \
         webhooks page of the app's dashboard"
    )]
    PrivateKey,
    /// The text is PEM of something else, such as a certificate.
    #[error(
        "this PEM is not a public key, but says `{label}`: copy the public key from the webhooks \
         page of the app's dashboard"
    )]
    WrongLabel {
        /// The words behind BEGIN, escaped.
        label: String,
    },
    /// The bytes are not those of an RSA public key.
    #[error("this is not an RSA public key: Wix signs with RS256, so its keys are RSA")]
    NotRsa,
    /// The key is too short to be safe, or longer than any key in use.
    #[error("an RSA key of {bits} bits cannot be used: RS256 needs 2,048 to 8,192")]
    WrongLength {
        /// The length of the modulus.
        bits: usize,
    },
}
