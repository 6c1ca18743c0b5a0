// Authenticates HTTP requests between a Wix site and other servers with a shared secret: RFC 9421 with hmac-sha256, and RFC 9530.
//
// A host site calls `validateAuth` first thing in each HTTP function; a consumer site calls `invoke` instead of `fetch`. The
// other side is a Wix site with these files, a server with the Rust crate `hmac-auth`, or any other RFC 9421 client or server.
// Read it top down: the two functions, the checks of a host in their order, how a consumer signs.

import crypto from 'crypto';
import { fetch } from 'wix-fetch';
import { getSecret } from 'wix-secrets-backend';
import {
  AuthError, digestsOf, escaped, fieldOf, fieldsOf, fingerprintOf, has, isFieldName, macOf, matches, MAX_FIELD_LEN, messageOf,
  normalAuthority, readAsked, readInput, readInputs, readSignatures, shownAuthority, signatureBase,
} from 'backend/http-signature.js';
import { checkResponse, ResponseError, signedHeaders } from 'backend/signed-response.js';

export { AuthError, ResponseError };

const DEFAULT_SECRET_NAME = 'hmac-authentication-secret-key';
const DEFAULT_MAX_TIME_DIFF = 60_000; // milliseconds
const MAX_CLOCK_SKEW = 10; // seconds that the clock of a consumer may run ahead
const MIN_SECRET_LEN = 16; // bytes
const MAX_COMPONENTS = 32; // of one signature
/** What each request has beyond what `invoke` covers anyway. */
const FURTHER_COMPONENTS = ['@target-uri', '@scheme', '@request-target'];
const MAX_SECRETS = 4; // the current one and three previous ones
const MAX_CANDIDATES = 4; // signatures of one request that may be meant for this host
const MAX_REMEMBERED = 10_000; // signatures, in one process
const SECRET_LIFETIME = 5_000; // milliseconds for which a text of the Secrets Manager is used again

/**
 * Resolves if the request is signed with the secret, fresh, unchanged and, as far as can be known here, not sent before: to
 * nothing, and with `publicUrl` to the URL that was signed. Call it once for each request, before any other logic. The body stays
 * readable.
 *
 * @param {WixHttpFunctionRequest | Request} request of an HTTP function, or a standard one, as Astro endpoints get it
 * @param {object} [options]
 * @param {string | string[]} [options.secretName] in the Secrets Manager; several during a rotation, the current one first
 * @param {Record<string, string | string[]>} [options.keyIds] the consumers: key ids with names of secrets; replaces `secretName`
 * @param {boolean} [options.acceptSharedSecretNames] accepts one name for several key ids, each of which can then pass as another
 * @param {number} [options.maxTimeDiff] how old a signature may be, in milliseconds
 * @param {string[]} [options.authorities] the domains of this site. Without them, a request for any other host that has the same
 *   secret is accepted here too
 * @param {string[]} [options.requireIfPresent] fields that must be covered where the request has them, by their lower-case names:
 *   those that the handler trusts when they come
 * @param {boolean} [options.acceptUncoveredContentType] accepts a body whose `Content-Type` is not covered, so that anybody on the
 *   way can change it. For foreign clients that do not sign it
 * @param {(request: WixHttpFunctionRequest | Request) => string} [options.publicUrl] gives the URL that the consumer has called,
 *   where `request.url` is another one, such as `wixForwardedUrl`. What it reads must come from a proxy that overwrites it in each
 *   request. Then use the URL that `validateAuth` resolves to: nothing has validated `request.url`
 * @param {boolean} [options.ignoreHostHeader] takes the domain from `request.url` alone, should Wix put another name into `host`
 * @param {(id: string, until: Date) => boolean | Promise<boolean>} [options.onceOnly] stores `id` until then, and says true if it
 *   was not there. Default: the memory of this one process
 * @param {(base: string) => void} [options.debugSignatureBase] gets the text that should have been signed when the signature is
 *   wrong: method, URL and headers as this site sees them, so do not leave it on
 * @returns {Promise<void | string>}
 * @throws {AuthError} whose `kind` and `message` are for the operator's log, and `status` for the answer
 * @throws {TypeError} if the options cannot be used: nobody could be accepted, so let it stop the function
 */
