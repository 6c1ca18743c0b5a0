"""Why a cell of the matrix is no success, and whose fault that is by the text of RFC 9421.

A mark of a note: `no` is a fault of the package, `yours` is a check that the RFC leaves to the application, and
`lacks` is something that the package does not offer.
"""

HMS = "PyPI http-message-signatures"
REQUESTS = "PyPI requests-http-signature"
NPM_HMS = "npm http-message-signatures"
NPM_SIG = "npm http-message-sig"
HTTPSIG = "Rust httpsig"

REPLAY = (
    "yours",
    "Section 3.2.1 leaves the uniqueness of nonces to the application, and section 7.2.2 tells it why. No package "
    "here remembers them.",
)
AGE = ("yours", "Section 3.2.1 leaves a maximum age to the application. The package checks `expires` only.")
DIGEST = (
    "yours",
    "Section 7.2.8 leaves the comparison of `Content-Digest` with the body to the application. The package does not "
    "see the body.",
)
KEY_ID = (
    "lacks",
    "Section 3.2 knows keys without a key id, and section 3.2.1 lets a verifier ask for one. The package always needs "
    "one: set `SignOptions::key_id`.",
)
QUOTE = (
    "no",
    "The fault of the package: by section 2.2.7, the query is signed as it is sent. The package signs `%27` for each "
    "`'` of a URL. Write `%27` yourself.",
)
PATH = (
    "no",
    "The fault of the package: by section 2.2.6, octets of the path stay encoded. `requests`, in which the package "
    "holds a request, writes `~` for `%7E`. Write `~` yourself.",
)
PORT = (
    "no",
    "The fault of the package: by section 2.2.3, the default port of the scheme is not a part of `@authority`. The "
    "package keeps a `:443` that stands in the URL. Leave it out.",
)
RESPONSES = ("lacks", "The package signs requests only.")

# Each note with a text that the reason of its cell has to contain: another failure needs another note.
NOTES = {
    (direction, peer, row): (note, reason)
    for directions, peers, rows, note, reason in [
        (["verifies"], [HMS, REQUESTS, NPM_HMS, NPM_SIG, HTTPSIG], ["refused: sent twice"], REPLAY, "accepted"),
        (["verifies", "signs"], [HMS, REQUESTS], ["no key id"], KEY_ID, '"keyid"'),
        (["verifies"], [REQUESTS], ["encoded path"], PATH, "Signature did not match"),
        (["verifies"], [NPM_HMS], ["quotes in the query"], QUOTE, "verifyMessage answers false"),
        (["signs"], [NPM_HMS], ["quotes in the query"], QUOTE, "wrong_mac"),
        (
            ["verifies"],
            [NPM_HMS, NPM_SIG],
            ["refused: changed body", "refused: changed response body"],
            DIGEST,
            "accepted",
        ),
        (["verifies"], [HTTPSIG], ["default port"], PORT, "Invalid signature for the verifying key"),
        (["signs"], [HTTPSIG], ["default port"], PORT, "wrong_mac"),
        (["verifies"], [HTTPSIG], ["refused: 10 minutes old"], AGE, "accepted"),
        (
            ["signs"],
            [REQUESTS],
            ["response", "refused: changed status", "refused: changed response body"],
            RESPONSES,
            "no operation sign_response",
        ),
    ]
    for direction in directions
    for peer in peers
    for row in rows
}
