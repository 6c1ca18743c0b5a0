//! A host in the style of Cloudflare Workers: see `worker.mjs`. The web resolves `/../` in URLs.

use hmac_auth::{
    AuthError, AuthErrorKind, Claim, MemoryReplayGuard, MemorySecrets, Secret, ValidateOptions,
};
use http::HeaderMap;
use js_sys::{Array, Reflect, Uint8Array, try_iter};
use wasm_bindgen::{JsCast, JsError, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Request, Response, ResponseInit};

type Proven = (hmac_auth::Validated, Vec<u8>);
#[wasm_bindgen]
pub struct Host(MemorySecrets, ValidateOptions, MemoryReplayGuard);

#[wasm_bindgen]
impl Host {
    #[wasm_bindgen(constructor)]
    pub fn new(secret: &str) -> Result<Self, JsError> {
        let secrets = MemorySecrets::new();
        secrets.insert("site-a-secret", Secret::from_text(secret)?);
        let options = ValidateOptions::new()
            .authorities(["api.example.com"])
            .key_ids([("site-a", "site-a-secret")]);
        options.check_with(&secrets)?;
        // A request that starts an isolate is older than its guard, so that must not count.
        // Isolates share no memory: a `ReplayGuard` over a Durable Object is for all of them.
        let guard = MemoryReplayGuard::new().accept_replays_across_restarts();
        Ok(Self(secrets, options, guard))
    }

    pub async fn fetch(&self, request: Request) -> Result<Response, JsValue> {
        let init = ResponseInit::new();
        let (mut text, headers) = match self.validate(&request).await {
            Ok((_, body)) if request.method() == "POST" => (body, HeaderMap::new()),
            Ok((proof, _)) => (format!("hello, {}", proof.consumer()).into(), HeaderMap::new()),
            Err(error) => {
                web_sys::console::warn_1(&format!("refused: {}: {error:#}", error.kind()).into());
                init.set_status(error.status().as_u16());
                let (head, text) = error.to_response(&self.1).into_parts();
                (text.into(), head.headers)
            }
        };
        let response = Response::new_with_opt_u8_array_and_init(Some(&mut text), &init)?;
        response.headers().set("cache-control", "private")?; // Shared caches must keep no copy.
        for (name, value) in &headers {
            response.headers().set(name.as_str(), value.to_str().unwrap_or_default())?;
        }
        Ok(response)
    }

    async fn validate(&self, request: &Request) -> Result<Proven, AuthError> {
        let mut head = http::Request::builder().method(&*request.method()).uri(request.url());
        for field in try_iter(&request.headers()).ok().flatten().into_iter().flatten().flatten() {
            let text = |index| Array::from(&field).get(index).as_string().unwrap_or_default();
            head = head.header(text(0), text(1));
        }
        let head = head.body(()).map_err(|_| AuthErrorKind::NotAscii)?;
        let mut head = Claim::parse(&head, &self.1)?.verify_any(&self.0)?;
        let body = read(request, 2 << 20).await?;
        head.update(&body);
        Ok((self.2.first_use(head.finish()?)?, body))
    }
}

async fn read(request: &Request, limit: usize) -> Result<Vec<u8>, AuthErrorKind> {
    let mut body = Vec::new();
    let Some(stream) = request.body() else { return Ok(body) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let chunk = JsFuture::from(reader.read()).await.or(Err(AuthErrorKind::BodyUnreadable))?;
        let chunk = Reflect::get(&chunk, &"value".into()).unwrap_or_default();
        let Some(chunk) = chunk.dyn_ref::<Uint8Array>() else { return Ok(body) };
        if body.len() + chunk.length() as usize > limit {
            return Err(AuthErrorKind::BodyTooLarge);
        }
        body.extend(chunk.to_vec());
    }
}
