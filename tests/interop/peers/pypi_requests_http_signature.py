"""The package requests-http-signature of PyPI: it signs what `requests` sends, and verifies both sides."""

import base64
import datetime

import requests
from requests_http_signature import HTTPSignatureAuth, algorithms
from http_message_signatures import HTTPMessageSignaturesException, MappingKeyResolver

from calls import answer_all, body_of


def headers_of(message):
    """`requests` has one value for each name: the lines are joined, as RFC 9110 section 5.3 allows."""
    joined = {}
    for name, value in message["headers"]:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def request_of(call):
    given = call["request"]
    data = body_of(given) or None
    return requests.Request(given["method"], given["url"], headers=headers_of(given), data=data).prepare()


def sign(call):
    class Auth(HTTPSignatureAuth):
        def get_created(self, request):
            return datetime.datetime.fromtimestamp(call["created"], datetime.timezone.utc)

    names = [name for name in call["components"] if name != "content-digest"]
    request = request_of(call)
    Auth(
        signature_algorithm=algorithms.HMAC_SHA256,
        key=call["keys"][call["keyid"] or ""],
        key_id=call["keyid"],
        covered_component_ids=names,
        use_nonce=True,
    )(request)
    signed = {
        "method": request.method,
        "url": request.url,
        "headers": list(request.headers.items()),
        "body": base64.b64encode(request.body or b"").decode(),
    }
    return {"request": signed}


def verify(call, message, components):
    HTTPSignatureAuth.verify(
        message,
        require_components=components,
        signature_algorithm=algorithms.HMAC_SHA256,
        key_resolver=MappingKeyResolver(public_keys=call["keys"], private_keys={}),
        max_age=datetime.timedelta(seconds=60),
    )
    return {"accepted": True}


def verify_request(call):
    # Without a list, it asks for `@target-uri`.
    return verify(call, request_of(call), ["@method", "@authority", "@path", "@query"])


def verify_response(call):
    given = call["response"]
    response = requests.Response()
    response.status_code = given["status"]
    response.headers.update(headers_of(given))
    response._content = body_of(given)
    response.request = request_of(call)
    return verify(call, response, ["@status", '"@method";req', '"@authority";req', '"@path";req', '"@query";req'])


answer_all(
    {"sign": sign, "verify": verify_request, "verify_response": verify_response},
    HTTPMessageSignaturesException,
)
