// The wire of RFC 9421 and RFC 9530, for hmac-auth.js: the text that is signed, MAC, digest, structured fields. Pure functions,
// which know neither Wix nor what a host requires.

import crypto from 'crypto';

const MAX_FIELD_LEN = 8 * 1024; // bytes
const MAX_BASE_LEN = 4 * MAX_FIELD_LEN;
const MAX_KEYS = 16; // members of a dictionary, parameters of an item
const MAX_COMPONENTS = 32;
const MAX_QUERY_PARAMS = 8;

/**
 * What can be signed of a request. Path and query are taken from the URL as they are: nobody promises that Wix passes on the
 * caller's exact bytes, and decoding or encoding them again would only hide a difference.
 */
export function messageOf({ method, url, headers }) {
  const [, authority, path, query] = /^https?:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i.exec(url) ?? [];
  if (authority === undefined) throw new AuthError('invalid_authority', `request.url is ${shown(url)}`);
  return { method, authority: normalAuthority(authority), url, path: path || '/', query, headers };
}

/** The text that is signed, RFC 9421 section 2.5. */
export function signatureBase(message, { components, text }) {
  let base = '';
  // Each one walks through the whole query.
  const queryParams = components.filter(({ name }) => name === '@query-param').length;
  if (queryParams > MAX_QUERY_PARAMS) throw new AuthError('too_large', '@query-param');
  for (const component of components) {
    const value = valueOf(message, component);
    // Also keeps line breaks out, so that two messages never have the same base.
    if (!isAscii(value)) throw new AuthError('not_ascii', shown(component.identifier));
    base += `${component.identifier}: ${value}\n`;
    if (base.length > MAX_BASE_LEN) throw new AuthError('too_large', shown(component.identifier));
  }
  return `${base}"@signature-params": ${text}`;
}

function valueOf({ method, authority, path, query, headers }, { name, parameters, identifier }) {
  const unsupported = new AuthError('unsupported_component', shown(identifier));
  const target = query === undefined ? path : `${path}?${query}`;
  if (name === '@query-param') {
    const wanted = parameters.get('name');
    if (wanted?.type !== 'string' || parameters.size > 1) throw unsupported;
    return queryParam(query ?? '', wanted.value, identifier);
  }
  // `sf` and `key` are not done; `bs` needs the lines of a field, which Velo may have joined; `req` is for responses.
  if (parameters.size > 0) throw unsupported;
  switch (name) {
    case '@method': return method;
    case '@authority': return authority;
    case '@path': return path;
    case '@query': return `?${query ?? ''}`;
    // A Wix site is reached by https, whatever `request.url` says inside of Wix.
    case '@scheme': return 'https';
    case '@target-uri': return `https://${authority}${target}`;
    case '@request-target': return target;
  }
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) throw unsupported;
  const value = fieldOf(headers, name);
  if (value === undefined) throw new AuthError('absent_component', shown(identifier));
  if (value.length > MAX_FIELD_LEN) throw new AuthError('too_large', shown(identifier));
  return value;
}

/** RFC 9421 section 2.2.8: form-decoded and percent-encoded again, name and value. */
function queryParam(query, name, identifier) {
  if (query.length > MAX_FIELD_LEN) throw new AuthError('too_large', shown(identifier));
  if (!isAscii(query)) throw new AuthError('not_ascii', shown(identifier));
  const again = (text) => text
    .replace(/\+/g, ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)))
    .replace(/[^A-Za-z0-9*\-._]/g, (byte) => `%${hex(byte, 2)}`);
  const pairs = query.split('&').filter(Boolean).map((pair) => /^([^=]*)=?(.*)$/.exec(pair).slice(1).map(again));
  const found = pairs.filter(([key]) => key === name);
  if (found.length !== 1) throw new AuthError('absent_component', shown(identifier));
  return found[0][1];
}

export function macOf(secret, base) {
  return crypto.createHmac('sha256', secret).update(base, 'utf8').digest();
}

/** Shows which secret it is, as the crate does. Safe to log for a generated secret, unsafe for one that a person chose. */
export const fingerprintOf = (secret) => macOf(secret, 'hmac-auth fingerprint v1\n').toString('hex').slice(0, 8);

/** The digests of `Content-Digest` that can be checked; nothing if the field is absent. */
export function digestsOf(headers) {
  const lengths = { 'sha-256': 32, 'sha-512': 64 };
  const all = dictionary(headers, 'content-digest', 'malformed_digest', readBytes);
  const digests = [...all].filter(([algorithm]) => has(lengths, algorithm));
  if (digests.some(([algorithm, { bytes }]) => bytes.length !== lengths[algorithm])) {
    throw new AuthError('malformed_digest', 'a digest has the wrong length');
  }
  if (all.size > 0 && digests.length === 0) throw new AuthError('unsupported_digest');
  return all.size > 0 ? digests : undefined;
}

