"""Signs or verifies a response with the package http-message-signatures: one JSON object comes in, and one goes out."""

import base64
import json
import sys
from types import SimpleNamespace

from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver, algorithms

given = json.load(sys.stdin)
secret = base64.b64decode(given["secret"])
keys = {given["keyid"]: secret}
resolver = MappingKeyResolver(public_keys=keys, private_keys=keys)
options = {"signature_algorithm": algorithms.HMAC_SHA256, "key_resolver": resolver}

request = SimpleNamespace(**given["request"])
response = SimpleNamespace(status_code=given["status"], headers=given["headers"], request=request)
body = base64.b64decode(given["body"])

if given["operation"] == "sign":
    HTTPMessageSigner(**options).sign(
        response,
        key_id=given["keyid"],
        nonce=given["nonce"],
        label="sig1",
        covered_component_ids=given["components"],
        body=body or None,
    )
    print(json.dumps(response.headers))
else:
    try:
        verified = HTTPMessageVerifier(**options).verify(response, body=body or None)
        print(json.dumps([str(result.label) for result in verified]))
    except Exception as error:  # each of them is a refusal
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}))
