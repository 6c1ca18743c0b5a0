//! Requests that are well signed, and that a host must refuse all the same.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header::HOST, uri::PathAndQuery};

use super::{
    options::{Accepted, TamperOptions},
    signature_fields::SignatureFields,
    signed::signed_with,
    tampered::{Part, Tampered, weak_digest},
};
use crate::{
    digest::DigestAlgorithm, message::CONTENT_DIGEST, secret::Secret, time::whole_seconds,
};

/// Signing and checking may be some seconds apart.
const MARGIN: Duration = Duration::from_secs(5);

const OTHER_AUTHORITY: &str = "other.example";

/// Requests that a consumer with the secret has signed, and that a host must refuse all the same:
/// too old, for another host, or with a part left out of the signature.
///
/// `request` is not signed. The MAC of each request is right, but for those whose description says
/// another one. The list has this order: the authority, the path, what the digest is of, the MAC,
/// the components, the parameters, the times.
///
/// ```
/// use hmac_auth::{
///     DEFAULT_SECRET_NAME, MemorySecrets, Secret, ValidateOptions,
///     testing::{TamperOptions, fixed_time, wrongly_signed},
///     validate_auth,
/// };
/// use http::Request;
///
/// let secret = Secret::from_text("a secret that only the tests know")?;
/// let secrets = MemorySecrets::new();
/// secrets.insert(DEFAULT_SECRET_NAME, secret.clone());
/// let options = ValidateOptions::new()
///     .authorities(["host.example"])
///     .clock(fixed_time);
///
/// let request = Request::get("https://host.example/orders").body("")?;
/// for wrong in wrongly_signed(&request, &TamperOptions::new(secret)) {
///     let result = validate_auth(wrong.request(), &secrets, &options);
///     assert!(result.is_err(), "accepted: {wrong}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If the request cannot be signed.
#[must_use]
pub fn wrongly_signed<B: AsRef<[u8]>>(
    request: &Request<B>,
    options: &TamperOptions,
) -> Vec<Tampered> {
    let mut list = List {
        template: super::tampered::copy(request),
        options,
        all: Vec::new(),
    };
    if !options.accepts(Accepted::AnyAuthority) {
        list.add_authority();
    }
    list.add_path();
    list.add_digests();
    list.add_macs();
    list.add_components();
    list.add_params();
    list.add_times();
    list.all
}

/// The list while it is written.
struct List<'a> {
    template: Request<Bytes>,
    options: &'a TamperOptions,
    all: Vec<Tampered>,
}