export async function validateAuth(request, options) {
  const now = unixSeconds();
  const host = checkedOptions(options);
  const message = host.publicUrl ? await publicMessage(request, host.publicUrl) : messageOf(request);
  const candidates = candidatesOf(message, host, now);
  checkAuthority(message, host);
  const proven = await provenSignature(candidates, message, host);
  await checkBody(request, proven);
  await checkReplay(proven, host);
  validated.set(request, proven);
  if (host.publicUrl) return message.url;
}

/** What is known of each validated request, to sign the response. */
const validated = new WeakMap();

/**
 * Signs the answer to a request that `validateAuth` has accepted: for `response` of `wix-http-functions`. Call it last, and change
 * nothing afterwards. There is no way to sign a refusal. The answer to a request without a nonce stays unsigned.
 *
 * @param {WixHttpFunctionRequest | Request} request the very object that `validateAuth` got
 * @param {object} answer
 * @param {number} answer.status
 * @param {Record<string, string>} [answer.headers]
 * @param {string | Buffer | object} [answer.body] an object becomes JSON, and its text is what is sent
 * @returns {{ status: number, headers: Record<string, string>, body: string | Buffer }}
 * @throws {TypeError} if the request was not validated, or the answer cannot be signed
 */
export function signResponse(request, { status, headers = {}, body = '' }) {
  const proven = validated.get(request);
  if (!proven) throw new TypeError('only the answer to a request that `validateAuth` has accepted can be signed');
  const sent = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const lower = {};
  for (const [name, value] of Object.entries(headers)) lower[name.toLowerCase()] = String(value).trim();
  // What Wix would set after signing.
  if (sent.length > 0 && !has(lower, 'content-type')) {
    const ofBytes = typeof body === 'string' ? 'text/plain;charset=UTF-8' : 'application/octet-stream';
    lower['content-type'] = sent === body ? ofBytes : 'application/json';
  }
  const { base, secret } = proven;
  const added = signedHeaders({ status, headers: lower, body: Buffer.from(sent) }, { base, secret, input: proven }, unixSeconds());
  return { status, headers: { ...lower, ...added }, body: sent };
}

/**
 * The URL that a consumer has called, where Wix runs the code behind its own proxy: for the option `publicUrl`, and only there. In
 * other places, a caller can write this field.
 */
export function wixForwardedUrl({ headers }) {
  const value = fieldOf(fieldsOf(headers), 'x-wix-forwarded-url');
  // Two values would be joined by a comma, and two readers could take different ones.
  return value !== undefined && !/\s|,https?:/i.test(value) ? value : undefined;
}

/**
 * The answer to a refused request, for `response` of `wix-http-functions`. It is that of Wix's own example, `badRequest` with one
 * body, whatever was wrong: a caller that learns the reason learns what to try next.
 *
 * @param {AuthError} error
 * @param {object} [options] those of `validateAuth`: the answer names what a consumer has to cover, the same for all requests
 */
export function refusalOf({ status }, options) {
  // A shared cache must not keep a refusal.
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  if (status === 503) return { status, headers: { ...headers, 'Retry-After': '5' }, body: { error: 'Authentication unavailable' } };
  if (status === 400) return { status, headers, body: { error: 'Incomplete body' } };
  const asked = new Set(['@method', '@authority', '@path', '@query', 'content-digest', ...(options?.requireIfPresent ?? [])]);
  const hint = `sig1=(${[...asked].map((name) => `"${name}"`).join(' ')});created;alg="hmac-sha256"`;
  return { status: 400, headers: { ...headers, 'Accept-Signature': hint }, body: { error: 'Invalid authentication token' } };
}

/**
 * Signs a request, sends it and resolves to the response, without following redirects: a signature is for one URL.
 *
 * @param {string} endpointUrl
 * @param {WixFetchRequest} [fetchOptions]
 * @param {object} [options]
 * @param {string} [options.secretName] in the Secrets Manager
 * @param {string} [options.keyId] under which the host knows this consumer
 * @param {string[]} [options.authorities] the only hosts to sign for, where the URL comes from outside
 * @param {boolean} [options.requireSignedResponse] resolves only to the host's signed answer to this very request, whose body it
 *   has read and checked
 * @param {number} [options.maxTimeDiff] how old the signature of a response may be, in milliseconds
 * @param {string[]} [options.coverInResponse] further fields, such as `etag`, that the signature of a response must cover where it
 *   has them. The request asks the host for that with `Accept-Signature`, in place of such a header that it already has
 * @param {boolean} [options.retryAsAsked] signs and sends once more if an unsigned refusal asks with `Accept-Signature` for fields
 *   or other components of the request that were not covered, all without parameters. Somebody on the way can write such a refusal
 *   although the host has acted: only for what may happen twice
 * @returns {Promise<WixFetchResponse>}
 * @throws {ResponseError} if the response must be signed and is not the host's. A host signs no refusal, so its refusals are such
 *   an error too, with the kind `unsigned_refusal` and a `status` that nobody has proven
 */
