// @ts-check
import { fetchWithWixInstance, freshFor } from "./wix-instance.js";
import { saysAnswer, saysWho } from "./words.js";

const backend = document.querySelector("meta[name=backend]")?.getAttribute("content") ?? "";
// A page on the live site would have its token from `fetchWithAuth` of @wix/sdk.
const token = new URLSearchParams(window.location.search).get("token") ?? "";

/** @param {string} id */
function element(id) {
    const found = document.getElementById(id);
    if (!found) throw new Error(`the page has no #${id}`);
    return found;
}

/**
 * Asks the backend. The browser hands over no answer to a page on an origin that is not allowed: then the status is 0.
 *
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<import("./words.js").Answer>}
 */
async function ask(path, options) {
    try {
        const response = await fetchWithWixInstance(backend + path, options);
        const text = await response.text();
        return { status: response.status, text, json: parsed(text) };
    } catch {
        return { status: 0, text: "", json: {} };
    }
}

/** @param {string} text */
function parsed(text) {
    try {
        return JSON.parse(text) ?? {};
    } catch {
        return {};
    }
}

/**
 * Shows what a route answered. All text is set as text, never as markup: parts of it come from other people.
 *
 * @param {string} route
 * @param {import("./words.js").Answer} answer
 */
function show(route, answer) {
    const status = document.createElement("span");
    status.className = "status";
    status.textContent = answer.status === 0 ? "blocked" : String(answer.status);

    const words = document.createElement("p");
    words.className = "words";
    words.textContent = saysAnswer(route, answer);

    const json = document.createElement("pre");
    json.textContent = answer.text.length > 40 ? indented(answer) : answer.text;
    json.hidden = json.textContent === "";

    const shown = element(`${route}-answer`);
    shown.dataset.outcome = outcome(answer.status);
    shown.replaceChildren(status, words, json);
    shown.hidden = false;
}

/** @param {import("./words.js").Answer} answer */
function indented({ json, text }) {
    return Object.keys(json).length > 0 ? JSON.stringify(json, null, 2) : text;
}

/** @param {number} status */
function outcome(status) {
    if (status >= 200 && status < 300) return "accepted";
    return status === 403 ? "not-allowed" : "refused";
}

async function showWho() {
    const answer = await ask("/who");
    const { identity, who, details } = saysWho(answer);
    const viewer = element("viewer");
    viewer.dataset.identity = identity;
    /** @type {HTMLElement} */ (viewer.querySelector(".portrait")).textContent = who.initial;
    element("who").textContent = who.text;
    element("details").textContent = details;
}

/** The page may stay open for days: it says when its app instance is too old. */
function showFreshness() {
    const left = freshFor();
    const minutes = Math.floor((left ?? 0) / 60_000);
    element("freshness").textContent =
        left !== undefined && left > 0 ? `Fresh for ${Math.floor(minutes / 60)} h ${minutes % 60} min` : "";
    element("stale").hidden = left === undefined || left > 0;
    element("stale").textContent =
        "Wix signed this page more than 4 hours ago. Reload the dashboard to refresh it, or open the app from there again.";
}

element("visit").addEventListener("click", async () => show("visit", await ask("/visit")));

element("settings-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const color = /** @type {HTMLInputElement} */ (element("color")).value;
    const headers = { "Content-Type": "application/json" };
    show("settings", await ask("/settings", { method: "PUT", headers, body: JSON.stringify({ color }) }));
});

element("products").addEventListener("click", async () =>
    show("products", await ask("/products", { headers: { Authorization: token } })),
);

showFreshness();
setInterval(showFreshness, 30_000);
document.addEventListener("visibilitychange", showFreshness);
await showWho();
