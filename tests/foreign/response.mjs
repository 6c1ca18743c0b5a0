// Signs or verifies a response with the package http-message-signatures: one JSON object comes in, and one goes out.

import { createSigner, createVerifier, httpbis } from 'http-message-signatures';
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';

const { operation, secret, keyid, nonce, request, status, headers, body, components } = JSON.parse(await text(process.stdin));
const key = Buffer.from(secret, 'base64');
const bytes = Buffer.from(body, 'base64');
const digest = `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;

if (operation === 'sign') {
  const all = { ...headers, 'content-digest': digest };
  const config = {
    key: createSigner(key, 'hmac-sha256', keyid),
    name: 'sig1',
    fields: ['content-digest', ...components],
    params: ['created', 'nonce', 'keyid'],
    paramValues: { nonce },
  };
  const signed = await httpbis.signMessage(config, { status, headers: all }, request);
  // The names of the two fields are written in capitals.
  const lower = Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), value]);
  console.log(JSON.stringify(Object.fromEntries(lower)));
} else {
  const verify = createVerifier(key, 'hmac-sha256');
  const config = { keyLookup: async (params) => params.keyid === keyid && { id: keyid, algs: ['hmac-sha256'], verify } };
  const verified = await httpbis.verifyMessage(config, { status, headers }, request).catch((error) => error);
  // The package leaves the digest to its user.
  const isRight = verified === true && (headers['content-digest'] ?? digest) === digest;
  console.log(JSON.stringify(isRight ? ['sig1'] : { refused: String(verified) }));
}