export async function invoke(endpointUrl, fetchOptions, options) {
  const given = fetchOptions ?? {};
  let signed = await sign(endpointUrl, given, options, unixSeconds());
  let response = await fetch(signed.url, signed.init);
  const asked = signed.retryAsAsked ? askedBy(response, signed) : [];
  if (asked.length > 0) {
    signed = await sign(endpointUrl, given, options, unixSeconds(), asked);
    response = await fetch(signed.url, signed.init);
  }
  return signed.sent ? validatedResponse(response, signed.sent) : response;
}

/** What the request has, a refusal asks for, and was not covered. Nobody has signed the refusal, so it can only add something. */
function askedBy({ status, headers }, { init, covered, keyId }) {
  const fields = fieldsOf(headers);
  // A Wix site refuses with 400.
  if ((status !== 400 && status !== 401) || fieldOf(fields, 'signature') !== undefined) return [];
  const isMeant = (parameters) => Object.entries({ alg: 'hmac-sha256', keyid: keyId, tag: undefined })
    .every(([name, ours]) => parameters.get(name)?.type !== 'string' || parameters.get(name).value === ours);
  const isOfRequest = (name) => isFieldName(name) && has(init.headers, name) && isPrintable(init.headers[name])
    && !/^signature(-input)?$/.test(name);
  const isToAdd = (name) => !covered.includes(name) && (FURTHER_COMPONENTS.includes(name) || isOfRequest(name));
  try {
    const asked = [...new Set(readAsked(fields, isMeant))].filter(isToAdd);
    return covered.length + asked.length <= MAX_COMPONENTS ? asked : [];
  } catch {
    return [];
  }
}

/** The response with its body, once both are checked. */
async function validatedResponse(response, { maxAge, cover, ...request }) {
  const now = unixSeconds();
  const { status, statusText, url } = response;
  const headers = fieldsOf(response.headers);
  const bytes = Buffer.from(await (response.arrayBuffer ? response.arrayBuffer() : response.buffer()));
  checkResponse({ status, headers, body: bytes }, request, { maxAge, now, cover });
  const text = async () => bytes.toString('utf8');
  const buffer = async () => Buffer.from(bytes);
  const json = async () => JSON.parse(await text());
  return { ok: status >= 200 && status < 300, status, statusText, url, headers: response.headers, text, buffer, json };
}

/** The request as the consumer has sent it, and where its URL comes from. */
async function publicMessage(request, publicUrl) {
  const url = await publicUrl(request);
  if (typeof url !== 'string') throw new AuthError('misconfigured', '`publicUrl` gives no URL for this request');
  return messageOf({ method: request.method, url, headers: request.headers }, '`publicUrl`');
}

/** The first signature with a right MAC. */
async function provenSignature({ candidates, meant }, message, host) {
  let refusal;
  // A peer must not make this site ask for a secret, nor fail to get it, more than once.
  const secrets = new Map();
  const secretNamed = (name) => secrets.get(name) ?? secrets.set(name, recentSecret(name)).get(name);
  for (const candidate of candidates) {
    try {
      const text = await checkMac(candidate, message, host, meant, secretNamed);
      return { ...candidate, ...text, digests: digestsOf(message.headers) };
    } catch (error) {
      // Another signature of the request may be the right one.
      refusal = furthest(refusal, error);
    }
  }
  throw refusal;
}

/** Of two refusals, the one that came further. */
function furthest(refusal, error) {
  if (!(error instanceof AuthError)) throw error;
  return refusal && refusal.stage >= error.stage ? refusal : error;
}

// A value that is no text would become one, such as `null`, and a check of that name checks nothing.
const isListOfTexts = (value) => Array.isArray(value) && value.every((item) => typeof item === 'string');
const A_LIST = [isListOfTexts, "a list of texts: ['…', '…']"];
const A_FUNCTION = [(value) => typeof value === 'function', 'a function'];
const A_BOOLEAN = [(value) => typeof value === 'boolean', 'true or false'];
const A_RECORD = [(value) => typeof value === 'object' && !Array.isArray(value), "an object: { 'key-id': 'name-of-its-secret' }"];
const A_TEXT = [(value) => typeof value === 'string' && value !== '' && isPrintable(value), 'a text in printable ASCII'];

