//! Requests and responses as text: HTTP/1.1, and what `curl -v` prints.

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header::CONTENT_LENGTH};

use super::{Failure, answer::Answer};

/// All requests of a text.
pub(super) fn read_requests(text: &[u8]) -> Result<Vec<Request<Vec<u8>>>, Failure> {
    let heads = heads_of_curl(text);
    if heads.is_empty() {
        let (head, body) = split_head(text);
        return Ok(vec![read_request(&head, body)?]);
    }
    heads.iter().map(|head| read_request(head, &[])).collect()
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
fn heads_of_curl(text: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(text);
    let mut heads = vec![Vec::new()];
    for line in text.lines() {
        let Some(line) = line.strip_prefix('>') else {
            continue;
        };
        match (line.trim(), heads.last_mut()) {
            ("", Some(head)) if !head.is_empty() => heads.push(Vec::new()),
            (line, Some(head)) if !line.is_empty() => head.push(line.to_owned()),
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The lines of a head, and what follows the empty line.
fn split_head(text: &[u8]) -> (Vec<String>, &[u8]) {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, others) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = others;
        let line: String = line
            .trim_ascii_end()
            .iter()
            .copied()
            .map(char::from)
            .collect();
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
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .body(body.to_vec())?;
    *request.headers_mut() = read_fields(&lines[1..])?;
    cut_body(&mut request);
    Ok(request)
}

/// Takes away what an editor has added behind the body.
fn cut_body(request: &mut Request<Vec<u8>>) {
    let len = request.headers().get(CONTENT_LENGTH);
    let len = len.and_then(|len| len.to_str().ok()?.trim().parse::<usize>().ok());
    let body_len = request.body().len();
    if let Some(len) = len.filter(|len| *len < body_len) {
        if request.body()[len..].trim_ascii().is_empty() {
            request.body_mut().truncate(len);
        }
    }
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

/// Adds a field, of whose value each character is a byte.
pub(super) fn append(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Failure> {
    let bytes: Vec<u8> = value
        .chars()
        .map(|c| u8::try_from(c).map_err(|_| "a value has a character that is no byte"))
        .collect::<Result<_, _>>()?;
    headers.append(
        HeaderName::from_bytes(name.as_bytes())?,
        HeaderValue::from_bytes(&bytes)?,
    );
    Ok(())
}
