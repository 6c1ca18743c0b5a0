//! Searches for the forged request that costs a host most, beside a plain one of the same size that
//! it accepts.
//!
//! A forger without the secret chooses how many signatures there are, what they cover, and the query
//! and the fields. The search begins with each trick alone, then changes the dearest request at
//! random and keeps what is dearer. With several signatures, each further one may cost a MAC over
//! its signature base.

use std::{
    env,
    fmt::Write,
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions, sign_request,
    signature::{RequestHead, SignatureBase, SignatureInputs},
    validate_auth,
};
use http::{HeaderName, HeaderValue, Request};

/// Queries are made of one of these, again and again.
const QUERIES: [&str; 9] = [
    "a",
    "=&",
    "&",
    "z=&",
    "%7a=&",
    "+=&",
    "p0=&",
    "%70%30=1&",
    "!",
];

/// What a signature can cover beside the four components that it must.
const COVERED: [&str; 7] = [
    r#""@target-uri""#,
    r#""@request-target""#,
    r#""@scheme""#,
    r#""@query-param";name="p""#,
    r#""x-f""#,
    r#""x-f";bs"#,
    r#""x-absent""#,
];

/// What strangers write into the same field.
const STRANGERS: [&str; 3] = [
    "()",
    r#"("a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t")"#,
    r#"();a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p="x";alg="x""#,
];

#[derive(Clone, Debug)]
struct Forged {
    candidates: usize,
    /// How many of each of [`COVERED`].
    covered: [usize; COVERED.len()],
    query: usize,
    query_len: usize,
    field_len: usize,
    strangers: [usize; STRANGERS.len()],
}

impl Forged {
    const LIMITS: [usize; 3] = [8_000, 8_000, 12];

    fn plain() -> Self {
        Self {
            candidates: 1,
            covered: [0; COVERED.len()],
            query: 0,
            query_len: 100,
            field_len: 0,
            strangers: [0; STRANGERS.len()],
        }
    }

    /// Each trick alone, with a short and with a long query.
    fn tricks(candidates: usize) -> Vec<Self> {
        let mut all = Vec::new();
        for query in 0..QUERIES.len() {
            for query_len in [100, 1_000, 8_000] {
                for covered in 0..COVERED.len() {
                    let mut one = Self {
                        candidates,
                        query,
                        query_len,
                        ..Self::plain()
                    };
                    one.covered[covered] = if covered == 3 { 8 / candidates } else { 1 };
                    one.field_len = if covered >= 4 { 8_000 } else { 0 };
                    all.push(one);
                }
            }
        }
        for stranger in 0..STRANGERS.len() {
            let mut one = Self {
                candidates,
                ..Self::plain()
            };
            one.strangers[stranger] = Self::LIMITS[2];
            all.push(one);
        }
        all
    }

    fn changed(&self, random: &mut impl FnMut(usize) -> usize) -> Self {
        let mut changed = self.clone();
        for _ in 0..=random(2) {
            match random(5) {
                0 => changed.query = random(QUERIES.len()),
                1 => changed.query_len = [10, 100, 300, 1_000, 3_000, 8_000][random(6)],
                2 => changed.field_len = [0, 10, 300, 3_000, 8_000][random(5)],
                3 => changed.strangers[random(STRANGERS.len())] = random(Self::LIMITS[2]),
                _ => {
                    let which = random(COVERED.len());
                    changed.covered[which] = random(if which == 3 { 9 } else { 2 });
                }
            }
        }
        changed
    }

    fn request(&self) -> Request<&'static str> {
        let mut query: String = QUERIES[self.query]
            .chars()
            .cycle()
            .take(self.query_len)
            .collect();
        // Not in the middle of an escape.
        while query.ends_with('%') || query.chars().rev().nth(1) == Some('%') {
            query.pop();
        }
        let mut list = String::from(r#""@method" "@authority" "@path" "@query""#);
        for (text, count) in COVERED.iter().zip(self.covered) {
            for index in 0..count {
                if text.contains("query-param") {
                    write!(query, "&p{index}={index}").expect("a string");
                    write!(list, r#" "@query-param";name="p{index}""#).expect("a string");
                } else {
                    write!(list, " {text}").expect("a string");
                }
            }
        }
        let mut request = Request::get(format!("https://host.example/orders?{query}"))
            .body("")
            .expect("a valid request");
        let headers = request.headers_mut();
        if self.field_len > 0 {
            let value = HeaderValue::try_from("x".repeat(self.field_len)).expect("a value");
            headers.insert("x-f", value);
        }
        let (mut inputs, mut signatures) = (Vec::new(), Vec::new());
        let mut add = |label: String, input: &str| {
            inputs.push(format!("{label}={input}"));
            signatures.push(format!("{label}=:{}=:", "A".repeat(43)));
        };
        for (index, (text, count)) in STRANGERS.iter().zip(self.strangers).enumerate() {
            for number in 0..count.min(4) {
                // Another algorithm: no candidate.
                add(
                    format!("s{index}.{number}"),
                    &format!("{text};alg=\"x\"").replace(";alg=\"x\";alg=\"x\"", ";alg=\"x\""),
                );
            }
        }
        for index in 0..self.candidates {
            add(format!("c{index}"), &format!("({list});created={}", now()));
        }
        for (name, members) in [("signature-input", inputs), ("signature", signatures)] {
            headers.insert(
                name,
                HeaderValue::try_from(members.join(", ")).expect("ASCII"),
            );
        }
        request
    }
}

fn now() -> u64 {
    1_800_000_000
}

fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(now())
}