const OPTIONS_OF_HOST = {
  secretName: [(value) => typeof value === 'string' || Array.isArray(value), 'a name, or a list of names'],
  keyIds: A_RECORD,
  acceptSharedSecretNames: A_BOOLEAN,
  maxTimeDiff: [(value) => Number.isFinite(value) && value >= 0, 'a number of milliseconds'],
  authorities: A_LIST,
  requireIfPresent: A_LIST,
  acceptUncoveredContentType: A_BOOLEAN,
  publicUrl: A_FUNCTION,
  ignoreHostHeader: A_BOOLEAN,
  onceOnly: A_FUNCTION,
  debugSignatureBase: A_FUNCTION,
};

const A_DURATION = [(value) => Number.isFinite(value) && value >= 0, 'a number of milliseconds'];
const OPTIONS_OF_CONSUMER = {
  secretName: A_TEXT, keyId: A_TEXT, authorities: A_LIST, requireSignedResponse: A_BOOLEAN, maxTimeDiff: A_DURATION,
  coverInResponse: A_LIST, retryAsAsked: A_BOOLEAN,
};

/** Options that only narrow what is accepted: one of them without a value would leave its check out. */
const PROTECTING = ['keyIds', 'authorities', 'requireIfPresent', 'onceOnly', 'requireSignedResponse', 'coverInResponse'];

/**
 * The options that have a value. A misspelt one would switch its check off, so it is an error.
 *
 * It is the error of whoever writes the call, and no refusal: it says so at the first call, instead of answering 503 to everybody.
 */
function withValues(options, known) {
  const given = {};
  if (typeof (options ?? {}) !== 'object' || Array.isArray(options)) throw new TypeError('the options are not an object');
  for (const [name, value] of Object.entries(options ?? {})) {
    // The documentation of Wix's package has both.
    const better = name === 'validTimeDiff' ? 'it is called `maxTimeDiff`' : `only ${Object.keys(known).join(', ')}`;
    if (!has(known, name)) throw new TypeError(`there is no option \`${escaped(name)}\`: ${better}`);
    const isAbsent = value === undefined || value === null;
    if (isAbsent && PROTECTING.includes(name)) throw new TypeError(`\`${name}\` has no value: give it one, or leave it out`);
    if (isAbsent) continue;
    const [isRight, expected] = known[name];
    if (!isRight(value)) throw new TypeError(`\`${name}\` is ${expected}`);
    given[name] = value;
  }
  return given;
}

function checkedOptions(given) {
  const options = withValues(given, OPTIONS_OF_HOST);
  const misconfigured = (problem) => new TypeError(problem);
  const { secretName = DEFAULT_SECRET_NAME, keyIds, maxTimeDiff = DEFAULT_MAX_TIME_DIFF, authorities } = options;
  const namesOf = (value) => {
    const names = [].concat(value);
    const usable = names.length > 0 && names.length <= MAX_SECRETS && names.every((name) => typeof name === 'string' && name);
    if (!usable) throw misconfigured(`a secret has a name, or 1 to ${MAX_SECRETS} in an array`);
    return names;
  };
  const authorityOf = (text) => {
    const authority = normalAuthority(text);
    if (!authority) throw misconfigured(`the authority ${shownAuthority(text)} is not \`host\` or \`host:port\``);
    return authority;
  };
  const consumers = keyIds && new Map(Object.entries(keyIds).map(([keyId, names]) => [keyId, namesOf(names)]));
  if (consumers && consumers.size === 0) throw misconfigured('`keyIds` is empty: nobody could be accepted');
  const owners = new Map();
  for (const [keyId, names] of consumers ?? []) {
    if (!isPrintable(keyId)) throw misconfigured(`the key id \`${escaped(keyId)}\` is not printable ASCII`);
    if (keyId.length > MAX_FIELD_LEN) throw misconfigured(`the key id \`${escaped(keyId)}\` is longer than a field can be`);
    for (const name of names) {
      const owner = owners.get(name) ?? keyId;
      if (owner !== keyId && !options.acceptSharedSecretNames) {
        const both = `the key ids \`${escaped(owner)}\` and \`${escaped(keyId)}\` have one secret, \`${escaped(name)}\``;
        throw misconfigured(`${both}: give each its own, or set \`acceptSharedSecretNames\``);
      }
      owners.set(name, owner);
    }
  }
  const requiredIfPresent = options.requireIfPresent ?? [];
  const unusable = requiredIfPresent.find((name) => !isFieldName(name));
  if (unusable !== undefined) {
    throw misconfigured(`\`${escaped(unusable)}\` cannot be required if present: name a lower-case field`);
  }
  const listed = authorities && authorities.map(authorityOf);
  if (listed && listed.length === 0) throw misconfigured('`authorities` is empty: no request could be accepted');
  const maxAge = Math.ceil(maxTimeDiff / 1000);
  return { ...options, secretNames: namesOf(secretName), consumers, listed, requiredIfPresent, maxAge };
}

