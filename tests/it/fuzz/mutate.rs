//! A request is signed, validated, changed and validated again. The host accepts what was signed. It
//! refuses each change of what is covered, and accepts each other one with the same meaning.

use std::{sync::LazyLock, time::Duration};

use hmac_auth::{
    AlgParameter, AuthErrorKind, DEFAULT_SECRET_NAME, DigestAlgorithm, MemorySecrets, Secret,
    SignOptions, ValidateOptions, Validated, sign_request,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};
use http::{
    HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HOST},
    uri::Authority,
};
use sfv::{FieldType, ListEntry};

use super::{choices::Choices, field, host};

/// What a consumer and its host have agreed upon.
struct Profile {
    consumer: SignOptions,
    host: ValidateOptions,
    /// The options of a host that must refuse the same request.
    others: Vec<ValidateOptions>,
    label: &'static str,
    covers_x_a: bool,
    covers_target_uri: bool,
}

static PROFILES: LazyLock<[Profile; 4]> = LazyLock::new(|| {
    let sign = || SignOptions::new().at(host::now());
    let validate = || ValidateOptions::new().at(host::now());
    // Refused whatever the request is.
    let others = |like: &ValidateOptions| {
        vec![
            like.clone().at(host::now() + Duration::from_secs(61)),
            like.clone().at(host::now() - Duration::from_secs(11)),
            like.clone().authorities(["unlisted.example"]),
            like.clone().tag("another"),
            like.clone().require("x-not-covered"),
            like.clone().key_ids([("another", DEFAULT_SECRET_NAME)]),
        ]
    };
    let profile = |consumer: SignOptions, host: ValidateOptions| Profile {
        consumer,
        others: others(&host),
        host,
        label: "sig1",
        covers_x_a: false,
        covers_target_uri: false,
    };
    let listed = validate()
        .key_ids([("a", DEFAULT_SECRET_NAME)])
        .tag("app")
        .authorities(["host.example", "[::1]:8080"]);
    let named = sign().key_id("a").tag("app").alg(AlgParameter::HmacSha256);
    let covering = sign()
        .cover("x-a")
        .cover("@target-uri")
        .digest(DigestAlgorithm::Sha512);
    let lines = sign()
        .cover(r#""x-a";bs"#)
        .label("other")
        .expires_in(Duration::from_secs(30));
    let mut expiring = profile(lines, validate());
    expiring
        .others
        .push(validate().at(host::now() + Duration::from_secs(31)));
    [
        profile(sign(), validate()),
        profile(named, listed),
        Profile {
            covers_x_a: true,
            covers_target_uri: true,
            ..profile(covering, validate().require("x-a").require("@target-uri"))
        },
        Profile {
            covers_x_a: true,
            label: "other",
            ..expiring
        },
    ]
});

static OTHER_SECRETS: LazyLock<MemorySecrets> = LazyLock::new(|| {
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text("another secret of nobody").expect("long enough");
    secrets.insert(DEFAULT_SECRET_NAME, secret);
    secrets
});

static X_A: HeaderName = HeaderName::from_static("x-a");
static X_B: HeaderName = HeaderName::from_static("x-b");

/// Signs the request that the choices describe, and changes it.
///
/// # Panics
///
/// If a request is accepted or refused that must not be.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let profile = &PROFILES[choices.below(PROFILES.len())];
    let change = choices.byte();
    let (text, at, byte) = (choices.text(), choices.byte(), choices.byte());
    let Some(mut request) = make(&mut choices) else {
        return;
    };
    let before = request.headers().len();
    if sign_request(&mut request, &*host::SECRETS, &profile.consumer).is_err() {
        assert_eq!(request.headers().len(), before, "a part of a signature");
        return;
    }
    let validated = validate_auth(&request, &*host::SECRETS, &profile.host)
        .unwrap_or_else(|error| panic!("signed and refused: {error:#}: {request:?}"));
    let mut changing = Changing {
        request,
        profile,
        text,
        at: at.into(),
        byte,
    };
    let expected = changing.change(change);
    let request = &changing.request;
    match (
        validate_auth(request, &*host::SECRETS, &profile.host),
        expected,
    ) {
        (Ok(again), Expected::Accepted | Expected::Either) => compare(&validated, &again),
        (Ok(_), Expected::Refused) => panic!("changed and accepted: {request:?}"),
        (Err(error), Expected::Accepted) => panic!("refused: {error:#}: {request:?}"),
        (Err(error), _) => assert_ne!(error.kind(), AuthErrorKind::Misconfigured),
    }
}

