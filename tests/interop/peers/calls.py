"""What the peers in Python share: calls come in as lines of JSON, and one answer for each goes out."""

import base64
import json
import sys


def answer_all(operations, refusals):
    """The errors of these types are refusals. Any other one is a failure, whatever was to be refused."""
    for line in sys.stdin:
        call = json.loads(line)
        call["keys"] = {name: base64.b64decode(key) for name, key in call["keys"].items()}
        name = call["operation"]
        try:
            answer = operations[name](call) if name in operations else {"failed": f"no operation {name}"}
        except refusals as error:
            answer = {"refused": f"{type(error).__name__}: {error}"}
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def body_of(message):
    return base64.b64decode(message["body"])