/**
 * The signatures that may be meant for this host: by key id and algorithm, never by label. Those of others are read over. Each
 * candidate has passed all checks that need no secret; `meant` counts those too that have not.
 */
function candidatesOf(message, host, now) {
  let signatures = new Map();
  let malformed;
  try {
    signatures = readSignatures(message.headers);
  } catch (error) {
    // Counts only if `Signature-Input` has no error.
    malformed = error;
  }
  const candidates = [];
  let meant = 0;
  let refusal;
  let notMeant;
  let readOver;
  let unpaired;
  const labels = new Set();
  for (const [label, input] of readInputs(message.headers)) {
    labels.add(label);
    const signature = signatures.get(label);
    if (!signature) {
      unpaired = label;
      continue;
    }
    if (input.problem) {
      readOver = { label, problem: input.problem };
      continue;
    }
    const { keyid, alg = 'hmac-sha256' } = input.values;
    const secretNames = host.consumers ? host.consumers.get(keyid) : host.secretNames;
    if (!secretNames || alg !== 'hmac-sha256') {
      notMeant = secretNames ? ['unsupported_algorithm', 'alg', alg] : ['unknown_key_id', 'keyid', keyid];
      continue;
    }
    if (input.flaw) {
      refusal = furthest(refusal, new AuthError('malformed_signature_input', input.flaw));
      continue;
    }
    meant += 1;
    if (meant > MAX_CANDIDATES) throw new AuthError('too_many_candidates');
    try {
      checkForm(signature);
      const uncovered = checkCoverage(input, message, host);
      checkFreshness(input, host, now);
      candidates.push({ ...input, signature, secretNames, uncovered });
    } catch (error) {
      refusal = furthest(refusal, error);
    }
  }
  if (malformed) throw malformed;
  const [lone, loneSignature] = [...signatures].find(([label]) => !labels.has(label)) ?? [];
  if (loneSignature?.problem) throw new AuthError('malformed_signature', loneSignature.problem);
  if ((unpaired ?? lone) !== undefined) throw new AuthError('unpaired_label', escaped(unpaired ?? lone));
  if (candidates.length > 0) return { candidates, meant };
  if (refusal) throw refusal;
  if (notMeant) {
    const [kind, parameter, value] = notMeant;
    const more = readOver ? `; the signature \`${escaped(readOver.label)}\` is malformed: ${readOver.problem}` : '';
    throw new AuthError(kind, `${parameter} ${value === undefined ? 'is absent' : `"${escaped(value)}"`}${more}`);
  }
  throw readOver ? new AuthError('malformed_signature_input', readOver.problem) : new AuthError('missing_signature');
}

/** `timingSafeEqual` needs equal lengths, and a parameter of the signature itself is not signed. */
function checkForm({ bytes, parameters, problem }) {
  if (problem) throw new AuthError('malformed_signature', problem);
  if (bytes.length !== 32 || parameters.size > 0) {
    throw new AuthError('malformed_signature', 'the signature is not 32 bytes without parameters');
  }
}

/**
 * Everything that is present must be covered, by a component without parameters. Returns what else must be if there is a body: the
 * fields that say what it means.
 */