export function matches(digests, body) {
  const hash = (algorithm) => crypto.createHash(algorithm.replace('-', '')).update(body).digest();
  return digests.every(([algorithm, { bytes }]) => hash(algorithm).equals(bytes));
}

/** `host` or `host:port` in lower case without the port of https; nothing if it is neither, or has user information. */
export function normalAuthority(text) {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[a-z0-9\-._~]+)(?::([0-9]{0,5}))?$/i.exec(text) ?? [];
  return host && (port && port !== '443' ? `${host}:${port}` : host).toLowerCase();
}

/** The value of a field, its lines joined; nothing if it is absent. Only own properties: `constructor` is no header. */
export function fieldOf(headers, name) {
  if (!has(headers, name) || headers[name] === undefined) return undefined;
  return [].concat(headers[name]).map(String).map((line) => (isAscii(line) ? line.trim() : line)).join(', ');
}

/** What each label of `Signature-Input` covers, and with which parameters. */
export const readInputs = (headers) => dictionary(headers, 'signature-input', 'malformed_signature_input', readInputAt);

/** The signature of each label. */
export const readSignatures = (headers) => dictionary(headers, 'signature', 'malformed_signature', readBytes);

/** One value of `Signature-Input`, without its label. */
export const readInput = (text) => readInputAt(new Cursor(text, 'malformed_signature_input'));

/** The members of a dictionary field (RFC 8941 section 3.2); none if it is absent. Repeated keys are refused, not overwritten. */
function dictionary(headers, field, kind, readValue) {
  const members = new Map();
  const text = fieldOf(headers, field);
  if (text === undefined) return members;
  const cursor = new Cursor(text, kind);
  if (text.length > MAX_FIELD_LEN) cursor.fail('at most 8 KiB');
  do {
    cursor.insert(members, cursor.expect(KEY, 'a key'), () => {
      cursor.expect(/=/y, '`=` and a value');
      return readValue(cursor);
    });
  } while (cursor.take(/[ \t]*,[ \t]*/y) !== undefined);
  if (cursor.at < text.length) cursor.fail('a comma or the end');
  return members;
}

/** A member of `Signature-Input`: components in brackets and parameters, kept in the order received. */
function readInputAt(cursor) {
  const components = [];
  const identities = new Set();
  cursor.expect(/\( */y, 'a list of components in brackets');
  while (cursor.take(/\)/y) === undefined) {
    const name = cursor.expect(STRING, 'a component in quotes').slice(1, -1);
    const parameters = cursor.parameters();
    // The order of parameters does not make it another component.
    const identity = JSON.stringify([name, ...[...parameters].map(([key, { text }]) => key + text).sort()]);
    if (identities.has(identity)) cursor.fail('no component twice');
    if (components.length === MAX_COMPONENTS) cursor.fail(`at most ${MAX_COMPONENTS} components`);
    identities.add(identity);
    components.push({ name, parameters, identifier: `"${name}"${written(parameters)}` });
    if (cursor.take(/ +|(?=\))/y) === undefined) cursor.fail('a space or `)`');
  }
  const parameters = cursor.parameters();
  const values = {};
  for (const [names, type] of [[['created', 'expires'], 'integer'], [['nonce', 'alg', 'keyid', 'tag'], 'string']]) {
    for (const name of names) {
      const parameter = parameters.get(name);
      if (parameter && parameter.type !== type) cursor.fail(`\`${name}\` as ${type}`);
      values[name] = parameter?.value;
    }
  }
  const covered = new Set(components.filter((component) => component.parameters.size === 0).map(({ name }) => name));
  const text = `(${components.map(({ identifier }) => identifier).join(' ')})${written(parameters)}`;
  return { components, covered, values, text };
}

/** A member of `Signature` or `Content-Digest`. */
function readBytes(cursor) {
  return { bytes: cursor.byteSequence(), parameters: cursor.parameters() };
}

const KEY = /[a-z*][a-z0-9_\-.*]*/y;
const STRING = /"(?:[ !#-[\]-~]|\\["\\])*"/y;
const BYTES = /:[A-Za-z0-9+/]*={0,2}:/y;
const INTEGER = /-?[0-9]{1,15}(?![0-9.])/y;
const DECIMAL = /-?[0-9]{1,12}\.[0-9]{1,3}(?![0-9])/y;
const BOOLEAN = /\?[01]/y;
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*/y;

/** A position in a structured field, which is read strictly or not at all. */
class Cursor {
  constructor(text, kind) {
    this.text = text;
    this.kind = kind;
    this.at = 0;
  }

  /** @returns {never} */
  fail(expected) {
    throw new AuthError(this.kind, `at byte ${this.at}: expected ${expected}`);
  }