/// Both mean the same.
fn compare(one: &Validated, other: &Validated) {
    assert_eq!(one.replay_id().as_bytes(), other.replay_id().as_bytes());
    assert_eq!(one.created(), other.created());
    assert_eq!(one.expires(), other.expires());
    assert_eq!(one.nonce(), other.nonce());
    assert_eq!(one.key_id(), other.key_id());
    assert_eq!(one.tag(), other.tag());
    assert!(one.components().eq(other.components()));
}

/// What must come of a change.
#[derive(Clone, Copy)]
enum Expected {
    Accepted,
    Refused,
    /// Nothing is changed, or the spelling alone.
    Either,
}

use Expected::{Accepted, Either, Refused};

/// A signed request, and what is changed of it.
struct Changing<'a> {
    request: Request<Vec<u8>>,
    profile: &'a Profile,
    text: &'a [u8],
    at: usize,
    byte: u8,
}

impl Changing<'_> {
    fn change(&mut self, change: u8) -> Expected {
        match change % 16 {
            0 => self.change_method(),
            1 => self.change_target(),
            2 => self.change_authority(),
            3 | 4 => self.change_body(),
            5 => self.change_field(&CONTENT_TYPE, true),
            6 => self.change_field(&CONTENT_ENCODING, true),
            7 => self.change_field(&X_A, self.profile.covers_x_a),
            8 => self.change_field(&X_B, false),
            9 => self.change_field(&CONTENT_DIGEST, true),
            10 => self.change_member(&SIGNATURE_INPUT),
            11 => self.change_member(&SIGNATURE),
            12 => self.rename_label(),
            13 => self.add_stranger(),
            14 => self.change_version(),
            _ => self.ask_others(),
        }
    }

    fn change_method(&mut self) -> Expected {
        let Ok(method) = Method::from_bytes(self.text) else {
            return Accepted;
        };
        let is_same = *self.request.method() == method;
        *self.request.method_mut() = method;
        if is_same { Accepted } else { Refused }
    }

    fn change_target(&mut self) -> Expected {
        let old = self.request.uri().clone();
        let mut parts = old.clone().into_parts();
        let Ok(target) = self.text.try_into() else {
            return Accepted;
        };
        parts.path_and_query = Some(target);
        let Ok(new) = Uri::from_parts(parts) else {
            return Accepted;
        };
        // An empty path is `/`.
        let path = |uri: &Uri| {
            if uri.path().is_empty() {
                "/"
            } else {
                uri.path()
            }
            .to_owned()
        };
        let is_same = path(&new) == path(&old)
            && new.query().unwrap_or_default() == old.query().unwrap_or_default();
        let is_exact = is_same && new.query() == old.query();
        *self.request.uri_mut() = new;
        match (is_same, is_exact || !self.profile.covers_target_uri) {
            // An empty query that is absent is another target, and covered as the same query.
            (true, true) => Accepted,
            _ => Refused,
        }
    }

    fn change_authority(&mut self) -> Expected {
        let same = [
            "host.example",
            "HOST.example",
            "host.example:443",
            "Host.Example:443",
        ];
        let others = [
            "host.example:80",
            "host.example.",
            "a.host.example",
            "host",
            "[::1]:8081",
        ];
        let (text, is_same) = match usize::from(self.byte) % 9 {
            at @ 0..4 => (same[at], true),
            at => (others[at - 4], false),
        };
        let of_target = self.request.uri().authority().map(Authority::as_str);
        let old = of_target.map_or_else(
            || {
                self.request.headers()[HOST]
                    .to_str()
                    .unwrap_or_default()
                    .to_owned()
            },
            str::to_owned,
        );
        // The host of the request is one of two.
        let was_host = old.to_ascii_lowercase().starts_with("host.example");
        if of_target.is_some() {
            let mut parts = self.request.uri().clone().into_parts();
            parts.authority = Some(text.parse().expect("an authority"));
            *self.request.uri_mut() = Uri::from_parts(parts).expect("a target");
        } else {
            self.request
                .headers_mut()
                .insert(HOST, HeaderValue::from_static(text));
        }
        if was_host && is_same {
            Accepted
        } else {
            Refused
        }
    }

    fn change_body(&mut self) -> Expected {
        let body = self.request.body_mut();
        let (at, len) = (self.at, body.len());
        match self.byte % 4 {
            0 => body.push(self.byte),
            1 if len > 0 => body[at % len] ^= 1 << (self.byte >> 5),
            2 if len > 0 => body.truncate(at % len),
            3 if !self.text.is_empty() => body
                .splice(at.min(len)..at.min(len), self.text.iter().copied())
                .for_each(drop),
            _ => return Accepted,
        }
        Refused
    }

    fn change_field(&mut self, name: &HeaderName, is_covered: bool) -> Expected {
        let has_body = !self.request.body().is_empty();
        let headers = self.request.headers_mut();
        let (Ok(given), old) = (
            HeaderValue::from_bytes(self.text),
            headers.get(name).cloned(),
        ) else {
            return Accepted;
        };
        let outcome = if is_covered { Refused } else { Accepted };
        let Some(old) = old else {
            headers.append(name, given);
            let says_what_body_means = *name == CONTENT_TYPE || *name == CONTENT_ENCODING;
            // A digest that nobody has signed is looked at, and may be right.
            return match has_body {
                true if says_what_body_means => Refused,
                _ if *name == CONTENT_DIGEST => Either,
                _ => Accepted,
            };
        };
        match self.byte % 4 {
            0 => {
                headers.remove(name);
                outcome
            }
            1 => {
                headers.append(name, given);
                outcome
            }
            2 => {
                // Only the space around it is no part of the value.
                let padded = [b" ", old.as_bytes(), b" \t"].concat();
                headers.insert(name, HeaderValue::from_bytes(&padded).expect("a value"));
                Accepted
            }
            _ => {
                let is_same = given.as_bytes().trim_ascii() == old.as_bytes().trim_ascii();
                headers.insert(name, given);
                if is_same { Either } else { outcome }
            }
        }
    }

    /// Changes a byte of a signature field. What `sfv` reads of it decides.
    fn change_member(&mut self, name: &HeaderName) -> Expected {
        let old = self.request.headers()[name].as_bytes().to_vec();
        let mut new = old.clone();
        let at = self.at % old.len();
        match self.text.len() {
            // The text, in the place of some bytes.
            1.. => {
                let end = (at + usize::from(self.byte) % 16).min(old.len());
                new.splice(at..end, self.text.iter().copied());
            }
            0 if self.byte < 128 => new[at] = self.byte,
            0 => _ = new.remove(at),
        }
        let headers = self.request.headers_mut();
        headers.remove(name);
        if !field::append(headers, name, &new) {
            return Either;
        }
        let (old, new) = (field::dictionary(&old), field::dictionary(&new));
        match (old, new) {
            (Ok(old), Ok(new)) if means_the_same(&old, &new) => Either,
            _ => Refused,
        }
    }

    fn rename_label(&mut self) -> Expected {
        let new = [b"*", self.text].concat();
        for name in [&SIGNATURE_INPUT, &SIGNATURE] {
            let rest = &self.request.headers()[name].as_bytes()[self.profile.label.len()..];
            let Ok(value) = HeaderValue::from_bytes(&[&new[..], rest].concat()) else {
                return Either;
            };
            self.request.headers_mut().insert(name, value);
        }
        let is_of_key = |byte: &u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(byte)
        };
        // One that is no key is malformed, or it adds a member.
        if new.iter().all(is_of_key) {
            Accepted
        } else {
            Either
        }
    }

    fn add_stranger(&mut self) -> Expected {
        const INPUTS: [&str; 4] = [
            "=()",
            r#"=("@method" "x");keyid="stranger";created=1"#,
            r#"=("a" b 1 ?0 :YQ:);x=@1"#,
            r#"=("a" "a");keyid="b""#,
        ];
        const MACS: [&str; 4] = ["=:YQ==:", "=::", "=token", "=?1;a=1"];
        let input = INPUTS[usize::from(self.byte) % 4];
        let mac = MACS[usize::from(self.byte >> 2) % 4];
        let is_first = self.byte & 16 != 0;
        for (name, value) in [(&SIGNATURE_INPUT, input), (&SIGNATURE, mac)] {
            let headers = self.request.headers_mut();
            let ours = headers[name].to_str().expect("ASCII");
            let both = if is_first {
                format!("s{value}, {ours}")
            } else {
                format!("{ours},s{value}")
            };
            headers.insert(name, HeaderValue::try_from(both).expect("ASCII"));
        }
        Accepted
    }

    fn change_version(&mut self) -> Expected {
        *self.request.version_mut() = Version::HTTP_2;
        Accepted
    }

    /// The same request at other hosts, each of which refuses it.
    fn ask_others(&self) -> Expected {
        let others = &self.profile.others;
        let other = &others[usize::from(self.byte) % others.len()];
        for (secrets, options) in [
            (&*host::SECRETS, other),
            (&*OTHER_SECRETS, &self.profile.host),
        ] {
            let result = validate_auth(&self.request, secrets, options);
            assert!(result.is_err(), "accepted by another host: {options:?}");
        }
        Accepted
    }
}

