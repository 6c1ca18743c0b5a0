//! Commands of other clients that send a signed request.

use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};

use super::{
    Failure,
    request_args::Signed,
    shell::{command, quoted},
};

/// A command for curl.
pub(super) fn curl(signed: &Signed) -> Result<String, Failure> {
    let mut lines = vec![vec!["curl".to_owned()]];
    for (option, value) in curl_options(signed)? {
        let value = value.map(|value| quoted(&value));
        let words = [Some(format!("--{option}")), value];
        lines.push(words.into_iter().flatten().collect());
    }
    Ok(command(&lines))
}

/// The same as a configuration that curl reads: no other user of the machine sees it.
pub(super) fn curl_config(signed: &Signed) -> Result<String, Failure> {
    let mut config = String::new();
    for (option, value) in curl_options(signed)? {
        config.push_str(option);
        if let Some(value) = value {
            config.push_str(" = \"");
            for c in value.chars() {
                match c {
                    '\\' | '"' => config.extend(['\\', c]),
                    '\n' => config.push_str("\\n"),
                    '\r' => config.push_str("\\r"),
                    '\t' => config.push_str("\\t"),
                    '\x0b' => config.push_str("\\v"),
                    c => config.push(c),
                }
            }
            config.push('"');
        }
        config.push('\n');
    }
    Ok(config)
}

/// The options of curl, each with its value.
fn curl_options(signed: &Signed) -> Result<Vec<(&'static str, Option<String>)>, Failure> {
    // Nothing in the URL is a pattern, and no `..` is taken out of it.
    let mut options = vec![("globoff", None), ("path-as-is", None)];
    let method = signed.request.method();
    options.push(if method == Method::HEAD {
        ("head", None)
    } else {
        ("request", Some(method.to_string()))
    });
    for (name, value) in signed.request.headers() {
        let value = text_of(name, value)?;
        let header = if value.is_empty() {
            format!("{name};")
        } else {
            format!("{name}: {value}")
        };
        options.push(("header", Some(header)));
    }
    match body_of(signed)? {
        Body::Empty => {}
        // With this option, a text that begins with `@` names no file.
        Body::Text(text) => options.push(("data-raw", Some(text.to_owned()))),
        Body::File(path) => options.push(("data-binary", Some(format!("@{path}")))),
    }
    options.push(("url", Some(signed.url.to_string())));
    Ok(options)
}

/// A command for `HTTPie`.
pub(super) fn httpie(signed: &Signed) -> Result<String, Failure> {
    check_url_for_httpie(signed)?;
    let word = |text: &str| text.to_owned();
    let mut lines = vec![vec![word("http"), word("--path-as-is")]];
    let body = body_of(signed)?;
    match body {
        Body::Empty => lines.push(vec![word("--ignore-stdin")]),
        // HTTPie's parser of arguments takes these two characters away, wherever they stand.
        Body::Text("--") => return Err("HTTPie cannot send the body `--`: use --curl".into()),
        Body::Text(text) => {
            lines.push(vec![word("--ignore-stdin")]);
            // With `=`, a text that begins with `-` is no option.
            lines.push(vec![quoted(&format!("--raw={text}"))]);
        }
        Body::File(_) => {}
    }
    lines.push(vec![
        quoted(signed.request.method().as_str()),
        quoted(signed.url.as_str()),
    ]);
    let headers = signed.request.headers();
    for (name, value) in headers {
        lines.push(vec![quoted(&httpie_header(name, text_of(name, value)?)?)]);
    }
    if !headers.contains_key(CONTENT_TYPE) && !matches!(body, Body::Empty) {
        // HTTPie would add one, which is not signed.
        lines.push(vec![word("Content-Type:")]);
    }
    if let Body::File(path) = body {
        lines.push(vec![word("<"), quoted(path)]);
    }
    Ok(command(&lines))
}

/// `name:value`, where `HTTPie` gives some characters another meaning.
fn httpie_header(name: &HeaderName, value: &str) -> Result<String, Failure> {
    const SPECIAL: [char; 4] = [':', ';', '=', '@'];
    if value.is_empty() {
        return Ok(format!("{name};"));
    }
    if SPECIAL
        .iter()
        .any(|special| value.contains(&format!("\\{special}")))
    {
        return Err(format!(
            "HTTPie cannot send the value of `{name}`, which has a backslash before one of `:;=@`: \
             use --curl"
        )
        .into());
    }
    // `:=` and `:@` are other operators.
    let escape = if value.starts_with(SPECIAL) { "\\" } else { "" };
    Ok(format!("{name}:{escape}{value}"))
}

/// `HTTPie` writes some URLs anew, and the signature is for the URL as it is.
fn check_url_for_httpie(signed: &Signed) -> Result<(), Failure> {
    let url = &signed.url;
    let path_and_query = [url.path(), url.query().unwrap_or_default()].concat();
    let bytes = path_and_query.as_bytes();
    let is_kept = |(index, byte): (usize, &u8)| match byte {
        b'%' => bytes.get(index + 1..index + 3).is_some_and(|octet| {
            let text = std::str::from_utf8(octet).unwrap_or_default();
            let decoded = u8::from_str_radix(text, 16);
            let is_needed = |byte: u8| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte);
            text.bytes().all(|digit| !digit.is_ascii_lowercase()) && decoded.is_ok_and(is_needed)
        }),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte),
    };
    if bytes.iter().enumerate().all(is_kept) {
        return Ok(());
    }
    Err("HTTPie would encode this URL anew, and the signature would be wrong: use --curl".into())
}

enum Body<'a> {
    Empty,
    Text(&'a str),
    /// The path of its file.
    File(&'a str),
}

/// Whether a body can be an argument of a program, which has no NUL.
pub(super) fn is_text(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok() && !body.contains(&0)
}

fn body_of(signed: &Signed) -> Result<Body<'_>, Failure> {
    let body = signed.request.body();
    if body.is_empty() {
        return Ok(Body::Empty);
    }
    if let Some(file) = &signed.file {
        let path = file.to_str();
        let path = path.ok_or("the name of the body's file is no text: rename it")?;
        return Ok(Body::File(path));
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(body) => Ok(Body::Text(text)),
        _ => Err("the body is binary, and a command can only name its file: \
                  give the body as `--data-file FILE`"
            .into()),
    }
}

fn text_of<'v>(name: &HeaderName, value: &'v HeaderValue) -> Result<&'v str, Failure> {
    value.to_str().map_err(|_| {
        format!("the value of `{name}` is not ASCII, and no command can name it safely").into()
    })
}
