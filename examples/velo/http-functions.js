// backend/http-functions.js of the host site: answers GET and POST of /_functions/siteStats to those who sign with the secret.

import { ok, response } from 'wix-http-functions';
import { validateAuth } from 'backend/hmac-auth.js';

const hmacOptions = {
  secretName: 'hmac-authentication-secret-key',
  // All domains of this site that consumers call, without https:// and without a path.
  authorities: ['www.YOURSITE.com'],
};

// A shared cache must not keep an answer for those who do not sign.
const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'private' };

export async function get_siteStats(request) {
  return authenticated(request, async () => ({ data: { userCount: 100, monthlyRevenue: 80091.23 } }));
}

export async function post_siteStats(request) {
  return authenticated(request, async () => ({ received: await request.body.json() }));
}

/** Nothing is done for a request before it is validated. */
async function authenticated(request, handle) {
  try {
    await validateAuth(request, hmacOptions);
  } catch (error) {
    return refusal(error);
  }
  return ok({ headers, body: await handle() });
}

/**
 * The reason goes to the site's log. The caller gets one answer, whatever it was: who learns the reason learns what to try next.
 * It is 401 (RFC 9110) with a hint what to sign; `badRequest` would blame the form of the request.
 */
function refusal({ kind, message, status = 503 }) {
  console.warn(`request refused: ${kind}: ${message}`);
  const refused = { ...headers, 'Cache-Control': 'no-store' };
  if (status !== 401) {
    const error = status === 400 ? 'Incomplete body' : 'Authentication unavailable';
    return response({ status, headers: { ...refused, ...(status === 503 && { 'Retry-After': '5' }) }, body: { error } });
  }
  const challenge = {
    'WWW-Authenticate': 'Signature',
    'Accept-Signature': 'sig1=("@method" "@authority" "@path" "@query" "content-digest");created;alg="hmac-sha256"',
  };
  return response({ status, headers: { ...refused, ...challenge }, body: { error: 'Invalid authentication token' } });
}
