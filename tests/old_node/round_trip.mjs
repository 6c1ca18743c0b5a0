// A request that `invoke` has signed is accepted by `validateAuth`, and the answer to it is signed, in whatever Node this runs. `.ci/old_node` copies the files here.

import { invoke, signResponse, validateAuth } from './hmac-auth.mjs';

const { url, init } = await invoke('https://www.example.com/a?b=1', { method: 'post', body: '{"a":1}' }).catch(stop);
const request = { method: init.method, url, headers: init.headers, body: { buffer: async () => Buffer.from(init.body) } };
await validateAuth(request, { authorities: ['www.example.com'] }).catch(stop);
const { kind } = await validateAuth(request).catch((error) => error);
if (kind !== 'replayed') stop(`the second time: ${kind}`);
const answer = signResponse(request, { status: 200, body: { a: 1 } });
if (!answer.headers.signature) stop('the answer is not signed');
console.log(`${process.version}: accepted once, and refused as replayed`);

// Old versions end without an error if a module fails.
function stop(error) {
  console.error(error);
  process.exit(1);
}
