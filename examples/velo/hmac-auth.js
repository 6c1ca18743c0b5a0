// Authenticates HTTP requests between a Wix site and other servers with a shared secret: RFC 9421 with hmac-sha256, and RFC 9530.
//
// A host site calls `validateAuth` first thing in each HTTP function; a consumer site calls `invoke` instead of `fetch`. The
// other side is a Wix site with these files, a server with the Rust crate `hmac-auth`, or any other RFC 9421 client or server.
// Read it top down: the two functions, the checks of a host in their order, how a consumer signs.

import crypto from 'crypto';
import { fetch } from 'wix-fetch';
import { getSecret } from 'wix-secrets-backend';
import {
  AuthError, digestsOf, fieldOf, fingerprintOf, has, macOf, matches, messageOf, normalAuthority, readInput, readInputs,
  readSignatures, shown, signatureBase,
} from 'backend/http-signature.js';

const DEFAULT_SECRET_NAME = 'hmac-authentication-secret-key';
const DEFAULT_MAX_TIME_DIFF = 60_000; // milliseconds
const MAX_CLOCK_SKEW = 10; // seconds that the clock of a consumer may run ahead
const MIN_SECRET_LEN = 16; // bytes
const MAX_SECRETS = 4; // the current one and three previous ones
const MAX_CANDIDATES = 4; // signatures of one request that may be meant for this host
const MAX_REMEMBERED = 10_000; // signatures, in one process

/**
 * Resolves to nothing if the request is signed with the secret, fresh, unchanged and, as far as can be known here, not sent
 * before. Call it once for each request, before any other logic. The body stays readable.
 *
 * @param {WixHttpFunctionRequest} request
 * @param {object} [options]
 * @param {string | string[]} [options.secretName] in the Secrets Manager; several during a rotation, the current one first
 * @param {Record<string, string | string[]>} [options.keyIds] the consumers: key ids with names of secrets; replaces `secretName`
 * @param {number} [options.maxTimeDiff] how old a signature may be, in milliseconds
 * @param {string[]} [options.authorities] the domains of this site. Without them, a request for any other host that has the same
 *   secret is accepted here too
 * @param {boolean} [options.ignoreHostHeader] takes the domain from `request.url` alone, should Wix put another name into `host`
 * @param {(id: string, until: Date) => boolean | Promise<boolean>} [options.onceOnly] stores `id` until then, and says true if it
 *   was not there. Default: the memory of this one process
 * @param {(base: string) => void} [options.debugSignatureBase] gets the text that should have been signed when the signature is
 *   wrong: method, URL and headers as this site sees them, so do not leave it on
 * @returns {Promise<void>}
 * @throws {AuthError} whose `kind` and `message` are for the operator's log, and `status` for the answer
 */
export async function validateAuth(request, options = {}) {
  const now = unixSeconds();
  const host = checkedOptions(options);
  const message = messageOf(request);
  const proven = await provenSignature(message, host, now);
  await checkBody(request, proven);
  await checkReplay(proven, host);
}

/**
 * Signs a request, sends it and resolves to the response, without following redirects: a signature is for one URL.
 *
 * @param {string} endpointUrl
 * @param {WixFetchRequest} [fetchOptions]
 * @param {object} [options]
 * @param {string} [options.secretName] in the Secrets Manager
 * @param {string} [options.keyId] under which the host knows this consumer
 * @returns {Promise<WixFetchResponse>}
 */
export async function invoke(endpointUrl, fetchOptions = {}, options = {}) {
  const { url, init } = await sign(endpointUrl, fetchOptions, options, unixSeconds());
  return fetch(url, init);
}

/** The first signature that passes all checks of the head, what needs the secret after what does not. */
async function provenSignature(message, host, now) {
  let refusal;
  // A request with four signatures must not ask for each secret four times.
  const secrets = new Map();
  for (const candidate of candidatesOf(message.headers, host)) {
    try {
      checkForm(candidate);
      checkCoverage(candidate, message);
      checkFreshness(candidate, host, now);
      checkAuthority(message, host);
      await checkMac(candidate, message, host, secrets);
      return { ...candidate, digests: digestsOf(message.headers) };
    } catch (error) {
      // Another signature of the request may be the right one.
      if (!(error instanceof AuthError)) throw error;
      if (!refusal || error.rank > refusal.rank) refusal = error;
    }
  }
  throw refusal;
}

