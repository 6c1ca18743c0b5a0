// The package http-message-sig of npm: it signs and verifies requests and responses, with algorithms of its user.

import { component, createSignature, SignatureError, verifySignature } from 'http-message-sig';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { answerAll, digested } from './calls.mjs';

function hmac(key) {
  const sign = (data) => createHmac('sha256', key).update(data).digest();
  const verify = (data, signature) => signature.length === 32 && timingSafeEqual(sign(data), signature);
  return { algorithm: 'hmac-sha256', sign, verify };
}

const fields = (message) => message.headers.map(([name, value]) => ({ name, value }));

function request({ request }) {
  return { kind: 'request', method: request.method, targetUri: request.url, fields: fields(request) };
}

function response(call) {
  const { response } = call;
  return { kind: 'response', status: response.status, fields: fields(response), request: request(call) };
}

const views = { request, response };

// A component of the request is written as `"@method";req`.
function identifier(text) {
  const [, name, req] = /^"([^"]+)"(;req)?$/.exec(text) ?? [undefined, text];
  return component(name, req ? { req: true } : {});
}

function sign(name) {
  return async (call) => {
    const message = digested(call[name]);
    const { signatureInput, signature } = await createSignature(views[name]({ ...call, [name]: message }), {
      label: 'sig1',
      components: call.components.map(identifier),
      parameters: { created: call.created, nonce: call.nonce, keyid: call.keyid ?? undefined },
      signer: hmac(call.keys[call.keyid ?? '']),
    });
    const headers = [...message.headers, ['signature-input', signatureInput], ['signature', signature]];
    return { [name]: { ...message, headers } };
  };
}

function verify(name) {
  return async (call) => {
    await verifySignature(views[name](call), {
      policy: {
        algorithms: ['hmac-sha256'],
        requiredComponents: [name === 'request' ? '@method' : '@status'],
        requiredParameters: ['created'],
        maxAge: 60,
        clockSkew: 10,
      },
      resolveVerifier({ parameters: { keyid = '' } }) {
        if (!call.keys[keyid]) throw new Error('unknown key id');
        return hmac(call.keys[keyid]);
      },
    });
    return { accepted: true };
  };
}

await answerAll({
  sign: sign('request'),
  verify: verify('request'),
  sign_response: sign('response'),
  verify_response: verify('response'),
}, SignatureError);
