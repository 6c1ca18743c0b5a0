//! The `Authorization` field of a page's request, where Wix has tokens with and without a scheme.

/// The value without `Bearer ` in front of it. Servers cut off the blank if nothing follows it.
pub(super) fn without_bearer(value: &str) -> &str {
    match value.split_at_checked("bearer".len()) {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("bearer")
                && (rest.is_empty() || rest.starts_with(' ')) =>
        {
            rest.trim_ascii_start()
        }
        _ => value,
    }
}
