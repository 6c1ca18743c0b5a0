//! The head of a request, copied once from the types of actix, which are those of `http` 0.2.

use actix_web::{HttpMessage, dev::ServiceRequest, http as old};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderName, HeaderValue, Method, Request, Uri, Version,
    request::Parts,
    uri::{Authority, PathAndQuery, Scheme},
};

use crate::{
    tower::Received,
    validate::{AuthError, AuthErrorKind, Validated},
};

/// Copies what the checks and the closures of the options see: the head, and the marks that this
/// crate has left in the extensions.
///
/// What `http` 1 cannot hold is refused. Then the copy is not whole, and good for the refusal only.
pub(super) fn copy(request: &ServiceRequest) -> (Parts, Result<(), AuthError>) {
    let (mut parts, ()) = Request::new(()).into_parts();
    let copied = copy_into(&mut parts, request).map_err(|error| {
        AuthError::new(AuthErrorKind::AbsentComponent)
            .detail("the head of the request is not one of HTTP")
            .caused_by(error)
    });
    let extensions = request.extensions();
    if let Some(received) = extensions.get::<Received>() {
        parts.extensions.insert(received.clone());
    }
    if let Some(validated) = extensions.get::<Validated>() {
        parts.extensions.insert(validated.clone());
    }
    (parts, copied)
}

fn copy_into(parts: &mut Parts, request: &ServiceRequest) -> http::Result<()> {
    let head = request.head();
    parts.method = Method::from_bytes(head.method.as_str().as_bytes())?;
    parts.uri = uri(&head.uri)?;
    parts.version = version(head.version);
    // One allocation for all values.
    let len = head.headers.iter().map(|(_, value)| value.len()).sum();
    let mut values = BytesMut::with_capacity(len);
    parts.headers.try_reserve(head.headers.len())?;
    for (name, value) in &head.headers {
        values.extend_from_slice(value.as_bytes());
        let value = HeaderValue::from_maybe_shared(values.split().freeze())?;
        let name = HeaderName::from_bytes(name.as_str().as_bytes())?;
        parts.headers.try_append(name, value)?;
    }
    Ok(())
}

/// The same URI, character by character.
pub(super) fn uri(uri: &old::Uri) -> http::Result<Uri> {
    let mut parts = http::uri::Parts::default();
    if let Some(scheme) = uri.scheme_str() {
        parts.scheme = Some(Scheme::try_from(scheme)?);
    }
    if let Some(authority) = uri.authority() {
        parts.authority = Some(Authority::try_from(authority.as_str())?);
    }
    if let Some(text) = uri.path_and_query() {
        let text = Bytes::copy_from_slice(text.as_str().as_bytes());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(text)?);
    }
    Ok(Uri::from_parts(parts)?)
}

fn version(version: old::Version) -> Version {
    match version {
        old::Version::HTTP_09 => Version::HTTP_09,
        old::Version::HTTP_10 => Version::HTTP_10,
        old::Version::HTTP_2 => Version::HTTP_2,
        old::Version::HTTP_3 => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_kept() {
        for (given, expected) in [
            (old::Version::HTTP_09, Version::HTTP_09),
            (old::Version::HTTP_10, Version::HTTP_10),
            (old::Version::HTTP_11, Version::HTTP_11),
            (old::Version::HTTP_2, Version::HTTP_2),
            (old::Version::HTTP_3, Version::HTTP_3),
        ] {
            assert_eq!(version(given), expected);
        }
    }
}
