// Does what the test says, one JSON object a line, and answers each with a line: { ok } or { error }.

import { createInterface } from 'node:readline';

import { become } from './site.mjs';
import { WixHttpFunctionRequest } from './stand_ins.mjs';

become(process.argv[2] ?? 'www.example.com');
let { invoke, refusalOf, signResponse, validateAuth, wixForwardedUrl } = await import('backend/hmac-auth.js');
const wire = await import('backend/http-signature.js');
const site = await import('backend/backend.web.js');

let processes = 0;
let pending;
let exchanged;
const realNow = Date.now;
const used = new Set();
const hooks = {
  neverUsed: () => true,
  truthy: () => 'yes',
  nothing: () => undefined,
  inSet: async (id, until) => { const isNew = !used.has(id); used.add(id); return isNew && until instanceof Date; },
  failing: () => { throw new Error('the collection is away'); },
};

/** What an Astro endpoint gets. */
function standardRequest({ method, url, headers }, body) {
  const lines = Object.entries(headers).flatMap(([name, value]) => [].concat(value).map((line) => [name, line]));
  return new Request(url, { method, headers: new Headers(lines), ...(body.length > 0 && { body }) });
}

const operations = {
  /** Accepts, or throws what `validateAuth` throws; then says what the handler reads. */
  async validate({ request, options, handler, how = {} }) {
    const given = options && { ...options };
    if (given?.onceOnly) given.onceOnly = hooks[given.onceOnly] ?? given.onceOnly;
    const seen = [];
    if (given?.debugSignatureBase) given.debugSignatureBase = (base) => seen.push(base);
    if (given?.publicUrl) given.publicUrl = { wixForwardedUrl, nothing: () => undefined }[given.publicUrl] ?? given.publicUrl;
    const body = Buffer.from(request.body ?? '', 'base64');
    const received = how.standard ? standardRequest(request, body) : new WixHttpFunctionRequest({ ...request, body, ...how });
    if (how.frozen) Object.freeze(received);
    if (how.readBefore) await received.text();
    let resolved;
    try {
      resolved = await validateAuth(received, how.nullOptions ? null : given);
    } catch (error) {
      throw Object.assign(error, { seen });
    }
    if (given?.publicUrl) return resolved;
    if (resolved !== undefined) throw new Error('it resolves to something');
    if (!handler) return true;
    if (how.standard) return { text: await received.text() };
    const { buffer, text, json } = received.body;
    return { buffer: (await buffer()).toString('base64'), text: await text(), json: await json().catch(() => null) };
  },

  /** How often the Secrets Manager was asked since the last time. */
  lookups() {
    const count = globalThis.secretLookups ?? 0;
    globalThis.secretLookups = 0;
    return count;
  },

  /** Signs and validates so many requests; says how many were accepted. */
  async fill({ count }) {
    const headers = {};
    globalThis.recordFetch = (url, init) => { Object.assign(headers, init.headers); };
    let accepted = 0;
    for (; accepted < count; accepted += 1) {
      await invoke('https://www.example.com/');
      await validateAuth({ method: 'GET', url: 'https://www.example.com/', headers });
    }
    delete globalThis.recordFetch;
    return accepted;
  },

  /** What `invoke` gives to `fetch`. */
  async sign({ url, fetchOptions, options }) {
    let call;
    globalThis.recordFetch = (...given) => { call = given; };
    await invoke(url, fetchOptions, options).finally(() => { delete globalThis.recordFetch; });
    return { url: call[0], init: call[1] };
  },

  /** What the caller of a refused request gets. */
  refusal: ({ status, options }) => refusalOf({ status }, options),

  /** Validates a request and signs this answer to it. */
  async answer({ request, options, answer, unproven }) {
    const received = new WixHttpFunctionRequest({ ...request, body: Buffer.from(request.body ?? '', 'base64') });
    if (!unproven) await validateAuth(received, options);
    return signResponse(received, answer);
  },

  /** Signs with `invoke`, gives the request to the test, and the test's response to `invoke`. */
  async exchange({ url, fetchOptions, options }) {
    let sent;
    globalThis.recordFetch = (url, init) => new Promise((resolve) => { pending = resolve; sent({ url, init }); });
    const asked = new Promise((resolve) => { sent = resolve; });
    exchanged = invoke(url, fetchOptions, options).finally(() => { delete globalThis.recordFetch; });
    exchanged.catch(() => {});
    return asked;
  },

  async answered({ status, headers, body }) {
    const bytes = Buffer.from(body ?? '', 'base64');
    const fields = new Headers(headers);
    pending({ status, statusText: '', url: '', headers: fields, arrayBuffer: async () => bytes });
    const response = await exchanged;
    return { ok: response.ok, status: response.status, text: await response.text() };
  },

  /** What `invoke` sends, one call after the other, to a host that gives these answers. */
  async calls({ url, fetchOptions, options, answers }) {
    const calls = [];
    globalThis.recordFetch = (url, init) => {
      const { status, headers } = answers[calls.push({ url, init }) - 1];
      return { status, statusText: '', url: '', headers: new Headers(headers), arrayBuffer: async () => Buffer.alloc(0) };
    };
    try {
      const response = await invoke(url, fetchOptions, options);
      return { calls, status: response.status };
    } finally {
      delete globalThis.recordFetch;
    }
  },

  async invoke({ url, fetchOptions, options }) {
    const response = await invoke(url, fetchOptions, options);
    return { status: response.status, text: await response.text() };
  },

  siteStats: () => site.siteStats(),
  sendSiteStats: ({ stats }) => site.sendSiteStats(stats),

  mac: ({ key, base }) => wire.macOf(Buffer.from(key, 'base64'), base).toString('base64'),

  /** The base of the first signature of a request, and the MAC of it. */
  base({ key, request }) {
    const [[, input]] = wire.readInputs(request.headers);
    const base = wire.signatureBase(wire.messageOf(request), input);
    return { base, mac: wire.macOf(Buffer.from(key, 'base64'), base).toString('base64') };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { operation, now, secrets, ...given } = JSON.parse(line);
  Date.now = now === undefined ? realNow : () => now * 1000 + 999;
  if (secrets) {
    process.env.VELO_SECRETS = JSON.stringify(secrets);
    // A new process of the site, which remembers no secret.
    processes += 1;
    ({ invoke, refusalOf, signResponse, validateAuth, wixForwardedUrl } = await import(`backend/hmac-auth.js?${processes}`));
  }
  let answer;
  try {
    answer = { ok: (await operations[operation](given)) ?? null };
  } catch (error) {
    const { name, kind, message, status, seen, cause } = error;
    answer = { error: { name, kind, message, status, seen, cause: cause && String(cause), stack: kind ? undefined : error.stack } };
  }
  console.log(JSON.stringify(answer));
}
