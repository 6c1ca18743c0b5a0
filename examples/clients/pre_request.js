// A pre-request script for Postman and Bruno: it signs the request that the program is about to send.
//
// Put it where pre-request scripts of a collection go, and set two variables in the environment:
// `hmac_auth_secret`, the text that the host has too, and `hmac_auth_key_id`. Mark the first one as secret.
// The body is none or a text ("raw" in Postman; JSON, text or XML in Bruno).

// Postman has a global of the name that this package usually gets.
const hashes = require('crypto-js');

// What the two programs call the same things.
const program =
  typeof pm === 'undefined'
    ? {
        variable: (name) => bru.getEnvVar(name),
        method: () => req.getMethod(),
        url: () => bru.interpolate(req.getUrl()),
        header: (name) => Object.entries(req.getHeaders()).find(([known]) => known.toLowerCase() === name)?.[1],
        setHeader: (name, value) => req.setHeader(name, value),
        body() {
          const body = req.getBody();
          const text = typeof body === 'object' && body !== null ? JSON.stringify(body) : (body ?? '');
          const filled = bru.interpolate(text);
          // What is signed is what is sent.
          if (filled) req.setBody(filled);
          return filled;
        },
      }
    : {
        variable: (name) => pm.variables.get(name),
        method: () => pm.request.method,
        url: () => pm.variables.replaceIn(pm.request.url.toString()),
        header: (name) => pm.request.headers.get(name) && pm.variables.replaceIn(pm.request.headers.get(name)),
        setHeader: (key, value) => pm.request.headers.upsert({ key, value }),
        body() {
          if (pm.request.body && !pm.request.body.isEmpty() && pm.request.body.mode !== 'raw') {
            throw new Error(`a body of the mode ${pm.request.body.mode} cannot be signed here: use raw`);
          }
          const filled = pm.variables.replaceIn(pm.request.body?.raw ?? '');
          if (filled) pm.request.body.update({ mode: 'raw', raw: filled });
          return filled;
        },
      };

// Whether a parser of URLs leaves a host as it is. It takes 127.1 and 0x7f.1 for addresses, and writes them anew.
function isAsParsed(host) {
  if (host.startsWith('[')) return isShortest(host.slice(1, -1).toLowerCase());
  const isAddress = /(^|\.)([0-9]+|0x[0-9a-f]*)\.?$/i.test(host);
  return !isAddress || /^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(?=[0-9])|$)){4}$/.test(host);
}

// Whether this is an address of IPv6 in its only form: `::` stands for the first of the longest runs of zeros.
function isShortest(address) {
  const sides = address.split('::').map((side) => (side ? side.split(':') : []));
  const [before, after = []] = sides;
  const missing = 8 - before.length - after.length;
  const isWhole = sides.length === 1 ? missing === 0 : sides.length === 2 && missing > 1;
  if (!isWhole || ![...before, ...after].every((group) => /^(0|[1-9a-f][0-9a-f]{0,3})$/.test(group))) return false;
  const all = [...before, ...Array(missing).fill('0'), ...after].join(':');
  const runs = [...all.matchAll(/\b0(:0)+\b/g)].sort((one, other) => other[0].length - one[0].length);
  if (!runs.length) return address === all;
  const [{ 0: run, index }] = runs;
  return address === `${all.slice(0, index).replace(/:$/, '')}::${all.slice(index + run.length + 1)}`;
}

function sign() {
  const secret = program.variable('hmac_auth_secret');
  const keyId = program.variable('hmac_auth_key_id');
  if (!secret || !keyId) throw new Error('set hmac_auth_secret and hmac_auth_key_id in the environment');
  const url = program.url();
  // The program encodes some characters after this script, and the signature would be wrong.
  const strange = /[^A-Za-z0-9\-._~:/?@!$&()*+,;=%[\]]/.exec(url);
  if (strange) throw new Error(`percent-encode ${JSON.stringify(strange[0])} in the URL`);
  const [, scheme, host, path, query] = /^(https?):\/\/([^/?]+)([^?]*)(.*)$/.exec(url) ?? [];
  if (!host) throw new Error('the URL has to begin with http:// or https://');
  // The program takes a name and a password out of the URL, and rewrites other hosts.
  if (!/^([A-Za-z0-9\-._]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]*)?$/.test(host)) {
    throw new Error('the host of the URL cannot be signed: write a name and a port only, without a user');
  }
  if (!isAsParsed(host.replace(/:[0-9]*$/, ''))) {
    throw new Error('the program rewrites the address of the URL: write it in full, like 127.0.0.1, or like [::1]');
  }
  const authority = host.toLowerCase().replace(scheme === 'https' ? /:443$/ : /:80$/, '');

  const lines = [
    ['@method', program.method().toUpperCase()],
    ['@authority', authority],
    ['@path', path || '/'],
    ['@query', query || '?'],
  ];
  const body = program.body();
  if (body) {
    const digest = `sha-256=:${hashes.SHA256(body).toString(hashes.enc.Base64)}:`;
    // Without one, the program adds its own after this script, and does not sign it.
    const type = program.header('content-type') ?? 'application/json';
    program.setHeader('Content-Type', type);
    program.setHeader('Content-Digest', digest);
    lines.push(['content-digest', digest], ['content-type', type.trim()]);
  }

  const covered = lines.map(([name]) => `"${name}"`).join(' ');
  const nonce = hashes.lib.WordArray.random(16).toString();
  const created = Math.floor(Date.now() / 1000);
  const input = `(${covered});created=${created};nonce="${nonce}";keyid="${keyId}"`;
  const base = lines.map(([name, value]) => `"${name}": ${value}\n`).join('') + `"@signature-params": ${input}`;
  const mac = hashes.HmacSHA256(base, secret).toString(hashes.enc.Base64);
  program.setHeader('Signature-Input', `sig1=${input}`);
  program.setHeader('Signature', `sig1=:${mac}:`);
}

sign();