const OPTIONS = {
  secretName: ['string', 'object'],
  keyIds: ['object'],
  maxTimeDiff: ['number'],
  authorities: ['object'],
  ignoreHostHeader: ['boolean'],
  onceOnly: ['function'],
  debugSignatureBase: ['function'],
};

/** A misspelt option would switch its check off, so it is refused, as is one that is there but not set. */
function checkedOptions(options) {
  const misconfigured = (detail) => new AuthError('misconfigured', detail);
  for (const [name, value] of Object.entries(options)) {
    if (!has(OPTIONS, name)) throw misconfigured(`there is no option \`${name}\`, only ${Object.keys(OPTIONS).join(', ')}`);
    if (!OPTIONS[name].includes(value === null ? 'null' : typeof value)) throw misconfigured(`\`${name}\` is ${OPTIONS[name]}`);
  }
  const { secretName = DEFAULT_SECRET_NAME, keyIds, maxTimeDiff = DEFAULT_MAX_TIME_DIFF, authorities } = options;
  if (!(Number.isFinite(maxTimeDiff) && maxTimeDiff >= 0)) throw misconfigured('`maxTimeDiff` is a number of milliseconds');
  const namesOf = (value) => {
    const names = [].concat(value);
    const usable = names.length > 0 && names.length <= MAX_SECRETS && names.every((name) => typeof name === 'string' && name);
    if (!usable) throw misconfigured(`a secret has a name, or 1 to ${MAX_SECRETS} in an array`);
    return names;
  };
  const authorityOf = (text) => {
    const authority = normalAuthority(String(text));
    if (!authority) throw misconfigured(`the authority ${shown(text)} is not \`host\` or \`host:port\``);
    return authority;
  };
  const consumers = keyIds && new Map(Object.entries(keyIds).map(([keyId, names]) => [keyId, namesOf(names)]));
  if (consumers && consumers.size === 0) throw misconfigured('`keyIds` is empty: nobody could be accepted');
  const listed = authorities && [].concat(authorities).map(authorityOf);
  if (listed && listed.length === 0) throw misconfigured('`authorities` is empty: no request could be accepted');
  return { ...options, secretNames: namesOf(secretName), consumers, listed, maxAge: Math.ceil(maxTimeDiff / 1000) };
}

/** The signatures that may be meant for this host: by key id and algorithm, never by label. Those of others are ignored. */
function candidatesOf(headers, host) {
  const inputs = readInputs(headers);
  const candidates = [];
  let notMeant = new AuthError('missing_signature');
  for (const [label, input] of inputs) {
    const { keyid, alg = 'hmac-sha256' } = input.values;
    const secretNames = host.consumers ? host.consumers.get(keyid) : host.secretNames;
    if (!secretNames) notMeant = new AuthError('unknown_key_id', `keyid ${keyid === undefined ? 'is absent' : shown(keyid)}`);
    else if (alg !== 'hmac-sha256') notMeant = new AuthError('unsupported_algorithm', `alg ${shown(alg)}`);
    else if (candidates.length === MAX_CANDIDATES) throw new AuthError('too_many_candidates');
    else candidates.push({ label, ...input, secretNames });
  }
  const signatures = readSignatures(headers);
  for (const label of [...inputs.keys(), ...signatures.keys()]) {
    if (!(inputs.has(label) && signatures.has(label))) throw new AuthError('unpaired_label', shown(label));
  }
  if (candidates.length === 0) throw notMeant;
  return candidates.map((candidate) => ({ ...candidate, signature: signatures.get(candidate.label) }));
}

/** `timingSafeEqual` needs equal lengths, and a parameter of the signature itself is not signed. */
function checkForm({ signature }) {
  if (signature.bytes.length !== 32 || signature.parameters.size > 0) {
    throw new AuthError('malformed_signature', 'it is not 32 bytes without parameters');
  }
}

/** Everything that is present must be covered, by a component without parameters. The body has its turn when it is there. */
function checkCoverage({ covered }, { query }) {
  const alternatives = { '@method': [], '@authority': ['@target-uri'], '@path': ['@target-uri', '@request-target'] };
  if (query) alternatives['@query'] = ['@target-uri', '@request-target'];
  for (const [name, others] of Object.entries(alternatives)) {
    if (![name, ...others].some((component) => covered.has(component))) throw new AuthError('not_covered', name);
  }
}

