//! `hmac-auth explain`: why a host accepts or refuses a captured request.

use std::{
    env, fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use hmac_auth::{
    AuthErrorKind, MemorySecrets, ValidateOptions,
    explain::{Explanation, explain},
    signature::{Scheme, SignatureInputs},
};
use http::Request;
use serde_json::{Value, json};

use super::{
    Failure, Outcome,
    captured::{self, Entry, InChunks, announces_body},
    har,
    host_args::HostArgs,
    print,
    request_args::time,
    secret_source::{Encoding, SecretSource, Source},
    text::to_utf8,
};

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// The request: HTTP/1.1 text, the output of `curl -v`, or a HAR file [default: standard input]
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Which of several requests, from 1 on [default: the first one that is signed]
    #[arg(long, value_name = "NUMBER")]
    entry: Option<usize>,
    /// The file of the body, which `curl -v` does not print
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The file of the signature base that the peer has signed
    #[arg(long, value_name = "FILE")]
    peer_base: Option<PathBuf>,
    /// The fingerprint of the peer's secret, as `hmac-auth secret --fingerprint` prints it
    #[arg(long, value_name = "FINGERPRINT", value_parser = parse_fingerprint)]
    peer_fingerprint: Option<String>,
    /// Validate as if at this time, in seconds since 1970, or `created` [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<Moment>,
    /// Show all values, but for `Authorization`, `Cookie` and other credentials
    #[arg(long)]
    show_values: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    /// Colours: by default on a terminal, unless the variable `NO_COLOR` is set
    #[arg(long, value_enum, default_value = "auto")]
    color: Color,
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    source: SecretSource,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// When a request is validated.
#[derive(Clone, Copy)]
enum Moment {
    /// When it was signed.
    Created,
    At(u64),
}

fn parse_moment(text: &str) -> Result<Moment, String> {
    if text == "created" {
        return Ok(Moment::Created);
    }
    let seconds = text.parse().ok().filter(|seconds| time(*seconds).is_some());
    seconds.map(Moment::At).ok_or_else(|| {
        "give seconds since 1970, or `created` for the time of the signature".to_owned()
    })
}

fn parse_fingerprint(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_owned());
    }
    Err(
        "a fingerprint has eight hexadecimal digits: see `hmac-auth secret --fingerprint`"
            .to_owned(),
    )
}

