// Serves the HTTP functions of examples/velo as Wix does: `get_name(request)` and so on, below /_functions/.

import { createServer } from 'node:http';

import { become } from './site.mjs';
import { WixHttpFunctionRequest } from './stand_ins.mjs';

let functions;

const server = createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const functionName = /^\/_functions\/([^/?]*)/.exec(incoming.url)?.[1];
  const handle = functions[`${incoming.method.toLowerCase()}_${functionName}`];
  if (!handle) return outgoing.writeHead(404).end();
  const request = new WixHttpFunctionRequest({
    method: incoming.method,
    url: `https://${incoming.headers.host}${incoming.url}`,
    headers: incoming.headers,
    body: Buffer.concat(chunks),
    functionName,
  });
  const { status, headers, body } = await handle(request);
  outgoing.writeHead(status, headers).end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
});

server.listen(0, '127.0.0.1', async () => {
  const authority = `127.0.0.1:${server.address().port}`;
  become(authority);
  functions = await import('backend/http-functions.js');
  console.log(`listening on http://${authority}`);
});
