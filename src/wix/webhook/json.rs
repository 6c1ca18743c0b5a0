//! JSON objects: read with reasons for the operator.

use serde::de::DeserializeOwned;

use crate::escape::escape;

/// Reads a JSON object.
///
/// The reason names fields and types, escaped: it may show a value.
pub(super) fn object<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    // `serde` would also read an array that has the fields in their order.
    if !json.trim_ascii_start().starts_with('{') {
        return Err("it is not a JSON object".to_owned());
    }
    serde_json::from_str(json).map_err(|error| escape(&error.to_string()))
}
