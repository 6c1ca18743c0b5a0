// Calls a host from Node. Prints status and body, and fails unless the status is 200.
//
//     npm install http-message-signatures
//     export HMAC_AUTH_SECRET=…   # the one of the host
//     node node_client.mjs http://127.0.0.1:8080/_functions/siteStats

import { createHash, randomUUID } from 'node:crypto';
import { createSigner, httpbis } from 'http-message-signatures';

const key = createSigner(process.env.HMAC_AUTH_SECRET, 'hmac-sha256', 'site-a');

async function invoke(method, url, json) {
  const headers = {};
  const body = json && JSON.stringify(json);
  if (body) {
    headers['content-digest'] = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
    headers['content-type'] = 'application/json';
  }
  const signed = await httpbis.signMessage(
    {
      key,
      fields: ['@method', '@authority', '@path', '@query', ...Object.keys(headers)],
      params: ['created', 'nonce', 'keyid'],
      paramValues: { nonce: randomUUID() }, // else two equal requests in one second are a replay
    },
    { method, url, headers },
  );
  return fetch(url, { method, headers: signed.headers, body, redirect: 'manual' });
}

const url = process.argv[2] ?? 'http://127.0.0.1:8080/_functions/siteStats';
for (const [method, json] of [['GET'], ['POST', { month: 11 }]]) {
  const response = await invoke(method, url, json);
  console.log(response.status, await response.text());
  if (response.status !== 200) process.exit(1);
}
