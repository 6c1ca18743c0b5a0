// Signed responses (RFC 9421 section 2.4), for hmac-auth.js: a host signs its answer to a validated request, and a consumer
// validates it. Pure functions, which know neither Wix nor where a secret comes from.
//
// Both sides know the request by `{ base, input, secret }`: the text that was signed, what it covers, and the secret. So the
// signature of a response covers copies of all that the signature of the request covers.

import crypto from 'crypto';
import {
  AuthError, digestsOf, escaped, fieldOf, isFieldName, macOf, matches, MAX_FIELD_LEN, readAsked, readInput, readInputs,
  readSignatures,
} from 'backend/http-signature.js';

const LABEL = 'sig1';
const MAX_COMPONENTS = 32;
const MAX_BASE_LEN = 4 * MAX_FIELD_LEN;
const MAX_CLOCK_SKEW = 10; // seconds that the clock of a host may run ahead

/** What a signature covers where the response has it, after the status. */
const FIELDS = ['content-digest', 'content-type', 'content-encoding', 'location'];

const SENTENCES = {
  unsigned: 'the response is not signed: somebody has replaced it, or the host does not sign',
  unsigned_refusal: 'the request was refused, by a response that nobody has signed',
  malformed_signature_input: 'the Signature-Input field is malformed',
  malformed_signature: 'the Signature field is malformed',
  unpaired_label: 'the label is not in both Signature-Input and Signature',
  wrong_label: 'no signature has the label that was asked for',
  unsupported_algorithm: 'the algorithm is not hmac-sha256',
  missing_nonce: 'the signature has no nonce, and may belong to another request',
  replayed: 'the response is an old one, and answers another request',
  other_request: 'the response answers another request: the answers were mixed up, or somebody has replayed a young one',
  wrong_key_id: 'the key id is not that of the request',
  wrong_tag: 'the tag is not that of the request',
  not_covered: 'a component is not covered: somebody has added it, or the host signs less',
  missing_created: 'the signature has no `created` time',
  stale: 'the signature is too old: the clocks differ, or the response took too long',
  in_future: 'the signature was made in the future',
  expired: 'the signature has expired',
  unsupported_component: 'a covered component is not supported',
  absent_component: 'a covered component is absent: somebody has removed it',
  not_ascii: 'the value of a covered component is not ASCII',
  too_large: 'the signature covers too much',
  wrong_status: 'the status is not the one that was signed',
  wrong_mac: 'the MAC is not that of this response: the secret is another one, or a field was changed',
  malformed_digest: 'the Content-Digest field is malformed',
  unsupported_digest: 'the Content-Digest field has neither sha-256 nor sha-512',
  body_not_covered: 'there is a body, but no covered Content-Digest',
  wrong_digest: 'the body is not the one that was signed',
};

/** Why a response was refused. `status` is the one that came: nothing proves it. */
export class ResponseError extends Error {
  constructor(kind, status, detail) {
    super(`${SENTENCES[kind]}: ${detail ? `${detail}; ` : ''}unproven status ${status}`);
    this.name = 'ResponseError';
    this.kind = kind;
    this.status = status;
  }
}

/**
 * The fields that sign a response, and the `content-digest` that it may need. `headers` has lower-case names, `body` is a Buffer.
 */
