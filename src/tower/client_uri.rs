//! The URI that the client has sent, where something on the way to the layer has changed it.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{Extensions, Uri, request::Parts, uri::PathAndQuery};

use super::record_uri::received_uri;
use crate::{
    escape::escape,
    validate::{AuthError, AuthErrorKind},
};

/// How a layer finds the URI of the client. At most one of the three ways may be chosen.
#[derive(Clone, Default)]
pub(crate) struct ClientUri {
    pub(crate) original: Option<fn(&Extensions) -> Option<&Uri>>,
    pub(crate) trusted: Option<Trusted>,
    pub(crate) prefix: Option<Box<str>>,
}

pub(crate) type Trusted = Arc<dyn Fn(&Parts) -> Option<Uri> + Send + Sync>;

impl ClientUri {
    /// Whether the choices can be used at all.
    pub(super) fn check(&self) -> Result<(), AuthError> {
        let chosen = [
            ("original_uri", self.original.is_some()),
            ("trust_client_uri", self.trusted.is_some()),
            ("path_prefix", self.prefix.is_some()),
        ];
        let mut chosen = chosen.iter().filter(|(_, is_chosen)| *is_chosen);
        if let (Some((one, _)), Some((other, _))) = (chosen.next(), chosen.next()) {
            return misconfigured(format!(
                "`{one}` and `{other}` both say which URI the client has sent: keep one of them"
            ));
        }
        match &self.prefix {
            Some(prefix) => check_prefix(prefix),
            None => Ok(()),
        }
    }

    /// The URI that the client has sent.
    pub(super) fn find<'a>(&self, parts: &'a Parts) -> Result<Cow<'a, Uri>, AuthError> {
        let received = received_uri(&parts.extensions);
        if !self.is_of_request() {
            return self.find_elsewhere(parts, received);
        }
        match received {
            Some(received) if *received != parts.uri => changed(received, &parts.uri),
            _ => Ok(Cow::Borrowed(&parts.uri)),
        }
    }

    /// Whether the URI of the request counts.
    pub(super) fn is_of_request(&self) -> bool {
        self.original.is_none() && self.trusted.is_none() && self.prefix.is_none()
    }

    fn find_elsewhere<'a>(
        &self,
        parts: &'a Parts,
        received: Option<&Uri>,
    ) -> Result<Cow<'a, Uri>, AuthError> {
        self.check()?;
        if let Some(original) = self.original {
            return match (original(&parts.extensions), received) {
                (None, _) => misconfigured(
                    "`original_uri` has found no URI: put what stores the URI outside of this \
                     layer, or leave `original_uri` out",
                ),
                (Some(found), Some(received)) if found != received => changed(received, found),
                (Some(found), _) => Ok(Cow::Borrowed(found)),
            };
        }
        if let Some(trusted) = &self.trusted {
            return match trusted(parts) {
                Some(uri) => Ok(Cow::Owned(uri)),
                None => misconfigured(
                    "`trust_client_uri` has found no URI: let the proxy send it with each \
                     request, and let nobody reach this host without the proxy",
                ),
            };
        }
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let uri = with_prefix(prefix, &parts.uri)?;
        match received {
            // Cut by a proxy before this server, or by a router within.
            Some(received) if *received != parts.uri && *received != *uri => {
                changed(received, &parts.uri)
            }
            _ => Ok(uri),
        }
    }
}

/// Puts the prefix before the path again. `*` and the target of `CONNECT` have no path.
fn with_prefix<'a>(prefix: &str, uri: &'a Uri) -> Result<Cow<'a, Uri>, AuthError> {
    let path = uri.path();
    if uri.path_and_query().is_none() || path == "*" {
        return Ok(Cow::Borrowed(uri));
    }
    let text = match uri.query() {
        Some(query) => format!("{prefix}{path}?{query}"),
        None => format!("{prefix}{path}"),
    };
    let mut parts = uri.clone().into_parts();
    let put_back = PathAndQuery::try_from(text).ok().and_then(|text| {
        parts.path_and_query = Some(text);
        Uri::from_parts(parts).ok()
    });
    match put_back {
        Some(uri) => Ok(Cow::Owned(uri)),
        // The longest URIs have no room for the prefix.
        None => Err(AuthError::new(AuthErrorKind::TooLarge).detail("the path with its prefix")),
    }
}

fn check_prefix(prefix: &str) -> Result<(), AuthError> {
    let is_of_path =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&byte);
    let mut segments = prefix.split('/');
    let is_valid = segments.next() == Some("")
        && !prefix.is_empty()
        && prefix.bytes().all(is_of_path)
        && segments.all(|segment| !matches!(segment, "" | "." | ".."));
    if is_valid {
        Ok(())
    } else {
        misconfigured(format!(
            "the path prefix `{}` is no prefix: give one such as `/api`, in ASCII, with a `/` at \
             the start and none at the end, without a query",
            escape(prefix)
        ))
    }
}

/// The refusal of a request whose URI somebody has changed without a word.
fn changed<T>(received: &Uri, seen: &Uri) -> Result<T, AuthError> {
    let [from, to] = [received, seen].map(|uri| escape(uri.path()));
    let change = if from == to {
        format!("the URI of `{from}` was changed in its query or its authority")
    } else {
        format!("the path `{from}` was changed to `{to}`")
    };
    misconfigured(format!(
        "{change} before this layer, and nothing says which one counts: put this layer outside of \
         what changes it, or set `original_uri(received_uri)`"
    ))
}

fn misconfigured<T>(detail: impl Into<String>) -> Result<T, AuthError> {
    Err(AuthError::new(AuthErrorKind::Misconfigured).detail(detail))
}

impl fmt::Debug for ClientUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientUri")
            .field("has_original", &self.original.is_some())
            .field("has_trusted", &self.trusted.is_some())
            .field("prefix", &self.prefix)
            .finish()
    }
}