impl List<'_> {
    /// A request with a right signature of its own.
    fn signed(&self) -> (Request<Bytes>, SignatureFields) {
        let options = &self.options;
        let request = signed_with(self.template.clone(), &options.secret, &options.sign);
        let fields = SignatureFields::read(request.headers());
        (request, fields)
    }

    /// Adds a request that was changed before it was signed.
    fn add(
        &mut self,
        part: Part,
        change: &str,
        edit: impl FnOnce(&mut Request<Bytes>, &mut SignatureFields),
    ) {
        let (mut request, mut fields) = self.signed();
        edit(&mut request, &mut fields);
        fields.sign(&request, &self.options.secret, &self.options.sign);
        fields.write_to(&mut request);
        self.push(request, part, change);
    }

    fn push(&mut self, request: Request<Bytes>, part: Part, change: &str) {
        let change = format!("well signed, {change}");
        self.all.push(Tampered::new(request, part, &change));
    }

    fn add_authority(&mut self) {
        self.add(Part::Authority, "for another host", |request, _| {
            let mut target = request.uri().clone().into_parts();
            if target.authority.is_some() {
                target.authority = Some(OTHER_AUTHORITY.parse().expect("an authority"));
                *request.uri_mut() = Uri::from_parts(target).expect("only the host is another");
            }
            if request.headers().contains_key(HOST) {
                let host = HeaderValue::from_static(OTHER_AUTHORITY);
                request.headers_mut().insert(HOST, host);
            }
        });
    }

    /// What a router that cuts the path would let through.
    fn add_path(&mut self) {
        let uri = self.template.uri().clone();
        let segments = uri
            .path()
            .strip_prefix('/')
            .and_then(|path| path.split_once('/'));
        let Some((_, rest)) = segments else {
            return;
        };
        let query = uri
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        let Ok(cut) = PathAndQuery::try_from(format!("/{rest}{query}")) else {
            return;
        };
        let mut target = uri.clone().into_parts();
        target.path_and_query = Some(cut);
        let Ok(cut) = Uri::from_parts(target) else {
            return;
        };
        let (mut request, mut fields) = self.signed();
        *request.uri_mut() = cut;
        fields.sign(&request, &self.options.secret, &self.options.sign);
        fields.write_to(&mut request);
        *request.uri_mut() = uri;
        self.push(
            request,
            Part::Path,
            "for the path without its first segment",
        );
    }

    fn add_digests(&mut self) {
        if self.template.body().is_empty() {
            return;
        }
        self.add(
            Part::ContentDigest,
            "with that of another body",
            |request, _| {
                let mut value = Vec::new();
                let other_body = [request.body(), &b"x"[..]].concat();
                DigestAlgorithm::Sha256.push_field_value(&mut value, &other_body);
                set_digest(request, value);
            },
        );
        let (sha256, sha512) = (DigestAlgorithm::Sha256, DigestAlgorithm::Sha512);
        for (change, algorithms, wrong) in [
            (
                "of `sha-256`, and a wrong one of `sha-512`",
                [sha256, sha512],
                sha512,
            ),
            (
                "of `sha-512`, and a wrong one of `sha-256`",
                [sha512, sha256],
                sha256,
            ),
            (
                "a wrong one of `sha-256`, and that of `sha-512`",
                [sha256, sha512],
                sha256,
            ),
        ] {
            self.add(Part::ContentDigest, change, |request, _| {
                let other_body = [request.body(), &b"x"[..]].concat();
                let mut value = Vec::new();
                for algorithm in algorithms {
                    if !value.is_empty() {
                        value.extend_from_slice(b", ");
                    }
                    let body = if algorithm == wrong {
                        &other_body[..]
                    } else {
                        request.body()
                    };
                    algorithm.push_field_value(&mut value, body);
                }
                set_digest(request, value);
            });
        }
        let change = "only of an algorithm that does not suffice";
        self.add(Part::ContentDigest, change, |request, _| {
            set_digest(request, weak_digest());
        });
    }

    fn add_macs(&mut self) {
        let others = Secret::from_bytes(&[b'x'; 32]).expect("long enough");
        let (mut request, mut fields) = self.signed();
        fields.sign(&request, &others, &self.options.sign);
        fields.write_to(&mut request);
        self.push(request, Part::Mac, "under another secret");
        let (mut request, mut fields) = self.signed();
        let mut other_request = request.clone();
        *other_request.method_mut() = Method::from_bytes(b"X-OTHER").expect("a method");
        fields.sign(&other_request, &self.options.secret, &self.options.sign);
        fields.write_to(&mut request);
        self.push(request, Part::Mac, "that of another request");
    }

    fn add_components(&mut self) {
        let (request, fields) = self.signed();
        let covers_target = fields
            .components
            .iter()
            .any(|one| matches!(one.as_str(), "\"@target-uri\"" | "\"@request-target\""));
        for identifier in &fields.components {
            let is_needed = match identifier.as_str() {
                "\"@method\"" | "\"@authority\"" | "\"@path\"" => true,
                "\"@query\"" => request.uri().query().is_some_and(|query| !query.is_empty()),
                "\"content-type\"" => {
                    !request.body().is_empty()
                        && !self.options.accepts(Accepted::UncoveredContentType)
                }
                "\"content-digest\"" | "\"content-encoding\"" => !request.body().is_empty(),
                _ => false,
            };
            // Another component may cover the same part of the target.
            let may_be_covered_twice = identifier.starts_with("\"@") && covers_target;
            let name = identifier.trim_matches('"');
            let is_required = self.options.required.iter().any(|one| one == name);
            if !is_required && (!is_needed || may_be_covered_twice) {
                continue;
            }
            self.add(
                Part::Components,
                &format!("without {identifier}"),
                |_, fields| fields.components.retain(|one| one != identifier),
            );
            let is_field = !identifier.starts_with("\"@");
            if is_field {
                let as_bytes = format!("{identifier};bs");
                let change = format!("with {as_bytes} in place of {identifier}");
                self.add(Part::Components, &change, |_, fields| {
                    for one in &mut fields.components {
                        if one == identifier {
                            one.clone_from(&as_bytes);
                        }
                    }
                });
            }
        }
    }

    fn add_params(&mut self) {
        for alg in ["hmac-sha512", "ed25519", "none", "HMAC-SHA256"] {
            let change = format!("with the algorithm `{alg}`");
            self.add(Part::Parameters, &change, |_, fields| {
                fields.set_param("alg", &format!("\"{alg}\""));
            });
        }
    }

    fn add_times(&mut self) {
        self.add(Part::Time, "without `created`", |_, fields| {
            fields.params.retain(|param| !param.starts_with("created="));
        });
        let max_age = whole_seconds(self.options.max_time_diff);
        let max_skew = whole_seconds(self.options.max_clock_skew.saturating_add(MARGIN));
        let year = 366 * 24 * 60 * 60;
        for (change, seconds) in [
            (
                "a second older than the host accepts",
                max_age.saturating_add(1).checked_neg(),
            ),
            (
                "a year older than the host accepts",
                max_age.saturating_add(year).checked_neg(),
            ),
            (
                "further in the future than the host accepts",
                Some(max_skew),
            ),
            (
                "a year further in the future than the host accepts",
                max_skew.checked_add(year),
            ),
        ] {
            self.add_created(change, seconds);
        }
        self.add(Part::Time, "expired a second ago", |_, fields| {
            let expires = created(fields) - 1;
            fields.set_param("expires", &expires.to_string());
        });
    }

    /// Adds a request that was signed so many seconds from now, if there is such a time.
    fn add_created(&mut self, change: &str, seconds: Option<i64>) {
        const MAX: u64 = 999_999_999_999_999;
        let (_, fields) = self.signed();
        let time = seconds.and_then(|seconds| created(&fields).checked_add(seconds));
        if let Some(time) = time.filter(|time| time.unsigned_abs() <= MAX) {
            self.add(Part::Time, change, |_, fields| {
                fields.params.retain(|param| !param.starts_with("expires="));
                fields.set_param("created", &time.to_string());
            });
        }
    }
}

fn created(fields: &SignatureFields) -> i64 {
    let index = fields
        .param("created")
        .expect("a consumer writes `created`");
    let (_, seconds) = fields.params[index].split_once('=').expect("with a value");
    seconds.parse().expect("an integer")
}

fn set_digest(request: &mut Request<Bytes>, value: Vec<u8>) {
    let value = HeaderValue::try_from(value).expect("printable ASCII");
    request.headers_mut().insert(CONTENT_DIGEST, value);
}
