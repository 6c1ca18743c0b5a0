"""The package http-message-signatures of PyPI: it signs and verifies requests and responses."""

import datetime
from types import SimpleNamespace

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    MappingKeyResolver,
    algorithms,
)

from calls import answer_all, body_of


class Headers:
    """The lines of the fields, with what the package asks of them."""

    def __init__(self, lines):
        self.lines = [tuple(line) for line in lines]

    def items(self):
        return list(self.lines)

    def __iter__(self):
        return iter([name for name, _ in self.lines])

    def __contains__(self, name):
        return any(known.lower() == name.lower() for known, _ in self.lines)

    def __setitem__(self, name, value):
        del self[name]
        self.lines.append((name, value))

    def __delitem__(self, name):
        self.lines = [line for line in self.lines if line[0].lower() != name.lower()]


def options_for(call):
    keys = MappingKeyResolver(public_keys=call["keys"], private_keys=call["keys"])
    return {"signature_algorithm": algorithms.HMAC_SHA256, "key_resolver": keys}


def request_of(call):
    given = call["request"]
    return SimpleNamespace(method=given["method"], url=given["url"], headers=Headers(given["headers"]))


def response_of(call):
    given = call["response"]
    return SimpleNamespace(status_code=given["status"], headers=Headers(given["headers"]), request=request_of(call))


def sign_message(call, message, name):
    HTTPMessageSigner(**options_for(call)).sign(
        message,
        key_id=call["keyid"],
        created=datetime.datetime.fromtimestamp(call["created"], datetime.timezone.utc),
        nonce=call["nonce"],
        label="sig1",
        # It covers the digest that it makes.
        covered_component_ids=[name for name in call["components"] if name != "content-digest"],
        body=body_of(call[name]) or None,
    )
    return {name: call[name] | {"headers": message.headers.lines}}


def verify_message(call, message, name):
    age = datetime.timedelta(seconds=60)
    HTTPMessageVerifier(**options_for(call)).verify(message, max_age=age, body=body_of(call[name]))
    return {"accepted": True}


answer_all(
    {
        "sign": lambda call: sign_message(call, request_of(call), "request"),
        "verify": lambda call: verify_message(call, request_of(call), "request"),
        "sign_response": lambda call: sign_message(call, response_of(call), "response"),
        "verify_response": lambda call: verify_message(call, response_of(call), "response"),
    },
    HTTPMessageSignaturesException,
)
