// Runs examples/clients/pre_request.js with stand-ins of the objects of Postman (`pm`) or Bruno (`bru` and `req`), then
// sends the request as the program does. Prints status and body, and fails unless the status is 200.
//
//     node pre_request.mjs pm|bru http://127.0.0.1:8080/_functions/siteStats

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [, , program, url] = process.argv;
const require = createRequire(import.meta.url);
// With the global of Postman that a script may not declare again.
const names = ['CryptoJS', 'require', 'pm', 'bru', 'req'];
const script = new Function(...names, readFileSync('examples/clients/pre_request.js', 'utf8')).bind(undefined, undefined);

const variables = {
  hmac_auth_secret: process.env.HMAC_AUTH_SECRET,
  hmac_auth_key_id: 'site-a',
  host: new URL(url).origin,
  month: '11',
};
const fill = (text) => text.replace(/\{\{(\w+)\}\}/g, (whole, name) => variables[name] ?? whole);

function withPm({ method, url, body }) {
  const headers = new Map();
  const request = {
    method,
    url: { toString: () => url },
    headers: {
      get: (name) => headers.get(name.toLowerCase())?.[1],
      upsert: ({ key, value }) => headers.set(key.toLowerCase(), [key, value]),
    },
    body: body && { mode: 'raw', raw: body, isEmpty: () => false, update: ({ raw }) => (request.body.raw = raw) },
  };
  script(require, { request, variables: { get: (name) => variables[name], replaceIn: fill } }, undefined, undefined);
  return { method, url: fill(url), headers: [...headers.values()], body: request.body?.raw };
}

function withBru({ method, url, body }) {
  const headers = body ? { 'content-type': 'application/json' } : {};
  let sent = body;
  const request = {
    getMethod: () => method,
    getUrl: () => url,
    getHeaders: () => headers,
    setHeader(name, value) {
      const known = Object.keys(headers).find((key) => key.toLowerCase() === name.toLowerCase());
      headers[known ?? name] = value;
    },
    // A body in the mode JSON comes parsed.
    getBody: () => sent && JSON.parse(sent),
    setBody: (text) => (sent = text),
  };
  script(require, undefined, { getEnvVar: (name) => variables[name], interpolate: fill }, request);
  return { method, url: fill(url), headers: Object.entries(headers), body: sent };
}

const path = new URL(url).pathname;
const signedBy = { pm: withPm, bru: withBru }[program];
function saidOf(url) {
  try {
    signedBy({ method: 'GET', url });
  } catch ({ message }) {
    return message;
  }
  return 'nothing';
}

// What the program would change after the script, and what it says of that. It shows no password.
for (const [strange, complaint] of [
  ['http://user:password@host.example/', 'without a user'],
  ['http://user@host.example/', 'without a user'],
  ['http://@host.example/', 'without a user'],
  ['http://host.example:/', 'cannot be signed'],
  ['http://host.example:080/', 'cannot be signed'],
  ['http://h%6fst.example/', 'cannot be signed'],
  ['http://host.example/ü', 'percent-encode'],
  ['host.example/', 'has to begin with'],
]) {
  const said = saidOf(strange);
  if (!said.includes(complaint) || said.includes('password')) throw new Error(`the script says ${said} of ${strange}`);
}
// The program parses the URL: the script signs an address only if that changes nothing.
const addresses =
  '127.0.0.1 255.255.255.255 256.0.0.1 127.1 127.0.0.01 127.0.0.1. 0x7f.1 0X7F000001 2130706433 0 a.1 a.0x a.0x1g 1.a ' +
  '1.2.3.4.5 1.2.3.4.a [::] [::1] [::0001] [1::] [0:0:0:0:0:0:0:1] [1:2:3:4:5:6:7:8] [1:2:3:4:5:6:7] [1:2:3] ' +
  '[1:2:3:0:5:6:7:8] [1:2:3::5:6:7:8] [1::2:0:0:3] [1:0:0:2::3] [1::2:0:0:0:3] [1::10:0:0:3] [1::2::3] [::127.0.0.1]';
for (const host of addresses.split(' ')) {
  const kept = URL.canParse(`http://${host}/`) && new URL(`http://${host}/`).host === host;
  const said = saidOf(`http://${host}/`);
  if (kept ? said !== 'nothing' : !said.includes('the address')) throw new Error(`the script says ${said} of ${host}`);
}
for (const request of [
  { method: 'GET', url: `{{host}}${path}` },
  { method: 'GET', url: `{{host}}${path}?name=a%27b&tag=b&tag=a` },
  { method: 'POST', url: `{{host}}${path}`, body: '{"month":"{{month}}","name":"Zoë"}' },
]) {
  const { url, ...sent } = signedBy(request);
  const response = await fetch(url, { ...sent, redirect: 'manual' });
  console.log(response.status, await response.text());
  if (response.status !== 200) process.exit(1);
}