function checkCoverage({ covered }, { query, headers }, { requiredIfPresent, acceptUncoveredContentType }) {
  const alternatives = { '@method': [], '@authority': ['@target-uri'], '@path': ['@target-uri', '@request-target'] };
  if (query) alternatives['@query'] = ['@target-uri', '@request-target'];
  for (const [name, others] of Object.entries(alternatives)) {
    if (![name, ...others].some((component) => covered.has(component))) throw new AuthError('not_covered', name);
  }
  const isOpen = (name) => fieldOf(headers, name) !== undefined && !covered.has(name);
  const open = requiredIfPresent.find(isOpen);
  if (open) throw new AuthError('not_covered', open);
  const [uncovered] = [...(acceptUncoveredContentType ? [] : ['content-type']), 'content-encoding'].filter(isOpen);
  // Without a digest, the body itself is refused, whatever it means.
  const hasBody = /[1-9]/.test(fieldOf(headers, 'content-length') ?? '');
  if (uncovered && covered.has('content-digest') && hasBody) throw new AuthError('not_covered', uncovered);
  return uncovered;
}

/** In whole seconds of at most 15 digits, which a number holds exactly. */
function checkFreshness({ values: { created, expires } }, { maxAge }, now) {
  if (created === undefined) throw new AuthError('missing_created');
  if (now - created > maxAge) throw new AuthError('stale', `${now - created} s old, ${maxAge} s allowed`);
  if (created - now > MAX_CLOCK_SKEW) {
    const isInMilliseconds = Math.abs(Math.trunc(created / 1000) - now) < 366 * 24 * 60 * 60;
    throw new AuthError('in_future', isInMilliseconds
      ? `\`created\` is ${created}, which seems to be in milliseconds: the consumer must count in seconds`
      : `compare the clocks: ${created - now} s ahead, ${MAX_CLOCK_SKEW} s allowed`);
  }
  if (expires < now) throw new AuthError('expired', `${now - expires} s ago`);
}

function checkAuthority({ authority, received, place, headers }, { listed, ignoreHostHeader, publicUrl }) {
  if (!authority) throw new AuthError('invalid_authority', `${shownAuthority(received)} in ${place}`);
  const field = ignoreHostHeader || publicUrl ? undefined : fieldOf(headers, 'host');
  if (field !== undefined && normalAuthority(field) !== authority) {
    if (!normalAuthority(field)) throw new AuthError('invalid_authority', `${shownAuthority(field)} in the \`host\` header`);
    throw new AuthError('conflicting_authority', `"${escaped(authority)}" and "${escaped(field)}"; see \`ignoreHostHeader\``);
  }
  if (listed && !listed.includes(authority)) {
    const some = listed.slice(0, 3).map(escaped).join(', ') + (listed.length > 3 ? ', …' : '');
    throw new AuthError('unlisted_authority', `${escaped(authority)}, listed: ${some}`);
  }
}

async function checkMac(candidate, message, { debugSignatureBase }, meant, secretNamed) {
  let base;
  const fingerprints = [];
  for (const name of candidate.secretNames) {
    const secret = await secretNamed(name);
    fingerprints.push(fingerprintOf(secret));
    base = base ?? signatureBase(message, candidate, meant);
    if (crypto.timingSafeEqual(macOf(secret, base), candidate.signature.bytes)) return { base, secret };
  }
  debugSignatureBase?.(base);
  const { method, authority, path, query } = message;
  const seen = `seen here: ${[method, authority, path].map(escaped).join(' ')}`;
  const hidden = query && ` with a query of ${Buffer.byteLength(query)} bytes, which a proxy may have re-encoded or reordered`;
  throw new AuthError('wrong_mac', `secrets tried, by their fingerprints: ${fingerprints.join(', ')}; ${seen}${hidden || ''}`);
}

/** With a digest for each byte of the body. Even one that is not covered is checked: a wrong digest is never passed on. */
async function checkBody(request, { covered, uncovered, digests }) {
  const body = await readBody(request, digests || covered.has('content-digest'));
  if (body.length > 0 && !covered.has('content-digest')) throw new AuthError('body_not_covered');
  if (body.length > 0 && uncovered) throw new AuthError('not_covered', uncovered);
  if (digests && !matches(digests, body)) throw new AuthError('wrong_digest');
}

