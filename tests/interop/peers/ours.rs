//! This crate, as a consumer and as a host with a replay guard.

use hmac_auth::{
    MemoryReplayGuard, MemorySecrets, Secret, SentRequest, SignOptions, SignResponseOptions,
    ValidateOptions, ValidateResponseOptions, sign_request, sign_response, validate_auth,
    validate_response,
};
use serde_json::json;

use crate::{Answer, Call, Outcome, Peer, accepted, with_headers};

const AUTHORITIES: [&str; 2] = ["host.example", "host.example:8443"];

/// The secret of requests without a key id.
const DEFAULT: &str = "";

pub(crate) struct Ours {
    guard: MemoryReplayGuard,
    /// The request that was signed last: a response to it may follow.
    sent: Option<SentRequest>,
}

impl Ours {
    pub(crate) fn new() -> Self {
        Self {
            // It starts in the second of its first request, which is no replay.
            guard: MemoryReplayGuard::new().accept_replays_across_restarts(),
            sent: None,
        }
    }
}

impl Peer for Ours {
    fn sign(&mut self, call: &Call) -> Answer {
        let mut request = call.request();
        let mut options = SignOptions::new()
            .secret_name(call.key_id().unwrap_or(DEFAULT))
            .at(call.created_time());
        if let Some(key_id) = call.key_id() {
            options = options.key_id(key_id);
        }
        for field in call.extra() {
            options = options.cover(field);
        }
        let sent = sign_request(&mut request, &secrets(call), &options)?;
        self.sent = Some(sent);
        Ok(json!({ "request": with_headers(&call.0["request"], request.headers()) }))
    }

    fn verify(&mut self, call: &Call) -> Answer {
        let validated = validate(call)?;
        let first_use = self.guard.first_use(validated);
        first_use.map_err(|error| error.kind().to_string())?;
        Ok(accepted())
    }

    fn sign_response(&mut self, call: &Call) -> Answer {
        let validated = validate(call)?;
        let mut response = call.response();
        let options = SignResponseOptions::new();
        sign_response(&mut response, &validated, &options)?;
        Ok(json!({ "response": with_headers(&call.0["response"], response.headers()) }))
    }

    fn verify_response(&mut self, call: &Call) -> Answer {
        let sent = self.sent.as_ref().expect("a request was signed before");
        let options = ValidateResponseOptions::new();
        let result = validate_response(&call.response(), sent, &options);
        result.map_err(|error| error.kind().as_str().to_owned())?;
        Ok(accepted())
    }
}

fn validate(call: &Call) -> Outcome<hmac_auth::Validated> {
    let mut options = ValidateOptions::new().authorities(AUTHORITIES);
    let ids: Vec<_> = call.keys().map(|(id, _)| id.to_owned()).collect();
    options = if ids == [DEFAULT] {
        options.secret_name(DEFAULT)
    } else {
        options.key_ids(ids.into_iter().map(|id| (id.clone(), id)))
    };
    let result = validate_auth(&call.request(), &secrets(call), &options);
    Ok(result.map_err(|error| error.kind().to_string())?)
}

fn secrets(call: &Call) -> MemorySecrets {
    let secrets = MemorySecrets::new();
    for (id, key) in call.keys() {
        secrets.insert(id, Secret::from_bytes(&key).expect("long enough"));
    }
    secrets
}
