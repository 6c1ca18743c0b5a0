// The package http-message-signatures of npm: it signs and verifies requests and responses.

import { createSigner, createVerifier, httpbis, VerificationError } from 'http-message-signatures';
import { answerAll, digested } from './calls.mjs';

// One value for each name, or an array of the lines.
function withFields(message) {
  const headers = {};
  for (const [name, value] of message.headers) {
    headers[name] = name in headers ? [headers[name], value].flat() : value;
  }
  return { ...message, headers };
}

function lines(headers) {
  return Object.entries(headers).flatMap(([name, value]) => [value].flat().map((line) => [name.toLowerCase(), line]));
}

function sign(name) {
  return async (call) => {
    const message = digested(call[name]);
    const config = {
      key: createSigner(call.keys[call.keyid ?? ''], 'hmac-sha256', call.keyid ?? undefined),
      name: 'sig1',
      fields: call.components,
      params: ['created', 'nonce', ...(call.keyid ? ['keyid'] : [])],
      paramValues: { created: new Date(call.created * 1000), nonce: call.nonce },
    };
    const request = name === 'response' ? withFields(call.request) : undefined;
    const signed = await httpbis.signMessage(config, withFields(message), request);
    return { [name]: { ...message, headers: lines(signed.headers) } };
  };
}

function verify(name) {
  return async (call) => {
    const config = {
      async keyLookup({ keyid = '' }) {
        const key = call.keys[keyid];
        return key && { id: keyid, algs: ['hmac-sha256'], verify: createVerifier(key, 'hmac-sha256') };
      },
      requiredParams: ['created'],
      maxAge: 60,
    };
    const request = name === 'response' ? withFields(call.request) : undefined;
    const verdict = await httpbis.verifyMessage(config, withFields(call[name]), request);
    return verdict === true ? { accepted: true } : { refused: `verifyMessage answers ${verdict}` };
  };
}

await answerAll({
  sign: sign('request'),
  verify: verify('request'),
  sign_response: sign('response'),
  verify_response: verify('response'),
}, VerificationError);
