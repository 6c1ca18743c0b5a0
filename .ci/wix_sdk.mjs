// Runs the real `@wix/sdk` against the wix_backend example: its stand-in for Wix, and its Rust backend.
// The stand-in compares each question with what the crate's own functions ask, so a change of the SDK shows as a refusal.
//
//     node wix_sdk.mjs STAND_IN_URL BACKEND_URL APP_ID INSTANCE_ID     with the app secret in WIX_APP_SECRET
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { AppStrategy, OAuthStrategy, createClient } from "@wix/sdk";

const [standIn, backend, appId, instanceId] = process.argv.slice(2);
const appSecret = process.env.WIX_APP_SECRET;
const memberToken = "OauthNG.JWS.header.member.signature";
const api = "https://www.wixapis.com";
const products = `${api}/stores/v3/products`;

// The SDK has the host of Wix in its code. What it sends there goes to the stand-in, and nothing goes anywhere else.
const realFetch = globalThis.fetch;
const asked = [];
globalThis.fetch = async (resource, init) => {
    const request = new Request(resource, init);
    const url = new URL(request.url);
    assert.ok([new URL(api).origin, new URL(backend).origin].includes(url.origin), `the SDK calls ${url.origin}`);
    const target = url.origin === api ? new URL(url.pathname + url.search, standIn) : url;
    const body = request.body ? await request.text() : undefined;
    asked.push({ path: url.pathname, body });
    return realFetch(target, { method: request.method, headers: request.headers, body, redirect: "error" });
};

function appInstance(fields) {
    const payload = { instanceId, appDefId: appId, signDate: new Date().toISOString(), ...fields };
    const text = Buffer.from(JSON.stringify(payload)).toString("base64url");
    return `${createHmac("sha256", appSecret).update(text).digest("base64url")}.${text}`;
}

const strategy = (options) => AppStrategy({ appId, appSecret, ...options });
const authorization = async (auth) => (await auth.getAuthHeaders()).headers.Authorization;

async function status(auth, url) {
    const response = await createClient({ auth }).fetchWithAuth(url);
    return [response.status, await response.text()];
}

const checks = {
    async "Token Info about an access token"() {
        const info = await strategy({ accessToken: memberToken }).getTokenInfo();
        assert.deepEqual([info.active, info.subjectType, info.clientId], [true, "MEMBER", appId]);
        assert.equal(info.instanceId, instanceId);
    },
    async "Token Info about an app instance"() {
        const instance = appInstance({ uid: "owner-1", permissions: "OWNER" });
        const info = await strategy({ accessToken: instance }).getTokenInfo();
        assert.deepEqual([info.active, info.subjectType, info.clientId], [true, "USER", appId]);
        assert.equal(info.instanceId, instanceId);
        await assert.rejects(strategy({ accessToken: instance.slice(1) }).getTokenInfo(), /status code/);
    },
    async "elevated(), of an access token and of an app instance"() {
        for (const accessToken of [memberToken, appInstance({ uid: "owner-1" })]) {
            const elevated = await strategy({ accessToken }).elevated();
            assert.equal((await status(elevated, products))[0], 200);
        }
    },
    async "an app of another secret is not elevated"() {
        const elevated = await strategy({ accessToken: memberToken, appSecret: "another" }).elevated();
        await assert.rejects(authorization(elevated), /status code from Wix OAuth API: 401/);
    },
    async "a token of the instance alone"() {
        assert.equal((await status(strategy({ instanceId }), products))[0], 200);
        await assert.rejects(authorization(strategy({ instanceId: "another" })), /401/);
    },
    async "acting as the visitor, with strip_bound_session"() {
        const token = await authorization(strategy({ accessToken: memberToken }));
        assert.notEqual(token, memberToken);
        const info = await strategy({ accessToken: token }).getTokenInfo();
        assert.equal(info.subjectType, "MEMBER", "the rights are those of the member");
        assert.equal((await status(strategy({ accessToken: memberToken }), products))[0], 403);
        assert.deepEqual(Object.keys(JSON.parse(asked.find(({ body }) => body?.includes("strip_bound_session")).body)).sort(), [
            "access_token",
            "client_secret",
            "grant_type",
        ]);
    },
    async "a visitor with an anonymous token calls the backend"() {
        const visitor = OAuthStrategy({ clientId: appId });
        assert.equal((await strategy({ accessToken: await authorization(visitor) }).getTokenInfo()).subjectType, "VISITOR");
        assert.equal((await status(visitor, `${backend}/products`))[0], 403);
    },
    async "a client made with a host's auth calls the backend"() {
        const host = { essentials: { passThroughHeaders: { "x-wix-linguist": "en|en-us|true|site" } } };
        const page = (token) => {
            const auth = { getAuthHeaders: async () => ({ headers: { Authorization: token } }) };
            return createClient({ host, auth, headers: { "X-Wix-Consistent": "consistent" } });
        };
        const response = await page(memberToken).fetchWithAuth(`${backend}/products`);
        assert.equal(response.status, 200);
        assert.ok((await response.json()).products.length > 0);
        // The backend answers both in one way.
        for (const token of ["OauthNG.JWS.header.forged.signature", ""]) {
            const refused = await page(token).fetchWithAuth(`${backend}/products`);
            assert.deepEqual([refused.status, await refused.text()], [401, '{"error":"Invalid access token"}']);
        }
        const instance = appInstance({ uid: "owner-1", permissions: "OWNER" });
        assert.equal((await page(instance).fetchWithAuth(`${backend}/visit`)).status, 200);
    },
};

for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log(`ok: ${name}`);
}
console.log(`${Object.keys(checks).length} checks of the SDK passed`);
