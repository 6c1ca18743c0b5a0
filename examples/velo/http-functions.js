// backend/http-functions.js of the host site: answers GET and POST of /_functions/siteStats to those who sign with the secret.

import { response } from 'wix-http-functions';
import { AuthError, refusalOf, signResponse, validateAuth } from 'backend/hmac-auth.js';

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
    // The options are wrong, or this code: Wix logs it.
    if (!(error instanceof AuthError)) throw error;
    // The reason is for the log alone.
    console.warn(`request refused: ${error.kind}: ${error.message}`);
    return response(refusalOf(error, hmacOptions));
  }
  // Signed, for consumers that require it. Nothing may change it afterwards.
  return response(signResponse(request, { status: 200, headers, body: await handle() }));
}
