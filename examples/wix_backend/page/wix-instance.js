// @ts-check

/**
 * The app instance that Wix has given to this page, in its URL.
 *
 * @returns {string} `signature.payload`, or an empty string outside of Wix
 */
export function getAppInstance() {
    return new URLSearchParams(window.location.search).get("instance") ?? "";
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
