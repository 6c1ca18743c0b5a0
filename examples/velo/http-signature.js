// The wire of RFC 9421 and RFC 9530, for hmac-auth.js: the text that is signed, MAC, digest, structured fields. Pure functions,
// which know neither Wix nor what a host requires.

import crypto from 'crypto';

// The limits are those of the crate.
export const MAX_FIELD_LEN = 8 * 1024; // bytes
const MAX_KEYS = 16; // members of a field, parameters of an item, unknown parameters of a signature
const MAX_COMPONENTS = 32;
// What one signature may cost before it is proven. Several signatures of a request share it.
const MAX_BASE_LEN = 4 * MAX_FIELD_LEN;
const MAX_QUERY_PARAMS = 8; // components `@query-param`
const MAX_QUERY_PAIRS = 128; // of a query, if one of them is covered

/**
 * What can be signed of a request. Path and query are taken from the URL as they are: nobody promises that Wix passes on the
 * caller's exact bytes, and decoding or encoding them again would only hide a difference.
 */
export function messageOf({ method, url, headers }, place = 'request.url') {
  const [, received, path, query] = /^https?:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i.exec(url) ?? [];
  if (received === undefined) throw new AuthError('invalid_authority', `${shownAuthority(url)} in ${place}`);
  const authority = normalAuthority(received);
  return { method, url, received, place, authority, path: path || '/', query, headers: fieldsOf(headers) };
}

/** The fields as Wix gives them: an object of lower-case names. The `Headers` of a standard `Request` joins the lines itself. */
export const fieldsOf = (headers) => (typeof headers?.entries === 'function' ? Object.fromEntries(headers.entries()) : headers);

/** The text that is signed, RFC 9421 section 2.5, of one of so many signatures. */
export function signatureBase(message, { components, text }, signatures = 1) {
  const part = (limit) => Math.floor(limit / signatures);
  const refuse = (kind, identifier, more = '') => {
    const shared = kind === 'too_large' && signatures > 1 ? '; several signatures share the limit of one' : '';
    throw new AuthError(kind, shownIdentifier(identifier) + more + shared);
  };
  const queryParam = queryParams(message.query, part(MAX_QUERY_PARAMS), part(MAX_QUERY_PAIRS));
  let base = '';
  for (const component of components) {
    const { name, identifier } = component;
    const value = valueOf(message, component, queryParam, (kind) => refuse(kind, identifier));
    // Also keeps line breaks out, so that two messages never have the same base.
    if (!isAscii(value)) {
      const isOfUrl = name.startsWith('@');
      const remedy = isOfUrl ? 'percent-encode it in the URL (as UTF-8)' : 'send the field in ASCII, percent-encoded for example';
      refuse('not_ascii', identifier, `: ${remedy}`);
    }
    base += `${identifier}: ${value}\n`;
    if (base.length > part(MAX_BASE_LEN)) refuse('too_large', identifier);
  }
  base += `"@signature-params": ${text}`;
  if (base.length > part(MAX_BASE_LEN)) refuse('too_large', '"@signature-params"');
  return base;
}

function valueOf({ method, scheme = 'https', authority, path, query, headers }, { name, parameters }, queryParam, refuse) {
  const target = query === undefined ? path : `${path}?${query}`;
  if (name === '@query-param') {
    const wanted = parameters.get('name');
    if (wanted?.type !== 'string' || parameters.size > 1) refuse('unsupported_component');
    return queryParam(wanted.value, refuse);
  }
  // `sf` and `key` are not done; `bs` needs the lines of a field, which Velo may have joined; `req` is for responses.
  if (parameters.size > 0) refuse('unsupported_component');
  switch (name) {
    case '@method': return method;
    case '@authority': return authority;
    case '@path': return path;
    case '@query': return `?${query ?? ''}`;
    // A Wix site is reached by https, whatever `request.url` says inside of Wix. What it sends may have another scheme.
    case '@scheme': return scheme;
    case '@target-uri': return `${scheme}://${authority}${target}`;
    case '@request-target': return target;
  }
  if (!isFieldName(name)) refuse('unsupported_component');
  const value = fieldOf(headers, name);
  if (value === undefined) refuse('absent_component');
  if (value.length > MAX_FIELD_LEN) refuse('too_large');
  return value;
}

