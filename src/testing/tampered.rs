//! A signed request in every way in which an attacker may change it.

use std::{collections::BTreeSet, fmt};

use bytes::Bytes;
use http::{HeaderMap, Request, header::CONTENT_LENGTH};

use self::signature_fields::SignatureFields;
use super::signature_fields;

pub(super) use self::body::weak_digest;

mod body;
mod field;
mod head;
mod input;
mod mac;

/// Every changed copy of a signed request, each of which a host must refuse.
///
/// The list has only changes that a host of this wire profile must refuse, whatever its options.
/// What means the same is not in it: the case of a field name, white space around a value, the
/// default port, a label that is changed in both fields, the signature of a stranger beside this
/// one, and a field that is not covered. The scheme and the version of HTTP belong to one hop, and
/// are never changed.
///
/// Two items depend on the host: [`Part::UncoveredContentType`] passes a host with
/// [`accept_uncovered_content_type`](crate::ValidateOptions::accept_uncovered_content_type), and
/// [`Part::Replay`] a host without a replay guard.
///
/// # Order
///
/// The same request gives the same list, ordered by what is changed, in the order of [`Part`]: the
/// method first, the replay last. The replay is the request itself, for which nothing is changed:
/// send the request once before it.
///
/// ```
/// use hmac_auth::{
///     DEFAULT_SECRET_NAME, MemorySecrets, Secret, ValidateOptions,
///     testing::{Part, fixed_time, signed, tampered},
///     validate_auth,
/// };
/// use http::Request;
///
/// let secret = Secret::from_text("a secret that only the tests know")?;
/// let secrets = MemorySecrets::new();
/// secrets.insert(DEFAULT_SECRET_NAME, secret.clone());
/// let options = ValidateOptions::new().clock(fixed_time);
///
/// let request = Request::post("https://host.example/orders?page=2")
///     .header("content-type", "text/plain")
///     .body("hello")?;
/// let request = signed(request, &secret);
/// assert!(validate_auth(&request, &secrets, &options).is_ok());
/// for changed in tampered(&request) {
///     if changed.part() == Part::Replay {
///         continue; // `validate_auth` has no replay guard
///     }
///     let result = validate_auth(changed.request(), &secrets, &options);
///     assert!(result.is_err(), "accepted: {changed}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A host that accepts one of them has used up its signature, and may refuse the others as replays.
/// [`assert_protected`](super::assert_protected) then signs anew.
///
/// # Panics
///
/// If the request has no signature, or several ones.
#[must_use]
pub fn tampered<B: AsRef<[u8]>>(request: &Request<B>) -> Vec<Tampered> {
    let original = copy(request);
    let signature = SignatureFields::read(original.headers());
    let mut list = List::new(&original);
    head::add_method(&mut list);
    head::add_authority(&mut list);
    head::add_path(&mut list);
    head::add_query(&mut list);
    field::add_covered(&mut list, &signature);
    field::add_uncovered(&mut list);
    body::add_digest(&mut list);
    body::add_body(&mut list);
    mac::add_fields(&mut list, &signature);
    mac::add_macs(&mut list, &signature);
    input::add_components(&mut list, &signature);
    input::add_params(&mut list, &signature);
    input::add_times(&mut list, &signature);
    list.add_replay();
    list.all
}

/// The request with its body as bytes.
pub(super) fn copy<B: AsRef<[u8]>>(request: &Request<B>) -> Request<Bytes> {
    let mut copy = Request::new(Bytes::copy_from_slice(request.body().as_ref()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

/// A request that a host must refuse.
///
/// `Display` writes the [`description`](Self::description), and `Debug` shows nothing of the
/// request.
#[derive(Clone)]
pub struct Tampered {
    request: Request<Bytes>,
    part: Part,
    description: String,
}

impl Tampered {
    pub(super) fn new(request: Request<Bytes>, part: Part, change: &str) -> Self {
        Self {
            request,
            part,
            description: format!("{part}: {change}"),
        }
    }

    /// The request to send.
    #[must_use]
    pub fn request(&self) -> &Request<Bytes> {
        &self.request
    }

    /// The request to send, with a body of any type that can be made from bytes.
    #[must_use]
    pub fn into_request<B: From<Bytes>>(self) -> Request<B> {
        self.request.map(B::from)
    }

    /// What is changed.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// The change in a few words, such as `body: one bit flipped in the middle`.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl fmt::Display for Tampered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl fmt::Debug for Tampered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tampered")
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

/// Declares the parts with their names.
macro_rules! parts {
    ($($(#[$doc:meta])* $part:ident $name:literal;)*) => {
        /// The part of a request that is changed, in the order of [`tampered`].
        ///
        /// `Display` writes it in words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Part {
            $($(#[$doc])* $part,)*
        }

        impl fmt::Display for Part {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$part => $name,)*
                })
            }
        }
    };
}

parts! {
    /// The method.
    Method "method";
    /// The authority, in the request target or in `Host`.
    Authority "authority";
    /// The path, and how it is encoded.
    Path "path";
    /// The query: its pairs, their order, and how they are encoded.
    Query "query";
    /// A covered field.
    Field "field";
    /// A `Content-Type` that is not covered, beside a body.
    UncoveredContentType "uncovered Content-Type";
    /// A `Content-Encoding` that is not covered, beside a body.
    UncoveredContentEncoding "uncovered Content-Encoding";
    /// The digest of the body.
    ContentDigest "Content-Digest";
    /// The body.
    Body "body";
    /// One of the two signature fields, or both.
    SignatureFields "signature fields";
    /// The MAC in `Signature`.
    Mac "MAC";
    /// The list of covered components in `Signature-Input`.
    Components "components";
    /// The parameters in `Signature-Input`.
    Parameters "parameters";
    /// The times among the parameters.
    Time "time";
    /// Nothing: the same request again.
    Replay "replay";
}

/// The list while it is written.
struct List<'a> {
    original: &'a Request<Bytes>,
    all: Vec<Tampered>,
    /// The original and all of the list, as they would be on the wire.
    seen: BTreeSet<Vec<u8>>,
}

impl<'a> List<'a> {
    fn new(original: &'a Request<Bytes>) -> Self {
        Self {
            original,
            all: Vec::new(),
            seen: BTreeSet::from([on_wire(original)]),
        }
    }

    fn original(&self) -> &'a Request<Bytes> {
        self.original
    }

    fn headers(&self) -> &'a HeaderMap {
        self.original.headers()
    }

    fn has_body(&self) -> bool {
        !self.original.body().is_empty()
    }

    /// Adds a changed copy, unless the change gives a request that is known already.
    fn add(&mut self, part: Part, change: &str, edit: impl FnOnce(&mut Request<Bytes>)) {
        let mut request = self.original.clone();
        edit(&mut request);
        if request.body() != self.original.body() && self.headers().contains_key(CONTENT_LENGTH) {
            // Else the length alone would give the change away.
            let len = request.body().len().into();
            request.headers_mut().insert(CONTENT_LENGTH, len);
        }
        if self.seen.insert(on_wire(&request)) {
            self.all.push(Tampered::new(request, part, change));
        }
    }

    fn add_replay(&mut self) {
        let replay = self.original.clone();
        self.all.push(Tampered::new(
            replay,
            Part::Replay,
            "the same request again",
        ));
    }
}

/// Method, target, fields and body, with line breaks between them.
fn on_wire(request: &Request<Bytes>) -> Vec<u8> {
    let mut wire = format!("{} {}\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"] {
            wire.extend_from_slice(part);
        }
    }
    wire.push(b'\n');
    wire.extend_from_slice(request.body());
    wire
}