/** Reads the body once and leaves the very bytes that were checked to the handler. */
async function readBody(request, hasDigest) {
  // A standard request: its copy is read, so that the handler can still read the request.
  const isStandard = typeof request.arrayBuffer === 'function';
  if (isStandard && request.bodyUsed) throw new AuthError('body_unreadable', 'it was read before: call `validateAuth` first');
  let bytes;
  try {
    bytes = Buffer.from((await (isStandard ? request.clone().arrayBuffer() : request.body?.buffer())) ?? []);
  } catch (cause) {
    // Where there is no body, Wix may have nothing that can be read.
    const headers = fieldsOf(request.headers);
    const isAnnounced = ['content-length', 'transfer-encoding'].some((name) => fieldOf(headers, name) !== undefined);
    const mayHaveNone = /^(GET|HEAD|DELETE|OPTIONS)$/.test(request.method) && !isAnnounced && !hasDigest;
    if (!mayHaveNone) throw new AuthError('body_unreadable', undefined, cause);
    bytes = Buffer.alloc(0);
  }
  if (isStandard) return bytes;
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
  if (isNew === true) return;
  throw new AuthError('replayed', isNew === false ? undefined : '`onceOnly` gave neither true nor false');
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

/** The URL and the options for `fetch`: all is signed as it will be sent. `asked` are further fields to cover. */
async function sign(endpointUrl, fetchOptions, options, now, asked = []) {
  const given = withValues(options, OPTIONS_OF_CONSUMER);
  const { secretName = DEFAULT_SECRET_NAME, keyId, authorities, maxTimeDiff = DEFAULT_MAX_TIME_DIFF, coverInResponse } = given;
  if (coverInResponse) checkFieldsOfResponse(given);
  const { method: givenMethod, headers: fields, body: givenBody, ...otherOptions } = fetchOptions;
  const [method, givenHeaders, body] = [givenMethod ?? 'GET', fields ?? {}, givenBody ?? ''];
  if (typeof body !== 'string') throw new TypeError('the body is not a string: JSON.stringify it, for example');

  const url = parsedUrl(endpointUrl);
  // What stands before the colon may be the name of a user.
  const protocol = url.host ? url.protocol : 'this';
  if (!/^https?:$/.test(url.protocol)) throw new TypeError(`${protocol} cannot be signed: the URL begins with https:`);
  if (url.username || url.password) throw new TypeError('the URL has user information, which no host accepts: remove it');
  url.hash = '';
  if (authorities) checkAuthorityOf(url, authorities);

  const headers = {};
  const pairs = typeof givenHeaders[Symbol.iterator] === 'function' ? givenHeaders : Object.entries(givenHeaders);
  for (const [givenName, value] of pairs) {
    const name = givenName.toLowerCase();
    if (has(headers, name)) throw new TypeError(`the header "${escaped(name)}" is given twice: join its values`);
    if (/^signature(-input)?$/.test(name)) throw new TypeError(`the header ${name} is set by invoke: remove it`);
    headers[name] = String(value).trim();
  }
  // The digest of a response is that of its compressed body, which `fetch` would not show.
  if (given.requireSignedResponse && !has(headers, 'accept-encoding')) headers['accept-encoding'] = 'identity';
  if (coverInResponse) {
    // A host follows only what is signed.
    headers['accept-signature'] = `sig1=(${['@status', ...coverInResponse].map((name) => `"${name}"`).join(' ')})`;
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

  const fieldsOfBody = ['content-digest', 'content-type', 'content-encoding'].filter((name) => has(headers, name));
  const further = [...(coverInResponse ? ['accept-signature'] : []), ...asked];
  const covered = ['@method', '@authority', '@path', '@query', ...fieldsOfBody, ...further];
  const components = covered.map((name) => `"${name}"`).join(' ');
  // Old versions of Node do not know `base64url`.
  const nonce = crypto.randomBytes(16).toString('base64').replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  const keyid = keyId === undefined ? '' : `;keyid="${keyId.replace(/["\\]/g, '\\$&')}"`;
  const input = `(${components});created=${now};nonce="${nonce}"${keyid}`;
  const query = url.href.includes('?') ? url.search.slice(1) : undefined;
  const scheme = url.protocol.slice(0, -1);
  const message = { method: method.toUpperCase(), scheme, authority: url.host, path: url.pathname, query, headers };
  const read = readInput(input);
  const base = signatureBase(message, read);
  headers['signature-input'] = `sig1=${input}`;
  if (headers['signature-input'].length > MAX_FIELD_LEN) {
    throw new TypeError('the `Signature-Input` would have more than 8 KiB: shorten the key id');
  }
  const secret = await secretOf(secretName);
  headers.signature = `sig1=:${macOf(secret, base).toString('base64')}:`;
  // `fetch` refuses a body of a GET, be it empty. `manual`: a redirect would show the signature to somebody else.
  const init = { ...otherOptions, method: message.method, headers, redirect: 'manual', ...(body && { body }) };
  const maxAge = Math.ceil(maxTimeDiff / 1000);
  const sent = given.requireSignedResponse && { base, input: read, secret, maxAge, cover: coverInResponse };
  return { url: url.href, init, sent, covered, keyId, retryAsAsked: given.retryAsAsked };
}

function checkFieldsOfResponse({ coverInResponse: fields, requireSignedResponse }) {
  const isRight = (name) => isFieldName(name) && !/^signature(-input)?$/.test(name);
  const isUsable = fields.length > 0 && fields.length <= 16 && fields.every(isRight) && new Set(fields).size === fields.length;
  if (!isUsable) throw new TypeError('`coverInResponse` lists 1 to 16 fields by their lower-case names, each once');
  if (!requireSignedResponse) throw new TypeError('`coverInResponse` needs `requireSignedResponse: true`');
}

/** A URL from outside must not make this site sign for somebody else's host. */
function checkAuthorityOf({ host, protocol }, authorities) {
  const defaultPort = protocol === 'http:' ? '80' : '443';
  const listed = authorities.map((text) => normalAuthority(text, defaultPort));
  if (listed.length === 0 || !listed.every(Boolean)) throw new TypeError('`authorities` is not a list of `host` or `host:port`');
  if (!listed.includes(host)) {
    throw new TypeError(`no signature for \`${escaped(host)}\`: \`authorities\` does not list it, so the URL is not one to call`);
  }
}

function parsedUrl(text) {
  try {
    return new URL(text);
  } catch {
    throw new TypeError('the endpoint is not a URL: it begins with https:// and the domain');
  }
}

/**
 * What nobody puts into a secret on purpose, and the remedy. The text of the Secrets Manager is the key as it is: nothing is cut
 * off, so a line break at its end, which the files of the crate may have, is an error too.
 */
const ACCIDENTS = [
  [/\ufeff/, 'has a byte order mark (BOM): store it without one'],
  [/[\r\n]+$/, 'ends with a line break: remove it'],
  [/[\r\n]/, 'has several lines or a carriage return: write it in one line'],
  [/^["'`\u2018-\u201f\xab\xbb]|["'`\u2018-\u201f\xab\xbb]$/, 'begins or ends with a quotation mark: remove it'],
  [/^\s|\s$/, 'begins or ends with a blank or a tab: remove it'],
  [/[\0-\x1f\x7f-\x9f]/, 'has a control character: remove it'],
  [/[\xad\u200b-\u200f\u2028-\u202e\u2060-\u2069]/, 'has an invisible character: type it anew'],
  [/\ufffd/, 'has a replacement character (U+FFFD): take it from its source again'],
];

const recentSecrets = new Map();

/**
 * The secret, looked up once in a short time: a peer that sends junk must not make this site ask the Secrets Manager each time. A
 * failed look-up is not kept.
 */
function recentSecret(name) {
  const recent = recentSecrets.get(name);
  if (recent && Math.abs(Date.now() - recent.time) < SECRET_LIFETIME) return recent.secret;
  const looked = { time: Date.now(), secret: secretOf(name) };
  recentSecrets.set(name, looked);
  looked.secret.catch(() => recentSecrets.get(name) === looked && recentSecrets.delete(name));
  return looked.secret;
}

/** The UTF-8 bytes of a secret. An empty or short one is never used as a key, nor one that was pasted wrongly. */
async function secretOf(name) {
  const unavailable = (detail, cause) => new AuthError('secret_unavailable', `"${escaped(name)}" ${detail}`, cause);
  let text;
  try {
    text = await getSecret(name);
  } catch (cause) {
    throw unavailable('cannot be read from the Secrets Manager', cause);
  }
  if (typeof text !== 'string') throw unavailable('is not set in the Secrets Manager');
  const accident = ACCIDENTS.find(([pattern]) => pattern.test(text));
  if (accident) throw unavailable(`${accident[1]} in the Secrets Manager`);
  const secret = Buffer.from(text, 'utf8');
  if (secret.length < MIN_SECRET_LEN) throw unavailable(`has ${secret.length} bytes, at least ${MIN_SECRET_LEN} are needed`);
  return secret;
}

const isPrintable = (text) => /^[ -~]*$/.test(text);
const unixSeconds = () => Math.floor(Date.now() / 1000);