/**
 * Reads single parameters of a query, RFC 9421 section 2.2.8: form-decoded and percent-encoded again, name and value. The query is
 * read once for all of them.
 */
function queryParams(query = '', maxParams, maxPairs) {
  const decoded = (text) => percentDecoded(text.replace(/\+/g, ' '));
  const encoded = (text) => text.replace(/[^A-Za-z0-9*\-._]/g, (byte) => `%${hex(byte).toUpperCase()}`);
  let pairs;
  let left = maxParams;
  return (name, refuse) => {
    left -= 1;
    if (left < 0) refuse('too_large');
    if (!pairs) {
      // One character for each byte.
      const bytes = Buffer.from(query, 'utf8').toString('latin1');
      if (bytes.length > MAX_FIELD_LEN) refuse('too_large');
      const texts = bytes.split('&').filter(Boolean);
      if (texts.length > maxPairs) refuse('too_large');
      pairs = texts.map((text) => /^([^=]*)=?(.*)$/s.exec(text).slice(1));
      pairs = pairs.map(([key, value]) => [encoded(decoded(key)), value]);
    }
    const found = pairs.filter(([key]) => key === name);
    if (found.length !== 1) refuse('absent_component');
    const value = encoded(decoded(found[0][1]));
    if (value.length > MAX_FIELD_LEN) refuse('too_large');
    return value;
  };
}

export function macOf(secret, base) {
  return crypto.createHmac('sha256', secret).update(base, 'utf8').digest();
}

/** Shows which secret it is, as the crate does. Safe to log for a generated secret, unsafe for one that a person chose. */
export const fingerprintOf = (secret) => macOf(secret, 'hmac-auth fingerprint v1\n').toString('hex').slice(0, 8);

/** The digests of `Content-Digest` that can be checked; nothing if the field is absent. */
export function digestsOf(headers) {
  const lengths = { 'sha-256': 32, 'sha-512': 64 };
  const all = [...dictionary(headers, 'content-digest', 'malformed_digest', bytesOf)];
  const unreadable = all.find(([, { problem }]) => problem);
  if (unreadable) throw new AuthError('malformed_digest', unreadable[1].problem);
  const digests = all.filter(([algorithm]) => has(lengths, algorithm));
  if (digests.some(([algorithm, { bytes }]) => bytes.length !== lengths[algorithm])) {
    throw new AuthError('malformed_digest', 'a digest has the wrong length');
  }
  if (all.length > 0 && digests.length === 0) throw new AuthError('unsupported_digest');
  return all.length > 0 ? digests : undefined;
}

export function matches(digests, body) {
  const hash = (algorithm) => crypto.createHash(algorithm.replace('-', '')).update(body).digest();
  return digests.every(([algorithm, { bytes }]) => hash(algorithm).equals(bytes));
}

/** `host` or `host:port` in lower case without the default port; nothing if it is neither, or has user information. */
export function normalAuthority(text, defaultPort = '443') {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[a-z0-9\-._~]+)(?::([0-9]{0,5}))?$/i.exec(text) ?? [];
  return host && (port && port !== defaultPort ? `${host}:${port}` : host).toLowerCase();
}

/** The value of a field, its lines joined; nothing if it is absent. Only own properties: `constructor` is no header. */
export function fieldOf(headers, name) {
  if (!has(headers, name) || headers[name] === undefined) return undefined;
  const lines = [].concat(headers[name]).map(String).map((line) => (isAscii(line) ? line.trim() : line));
  // HTTP/2 may split `Cookie`, RFC 9113 section 8.2.3.
  return lines.join(name === 'cookie' ? '; ' : ', ');
}

/**
 * What each label of `Signature-Input` covers, and with which parameters. Or the `problem` for which it is read over, or the `flaw`
 * for which it is refused if it is meant for this host.
 */
export const readInputs = (headers) => dictionary(headers, 'signature-input', 'malformed_signature_input', inputOf);

/** The `bytes` of each label of `Signature`, or the `problem` with it. */
export const readSignatures = (headers) => new Map(dictionary(headers, 'signature', 'malformed_signature', bytesOf));