/** In whole seconds of at most 15 digits, which a number holds exactly. */
function checkFreshness({ values: { created, expires } }, { maxAge }, now) {
  if (created === undefined) throw new AuthError('missing_created');
  if (now - created > maxAge) throw new AuthError('stale', `${now - created} s old, ${maxAge} s allowed`);
  if (created - now > MAX_CLOCK_SKEW) throw new AuthError('in_future', `${created - now} s ahead, ${MAX_CLOCK_SKEW} s allowed`);
  if (expires < now) throw new AuthError('expired', `${now - expires} s ago`);
}

function checkAuthority({ authority, url, headers }, { listed, ignoreHostHeader }) {
  if (!authority) throw new AuthError('invalid_authority', `request.url is ${shown(url)}`);
  const field = ignoreHostHeader ? undefined : fieldOf(headers, 'host');
  if (field !== undefined && normalAuthority(field) !== authority) {
    if (!normalAuthority(field)) throw new AuthError('invalid_authority', `the \`host\` header is ${shown(field)}`);
    throw new AuthError('conflicting_authority', `${shown(authority)} and ${shown(field)}; see \`ignoreHostHeader\``);
  }
  if (listed && !listed.includes(authority)) throw new AuthError('unlisted_authority', shown(authority));
}

async function checkMac(candidate, message, { debugSignatureBase }, secrets) {
  const base = signatureBase(message, candidate);
  for (const name of candidate.secretNames) {
    if (!secrets.has(name)) secrets.set(name, await secretOf(name));
    if (crypto.timingSafeEqual(macOf(secrets.get(name), base), candidate.signature.bytes)) return;
  }
  debugSignatureBase?.(base);
  const seen = `seen here: ${shown(message.method)} ${shown(message.authority)} ${shown(message.path)}`;
  const fingerprints = candidate.secretNames.map((name) => fingerprintOf(secrets.get(name)));
  throw new AuthError('wrong_mac', `secrets tried, by their fingerprints: ${fingerprints.join(', ')}: ${seen}`);
}

/** With a digest for each byte of the body. Even one that is not covered is checked: a wrong digest is never passed on. */
async function checkBody(request, { covered, digests }) {
  const body = await readBody(request);
  if (body.length > 0 && !covered.has('content-digest')) throw new AuthError('body_not_covered');
  if (digests && !matches(digests, body)) throw new AuthError('wrong_digest');
}

/** Reads the body once and leaves the very bytes that were checked to the handler. */
async function readBody(request) {
  let bytes;
  try {
    bytes = Buffer.from((await request.body?.buffer()) ?? []);
  } catch (cause) {
    throw new AuthError('body_unreadable', undefined, cause);
  }
  const text = async () => bytes.toString('utf8');
  const body = { buffer: async () => Buffer.from(bytes), text, json: async () => JSON.parse(await text()) };
  // Where this is not allowed, the handler reads the body of Wix, if that can be read twice.
  Reflect.defineProperty(request, 'body', { value: body, configurable: true });
  return bytes;
}

const remembered = new Map();

/**
 * Comes last, so that only proven signatures are remembered. Wix may run a site in several processes and end them at will: the
 * memory of one of them is a help, not a guarantee. `onceOnly` over a collection is one.
 */
async function checkReplay({ signature, values }, { maxAge, onceOnly = rememberHere }) {
  // The body may have come slowly, and what is stale is not remembered.
  checkFreshness({ values }, { maxAge }, unixSeconds());
  // Not the MAC itself, with which somebody who reads the store could repeat a request elsewhere.
  const id = crypto.createHash('sha256').update(signature.bytes).digest('hex');
  let isNew;
  try {
    isNew = await onceOnly(id, new Date((values.created + maxAge + 1) * 1000));
  } catch (error) {
    throw error instanceof AuthError ? error : new AuthError('replay_guard_unavailable', undefined, error);
  }
  if (isNew !== true) throw new AuthError('replayed');
}

/** Refuses when full: evicting a signature that is still fresh would let it in again. */
function rememberHere(id, until) {
  if (remembered.has(id)) return false;
  if (remembered.size >= MAX_REMEMBERED) {
    for (const [other, end] of remembered) if (end <= Date.now()) remembered.delete(other);
  }
  if (remembered.size >= MAX_REMEMBERED) throw new AuthError('replay_guard_full');
  remembered.set(id, until.getTime());
  return true;
}

