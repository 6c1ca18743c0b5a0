"""The rows of the interop matrix: each has a request, and what happens to it on its way."""

import base64
from dataclasses import dataclass, field

HOST = "https://host.example"


def message(method, url, body=b"", kind=None, headers=()):
    lines = [*headers, *([["content-type", kind]] if kind else [])]
    return {"method": method, "url": url, "headers": lines, "body": base64.b64encode(body).decode()}


def get(target, headers=()):
    return message("GET", HOST + target, headers=headers)


def post(body, kind="application/json"):
    return message("POST", HOST + "/orders?page=2", body, kind)


def changed(request, **parts):
    return request | parts


def with_url(request, old, new):
    return changed(request, url=request["url"].replace(old, new, 1))


def with_longer_body(request):
    return changed(request, body=base64.b64encode(base64.b64decode(request["body"]) + b" ").decode())


ORDER = post(b'{"month":11}')


@dataclass
class Row:
    """An accepted request. `received` makes further messages of it, which say the same."""

    name: str
    request: dict
    keyid: str | None = "site-a"
    extra: list = field(default_factory=list)
    received: list = field(default_factory=lambda: [lambda request: request])


ACCEPTED = [
    Row("GET", get("/orders")),
    Row("query", get("/orders?page=2&q=a%20b+c")),
    Row("repeated keys in the query", get("/orders?tag=b&page=2&tag=a")),
    Row("quotes in the query", get("/orders?q='a'")),
    Row("encoded path", get("/caf%C3%A9/a%2Fb/%7Eme")),
    Row("JSON", ORDER),
    Row("UTF-8", post('{"name":"Zoë 東京"}'.encode())),
    Row("binary", post(bytes(range(256)), "application/octet-stream")),
    Row("empty body", message("POST", HOST + "/orders")),
    Row("field of two lines", get("/orders", [["x-tag", "a"], ["x-tag", "b"]]), extra=["x-tag"]),
    Row("key id of two", get("/orders"), keyid="site-b"),
    Row("no key id", get("/orders"), keyid=None),
    Row("host in capitals", message("GET", "https://HOST.Example/orders")),
    Row(
        "default port",
        message("GET", HOST + ":443/orders"),
        received=[lambda request: request, lambda request: with_url(request, ":443", "")],
    ),
    Row("other port", message("GET", HOST + ":8443/orders")),
]


@dataclass
class Refusal:
    """A request that is refused. `kind` is what this crate calls it."""

    name: str
    kind: str
    change: object = None
    other_secret: bool = False
    age: int = 0
    twice: bool = False


REFUSED = [
    Refusal("refused: changed body", "wrong_digest", change=with_longer_body),
    Refusal("refused: changed query", "wrong_mac", change=lambda request: with_url(request, "page=2", "page=3")),
    Refusal("refused: changed method", "wrong_mac", change=lambda request: changed(request, method="PUT")),
    Refusal("refused: other secret", "wrong_mac", other_secret=True),
    Refusal("refused: 10 minutes old", "stale", age=600),
    Refusal("refused: sent twice", "replayed", twice=True),
]

RESPONSE = {
    "status": 201,
    "headers": [["content-type", "application/json"], ["location", "/orders/7"]],
    "body": base64.b64encode(b'{"id":7}').decode(),
}

# The changes of the response and of the request that it answers, and what this crate calls them.
RESPONSES = [
    ("response", None, None),
    ("refused: changed status", lambda request, response: (request, response | {"status": 200}), "wrong_status"),
    ("refused: changed response body", lambda request, response: (request, with_longer_body(response)), "wrong_digest"),
]
