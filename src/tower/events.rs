//! Events for the operator: one for each refusal of a layer.

use http::HeaderMap;

use crate::{escape::escape, signature::SignatureInputs, validate::AuthError};

/// How many key ids one event names.
const MAX_KEY_IDS: usize = 4;

/// Records one event for a refusal.
///
/// The status of the error decides the level. `tracing::event!` takes no variable as its level,
/// so both calls stand here.
macro_rules! refusal_event {
    ($error:expr, $($fields:tt)+) => {
        if $error.status().is_server_error() {
            tracing::error!(
                target: "hmac_auth",
                kind = $error.kind().as_str(),
                reason = %format_args!("{:#}", $error),
                $($fields)+
            );
        } else {
            tracing::warn!(
                target: "hmac_auth",
                kind = $error.kind().as_str(),
                reason = %format_args!("{:#}", $error),
                $($fields)+
            );
        }
    };
}

#[cfg(feature = "wix")]
pub(crate) use refusal_event;

/// Records that a layer refused a request.
pub(super) fn request_refused(
    error: &AuthError,
    headers: &HeaderMap,
    authority: Option<&str>,
    path: &str,
) {
    refusal_event!(
        error,
        key_id = key_ids(headers),
        authority,
        path = escape(path),
        "request refused"
    );
}

/// The readable key ids in their order: each of them may be the one that matters.
fn key_ids(headers: &HeaderMap) -> Option<String> {
    let key_ids: Vec<String> = SignatureInputs::new(headers)
        .filter_map(Result::ok)
        .filter_map(|input| Some(escape(&input.key_id()?)))
        .take(MAX_KEY_IDS)
        .collect();
    (!key_ids.is_empty()).then(|| key_ids.join(", "))
}
