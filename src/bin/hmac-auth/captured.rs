//! Requests and responses as text: HTTP/1.1, and what `curl -v` prints.

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{Failure, answer::Answer, chunks};

/// One of several requests.
pub(super) struct Entry {
    pub(super) is_signed: bool,
    /// What is wrong with one request is no reason not to explain another one.
    pub(super) request: Result<Request<Vec<u8>>, Failure>,
}

/// In the extensions of a request whose body was captured in chunks, even if they are empty.
#[derive(Clone)]
pub(super) struct InChunks;

/// All requests of a text. With a body of its own, that in the text does not matter.
pub(super) fn read_requests(text: &[u8], has_body: bool) -> Vec<Entry> {
    let heads = heads_of_curl(text);
    if heads.is_empty() {
        let (head, body) = split_head(text);
        return vec![read_entry(&head, if has_body { &[] } else { body })];
    }
    heads.iter().map(|head| read_entry(head, &[])).collect()
}

fn read_entry(lines: &[String], body: &[u8]) -> Entry {
    Entry {
        is_signed: lines.iter().any(|line| {
            let name = line.split(':').next();
            name.is_some_and(|name| name.eq_ignore_ascii_case("signature-input"))
        }),
        request: read_request(lines, body),
    }
}

/// The response that `curl --include` has written: the last one, behind those that are interim.
pub(super) fn read_response(text: &[u8]) -> Result<Answer, Failure> {
    let mut rest = text;
    loop {
        let (lines, body) = split_head(rest);
        let status = lines.first().and_then(|line| line.split(' ').nth(1));
        let status: StatusCode = status.unwrap_or_default().parse()?;
        if status.is_informational() {
            rest = body;
            continue;
        }
        return Ok(Answer {
            status,
            headers: read_fields(&lines[1..])?,
            body: body.to_vec(),
        });
    }
}

/// The lines with `> `, which are those of requests; each request ends with an empty one.
///
/// Bodies may have such lines too, and say what they like. So there are none in a text that begins
/// with a request itself, and a head is only what begins with a request line.
fn heads_of_curl(text: &[u8]) -> Vec<Vec<String>> {
    let (first, _) = split_head(text);
    if first.first().is_some_and(|line| is_request_line(line)) {
        return Vec::new();
    }
    let mut heads = Vec::new();
    let mut head: Option<Vec<String>> = None;
    for line in text.split(|byte| *byte == b'\n') {
        let Some(line) = sent_by_curl(line.trim_ascii_end()) else {
            continue;
        };
        let line = to_chars(line);
        match &mut head {
            _ if line.is_empty() => heads.extend(head.take()),
            Some(head) => head.push(line),
            None if is_request_line(&line) => head = Some(vec![line]),
            None => {}
        }
    }
    heads.extend(head);
    heads
}

/// What stands behind `> `. The progress of a transfer or the time may stand before it.
fn sent_by_curl(line: &[u8]) -> Option<&[u8]> {
    let before = line.iter().position(|byte| *byte == b'>')?;
    let (before, line) = line.split_at(before);
    let is_meter = |byte: &u8| byte.is_ascii_digit() || b" \r:.-kMGTP[]".contains(byte);
    let line = before.iter().all(is_meter).then(|| &line[1..])?;
    Some(line.strip_prefix(b" ").unwrap_or(line))
}

/// Whether this is a method, a target and a version.
fn is_request_line(line: &str) -> bool {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let version = words.nth(2);
    version.is_some_and(|version| version.starts_with("HTTP/")) && words.next().is_none()
}

/// Each byte as a character.
fn to_chars(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The lines of a head, and what follows the empty line.
fn split_head(text: &[u8]) -> (Vec<String>, &[u8]) {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, others) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = others;
        let line = to_chars(line.trim_ascii_end());
        match line.as_str() {
            // Before the head, an empty line means nothing.
            "" if lines.is_empty() => {}
            "" => break,
            _ => lines.push(line),
        }
    }
    (lines, rest)
}

fn read_request(lines: &[String], body: &[u8]) -> Result<Request<Vec<u8>>, Failure> {
    let remedy = "give a request as HTTP/1.1 text, the output of `curl -v`, or a HAR file";
    let first = lines
        .first()
        .ok_or_else(|| format!("there is no request: {remedy}"))?;
    let mut words = first.split(' ').filter(|word| !word.is_empty());
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(format!("the first line is no request line: {remedy}").into());
    };
    let uri: Uri = target
        .parse()
        .map_err(|error| format!("the target of the request is no URI ({error}): {remedy}"))?;
    let headers = read_fields(&lines[1..])?;
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .body(Vec::new())?;
    if is_chunked(&headers) && !is_no_body(body) {
        *request.body_mut() = chunks::put_together(body)?;
        request.extensions_mut().insert(InChunks);
    } else {
        *request.body_mut() = body_in(body, &headers).to_vec();
    }
    *request.headers_mut() = headers;
    Ok(request)
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let codings = headers.get(TRANSFER_ENCODING);
    let codings = codings.map(|codings| codings.as_bytes().to_ascii_lowercase());
    codings.is_some_and(|codings| codings.ends_with(b"chunked"))
}

/// Whether the head says that a body comes.
pub(super) fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || content_length(headers).is_some_and(|len| len > 0)
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The body that follows a head, not in chunks.
fn body_in<'t>(text: &'t [u8], headers: &HeaderMap) -> &'t [u8] {
    let len = content_length(headers);
    let split = len.and_then(|len| text.split_at_checked(len));
    match split {
        // A body of this length may be a line break, or begin as a response does.
        Some((body, rest)) if is_no_body(rest) => body,
        _ if is_no_body(text) => &[],
        // Without a length, a request has no body (RFC 9112, section 6.3). But somebody has put this
        // text here.
        _ => text,
    }
}

/// Whether this is only what an editor has added, or the response.
fn is_no_body(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    text.is_empty() || text.starts_with(b"HTTP/")
}

fn read_fields(lines: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (index, line) in lines.iter().enumerate() {
        let number = index + 2;
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| format!("line {number} is no header: write `Name: value`"))?;
        append(&mut headers, name, value.trim())
            .map_err(|error| format!("line {number} is no header: {error}"))?;
    }
    Ok(headers)
}

/// Adds a field. Each character of its value is a byte; if one is none, the value is UTF-8.
pub(super) fn append(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Failure> {
    let bytes: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
    let bytes = bytes.unwrap_or_else(|_| value.as_bytes().to_vec());
    let name = HeaderName::from_bytes(name.as_bytes())?;
    headers.try_append(name, HeaderValue::from_bytes(&bytes)?)?;
    Ok(())
}
