//! The usual mistakes of signers and proxies, each in plain words.

use std::fmt;

use super::{
    difference::host_of,
    facts::Facts,
    guess::{mistakes_of_body, mistakes_of_text},
};
use crate::{
    signature::SignatureInput,
    validate::{AuthError, AuthErrorKind, named_authority, seems_in_milliseconds},
};

/// Declares [`Mistake`] from one table: the name, and the sentence for the operator.
macro_rules! mistakes {
    ($($(#[$doc:meta])+ $mistake:ident: $name:literal, $sentence:literal;)+) => {
        /// A mistake that makes a signature wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Mistake {
            $($(#[$doc])+ $mistake,)+
        }

        impl Mistake {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$mistake),+];

            /// The mistake in `snake_case`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$mistake => $name,)+
                }
            }

            fn sentence(self) -> &'static str {
                match self {
                    $(Self::$mistake => $sentence,)+
                }
            }
        }
    };
}

mistakes! {
    /// The host in `@authority` is not in lower case.
    HostCase: "host_case",
        "the peer signs the host in another case: `@authority` is in lower case";
    /// The port in `@authority` is the default one, or the one that is not is missing.
    DefaultPort: "default_port",
        "the peer signs another port: `@authority` leaves out 443 for https and 80 for http, and keeps \
         each other port (check `external_scheme` here)";
    /// Another host than the one that was called.
    OtherAuthority: "other_authority",
        "the peer signs another host: mostly, a proxy has changed `Host` (let it pass `Host` on, or see \
         `trust_forwarded_host`)";
    /// `@query` without its question mark.
    MissingQuestionMark: "missing_question_mark",
        "the peer leaves out the `?`: `@query` begins with it, and is `?` alone without a query";
    /// The apostrophe is encoded on one side only.
    Apostrophe: "apostrophe",
        "one side writes `'` and the other one `%27`: sign the URL as the client sends it, after the \
         client has parsed it";
    /// The query was encoded anew.
    ReencodedQuery: "reencoded_query",
        "one side has encoded the query anew (`%20` and `+`, upper and lower case of `%2F`, decoded \
         characters): sign the query byte by byte as it is sent, and let no proxy change it";
    /// The parameters of the query have another order.
    ReorderedQuery: "reordered_query",
        "the parameters of the query have another order: sign them in the order in which they are \
         sent, and let no proxy sort them";
    /// The path was encoded anew.
    ReencodedPath: "reencoded_path",
        "one side has encoded or decoded the path anew: sign the path byte by byte as it is sent, and \
         let no proxy change it";
    /// Another path.
    OtherPath: "other_path",
        "the paths differ: mostly, a proxy or a router has cut or rewritten the path (see `path_prefix` \
         and `original_uri`)";
    /// The method has another case.
    MethodCase: "method_case",
        "the peer signs the method in another case than it sends it";
    /// `http` on one side, `https` on the other.
    OtherScheme: "other_scheme",
        "the schemes differ: set `external_scheme` to the scheme that clients use";
    /// The value of a field or a component differs.
    OtherValue: "other_value",
        "the value of this component was changed after signing, or the peer signs another one";
    /// White space in the value of a field.
    FieldSpace: "field_space",
        "the peer keeps white space: a field value is trimmed, and several lines are joined with `, `";
    /// A component stands in one of both bases only.
    OtherComponents: "other_components",
        "the bases have other components: the lines are those of the list in `Signature-Input`";
    /// The lines have another order than the list.
    ComponentOrder: "component_order",
        "the lines have another order: write them in the order of the list in `Signature-Input`";
    /// The parameters have another order than in `Signature-Input`.
    ParameterOrder: "parameter_order",
        "the parameters of `@signature-params` have another order: sign the text of `Signature-Input` \
         as it is sent, from `(` to its end";
    /// The base of another signature.
    OtherSignature: "other_signature",
        "the parameters are those of another signature: take the base of this very request";
    /// A line break at the end, or carriage returns.
    LineBreaks: "line_breaks",
        "the peer signs other line breaks: lines are separated by one line feed, and none follows the \
         last one";
    /// The body was encoded or decoded after it was signed, or `Content-Encoding` is not covered.
    ContentCoding: "content_coding",
        "the body or its `Content-Encoding` is not as it was signed: mostly, a proxy has compressed or \
         decompressed it, or the client has compressed it after signing. Or the signer leaves the field \
         out of its components";
    /// `Content-Type` has come or gone after the request was signed, or is not covered.
    ContentType: "content_type",
        "a program has added or removed `Content-Type` after signing: mostly an HTTP client, which adds \
         one to each body (set the field before you sign). Or the signer leaves the field out of its \
         components";
    /// The body has other line breaks, or one more or less at its end.
    BodyLineBreaks: "body_line_breaks",
        "the body that was signed has other line breaks (`curl --data @file` removes them: use \
         `--data-binary`)";
    /// Nothing is left of the body that was signed.
    BodyMissing: "body_missing",
        "the body that was signed is not here: a proxy has dropped it, a program has read it before \
         this check, or the capture has none";
    /// Another body.
    OtherBody: "other_body",
        "the body is not the one that was signed: sign after its last change, and let no program write \
         it anew";
    /// The clocks differ, or the request came late.
    Clock: "clock",
        "only the time is wrong: compare both clocks, and sign just before you send";
    /// `created` counts milliseconds.
    Milliseconds: "milliseconds",
        "`created` counts milliseconds: it must count seconds";
    /// Another secret.
    OtherSecret: "other_secret",
        "the secrets differ: compare their fingerprints, and whether both sides read the secret as text, \
         hexadecimal or base64";
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// A mistake that may be the reason. `Display` writes a sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    mistake: Mistake,
    is_proven: bool,
}

