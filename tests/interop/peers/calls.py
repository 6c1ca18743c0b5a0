"""What the peers in Python share: calls come in as lines of JSON, and one answer for each goes out."""

import base64
import json
import sys


def answer_all(operations):
    """Each error of a package is its refusal."""
    for line in sys.stdin:
        call = json.loads(line)
        call["keys"] = {name: base64.b64decode(key) for name, key in call["keys"].items()}
        try:
            answer = operations[call["operation"]](call)
        except Exception as error:
            answer = {"refused": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def body_of(message):
    return base64.b64decode(message["body"])
