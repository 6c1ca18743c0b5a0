"""Checks what peers get from a host behind nginx and Varnish: answers that were meant for somebody else, and lost refusals."""

import base64
import contextlib
import hashlib
import hmac
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import tempfile
import time

import proxy

SECRET = secrets.token_hex(32)
PATH = "/_functions/siteStats"
SIZES = (50_000, 500_000, 2_000_000)
ROUNDS = 12

PASSING = """
server {{
    listen 127.0.0.1:{port}{http2};
    client_max_body_size 3m;
    location / {{
        proxy_pass http://127.0.0.1:{host};
        proxy_set_header Host $http_host;
    }}
}}
"""

CACHING = """
proxy_cache_path {folder}/cache keys_zone=one:1m;
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{host};
        proxy_set_header Host $http_host;
        proxy_cache one;
        proxy_cache_valid 200 1m;
        {ignore}
    }}
}}
"""

STOCK = """
vcl 4.1;
backend host {{ .host = "127.0.0.1"; .port = "{host}"; }}
"""

# Varnish obeys `private` as of this text; this is its behaviour without it.
IGNORING = STOCK + """
sub vcl_backend_response {{ unset beresp.http.Cache-Control; set beresp.ttl = 60s; }}
"""


def signed_get(authority):
    """The fields of a signed request (RFC 9421)."""
    params = f'("@method" "@authority" "@path" "@query");created={int(time.time())};nonce="{secrets.token_urlsafe(12)}"'
    base = f'"@method": GET\n"@authority": {authority}\n"@path": {PATH}\n"@query": ?\n"@signature-params": {params}'
    mac = hmac.new(SECRET.encode(), base.encode(), hashlib.sha256).digest()
    return {"Signature-Input": f"sig1={params}", "Signature": f"sig1=:{base64.b64encode(mac).decode()}:"}


def request(port, method, fields, body=b"", authority="api.example.com"):
    """Writes the whole request before it reads, as a proxy does; the status, or why there is none."""
    head = {"Host": authority, "Connection": "close", **fields}
    if body:
        head["Content-Length"] = str(len(body))
    text = f"{method} {PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        answer = b""
        try:
            connection.sendall(text.encode() + body)
        except OSError as error:
            return f"the request was not taken: {error}"
        with contextlib.suppress(OSError):
            while piece := connection.recv(1 << 16):
                answer += piece
    return int(answer[9:12]) if answer[9:12].isdigit() else "no answer"


@contextlib.contextmanager
def running_host(program):
    port = proxy.free_port()
    environment = os.environ | {"HMAC_AUTH_SECRET": SECRET}
    with open(os.devnull, "w") as null:
        process = subprocess.Popen(
            [program, "--listen", f"127.0.0.1:{port}", "--max-body-len", "2097152"],
            env=environment, stdout=null, stderr=null, start_new_session=True,
        )  # fmt: skip
        try:
            proxy.wait_for(port, process, lambda: "the host did not start")
            yield port
        finally:
            proxy.stop(process)


def caches(host, problems):
    with tempfile.TemporaryDirectory(prefix="cache-") as folder:
        os.chmod(folder, 0o755)
        texts = {
            ("nginx", "stock"): CACHING.format(folder=folder, port="{port}", host=host, ignore=""),
            ("nginx", "ignoring"): CACHING.format(
                folder=folder + "/i", port="{port}", host=host, ignore="proxy_ignore_headers Cache-Control;"
            ),
            ("Varnish", "stock"): STOCK.format(host=host),
            ("Varnish", "ignoring"): IGNORING.format(host=host),
        }
        pathlib.Path(folder, "i").mkdir()
        for (name, kind), text in texts.items():
            port = proxy.free_port()
            with proxy.running(name, text.replace("{port}", str(port)), port):
                signed = request(port, "GET", signed_get("api.example.com"))
                unsigned = request(port, "GET", {})
                # A cache that ignores the field shows that the test would find a stored answer.
                expected = 401 if kind == "stock" else 200
                print(f"| {name} | cache, {kind} | signed {signed}, then unsigned {unsigned} |", flush=True)
                if (signed, unsigned) != (200, expected):
                    problems.append(f"{name}, {kind}: {signed}, then {unsigned} instead of {expected}")


def uploads(host, problems):
    for http2 in ("", " http2"):
        port = proxy.free_port()
        with proxy.running("nginx", PASSING.format(port=port, host=host, http2=http2), port):
            for size in SIZES:
                body = b"x" * size
                if http2:
                    answers = [upload_http2(port, body) for _ in range(ROUNDS)]
                else:
                    answers = [request(port, "POST", {"Signature": "sig1=::"}, body) for _ in range(ROUNDS)]
                refused = sum(answer == 401 for answer in answers)
                print(f"| nginx | POST of {size:,} bytes{', HTTP/2' if http2 else ''} | {refused} of {ROUNDS}: 401 |", flush=True)
                if refused != ROUNDS:
                    problems.append(f"{size} bytes{http2}: {answers}")


def upload_http2(port, body):
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        command = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", "--http2-prior-knowledge", "--max-time", "20",
                   "--data-binary", f"@{file.name}", f"http://127.0.0.1:{port}{PATH}"]  # fmt: skip
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return int(answer or 0)


def main():
    problems = []
    print("| proxy | what | answers |\n| --- | --- | --- |", flush=True)
    with running_host(sys.argv[1]) as host:
        caches(host, problems)
        uploads(host, problems)
    print("\n" + ("\n".join(problems) or "every answer reached the peer, and only the peer"))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