impl Hint {
    pub(super) fn likely(mistake: Mistake) -> Self {
        Self {
            mistake,
            is_proven: false,
        }
    }

    pub(super) fn proven(mistake: Mistake) -> Self {
        Self {
            mistake,
            is_proven: true,
        }
    }

    /// The mistake.
    #[must_use]
    pub fn mistake(&self) -> Mistake {
        self.mistake
    }

    /// Whether the mistake is certain: with this mistake, and only with it, the signature is right.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.is_proven
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certainty = if self.is_proven { "certain" } else { "likely" };
        write!(
            f,
            "{} ({certainty}): {}",
            self.mistake.as_str(),
            self.mistake
        )
    }
}

/// What may be wrong. `is_right_in_time` says whether the request is accepted at the time when it was
/// signed.
pub(super) fn hints(
    facts: &Facts<'_>,
    error: Option<&AuthError>,
    is_right_in_time: &dyn Fn(i64) -> bool,
) -> Vec<Hint> {
    use AuthErrorKind as Kind;

    let hint = error.and_then(|error| match error.kind() {
        Kind::WrongMac => mistakes_of_text(facts),
        Kind::WrongDigest => Some(mistakes_of_body(facts)),
        Kind::Stale | Kind::InFuture | Kind::Expired => Some(of_time(facts, is_right_in_time)),
        Kind::UnlistedAuthority => Some(of_authority(facts)),
        // A field that has gone, or one that has come.
        Kind::AbsentComponent | Kind::NotCovered => of_field(error),
        _ => None,
    });
    hint.into_iter().collect()
}

/// Which programs change a field of the content, after the request was signed.
fn of_field(error: &AuthError) -> Option<Hint> {
    let mistakes = [
        ("content-encoding", Mistake::ContentCoding),
        ("content-type", Mistake::ContentType),
    ];
    let found = mistakes.iter().find(|(field, _)| error.is_about(field))?;
    Some(Hint::likely(found.1))
}

fn of_time(facts: &Facts<'_>, is_right_in_time: &dyn Fn(i64) -> bool) -> Hint {
    let created = facts.input.as_ref().and_then(SignatureInput::created);
    let in_milliseconds =
        |created| created > facts.now() && seems_in_milliseconds(created, facts.now());
    let mistake = if created.is_some_and(in_milliseconds) {
        Mistake::Milliseconds
    } else {
        Mistake::Clock
    };
    if created.is_some_and(is_right_in_time) {
        Hint::proven(mistake)
    } else {
        Hint::likely(mistake)
    }
}

fn of_authority(facts: &Facts<'_>) -> Hint {
    let named = named_authority(&facts.request, facts.options).ok();
    let host = named.map(|named| host_of(named.as_str()));
    let mut listed = facts.options.listed_authorities().iter();
    Hint::likely(if listed.any(|one| Some(host_of(one)) == host) {
        Mistake::DefaultPort
    } else {
        Mistake::OtherAuthority
    })
}