/**
 * The names in the lists of `Accept-Signature` (RFC 9421 section 5.1): what the other side would like to have covered. `isMeant`
 * gets the parameters of each list.
 */
export const readAsked = (headers, isMeant = () => true) => {
  const listOf = ({ list, parameters, flaw }) => (list && !(flaw ?? flawOf(list)) && isMeant(parameters) ? list : []);
  const members = [...dictionary(headers, 'accept-signature', 'malformed_signature_input', listOf)];
  return members.flatMap(([, list]) => list)
    .filter(({ item, parameters }) => item.type === 'string' && parameters.size === 0)
    .map(({ item }) => item.value);
};

/** One value of `Signature-Input`, without its label. */
export const readInput = (text) => inputOf(new Cursor(`=${text}`, 'malformed_signature_input').member());

/**
 * The members of a dictionary field (RFC 9651 section 3.2), one after the other; none if it is absent. Repeated keys are refused,
 * not overwritten.
 */
function* dictionary(headers, field, kind, meaningOf) {
  const text = fieldOf(headers, field);
  if (text === undefined) return;
  const keys = new Set();
  const cursor = new Cursor(text, kind);
  if (text.length > MAX_FIELD_LEN) cursor.fail('at most 8 KiB');
  do {
    const key = cursor.expect(KEY, 'a key');
    if (keys.has(key)) cursor.fail('no key twice');
    if (keys.size === MAX_KEYS) cursor.fail(`at most ${MAX_KEYS} keys`);
    keys.add(key);
    yield [key, meaningOf(cursor.member())];
  } while (cursor.take(/[ \t]*,[ \t]*/y) !== undefined);
  if (cursor.at < text.length) cursor.fail('a comma or the end');
}

const PARAMETER_TYPES = { created: 'integer', expires: 'integer', nonce: 'string', alg: 'string', keyid: 'string', tag: 'string' };

/** A member of `Signature-Input`: components and parameters, kept in the order received. */
function inputOf({ list, parameters, problem, flaw }) {
  if (!list || problem) return { problem: problem ?? 'it is no list of components' };
  const values = {};
  for (const [name, type] of Object.entries(PARAMETER_TYPES)) {
    const parameter = parameters.get(name);
    if (parameter && parameter.type !== type) return { problem: `its \`${name}\` is no ${type}` };
    values[name] = parameter?.value;
  }
  const wrong = flawOf(list) ?? flaw;
  if (wrong) return { values, flaw: wrong };
  const components = list.map(({ item: { value, text }, parameters }) =>
    ({ name: value, parameters, identifier: text + written(parameters) }));
  const covered = new Set(components.filter((component) => component.parameters.size === 0).map(({ name }) => name));
  const text = `(${components.map(({ identifier }) => identifier).join(' ')})${written(parameters)}`;
  return { components, covered, values, text };
}

/** What is wrong with a list of components, if anything. */
function flawOf(list) {
  if (list.some(({ item }) => item.type !== 'string')) return 'it is no list of components in quotes';
  if (list.length > MAX_COMPONENTS) return `it has more than ${MAX_COMPONENTS} components`;
  // The order of parameters does not make it another component.
  const identities = list.map(({ item, parameters }) =>
    JSON.stringify([item.text, ...[...parameters].map(([key, { text }]) => `${key}=${text}`).sort()]));
  return new Set(identities).size < list.length ? 'it has a component twice' : undefined;
}

/** A member of `Signature` or `Content-Digest`. */
function bytesOf({ item, parameters, problem, flaw }) {
  if (item?.type !== 'bytes') return { problem: 'it is no byte sequence' };
  return problem || flaw ? { problem: problem ?? flaw } : { bytes: item.value, parameters };
}

const written = (parameters) =>
  [...parameters].map(([key, { value, text }]) => `;${key}${value === true ? '' : `=${text}`}`).join('');

const KEY = /[a-z*][a-z0-9_\-.*]*/y;
const STRING = /"(?:[ !#-[\]-~]|\\["\\])*"/y;
const BYTES = /:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?:/y;
const INTEGER = /-?[0-9]{1,15}(?![0-9.])/y;
const DECIMAL = /-?[0-9]{1,12}\.[0-9]{1,3}(?![0-9])/y;
const BOOLEAN = /\?[01]/y;
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*/y;
const DATE = /@-?[0-9]{1,15}(?![0-9.])/y;
const DISPLAY_STRING = /%"(?:[ !#$&-~]|%[0-9a-f]{2})*"/y;

