// What the peers in JavaScript share: calls come in as lines of JSON, and one answer for each goes out.

import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';

// The errors of this type are refusals. Any other one is a failure, whatever was to be refused.
export async function answerAll(operations, Refusal) {
  for await (const line of createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    const keys = Object.entries(call.keys);
    call.keys = Object.fromEntries(keys.map(([name, key]) => [name, Buffer.from(key, 'base64')]));
    const answer = await operations[call.operation](call).catch((error) => {
      const text = `${error.name}: ${error.message}`;
      return error instanceof Refusal ? { refused: text } : { failed: text };
    });
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
