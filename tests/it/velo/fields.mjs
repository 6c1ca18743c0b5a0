// Reads fields with the parser of examples/velo, for ../fuzz/velo.rs. A question is a byte that says what the field is, four bytes for
// its length, and the field; the answer is JSON behind its length.

import { readSync, writeSync } from 'node:fs';

import { become } from './site.mjs';

become('www.example.com');
const { digestsOf, matches, readInputs, readSignatures } = await import('backend/http-signature.js');

const BODY = Buffer.from('{"hello": "world"}');
const NAMES = ['created', 'expires', 'nonce', 'alg', 'keyid', 'tag'];

const readers = [
  /** Each member: what is signed of it and what it says, or null if it is refused. */
  (field) => [...readInputs({ 'signature-input': field })].map(([label, { problem, flaw, text, values }]) =>
    (problem || flaw ? null : [label, text, ...NAMES.map((name) => values[name] ?? null)])),

  /** The bytes of our label, if nothing is wrong with them. */
  (field) => {
    const { bytes, parameters } = readSignatures({ signature: field }).get('sig1') ?? {};
    return bytes && parameters.size === 0 ? [...bytes] : null;
  },

  (field) => (matches(digestsOf({ 'content-digest': field }), BODY) ? 'right' : 'wrong'),
];

function answer(reader, field) {
  try {
    return readers[reader](field);
  } catch (error) {
    if (error.name === 'AuthError') return { kind: error.kind };
    throw error;
  }
}

function read(length) {
  const buffer = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const count = readSync(0, buffer, at, length - at, null);
    if (count === 0) process.exit();
    at += count;
  }
  return buffer;
}

for (;;) {
  const head = read(5);
  const text = Buffer.from(JSON.stringify(answer(head[0], read(head.readUInt32LE(1)).toString('latin1'))));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const out = Buffer.concat([length, text]);
  for (let at = 0; at < out.length;) at += writeSync(1, out, at);
}