/**
 * A position in a structured field (RFC 9651). An error of syntax spoils the field. What only breaks a limit of ours is noted of
 * its member: the signature of a stranger must not hide ours. With a `problem`, it is unclear whose signature it is.
 */
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

  /** Keeps the first `problem` or `flaw` of a member. */
  note(what, text) {
    this[what] = this[what] ?? text;
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

  /** What follows a key: an `item` or a `list` of items, with parameters, or these alone. */
  member() {
    this.problem = undefined;
    this.flaw = undefined;
    const member = {};
    if (this.take(/=\( */y) !== undefined) {
      member.list = this.restOfList();
      this.note('flaw', this.problem);
      this.problem = undefined;
    } else if (this.take(/=/y) !== undefined) member.item = this.bareItem();
    member.parameters = this.parameters(member.list && Object.keys(PARAMETER_TYPES));
    return { ...member, problem: this.problem, flaw: this.flaw };
  }

  restOfList() {
    const list = [];
    while (this.take(/\)/y) === undefined) {
      list.push({ item: this.bareItem(), parameters: this.parameters() });
      if (this.take(/ +|(?=\))/y) === undefined) this.fail('a space or `)`');
    }
    return list;
  }

  /** `;key=value` as often as it stands here. Known keys are not counted. */
  parameters(known = []) {
    const parameters = new Map();
    while (this.take(/; */y) !== undefined) {
      const key = this.expect(KEY, 'a key');
      if (parameters.has(key)) this.note(known.includes(key) ? 'problem' : 'flaw', 'it has a parameter twice');
      parameters.set(key, this.take(/=/y) === undefined ? { type: 'boolean', value: true, text: '?1' } : this.bareItem());
    }
    const counted = [...parameters.keys()].filter((key) => !known.includes(key));
    if (counted.length > MAX_KEYS) this.note('flaw', `it has more than ${MAX_KEYS} parameters`);
    return parameters;
  }

  /** A value with its type and its canonical text. */
  bareItem() {
    let text;
    if ((text = this.take(STRING))) return { type: 'string', value: text.slice(1, -1).replace(/\\(.)/g, '$1'), text };
    if ((text = this.take(INTEGER))) return { type: 'integer', value: Number(text), text: `${Number(text)}` };
    if ((text = this.take(DECIMAL))) return { type: 'decimal', text: `${Number(text)}${/\.0+$/.test(text) ? '.0' : ''}` };
    if ((text = this.take(BOOLEAN))) return { type: 'boolean', value: text === '?1', text };
    if ((text = this.take(TOKEN))) return { type: 'token', text };
    if ((text = this.take(DATE))) return { type: 'date', text: `@${Number(text.slice(1))}` };
    if ((text = this.take(DISPLAY_STRING))) return this.displayString(text.slice(2, -1));
    return this.byteSequence(this.expect(BYTES, 'a value').slice(1, -1));
  }

  /** UTF-8 in percent-encoding. */
  displayString(raw) {
    const decoded = percentDecoded(raw);
    const bytes = Buffer.from(decoded, 'latin1');
    if (!Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes)) this.fail('UTF-8 before it');
    return { type: 'display', text: `%"${decoded.replace(/[^ !#$&-~]/g, (byte) => `%${hex(byte)}`)}"` };
  }

  /** Canonical base64 only: one MAC has one spelling. */
  byteSequence(raw) {
    const value = Buffer.from(raw, 'base64');
    const canonical = value.toString('base64');
    if (canonical !== raw) this.note('problem', 'its base64 is not padded and canonical');
    return { type: 'bytes', value, text: `:${canonical}:` };
  }
}

