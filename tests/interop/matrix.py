"""Prints the interop matrix: each peer as signer and as verifier, against this crate. `.ci/interop` runs it.

Each cell that is no success needs a note in `notes.py` about just this failure, and each note such a cell: else the
exit code is 1.
"""

import argparse
import base64
import importlib.metadata
import json
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

from notes import NOTES
from rows import ACCEPTED, REFUSED, RESPONSE, RESPONSES, ORDER

HERE = Path(__file__).parent
KEYS = {
    name: base64.b64encode(f"the secret of {name}, of at least 64 bytes: {'.' * 24}".encode()).decode()
    for name in ("site-a", "site-b")
}


class Peer:
    """One process, which answers each line with a line."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, operation, **call):
        self.process.stdin.write(json.dumps({"operation": operation, **call}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has ended in: {operation} {call}")
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Refused(Exception):
    pass


def expect(answer):
    reason = answer.get("refused") or answer.get("failed")
    if reason is not None:
        raise Refused(reason)
    return answer


def keys_for(keyid):
    return {"": KEYS["site-a"]} if keyid is None else KEYS


def components_of(request, extra):
    names = ["@method", "@authority", "@path"]
    names += ["@query"] if "?" in request["url"] else []
    names += ["content-digest"] if request["body"] else []
    names += ["content-type"] if any(name == "content-type" for name, _ in request["headers"]) else []
    return names + extra


def sign(peer, request, keyid="site-a", extra=(), age=0):
    nonce = secrets.token_urlsafe(16)
    answer = peer.call(
        "sign",
        request=request,
        keys=keys_for(keyid),
        keyid=keyid,
        nonce=nonce,
        created=int(time.time()) - age,
        extra=list(extra),
        components=components_of(request, list(extra)),
    )
    return expect(answer)["request"]


def verify(peer, request, keys):
    expect(peer.call("verify", request=request, keys=keys))


def accepted(signer, verifier, row):
    """Why the row fails, or nothing."""
    try:
        for receive in row.received:
            request = sign(signer, row.request, row.keyid, row.extra)
            verify(verifier, receive(request), keys_for(row.keyid))
    except Refused as refused:
        return str(refused)


def refused(signer, verifier, row):
    try:
        if row.age == 0:
            request = sign(signer, ORDER)
            # The same request, not changed, is accepted.
            verify(verifier, request, KEYS)
            request = request if row.twice else sign(signer, ORDER)
        else:
            request = sign(signer, ORDER, age=row.age)
    except Refused as other:
        return f"not even signed: {other}"
    changed = row.change(request) if row.change else request
    keys = dict.fromkeys(KEYS, base64.b64encode(secrets.token_bytes(64)).decode()) if row.other_secret else KEYS
    return refusal_of(verifier, row.kind, "verify", request=changed, keys=keys)


def refusal_of(verifier, kind, operation, **call):
    answer = verifier.call(operation, **call)
    if "failed" in answer:
        return f"failed: {answer['failed']}"
    reason = answer.get("refused")
    if reason is None:
        return "accepted"
    if verifier.name == "hmac-auth" and reason != kind:
        return f"refused as {reason}, not as {kind}"


def response(ours, signer, verifier, change, kind):
    """The request is always one of ours, because the peer as host gets it, too."""
    try:
        request = sign(ours, ORDER)
        nonce = re.search(r'nonce="([^"]+)"', dict(map(tuple, request["headers"]))["signature-input"])[1]
        of_request = [f'"{name}";req' for name in components_of(ORDER, [])]
        own = [f'"{name}"' for name in ("@status", "content-digest", "content-type", "location")]
        call = {"request": request, "keys": KEYS, "keyid": "site-a", "nonce": nonce, "created": int(time.time())}
        answer = signer.call("sign_response", response=RESPONSE, components=own + of_request, **call)
        signed = expect(answer)["response"]
        if change is None:
            expect(verifier.call("verify_response", response=signed, request=request, keys=KEYS))
            return None
    except Refused as refused:
        return str(refused)
    request, signed = change(request, signed)
    return refusal_of(verifier, kind, "verify_response", response=signed, request=request, keys=KEYS)


def cells(ours, peer, direction):
    """The name of each row, and why it fails."""
    signer, verifier = (ours, peer) if direction == "verifies" else (peer, ours)
    for row in ACCEPTED:
        yield row.name, accepted(signer, verifier, row)
    for row in REFUSED:
        yield row.name, refused(signer, verifier, row)
    for name, change, kind in RESPONSES:
        yield name, response(ours, signer, verifier, change, kind)


def problem_of(reason, failure):
    """Why a note is not that of this cell, or nothing."""
    if failure is None:
        return "the note is out of date: it works"
    if reason not in failure:
        return f"the note is about {reason!r}, and this is {failure}"


class Matrix:
    def __init__(self, versions):
        self.versions = versions
        self.cells = {}
        self.problems = []

    def add(self, direction, peer, row, failure):
        note, reason = NOTES.get((direction, peer, row), (None, None))
        problem = failure if note is None else problem_of(reason, failure)
        if problem:
            self.problems.append(f"{peer} {direction}: {row}: {problem}")
        self.cells[direction, peer, row] = note if failure else "yes"

    def print(self):
        titles = {
            "verifies": "Signed by this crate, verified by the package:",
            "signs": "Signed by the package, verified by this crate:",
        }
        peers = list(self.versions)
        numbers = {}
        lines = []
        for direction, title in titles.items():
            lines += [title, ""]
            lines.append("| | " + " | ".join(f"{peer} {self.versions[peer]}" for peer in peers) + " |")
            lines.append("| --- |" + " --- |" * len(peers))
            for row in dict.fromkeys(row for at, _, row in self.cells if at == direction):
                found = [self.cells[direction, peer, row] for peer in peers]
                lines.append(f"| {row} | " + " | ".join(self.cell(cell, numbers) for cell in found) + " |")
            lines.append("")
        lines += [f"{number}. {text}" for text, number in numbers.items()]
        return "\n".join(lines) + "\n"

    @staticmethod
    def cell(cell, numbers):
        if cell == "yes":
            return cell
        mark, text = cell or ("no", "?")
        return f"{mark} ({numbers.setdefault(text, len(numbers) + 1)})"


def commands(arguments):
    peers = HERE / "peers"
    node = lambda name: ["node", arguments.tools / name]
    return {
        "PyPI http-message-signatures": [sys.executable, peers / "pypi_http_message_signatures.py"],
        "PyPI requests-http-signature": [sys.executable, peers / "pypi_requests_http_signature.py"],
        "npm http-message-signatures": node("npm_http_message_signatures.mjs"),
        "npm http-message-sig": node("npm_http_message_sig.mjs"),
        "Rust httpsig": [arguments.rust, "httpsig-hyper"],
    }


def version(peer, tools):
    registry, name = peer.split()
    if registry == "PyPI":
        return importlib.metadata.version(name)
    if registry == "npm":
        return json.loads((tools / "node_modules" / name / "package.json").read_text())["version"]
    lock = (HERE / "../../Cargo.lock").read_text()
    return re.search(rf'name = "{name}"\nversion = "([^"]+)"', lock)[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools", type=Path, required=True, help="where the packages are")
    parser.add_argument("--rust", type=Path, required=True, help="the program of the example `interop`")
    parser.add_argument("--reasons", action="store_true", help="write why each cell fails to standard error")
    arguments = parser.parse_args()
    peers = commands(arguments)
    matrix = Matrix({peer: version(peer, arguments.tools) for peer in peers})
    ours = Peer("hmac-auth", [arguments.rust, "hmac-auth"])
    for name, command in peers.items():
        peer = Peer(name, command)
        for direction in ("verifies", "signs"):
            for row, failure in cells(ours, peer, direction):
                matrix.add(direction, name, row, failure)
                if arguments.reasons and failure:
                    print(f"{name} {direction}: {row}: {failure}", file=sys.stderr)
        peer.stop()
    ours.stop()
    print(matrix.print(), end="")
    for problem in matrix.problems:
        print(problem, file=sys.stderr)
    return 1 if matrix.problems else 0


if __name__ == "__main__":
    sys.exit(main())
