//! The crate `httpsig-hyper`, which has the functions of `httpsig` for the types of `http`.

use std::error::Error;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response};
use http_body_util::Full;
use httpsig_hyper::{
    ContentDigestType, MessageSignature, MessageSignatureReqSync, MessageSignatureResSync,
    RequestContentDigest, ResponseContentDigest,
    prelude::{
        AlgorithmName, HttpSignatureParams, SharedKey, message_component::HttpMessageComponentId,
    },
};
use serde_json::json;

use crate::{Answer, Call, Outcome, Peer, accepted, with_headers};

pub(crate) struct HttpSig;

type Body = Full<Bytes>;

impl Peer for HttpSig {
    fn sign(&mut self, call: &Call) -> Answer {
        let params = params(call)?;
        let request = request(call);
        let mut headers = request.headers().clone();
        if has_content(call) {
            let digested = block_on(request.set_content_digest(&ContentDigestType::Sha256));
            headers = digested?.headers().clone();
        }
        let mut request = self::request(call);
        *request.headers_mut() = headers;
        let result = request.set_message_signature_sync(&params, &key(call)?, Some("sig1"));
        result?;
        Ok(json!({ "request": with_headers(&call.0["request"], request.headers()) }))
    }

    fn verify(&mut self, call: &Call) -> Answer {
        let request = request(call);
        let id = sent_key_id(&request)?;
        let key = shared(call.key(id.as_deref()))?;
        let result = request.verify_message_signature_sync(&key, id.as_deref());
        result?;
        if has_content(call) {
            block_on(request.verify_content_digest())?;
        }
        Ok(accepted())
    }

    fn sign_response(&mut self, call: &Call) -> Answer {
        let params = params(call)?;
        let digested = block_on(response(call).set_content_digest(&ContentDigestType::Sha256));
        let headers = digested?.headers().clone();
        let mut response = response(call);
        *response.headers_mut() = headers;
        let request = request(call);
        let result =
            response.set_message_signature_sync(&params, &key(call)?, Some("sig1"), Some(&request));
        result?;
        Ok(json!({ "response": with_headers(&call.0["response"], response.headers()) }))
    }

    fn verify_response(&mut self, call: &Call) -> Answer {
        let (request, response) = (request(call), response(call));
        let id = sent_key_id(&response)?;
        let key = shared(call.key(id.as_deref()))?;
        let result = response.verify_message_signature_sync(&key, id.as_deref(), Some(&request));
        result?;
        block_on(response.verify_content_digest())?;
        Ok(accepted())
    }
}

fn params(call: &Call) -> Outcome<HttpSignatureParams> {
    let components = call.components().into_iter();
    let components: Result<Vec<_>, _> = components.map(HttpMessageComponentId::try_from).collect();
    let mut params = HttpSignatureParams::try_new(&components?)?;
    params.set_created(call.created());
    params.set_nonce(call.text("nonce"));
    if let Some(id) = call.key_id() {
        params.set_keyid(id);
    }
    Ok(params)
}

fn request(call: &Call) -> Request<Body> {
    call.request().map(|body| Full::new(body.into()))
}

fn response(call: &Call) -> Response<Body> {
    call.response().map(|body| Full::new(body.into()))
}

fn has_content(call: &Call) -> bool {
    !call.request().body().is_empty()
}

fn key(call: &Call) -> Outcome<SharedKey> {
    shared(call.key(call.key_id()))
}

fn shared(key: Option<Vec<u8>>) -> Outcome<SharedKey> {
    let key = key.ok_or("unknown key id")?;
    let key = STANDARD.encode(key);
    Ok(SharedKey::from_base64(&AlgorithmName::HmacSha256, &key)?)
}

/// The key id of the one signature that there is.
fn sent_key_id<M>(message: &M) -> Outcome<Option<String>>
where
    M: MessageSignature,
    M::Error: Error + 'static,
{
    let ids = message.get_alg_key_ids()?;
    let (_, id) = ids.into_values().next().ok_or("no signature")?;
    Ok(id)
}
