// @ts-check

/** Wix signs an app instance of a logged-in user for so long; its own pages ask for a fresh one then. */
const FRESH_FOR = 4 * 60 * 60 * 1000;

/**
 * The app instance that Wix has given to this page, in its URL.
 *
 * @returns {string} `signature.payload`, or an empty string outside of Wix
 */
export function getAppInstance() {
    return new URLSearchParams(window.location.search).get("instance") ?? "";
}

/**
 * For how long the app instance of this page stays fresh. It serves to inform the reader: the page cannot verify
 * its own app instance, and the backend decides.
 *
 * @returns {number | undefined} milliseconds, less than zero if it is stale, and nothing if it does not say so
 */
export function freshFor() {
    try {
        const base64 = getAppInstance().split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
        const { signDate } = JSON.parse(atob(base64));
        const left = Date.parse(signDate) + FRESH_FOR - Date.now();
        return Number.isNaN(left) ? undefined : left;
    } catch {
        return undefined;
    }
}

/**
 * `fetch` that tells the backend from which installation of the app it is called, and who looks at the page.
 *
 * Only for the app's own backend: whoever gets the app instance can use it for as long as it is fresh.
 *
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export function fetchWithWixInstance(url, options = {}) {
    const headers = new Headers(options.headers);
    if (!headers.has("Authorization")) headers.set("Authorization", getAppInstance());
    return fetch(url, { ...options, headers });
}
