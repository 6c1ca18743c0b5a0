// @ts-check
import { fetchWithWixInstance } from "./wix-instance.js";

const backend = document.querySelector("meta[name=backend]")?.getAttribute("content") ?? "";
const answer = /** @type {HTMLElement} */ (document.getElementById("answer"));

/**
 * Shows status and body of the answer, or that the browser did not hand it over.
 *
 * @param {string} path
 * @param {RequestInit} [options]
 */
async function ask(path, options) {
    answer.textContent = "…";
    try {
        const response = await fetchWithWixInstance(backend + path, options);
        answer.textContent = `${response.status} ${await response.text()}`;
    } catch (error) {
        answer.textContent = `blocked: ${error instanceof Error ? error.name : error}`;
    }
}

/** @param {string} id @param {() => void} action */
function onClick(id, action) {
    document.getElementById(id)?.addEventListener("click", action);
}

onClick("visit", () => ask("/visit"));
onClick("settings", () =>
    ask("/settings", { method: "PUT", headers: { "Content-Type": "application/json" }, body: '{"color":"blue"}' }),
);
// A page on the live site would have its token from `fetchWithAuth` of @wix/sdk.
const token = new URLSearchParams(window.location.search).get("token") ?? "";
onClick("products", () => ask("/products", { headers: { Authorization: token } }));
