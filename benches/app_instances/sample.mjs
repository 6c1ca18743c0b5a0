// Verifies app instances in the steps of the TypeScript sample in Wix's documentation, and says how long that takes.
//
// On stdin, the first line has all of them, `[[instance, secret], …]`; the answer has the version of Node and the instance ids.
// Each further line has a number of passes over all of them; the answer is how many nanoseconds these took.

import { createHmac } from 'node:crypto';
import { createInterface } from 'node:readline';

const decode = (text, encoding) => Buffer.from(text.replace(/-/g, '+').replace(/_/g, '/'), 'base64').toString(encoding);

function parse(instance, secret) {
  const [signature, payload] = instance.split('.');
  if (!payload || !signature) {
    return null;
  }
  const expected = createHmac('sha256', secret).update(payload).digest('base64');
  return decode(signature, 'base64') === expected ? JSON.parse(decode(payload, 'utf8')) : null;
}

function nanoseconds(samples, passes) {
  const start = process.hrtime.bigint();
  for (let pass = 0; pass < passes; pass += 1) {
    for (const [instance, secret] of samples) {
      if (parse(instance, secret) === null) {
        throw new Error(`not verified: ${instance}`);
      }
    }
  }
  return process.hrtime.bigint() - start;
}

let samples;
createInterface({ input: process.stdin }).on('line', (line) => {
  if (samples) {
    process.stdout.write(`${nanoseconds(samples, Number(line))}\n`);
    return;
  }
  samples = JSON.parse(line);
  const instanceIds = samples.map(([instance, secret]) => parse(instance, secret).instanceId);
  process.stdout.write(`${JSON.stringify({ version: process.version, instanceIds })}\n`);
});
