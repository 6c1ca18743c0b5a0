//! What a browser is told that a page may do: methods, headers, and for how long.

use std::time::Duration;

use http::{
    HeaderName, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN},
};
use tower_http::cors::{AllowOrigin, Vary};

/// The headers that the clients of Wix set, such as `fetchWithAuth`.
fn wix_headers() -> [HeaderName; 4] {
    [
        AUTHORIZATION,
        CONTENT_TYPE,
        HeaderName::from_static("x-wix-linguist"),
        HeaderName::from_static("x-wix-consistent"),
    ]
}

#[derive(Clone, Debug)]
pub(super) struct Permissions {
    methods: Vec<Method>,
    more_headers: Vec<HeaderName>,
    max_age: Option<Duration>,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            methods: vec![
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::DELETE,
                Method::OPTIONS,
            ],
            more_headers: Vec::new(),
            max_age: None,
        }
    }
}

impl Permissions {
    pub(super) fn set_methods(&mut self, methods: impl IntoIterator<Item = Method>) {
        self.methods = methods.into_iter().collect();
    }

    pub(super) fn set_headers(&mut self, headers: impl IntoIterator<Item = HeaderName>) {
        let of_wix = wix_headers();
        let headers = headers.into_iter();
        self.more_headers = headers.filter(|name| !of_wix.contains(name)).collect();
    }

    pub(super) fn set_max_age(&mut self, max_age: Duration) {
        self.max_age = Some(max_age);
    }

    /// The layer for an answer that depends on the origin, as a cache must know, or that does not.
    pub(super) fn layer(
        &self,
        origins: AllowOrigin,
        varies: VariesWithOrigin,
    ) -> tower_http::cors::CorsLayer {
        let mut headers = Vec::from(wix_headers());
        headers.extend_from_slice(&self.more_headers);
        let vary = match varies {
            VariesWithOrigin::Yes => Vary::list([ORIGIN]),
            VariesWithOrigin::No => Vary::list([]),
        };
        let layer = tower_http::cors::CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(self.methods.clone())
            .allow_headers(headers)
            .vary(vary);
        match self.max_age {
            Some(max_age) => layer.max_age(max_age),
            None => layer,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum VariesWithOrigin {
    Yes,
    No,
}
