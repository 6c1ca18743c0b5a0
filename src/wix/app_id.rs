//! The id of an app, as Wix names it in tokens: compared in one way everywhere.

use crate::escape::escape;

/// Checks that Wix names the app `expected`. The error names both apps, for the operator.
///
/// Ids of apps are compared without case, as host names have them.
pub(super) fn check_app(named: Option<&str>, expected: &str) -> Result<(), String> {
    match named {
        Some(named) if named.eq_ignore_ascii_case(expected) => Ok(()),
        Some(named) => Err(format!(
            "for {}, expected {}",
            escape(named),
            escape(expected)
        )),
        None => Err(format!("it names no app, expected {}", escape(expected))),
    }
}