export function signedHeaders({ status, headers, body }, request, now) {
  const cannot = (why) => new TypeError(`the response cannot be signed: ${why}`);
  const { nonce, keyid, tag } = request.input.values;
  // Nothing else would tie the response to its request.
  if (nonce === undefined) return {};
  for (const name of ['signature', 'signature-input']) {
    if (fieldOf(headers, name) !== undefined) throw cannot(`it has the field ${name} already`);
  }
  const added = {};
  const digests = digestsOf(headers);
  if (!isWithoutContent(request, status)) {
    if (digests && !matches(digests, body)) throw cannot('its Content-Digest is not that of its body: leave it out');
    if (!digests && body.length > 0) {
      added['content-digest'] = `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`;
    }
  }
  const all = { ...headers, ...added };
  const asked = askedOf(request).filter((name) => !/^signature(-input)?$/.test(name));
  const fields = [...new Set([...FIELDS, ...asked])].filter((name) => fieldOf(all, name) !== undefined);
  const copies = request.input.components.map(({ identifier }) => `${identifier};req`);
  const components = ['"@status"', ...fields.map((name) => `"${name}"`), ...copies];
  if (components.length > MAX_COMPONENTS) throw cannot(`it has ${components.length} components, ${MAX_COMPONENTS} are accepted`);
  const text = (key, value) => (value === undefined ? '' : `;${key}="${value.replace(/["\\]/g, '\\$&')}"`);
  const parameters = `;created=${now}${text('nonce', nonce)}${text('keyid', keyid)}${text('tag', tag)}`;
  const input = `(${components.join(' ')})${parameters}`;
  const base = responseBase(status, all, request, readInput(input), (kind, detail) => {
    throw cannot(`${SENTENCES[kind]}: ${detail}`);
  });
  added['signature-input'] = `${LABEL}=${input}`;
  if (added['signature-input'].length > MAX_FIELD_LEN) throw cannot('its Signature-Input would have more than 8 KiB');
  added.signature = `${LABEL}=:${macOf(request.secret, base).toString('base64')}:`;
  return added;
}

/**
 * Throws a `ResponseError` unless the response is the signed answer to this request. `maxAge` and `now` are in seconds; `cover`
 * names further fields that must be covered where the response has them.
 */
export function checkResponse({ status, headers, body }, request, { maxAge, now, cover = [] }) {
  const refuse = (kind, detail) => {
    throw new ResponseError(kind, status, detail);
  };
  const input = signatureOf(headers, status, refuse);
  checkOrigin(input, request, refuse);
  checkCoverage(input, headers, request, [...FIELDS, ...cover], refuse);
  checkFreshness(input.values, { maxAge, now }, refuse);

  const base = responseBase(status, headers, request, input, refuse);
  const verifies = (text) => crypto.timingSafeEqual(macOf(request.secret, text), input.mac);
  if (!verifies(base)) {
    const signed = signedStatus(base, verifies);
    if (signed) refuse('wrong_status', `${signed} was signed`);
    refuse('wrong_mac');
  }

  const isWithout = isWithoutContent(request, status);
  const digests = isWithout ? undefined : withKind(refuse, () => digestsOf(headers));
  if (body.length > 0 && !digests) refuse('body_not_covered', isWithout && 'such a response has no content');
  if (digests && !matches(digests, body)) refuse('wrong_digest');
}

/** The signature with our label. */
function signatureOf(headers, status, refuse) {
  const isThere = (name) => fieldOf(headers, name) !== undefined;
  if (!isThere('signature-input') && !isThere('signature')) refuse(status >= 400 && status < 600 ? 'unsigned_refusal' : 'unsigned');
  const input = new Map(withKind(refuse, () => [...readInputs(headers)])).get(LABEL);
  const signature = withKind(refuse, () => readSignatures(headers)).get(LABEL);
  if (!input && !signature) refuse('wrong_label', `"${LABEL}"`);
  if (!input || !signature) refuse('unpaired_label');
  const problem = input.problem ?? input.flaw;
  if (problem) refuse('malformed_signature_input', problem);
  if (signature.problem || signature.bytes.length !== 32 || signature.parameters.size > 0) {
    refuse('malformed_signature', 'the signature is not 32 bytes without parameters');
  }
  return { ...input, mac: signature.bytes };
}

/** An error of the wire is one of the response. */
function withKind(refuse, read) {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    return refuse(error.kind, error.message);
  }
}

function checkOrigin({ values }, request, refuse) {
  const sent = request.input.values;
  const shown = (key) => (values[key] === undefined ? `${key} is absent` : `${key} "${escaped(values[key])}"`);
  if (values.alg !== undefined && values.alg !== 'hmac-sha256') refuse('unsupported_algorithm', shown('alg'));
  if (values.nonce === undefined) refuse('missing_nonce');
  if (values.nonce !== sent.nonce) {
    // The two clocks may differ.
    const isOlder = values.created !== undefined && values.created + MAX_CLOCK_SKEW < sent.created;
    refuse(isOlder ? 'replayed' : 'other_request');
  }
  if (values.keyid !== sent.keyid) refuse('wrong_key_id', shown('keyid'));
  if (values.tag !== sent.tag) refuse('wrong_tag', shown('tag'));
}

