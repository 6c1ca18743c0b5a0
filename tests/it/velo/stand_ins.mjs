// What the backend of a Wix site gets from Wix, as far as it is documented and used here.

// wix-secrets-backend
export async function getSecret(name) {
  globalThis.secretLookups = (globalThis.secretLookups ?? 0) + 1;
  const secrets = JSON.parse(process.env.VELO_SECRETS ?? '{}');
  if (!Object.hasOwn(secrets, name)) throw new Error(`no secret found with name ${name}`);
  return secrets[name];
}

// wix-fetch, whose calls can be recorded instead of sent
export async function fetch(url, options) {
  return globalThis.recordFetch ? globalThis.recordFetch(url, options) : globalThis.fetch(url, options);
}

// wix-http-functions
export const response = ({ status, headers = {}, body }) => ({ status, headers, body });
export const ok = (options) => response({ ...options, status: 200 });
export const badRequest = (options) => response({ ...options, status: 400 });

// wix-web-module
export const Permissions = { Admin: 'Admin' };
export const webMethod = (permission, method) => method;

/** A WixHttpFunctionRequest: its properties are getters of a class, and its body can be read once. */
export class WixHttpFunctionRequest {
  #parts;

  constructor({ method, url, headers, body = '', functionName = '', slow = 0, broken = false, bodiless = false }) {
    let unread = true;
    const read = async () => {
      if (!unread) throw new Error('the body was read before');
      if (broken) throw new Error('the peer has gone away');
      unread = false;
      const now = Date.now();
      if (slow > 0) Date.now = () => now + slow * 1000;
      return Buffer.from(body);
    };
    this.#parts = {
      method, url, headers, functionName,
      body: bodiless
        ? undefined
        : { buffer: read, text: async () => String(await read()), json: async () => JSON.parse(String(await read())) },
    };
  }

  get method() { return this.#parts.method; }
  get url() { return this.#parts.url; }
  get headers() { return this.#parts.headers; }
  get functionName() { return this.#parts.functionName; }
  get body() { return this.#parts.body; }
}
