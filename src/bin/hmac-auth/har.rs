//! Requests in a HAR file, as browsers and proxies save them.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Request, Uri, header::HOST};
use serde_json::Value;

use super::{
    Failure,
    captured::{Entry, append},
};

/// All requests of a file.
pub(super) fn read_requests(file: &[u8]) -> Result<Vec<Entry>, Failure> {
    let file: Value = serde_json::from_slice(file)
        .map_err(|error| format!("the HAR file is no JSON: {error}"))?;
    let entries = file["log"]["entries"]
        .as_array()
        .ok_or("the HAR file has no `log.entries`: save it anew, with all content")?;
    let entries = entries.iter().enumerate().map(|(index, entry)| {
        let request = &entry["request"];
        Entry {
            is_signed: is_signed(request),
            request: read_request(request)
                .map_err(|error| format!("entry {} of the HAR file: {error}", index + 1).into()),
        }
    });
    Ok(entries.collect())
}

fn is_signed(request: &Value) -> bool {
    let mut headers = request["headers"].as_array().into_iter().flatten();
    headers.any(|header| {
        let name = header["name"].as_str();
        name.is_some_and(|name| name.eq_ignore_ascii_case("signature-input"))
    })
}

fn read_request(request: &Value) -> Result<Request<Vec<u8>>, Failure> {
    let text = |name: &str| {
        let text = request[name].as_str();
        text.ok_or_else(|| format!("there is no `{name}`"))
    };
    let url = text("url")?;
    let uri: Uri = url.split('#').next().unwrap_or(url).parse()?;
    let mut headers = HeaderMap::new();
    let mut authority = None;
    for header in request["headers"].as_array().into_iter().flatten() {
        let (name, value) = (&header["name"], &header["value"]);
        let (Some(name), Some(value)) = (name.as_str(), value.as_str()) else {
            return Err("a header has no `name` or no `value`".into());
        };
        match name {
            ":authority" => authority = Some(value),
            // HTTP/2 has such names for the method and the target, which the entry itself has too.
            name if name.starts_with(':') => {}
            name => append(&mut headers, name, value)?,
        }
    }
    if let Some(authority) = authority.filter(|_| !headers.contains_key(HOST)) {
        append(&mut headers, HOST.as_str(), authority)?;
    }
    let body = body_of(&request["postData"])?;
    let mut read = Request::builder()
        .method(text("method")?)
        .uri(uri)
        .body(body)?;
    *read.headers_mut() = headers;
    Ok(read)
}

fn body_of(data: &Value) -> Result<Vec<u8>, Failure> {
    let text = data["text"].as_str().unwrap_or_default();
    if data["encoding"] == "base64" {
        let body = STANDARD.decode(text);
        return Ok(body.map_err(|error| format!("its `postData.text` is no base64: {error}"))?);
    }
    Ok(text.as_bytes().to_vec())
}