function checkCoverage({ components, covered }, headers, request, fields, refuse) {
  const required = ['@status', ...fields.filter((name) => fieldOf(headers, name) !== undefined)];
  const uncovered = required.find((name) => !covered.has(name));
  if (uncovered) refuse('not_covered', uncovered);
  const leftOut = request.input.components.find((original) => !components.some((component) => isCopy(component, original)));
  if (leftOut) refuse('not_covered', `${leftOut.identifier};req`);
}

function checkFreshness({ created, expires }, { maxAge, now }, refuse) {
  if (created === undefined) refuse('missing_created');
  if (now - created > maxAge) refuse('stale', `${now - created} s old, ${maxAge} s allowed`);
  if (created > now + MAX_CLOCK_SKEW) refuse('in_future', `${created - now} s ahead, ${MAX_CLOCK_SKEW} s allowed`);
  if (expires !== undefined && expires < now) refuse('expired', `${now - expires} s ago`);
}

/** The text that is signed. */
function responseBase(status, headers, request, { components, text }, refuse) {
  const lines = components.map((component) => {
    const value = valueOf(component, status, headers, request, (kind) => refuse(kind, component.identifier));
    if (!/^[\0-\t\v-\x7f]*$/.test(value)) refuse('not_ascii', component.identifier);
    return `${component.identifier}: ${value}\n`;
  });
  const base = `${lines.join('')}"@signature-params": ${text}`;
  if (base.length > MAX_BASE_LEN) refuse('too_large', '"@signature-params"');
  return base;
}

function valueOf(component, status, headers, request, refuse) {
  const { name, parameters } = component;
  if (isTrue(parameters.get('req'))) {
    const values = request.base.split('\n');
    const index = request.input.components.findIndex((original) => isCopy(component, original));
    if (index < 0) refuse('absent_component');
    return values[index].slice(request.input.components[index].identifier.length + ': '.length);
  }
  if (parameters.size > 0) refuse('unsupported_component');
  if (name === '@status') return String(status);
  if (!isFieldName(name)) refuse('unsupported_component');
  const value = fieldOf(headers, name);
  if (value === undefined) refuse('absent_component');
  if (value.length > MAX_FIELD_LEN) refuse('too_large');
  return value;
}

const isTrue = (parameter) => parameter?.type === 'boolean' && parameter.value;

/** Whether a component of a response is that of the request with the parameter `req`. */
function isCopy(component, original) {
  const others = ({ parameters }) =>
    [...parameters].filter(([key]) => key !== 'req').map(([key, { text }]) => `${key}=${text}`).sort().join(';');
  return component.name === original.name && isTrue(component.parameters.get('req')) && !original.parameters.has('req')
    && others(component) === others(original);
}

/** The fields that a consumer asks for, by an `Accept-Signature` that its signature covers: any other one is of nobody. */
function askedOf(request) {
  const index = request.input.components.findIndex(({ identifier }) => identifier === '"accept-signature"');
  if (index < 0) return [];
  const value = request.base.split('\n')[index].slice('"accept-signature": '.length);
  try {
    return readAsked({ 'accept-signature': value }).filter(isFieldName);
  } catch {
    return [];
  }
}

/** The usual status for which the signature would be right, if there is one. */
function signedStatus(base, verifies) {
  const MAX_LEN = 4 * 1024;
  if (base.length > MAX_LEN) return undefined;
  for (let status = 100; status < 512; status += 1) {
    if (verifies(base.replace(/^"@status": \d{3}$/m, `"@status": ${status}`))) return status;
  }
  return undefined;
}

/** Whether a response ends with its head. Its `content-digest`, if it has one, is then that of another response. */
function isWithoutContent(request, status) {
  const index = request.input.components.findIndex(({ identifier }) => identifier === '"@method"');
  const method = index < 0 ? '' : request.base.split('\n')[index].slice('"@method": '.length);
  return method === 'HEAD' || status < 200 || status === 204 || status === 304;
}
