// What the peers in JavaScript share: calls come in as lines of JSON, and one answer for each goes out.

import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';

// Each error of a package is its refusal.
export async function answerAll(operations) {
  for await (const line of createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    const keys = Object.entries(call.keys);
    call.keys = Object.fromEntries(keys.map(([name, key]) => [name, Buffer.from(key, 'base64')]));
    const answer = await operations[call.operation](call).catch((error) => ({ refused: `${error.name}: ${error.message}` }));
    console.log(JSON.stringify(answer));
  }
}

// Both packages leave the digest to their user: this is what a signer adds for them.
export function digested(message) {
  const bytes = Buffer.from(message.body, 'base64');
  if (bytes.length === 0) return message;
  const digest = createHash('sha256').update(bytes).digest('base64');
  return { ...message, headers: [...message.headers, ['content-digest', `sha-256=:${digest}:`]] };
}