export const has = (object, name) => Object.prototype.hasOwnProperty.call(object ?? {}, name);
export const isFieldName = (text) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(text);
const isAscii = (text) => /^[\t -~]*$/.test(text);
/** A character with a code of at most 255 for each byte. */
const percentDecoded = (text) => text.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
const hex = (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0');

/** What somebody else has chosen, for a log: no quotation mark can end it, and it is cut after 64 characters. */
export function escaped(text) {
  const names = { '"': '\\"', '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
  const chars = [...String(text).slice(0, 130)];
  const safe = (char) => names[char] ?? (/[ -~]/.test(char) ? char : `\\u{${char.codePointAt(0).toString(16)}}`);
  return chars.slice(0, 64).map(safe).join('') + (chars.length > 64 ? '…' : '');
}

/** An authority or a URL without its user information, which may hold a password, and without its query. */
export function shownAuthority(text) {
  const [, userInfo, rest] = /^(.*@)?([^?#]*)/s.exec(String(text));
  return `\`${userInfo === undefined ? '' : '…@'}${escaped(rest)}\``;
}

function shownIdentifier(identifier) {
  const [, name] = /^"([A-Za-z0-9@\-_.]*)"$/.exec(identifier) ?? [];
  return name === undefined ? escaped(identifier) : `"${escaped(name)}"`;
}

/**
 * Why a request is refused, by how far it came: of two refusals, the later one says more. The sentences are those of the crate,
 * where the remedy is the same.
 */
const STAGES = [
  { // the signature
    missing_signature: 'the request is not signed',
    malformed_signature_input: 'the Signature-Input field is malformed',
    malformed_signature: 'the Signature field is malformed',
    unpaired_label: 'a label is not in both Signature-Input and Signature',
    too_many_candidates: 'more than 4 signatures could be meant for this host',
    unknown_key_id: 'the key id is not listed here',
    unsupported_algorithm: 'the algorithm is not hmac-sha256',
  },
  { not_covered: 'a required component is not covered' },
  { // the time
    missing_created: 'the signature has no `created` time',
    stale: 'the signature is too old: the clocks differ, or it came late or once more',
    in_future: 'the signature was made in the future',
    expired: 'the signature has expired',
  },
  { // the authority
    conflicting_authority: '`request.url` and the `host` header do not agree on one authority',
    invalid_authority: 'the authority is not `host` or `host:port`',
    unlisted_authority: 'the authority is not one of this host\'s: list in `authorities` each domain that is called',
  },
  { // the text that is signed
    unsupported_component: 'a covered component is not supported',
    absent_component: 'a covered component is not in the request, unless a proxy has removed it',
    not_ascii: 'the value of a covered component is not ASCII',
    too_large: 'the covered components are too large',
  },
  {
    wrong_mac: 'the signature does not match: another secret, or the request was changed on the way (compare signature bases: '
      + '`debugSignatureBase`)',
  },
  { // the body
    body_not_covered: 'there is a body, but no covered Content-Digest',
    body_unreadable: 'the body cannot be read',
    malformed_digest: 'the Content-Digest field is malformed',
    unsupported_digest: 'the Content-Digest field has neither sha-256 nor sha-512',
    wrong_digest: 'the body is not the one that was signed: a proxy may have decompressed or rewritten it, or a client encoded it '
      + 'after signing',
  },
  {
    replayed: 'the signature was used before: by a client that repeats a request and does not sign it anew, by a proxy that '
      + 'retries or mirrors, or by an equal request without a nonce in the same second',
  },
  { // the trouble of this site
    replay_guard_full: 'too many signatures to remember; give `onceOnly`',
    replay_guard_unavailable: '`onceOnly` has failed',
    secret_unavailable: 'the secret is not available',
    misconfigured: 'the options of this host cannot be used',
  },
];
const SENTENCES = Object.assign({}, ...STAGES);

/** `detail` holds no secret and no MAC, and what a peer has chosen only escaped and cut. */
export class AuthError extends Error {
  constructor(kind, detail, cause) {
    super(SENTENCES[kind] + (detail ? `: ${detail}` : ''));
    this.name = 'AuthError';
    this.kind = kind;
    this.cause = cause;
    this.stage = STAGES.findIndex((kinds) => has(kinds, kind));
    // For the peer: 401 whatever is wrong with the authentication, 400 for a body that broke off, 503 if this site cannot tell.
    this.status = this.stage === STAGES.length - 1 ? 503 : kind === 'body_unreadable' ? 400 : 401;
  }
}
