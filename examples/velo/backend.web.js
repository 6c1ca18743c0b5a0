// backend/backend.web.js of the consumer site: reads the numbers of the host site, for administrators of this one.

import { Permissions, webMethod } from 'wix-web-module';
import { invoke } from 'backend/hmac-auth.js';

const endpointUrl = 'https://www.YOURSITE.com/_functions/siteStats';
const hmacOptions = { secretName: 'hmac-authentication-secret-key' };

export const siteStats = webMethod(Permissions.Admin, async () => {
  return bodyOf(await invoke(endpointUrl, { method: 'get' }, hmacOptions));
});

export const sendSiteStats = webMethod(Permissions.Admin, async (stats) => {
  const headers = { 'Content-Type': 'application/json' };
  return bodyOf(await invoke(endpointUrl, { method: 'post', headers, body: JSON.stringify(stats) }, hmacOptions));
});

async function bodyOf(response) {
  if (!response.ok) throw new Error(`${endpointUrl} has answered ${response.status}`);
  return response.json();
}