/** The URL and the options for `fetch`: all is signed as it will be sent. */
async function sign(endpointUrl, fetchOptions, options, now) {
  for (const [name, value] of Object.entries(options)) {
    if (!['secretName', 'keyId'].includes(name)) throw new TypeError(`there is no option \`${name}\`, only secretName and keyId`);
    if (typeof value !== 'string' || !/^[ -~]+$/.test(value)) throw new TypeError(`\`${name}\` is not a text in printable ASCII`);
  }
  const { secretName = DEFAULT_SECRET_NAME, keyId } = options;
  const { method = 'GET', headers: givenHeaders = {}, body = '', ...otherOptions } = fetchOptions;
  if (typeof body !== 'string') throw new TypeError('the body is not a string: JSON.stringify it, for example');

  const url = parsedUrl(endpointUrl);
  if (!/^https?:$/.test(url.protocol)) throw new TypeError(`${url.protocol} cannot be signed: the URL begins with https:`);
  if (url.username || url.password) throw new TypeError('the URL has user information, which no host accepts: remove it');
  url.hash = '';

  const headers = {};
  const pairs = typeof givenHeaders[Symbol.iterator] === 'function' ? givenHeaders : Object.entries(givenHeaders);
  for (const [givenName, value] of pairs) {
    const name = givenName.toLowerCase();
    if (has(headers, name)) throw new TypeError(`the header ${shown(name)} is given twice: join its values`);
    if (/^signature(-input)?$/.test(name)) throw new TypeError(`the header ${name} is set by invoke: remove it`);
    headers[name] = String(value).trim();
  }
  const bytes = Buffer.from(body, 'utf8');
  const digests = digestsOf(headers);
  if (digests && !matches(digests, bytes)) throw new TypeError('the Content-Digest is not that of the body: leave it out');
  if (bytes.length > 0) {
    const digest = crypto.createHash('sha256').update(bytes).digest('base64');
    if (!digests) headers['content-digest'] = `sha-256=:${digest}:`;
    // What `fetch` would set after signing.
    if (!has(headers, 'content-type')) headers['content-type'] = 'text/plain;charset=UTF-8';
  }

  const fields = ['content-digest', 'content-type', 'content-encoding'].filter((name) => has(headers, name));
  const components = ['@method', '@authority', '@path', '@query', ...fields].map((name) => `"${name}"`).join(' ');
  const nonce = crypto.randomBytes(16).toString('base64url');
  const keyid = keyId === undefined ? '' : `;keyid="${keyId.replace(/["\\]/g, '\\$&')}"`;
  const input = `(${components});created=${now};nonce="${nonce}"${keyid}`;
  const message = { method: method.toUpperCase(), authority: url.host, path: url.pathname, query: url.search.slice(1), headers };
  const base = signatureBase(message, readInput(input));
  headers['signature-input'] = `sig1=${input}`;
  headers.signature = `sig1=:${macOf(await secretOf(secretName), base).toString('base64')}:`;
  // `fetch` refuses a body of a GET, be it empty. `manual`: a redirect would show the signature to somebody else.
  const init = { ...otherOptions, method: message.method, headers, redirect: 'manual', ...(body && { body }) };
  return { url: url.href, init };
}

function parsedUrl(text) {
  try {
    return new URL(text);
  } catch {
    throw new TypeError('the endpoint is not a URL: it begins with https:// and the domain');
  }
}

/** The UTF-8 bytes of a secret. An empty or short one is never used as a key. */
async function secretOf(name) {
  let text;
  try {
    text = await getSecret(name);
  } catch (cause) {
    throw new AuthError('secret_unavailable', `${shown(name)} cannot be read from the Secrets Manager`, cause);
  }
  if (typeof text !== 'string') throw new AuthError('secret_unavailable', `${shown(name)} is not set in the Secrets Manager`);
  const secret = Buffer.from(text, 'utf8');
  if (secret.length < MIN_SECRET_LEN) {
    throw new AuthError('secret_unavailable', `${shown(name)} has ${secret.length} bytes, at least ${MIN_SECRET_LEN} are needed`);
  }
  return secret;
}

const unixSeconds = () => Math.floor(Date.now() / 1000);