/// What is explained, and how.
struct Question<'a> {
    args: &'a ExplainArgs,
    request: Request<Vec<u8>>,
    /// When the request was signed.
    created: Option<u64>,
    peer_base: Option<String>,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Outcome, Failure> {
    let question = Question::read(args)?;
    let source = args
        .source
        .is_given()
        .then(|| args.source.open())
        .transpose()?;
    let explanation = question.explained(source.as_ref(), args.at);
    let in_time = question.in_time(source.as_ref(), &explanation);
    let other_encoding = question.other_encoding(in_time.as_ref().unwrap_or(&explanation))?;
    let lacks_body = question.lacks_body(in_time.as_ref().unwrap_or(&explanation));
    let notes = notes(source.is_some(), lacks_body, other_encoding);
    if args.json {
        let mut all = as_json(&explanation);
        all["notes"] = json!(notes);
        all["atCreated"] = in_time.as_ref().map_or(Value::Null, as_json);
        print(format!("{all:#}\n").as_bytes())?;
    } else {
        let mut text = explanation.to_string();
        if let Some(in_time) = &in_time {
            text.push_str("\nthe same request, as if it had come in time:\n\n");
            text.push_str(&in_time.to_string());
        }
        for note in notes {
            text.extend(["\nnote: ", &note, "\n"]);
        }
        let colored = match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let is_off = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !is_off && io::stdout().is_terminal()
            }
        };
        if colored {
            text = text.lines().map(|line| painted(line) + "\n").collect();
        }
        print(text.as_bytes())?;
    }
    Ok(if explanation.is_accepted() {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}

impl<'a> Question<'a> {
    fn read(args: &'a ExplainArgs) -> Result<Self, Failure> {
        let is_stdin = args.file.as_os_str() == "-";
        if is_stdin && args.source.reads_stdin() {
            return Err("standard input cannot be both the secret and the request: \
                        put one of them into a file"
                .into());
        }
        let text = if is_stdin {
            let mut text = Vec::new();
            io::stdin().lock().read_to_end(&mut text)?;
            text
        } else {
            read_file(&args.file)?
        };
        let text = to_utf8(text);
        let requests = if text.trim_ascii_start().starts_with(b"{") {
            har::read_requests(&text)?
        } else {
            captured::read_requests(&text, args.body.is_some())
        };
        let mut request = chosen(requests, args.entry)?;
        if let Some(body) = &args.body {
            *request.body_mut() = read_file(body)?;
        }
        let peer_base = match &args.peer_base {
            Some(file) => {
                let base = String::from_utf8(to_utf8(read_file(file)?));
                Some(base.map_err(|_| "the base of the peer is no UTF-8 text")?)
            }
            None => None,
        };
        let created = {
            let inputs = SignatureInputs::new(request.headers()).filter_map(Result::ok);
            // The signature of a stranger has another time.
            let mut meant =
                inputs.filter(|input| args.host.accepts_key_id(input.key_id().as_deref()));
            meant.find_map(|input| u64::try_from(input.created()?).ok())
        };
        Ok(Self {
            args,
            request,
            created,
            peer_base,
        })
    }

    fn explained(&self, source: Option<&Source>, moment: Option<Moment>) -> Explanation {
        let name = source.map_or("the secret", |source| source.name.as_str());
        let scheme = match self.request.uri().scheme_str() {
            Some("http" | "ws") => Scheme::Http,
            _ => Scheme::Https,
        };
        let options = self.at(self.args.host.options(name, scheme), moment);
        let none = MemorySecrets::new();
        let mut explanation = match source {
            Some(source) => explain(&self.request, &source.store, &options),
            None => explain(&self.request, &none, &options),
        };
        if let Some(base) = &self.peer_base {
            explanation = explanation.compare(base);
        }
        if let Some(fingerprint) = &self.args.peer_fingerprint {
            explanation = explanation.compare_fingerprint(fingerprint);
        }
        if self.args.show_values {
            explanation = explanation.show_values();
        }
        explanation
    }

    fn at(&self, options: ValidateOptions, moment: Option<Moment>) -> ValidateOptions {
        let seconds = match moment {
            Some(Moment::At(seconds)) => Some(seconds),
            Some(Moment::Created) => self.created,
            None => None,
        };
        match seconds.and_then(time) {
            Some(time) => options.at(time),
            None => options,
        }
    }

    /// A captured request is old: the same rules at the time when it was signed.
    fn in_time(&self, source: Option<&Source>, explanation: &Explanation) -> Option<Explanation> {
        let is_late = matches!(
            explanation.kind()?,
            AuthErrorKind::Stale | AuthErrorKind::InFuture | AuthErrorKind::Expired
        );
        (is_late && self.created.is_some() && self.args.at.is_none())
            .then(|| self.explained(source, Some(Moment::Created)))
    }

    /// Whether the request had a body that was not captured: `curl -v` prints none, for example.
    fn lacks_body(&self, explanation: &Explanation) -> bool {
        let is_in_chunks = self.request.extensions().get::<InChunks>().is_some();
        if self.args.body.is_some() || is_in_chunks {
            return false;
        }
        let body = self.request.body();
        // An editor adds line breaks, and may add as many bytes as the body had.
        let is_other_one = explanation.kind() == Some(AuthErrorKind::WrongDigest);
        let is_lost = is_other_one && body.trim_ascii().is_empty();
        is_lost || (body.is_empty() && announces_body(self.request.headers()))
    }

    /// The encoding under which the secret is the right one.
    fn other_encoding(&self, explanation: &Explanation) -> Result<Option<Encoding>, Failure> {
        let source = &self.args.source;
        if explanation.kind() != Some(AuthErrorKind::WrongMac) || source.reads_stdin() {
            return Ok(None);
        }
        for encoding in [Encoding::Text, Encoding::Hex, Encoding::Base64] {
            if encoding != source.encoding() {
                let other = source.open_as(encoding)?;
                if self
                    .explained(Some(&other), Some(Moment::Created))
                    .is_accepted()
                {
                    return Ok(Some(encoding));
                }
            }
        }
        Ok(None)
    }
}

fn notes(has_secret: bool, lacks_body: bool, other_encoding: Option<Encoding>) -> Vec<String> {
    let mut notes = Vec::new();
    if lacks_body {
        notes.push("the capture has no body: give `--body FILE`".to_owned());
    }
    if !has_secret {
        notes.push(
            "no secret was given, so no MAC was checked: see `--secret-file` and `--secret-env`"
                .to_owned(),
        );
    }
    if let Some(encoding) = other_encoding {
        let name = encoding.name();
        notes.push(format!(
            "the peer reads the secret as {name}: with `--encoding {name}`, the request is accepted"
        ));
    }
    notes
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn chosen(mut requests: Vec<Entry>, entry: Option<usize>) -> Result<Request<Vec<u8>>, Failure> {
    let count = requests.len();
    let index = if let Some(number) = entry {
        number.checked_sub(1)
    } else {
        let signed = requests.iter().position(|entry| entry.is_signed);
        let readable = || requests.iter().position(|entry| entry.request.is_ok());
        Some(signed.or_else(readable).unwrap_or(0))
    };
    match index.filter(|index| *index < count) {
        Some(index) => requests.swap_remove(index).request,
        None => Err(format!("there are {count} requests: `--entry` counts from 1").into()),
    }
}

fn as_json(explanation: &Explanation) -> Value {
    let rules: Vec<_> = explanation
        .rules()
        .iter()
        .map(|rule| {
            json!({
                "name": rule.name(),
                "outcome": rule.outcome().as_str(),
                "expected": rule.expected(),
                "found": rule.found(),
            })
        })
        .collect();
    let hints: Vec<_> = explanation
        .hints()
        .iter()
        .map(|hint| {
            json!({
                "mistake": hint.mistake().as_str(),
                "certain": hint.is_proven(),
                "text": hint.mistake().to_string(),
            })
        })
        .collect();
    let difference = explanation.difference().map(|difference| {
        json!({
            "line": difference.line(),
            "column": difference.column(),
            "here": difference.ours(),
            "peer": difference.theirs(),
        })
    });
    let fingerprints = explanation.fingerprints().iter().map(ToString::to_string);
    json!({
        "accepted": explanation.is_accepted(),
        "consumer": explanation.consumer(),
        "kind": explanation.kind().map(AuthErrorKind::as_str),
        "reason": explanation.error().map(|error| format!("{error:#}")),
        "rules": rules,
        "base": explanation.base_lines(),
        "difference": difference,
        "hints": hints,
        "fingerprints": fingerprints.collect::<Vec<_>>(),
    })
}

/// A line in the colour of what it says.
fn painted(line: &str) -> String {
    const RED: u8 = 31;
    const GREEN: u8 = 32;
    const YELLOW: u8 = 33;
    let colors = [
        ("refused:", RED),
        ("accepted:", GREEN),
        ("  ok ", GREEN),
        ("  FAILED ", RED),
        ("hint:", YELLOW),
        ("note:", YELLOW),
        ("  here  ", GREEN),
        ("  peer  ", RED),
    ];
    match colors.iter().find(|(start, _)| line.starts_with(start)) {
        Some((_, color)) => format!("\u{1b}[{color}m{line}\u{1b}[0m"),
        None => line.to_owned(),
    }
}