  /** Steps over `pattern`, which is sticky, if it stands here. */
  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found?.[0];
  }

  expect(pattern, what) {
    return this.take(pattern) ?? this.fail(what);
  }

  insert(map, key, read) {
    if (map.has(key)) this.fail('no key twice');
    if (map.size === MAX_KEYS) this.fail(`at most ${MAX_KEYS} keys`);
    map.set(key, read());
  }

  /** `;key=value` as often as it stands here; each with its type, its value and its canonical text. */
  parameters() {
    const parameters = new Map();
    while (this.take(/; */y) !== undefined) {
      this.insert(parameters, this.expect(KEY, 'a key'), () =>
        this.take(/=/y) === undefined ? { type: 'boolean', value: true, text: '' } : this.bareItem());
    }
    return parameters;
  }

  bareItem() {
    let text;
    if ((text = this.take(STRING))) return { type: 'string', value: text.slice(1, -1).replace(/\\(.)/g, '$1'), text: `=${text}` };
    if ((text = this.take(INTEGER))) return { type: 'integer', value: Number(text), text: `=${Number(text)}` };
    if ((text = this.take(DECIMAL))) return { type: 'decimal', text: `=${Number(text)}${/\.0+$/.test(text) ? '.0' : ''}` };
    if ((text = this.take(BOOLEAN))) return { type: 'boolean', value: text === '?1', text: text === '?1' ? '' : '=?0' };
    if ((text = this.take(TOKEN))) return { type: 'token', text: `=${text}` };
    return { type: 'bytes', text: `=:${this.byteSequence().toString('base64')}:` };
  }

  /** Canonical base64 only: one MAC has one spelling. */
  byteSequence() {
    const text = this.expect(BYTES, 'a value').slice(1, -1);
    const bytes = Buffer.from(text, 'base64');
    return bytes.toString('base64') === text ? bytes : this.fail('padded and canonical base64');
  }
}

const written = (parameters) => [...parameters].map(([key, { text }]) => `;${key}${text}`).join('');
export const has = (object, name) => Object.prototype.hasOwnProperty.call(object ?? {}, name);
const isAscii = (text) => /^[\t -~]*$/.test(text);
const hex = (char, digits) => char.charCodeAt(0).toString(16).toUpperCase().padStart(digits, '0');

/** What somebody else has chosen: in quotes, escaped and cut. */
export const shown = (text) => JSON.stringify(String(text).slice(0, 100)).replace(/[^ -~]/g, (char) => `\\u${hex(char, 4)}`);

/** Why a request is refused. From first to last in the order of the checks: of two refusals, the later one says more. */
const KINDS = {
  missing_signature: 'the request is not signed',
  malformed_signature_input: 'the Signature-Input field is malformed',
  malformed_signature: 'the Signature field is malformed',
  unpaired_label: 'a label is not in both Signature-Input and Signature',
  too_many_candidates: 'more than 4 signatures could be meant for this host',
  unknown_key_id: 'the key id is not listed here',
  unsupported_algorithm: 'the algorithm is not hmac-sha256',
  not_covered: 'a required component is not covered',
  missing_created: 'the signature has no `created` time',
  stale: 'the signature is too old',
  in_future: 'the signature was made in the future: compare the clocks',
  expired: 'the signature has expired',
  conflicting_authority: '`request.url` and the `host` header do not agree on one authority',
  invalid_authority: 'the authority is not `host` or `host:port`',
  unlisted_authority: 'the authority is not one of `authorities`',
  unsupported_component: 'a covered component is not supported',
  absent_component: 'a covered component is not in the request',
  not_ascii: 'the value of a covered component is not ASCII',
  too_large: 'the covered components are too large',
  wrong_mac: 'the signature does not match: another secret, or the request was changed (see `debugSignatureBase`)',
  body_not_covered: 'there is a body, but no covered Content-Digest',
  body_unreadable: 'the body cannot be read',
  malformed_digest: 'the Content-Digest field is malformed',
  unsupported_digest: 'the Content-Digest field has neither sha-256 nor sha-512',
  wrong_digest: 'the body is not the one that was signed',
  replayed: 'the signature was used before, or an equal request in the same second has no nonce',
  replay_guard_full: 'too many signatures to remember; give `onceOnly`',
  replay_guard_unavailable: '`onceOnly` has failed',
  secret_unavailable: 'the secret is not available',
  misconfigured: 'the options cannot be used',
};
const UNAVAILABLE = ['replay_guard_full', 'replay_guard_unavailable', 'secret_unavailable', 'misconfigured'];

/** `detail` holds no secret and no MAC, and what a peer has chosen only escaped and cut. */
export class AuthError extends Error {
  constructor(kind, detail, cause) {
    super(KINDS[kind] + (detail ? `: ${detail}` : ''));
    this.name = 'AuthError';
    this.kind = kind;
    this.cause = cause;
    this.rank = Object.keys(KINDS).indexOf(kind);
    // For the peer: 401 whatever is wrong with the authentication, 400 for a body that broke off, 503 if this site cannot tell.
    this.status = UNAVAILABLE.includes(kind) ? 503 : kind === 'body_unreadable' ? 400 : 401;
  }
}
