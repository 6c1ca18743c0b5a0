//! The wire profile: which components every request signature covers, in which order, and how they
//! are spelled. Signing, validating and `Accept-Signature` take it from here.

use super::component::ComponentName;
use crate::message::KnownField;

/// Declares all that follows from the two lists of the profile.
macro_rules! profile {
    (
        always: $first:ident $first_name:literal $(, $name:ident $text:literal)*;
        of_body: $($field:ident $field_name:literal),*;
        of_response: $($of_response:literal),*;
    ) => {
        /// The components that every request signature covers, before anything else.
        pub(crate) const ALWAYS: [ComponentName<&str>; [$first_name $(, $text)*].len()] =
            [ComponentName::$first $(, ComponentName::$name)*];

        /// The fields that say what the body is and what it means. A consumer covers those that the
        /// request has, in this order, after [`ALWAYS`].
        pub(crate) const OF_BODY: [KnownField; [$($field_name),*].len()] =
            [$(KnownField::$field),*];

        /// The fields that the signature of a response covers, in this order and as far as the
        /// response has them, after `@status`. Copies of all that the signature of the request
        /// covers come last.
        pub(crate) const OF_RESPONSE: [&str; [$($field_name,)* $($of_response),*].len()] =
            [$($field_name,)* $($of_response),*];

        /// How the list of components of every request signature begins.
        pub(crate) const LIST_START: &str =
            concat!("(\"", $first_name, "\"" $(, " \"", $text, "\"")*);

        /// How the list goes on with each field of [`OF_BODY`].
        pub(crate) const LIST_OF_BODY: [&str; OF_BODY.len()] =
            [$(concat!(" \"", $field_name, "\"")),*];

        /// The components of [`ALWAYS`], and how their lines begin in the signature base.
        pub(super) const LINES_ALWAYS: [(ComponentName<&str>, &str); ALWAYS.len()] = [
            (ComponentName::$first, concat!("\"", $first_name, "\": "))
            $(, (ComponentName::$name, concat!("\"", $text, "\": ")))*
        ];

        /// How the lines of [`OF_BODY`] begin in the signature base.
        pub(super) const LINES_OF_BODY: [&str; OF_BODY.len()] =
            [$(concat!("\"", $field_name, "\": ")),*];
    };
}

// To add a component: name it here, and say in `Coverage` what it covers.
profile! {
    always: Method "@method", Authority "@authority", Path "@path", Query "@query";
    of_body: ContentDigest "content-digest", ContentType "content-type",
        ContentEncoding "content-encoding";
    of_response: "location";
}

/// The only algorithm.
pub(crate) const ALGORITHM: &str = "hmac-sha256";

/// The label used when none is configured. Labels mean nothing and are not signed.
pub const DEFAULT_LABEL: &str = "sig1";

/// How many components a signature may cover.
pub const MAX_COMPONENTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_components() {
        for (name, start) in LINES_ALWAYS {
            assert_eq!(start, format!("\"{}\": ", name.as_str()));
        }
        let of_body = OF_BODY.map(|field| format!("\"{}\": ", field.as_str()));
        assert_eq!(of_body, LINES_OF_BODY);
    }
}
