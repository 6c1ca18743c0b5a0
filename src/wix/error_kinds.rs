//! The table of an error's kinds: each row has a kind, its name, its status and its sentence.

/// Declares the kinds of an error as rows of one table.
///
/// ```text
/// /// The documentation of the kind.
/// Kind = "its_name" (STATUS_FOR_THE_PEER): "its sentence for the operator",
/// ```
macro_rules! error_kinds {
    (
        $(#[$enum_attribute:meta])*
        pub enum $enum:ident {
            $(
                $(#[$kind_attribute:meta])*
                $kind:ident = $name:literal ($status:ident): $sentence:literal,
            )+
        }
    ) => {
        $(#[$enum_attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$kind_attribute])* $kind,)+
        }

        impl $enum {
            /// The kind in `snake_case`, for logs and metrics. The name of a kind never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            fn status(self) -> http::StatusCode {
                match self {
                    $(Self::$kind => http::StatusCode::$status,)+
                }
            }

            fn sentence(self) -> &'static str {
                match self {
                    $(Self::$kind => $sentence,)+
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use error_kinds;