/// Whether both fields have one member and the same one.
fn means_the_same(old: &sfv::Dictionary, new: &sfv::Dictionary) -> bool {
    let entry = |entry: &ListEntry| vec![entry.clone()].serialize();
    old.len() == 1
        && new.len() == 1
        && old.keys().eq(new.keys())
        && old.values().map(entry).eq(new.values().map(entry))
}

/// Makes the request that the choices describe; `None` if there is none.
fn make(choices: &mut Choices<'_>) -> Option<Request<Vec<u8>>> {
    const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::HEAD, Method::DELETE];
    const URIS: [&str; 6] = [
        "https://host.example/path?q=1",
        "https://HOST.example:443/",
        "/path",
        "/a%2Fb//c?x=1&x=2&x",
        "https://[::1]:8080/?",
        "https://host.example",
    ];
    let mut request = Request::new(Vec::new());
    *request.method_mut() = METHODS[choices.below(METHODS.len())].clone();
    *request.uri_mut() = if choices.once_in(4) {
        Uri::try_from([b"/", choices.text()].concat()).ok()?
    } else {
        Uri::from_static(choices.one_of(&URIS))
    };
    // A URI without an authority.
    if request.uri().authority().is_none() {
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("host.example"));
    }
    let names = [
        X_A.as_str(),
        X_B.as_str(),
        "content-type",
        "content-encoding",
        "cookie",
    ];
    for name in choices.some_of(&names) {
        let value = HeaderValue::from_bytes(choices.text()).ok()?;
        request
            .headers_mut()
            .append(HeaderName::from_static(name), value);
    }
    request.body_mut().extend_from_slice(choices.rest());
    Some(request)
}
