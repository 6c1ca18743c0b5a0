"""Calls a host from Python. Prints status and body, and fails unless the status is 200.

pip install requests http-message-signatures
export HMAC_AUTH_SECRET=…   # the one of the host
python python_client.py http://127.0.0.1:8080/_functions/siteStats
"""

import os
import secrets
import sys

import requests
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

KEY_ID = "site-a"
keys = MappingKeyResolver(public_keys={}, private_keys={KEY_ID: os.environ["HMAC_AUTH_SECRET"].encode()})
signer = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=keys)


def invoke(method, url, **options):
    request = requests.Request(method, url, **options).prepare()
    covered = ["@method", "@authority", "@target-uri"]
    covered += [name for name in ("content-type", "content-encoding") if name in request.headers]
    signer.sign(
        request,
        key_id=KEY_ID,
        covered_component_ids=covered,
        body=request.body,  # adds Content-Digest and covers it
        nonce=secrets.token_urlsafe(16),  # else two equal requests in one second are a replay
    )
    return requests.Session().send(request, allow_redirects=False, timeout=10)


url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080/_functions/siteStats"
for method, options in [("GET", {}), ("POST", {"json": {"month": 11}})]:
    response = invoke(method, url, **options)
    print(response.status_code, response.text)
    if response.status_code != 200:
        sys.exit(1)
