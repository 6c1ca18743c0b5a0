// @ts-check

/**
 * What the backend answered: status 0 if the browser did not hand it over.
 *
 * @typedef {{ status: number, text: string, json: any }} Answer
 */

/** @type {Record<string, { initial: string, text: string }>} */
const VIEWERS = {
    owner: { initial: "O", text: "You are the owner of this site" },
    member: { initial: "M", text: "You are a member of this site" },
    visitor: { initial: "V", text: "You are a visitor" },
    unknown: { initial: "?", text: "Wix does not say who you are" },
    refused: { initial: "!", text: "This page is not accepted" },
};

/**
 * Says who looks at the page.
 *
 * @param {Answer} answer
 */
export function saysWho({ status, json }) {
    if (status !== 200) return { identity: "refused", who: VIEWERS.refused, details: whyNot(status) };
    const identity = Object.hasOwn(VIEWERS, json.identity) ? json.identity : "unknown";
    const viewer = json.user ?? json.visitor;
    const site = `Site ${json.site}`;
    return { identity, who: VIEWERS[identity], details: viewer ? `${viewer} · ${site}` : site };
}

/**
 * Says in words what a route answered.
 *
 * @param {string} route
 * @param {Answer} answer
 */
export function saysAnswer(route, { status, json }) {
    if (status === 200) return ACCEPTED[route](json);
    if (status === 403) return NOT_ALLOWED[route];
    return whyNot(status);
}

/** @type {Record<string, (json: any) => string>} */
const ACCEPTED = {
    visit: ({ user }) => `Welcome, ${user}.`,
    settings: ({ saved }) => `Saved. The colour is ${saved?.color}.`,
    products: ({ products }) =>
        Array.isArray(products) && products.length > 0
            ? `In the shop: ${products.map(({ name, price }) => `${name} for ${price}`).join(", ")}.`
            : "The shop has no products.",
};

/** @type {Record<string, string>} */
const NOT_ALLOWED = {
    visit: "This route is for people who are logged in.",
    settings: "Only the owner of the site may change the settings.",
    products: "You may not use the rights of the app.",
};

/** @param {number} status */
function whyNot(status) {
    if (status === 0) return "The browser has no answer: the backend is away, or does not allow this origin.";
    if (status === 401) return "What this page has sent is not valid, or no longer. Reload the dashboard.";
    if (status === 429 || status >= 500) return "The backend cannot answer now. Ask again later.";
    return "The backend does not understand the request.";
}