/// The bytes of a head.
fn size(request: &Request<&'static str>) -> usize {
    let fields = request.headers().iter();
    request.uri().to_string().len()
        + fields
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum::<usize>()
}

struct Host {
    secrets: MemorySecrets,
    options: ValidateOptions,
}

impl Host {
    fn new() -> Self {
        let secrets = MemorySecrets::new();
        let secret = Secret::from_text("a secret of the benchmarks").expect("long enough");
        secrets.insert(DEFAULT_SECRET_NAME, secret);
        let options = ValidateOptions::new()
            .authorities(["host.example"])
            .at(time());
        Self { secrets, options }
    }

    /// A request of the same size as a forged one, in which all is covered once.
    fn plain(&self, forged: &Request<&'static str>) -> Request<&'static str> {
        let query_len = forged.uri().query().map_or(0, str::len);
        let query = "a".repeat(query_len);
        let uri = format!("https://host.example/orders?{query}");
        let mut request = Request::get(uri).body("").expect("a valid request");
        let mut options = SignOptions::new().at(time());
        let signed = |request: &Request<&'static str>, options: &SignOptions| {
            let mut request = request.clone();
            sign_request(&mut request, &self.secrets, options).expect("signed");
            request
        };
        for number in 0.. {
            let missing = size(forged).saturating_sub(size(&signed(&request, &options)));
            if missing < 20 {
                break;
            }
            let name = HeaderName::try_from(format!("x-{number}")).expect("a name");
            let value = "x".repeat((missing - 20).min(8_000));
            let value = HeaderValue::try_from(value).expect("a value");
            request.headers_mut().insert(&name, value);
            options = options.cover(name);
        }
        signed(&request, &options)
    }

    /// The least time of several, for one validation, in nanoseconds.
    fn time(&self, request: &Request<&'static str>, runs: u32) -> f64 {
        let mut least = f64::INFINITY;
        for _ in 0..runs {
            const TURNS: u32 = 8;
            let start = Instant::now();
            for _ in 0..TURNS {
                _ = black_box(validate_auth(
                    black_box(request),
                    &self.secrets,
                    &self.options,
                ));
            }
            least = least.min(start.elapsed().as_secs_f64() / f64::from(TURNS) * 1e9);
        }
        least
    }

    /// How long the MACs of all but the first signature take, in nanoseconds.
    fn time_of_others(&self, request: &Request<&'static str>, runs: u32) -> f64 {
        use hmac_auth::SecretStore;

        let set = self.secrets.lookup(DEFAULT_SECRET_NAME).expect("there");
        let head = RequestHead::from(request);
        let mut bases = SignatureInputs::new(request.headers())
            .flatten()
            .filter(|input| input.alg().is_none())
            .filter_map(|input| SignatureBase::of_request(&head, &input).ok());
        let Some(base) = bases.nth(1) else { return 0.0 };
        let others = bases.count() + 1;
        let mut least = f64::INFINITY;
        for _ in 0..runs {
            let start = Instant::now();
            for _ in 0..others {
                black_box(set.current().mac(base.as_str().as_bytes()));
            }
            least = least.min(start.elapsed().as_secs_f64() * 1e9);
        }
        least
    }

    /// The cost of a forged request, as a ratio to what it may cost.
    fn ratio(&self, forged: &Forged, runs: u32) -> f64 {
        let request = forged.request();
        let plain = self.plain(&request);
        assert!(
            validate_auth(&plain, &self.secrets, &self.options).is_ok(),
            "the plain request is accepted"
        );
        let allowed = self.time(&plain, runs) + self.time_of_others(&request, runs);
        self.time(&request, runs) / allowed
    }
}

fn main() {
    let is_quick = !env::args().any(|arg| arg == "--bench");
    let (changes, runs) = if is_quick { (10, 2) } else { (1_500, 12) };
    let host = Host::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    println!("| signatures | dearest / plain | the dearest forged request |");
    println!("| ---: | ---: | --- |");
    for candidates in 1..=4 {
        let mut best = (0.0, Forged::plain());
        for forged in Forged::tricks(candidates) {
            let ratio = host.ratio(&forged, runs);
            if ratio > best.0 {
                best = (ratio, forged);
            }
        }
        for _ in 0..changes {
            let forged = best.1.changed(&mut random);
            let ratio = host.ratio(&forged, runs);
            if ratio > best.0 {
                // Once more, so that no neighbour of this machine decides.
                best = (host.ratio(&forged, 4 * runs).min(ratio), forged);
            }
        }
        let kind = validate_auth(&best.1.request(), &host.secrets, &host.options)
            .map_or_else(|error| error.kind().as_str(), |_| "accepted");
        let (ratio, forged) = (host.ratio(&best.1, 16 * runs), &best.1);
        println!("| {candidates} | {ratio:.2} | {kind}: {forged:?} |");
    }
}
