"""Sends signed requests through real proxies, and compares what arrives with the tables of docs/behind-a-proxy.md.

The first configuration of each proxy is the one that the page prints, and each mistake is an edit of it, so that the page and
the tests cannot part. The host and the consumer are the example `behind_a_proxy`.
"""

import argparse
import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import proxy

PAGE = pathlib.Path("docs/behind-a-proxy.md")

LANGUAGES = {"nginx": "nginx", "HAProxy": "haproxy", "Apache": "apache", "Caddy": "caddyfile", "Varnish": "vcl"}

# A retry needs a proxy that loses patience with the host.
SLOW = ("--only", "get", "--only", "post", "--delay", "1500")


@dataclass
class Row:
    proxy: str
    configuration: str
    # What is changed in the text of the page: (old, new), each old text once there.
    edits: list = field(default_factory=list)
    # Further arguments of the example.
    arguments: tuple = ()


def rows(name):
    """The rows of a proxy, with the printed configuration first."""
    yield Row(name, "as printed, HTTP/1.1")
    yield Row(name, "as printed, HTTP/2", arguments=("--http2",))
    mistakes = {
        "nginx": mistakes_of_nginx,
        "HAProxy": mistakes_of_haproxy,
        "Apache": mistakes_of_apache,
        "Caddy": mistakes_of_caddy,
        "Varnish": mistakes_of_varnish,
    }
    yield from mistakes[name]()


def mistakes_of_nginx():
    host = "        proxy_set_header Host $http_host;\n"
    to = "proxy_pass http://127.0.0.1:8080;"
    forwarded = host.replace("Host", "X-Forwarded-Host")

    def row(configuration, *edits, arguments=()):
        return Row("nginx", configuration, list(edits), arguments)

    yield row("no `proxy_set_header Host`", (host, ""))
    yield row(
        "`X-Forwarded-Host` instead of `Host`, and `trust_forwarded_host`",
        (host, forwarded),
        arguments=("--trust-forwarded-host", "x-forwarded-host"),
    )
    yield row("`Host $host`", ("$http_host", "$host"))
    yield row("`proxy_pass` with a path: `http://127.0.0.1:8080/`", (to, to.replace(";", "/;")))
    yield row(
        "the same with `merge_slashes off`",
        (to, to.replace(";", "/;")),
        ("    location", "    merge_slashes off;\n\n    location"),
    )
    yield row("`proxy_pass` with `$uri$is_args$args`", (to, to.replace(";", "$uri$is_args$args;")))
    yield row("`proxy_pass` with `$request_uri`", (to, to.replace(";", "$request_uri;")))
    yield row("`rewrite … break`", (to, "rewrite ^/orders/(.*)$ /orders/$1 break;\n        " + to))
    yield row("a cut path: `location /orders/`", ("location /", "location /orders/"), (to, to.replace(";", "/;")))
    yield row("no `client_max_body_size`", ("    client_max_body_size 2m;\n", ""))
    one_server = "    server 127.0.0.1:8080 max_fails=0;\n"
    two_servers = (
        "server {\n    listen",
        f"upstream hosts {{\n{2 * one_server}}}\nserver {{\n    listen",
    )
    impatient = (to, "proxy_pass http://hosts;\n        proxy_read_timeout 1s;")
    yield row(
        "two servers, no `proxy_next_upstream off`, a slow answer",
        two_servers,
        impatient,
        ("        proxy_next_upstream off;\n", ""),
        arguments=SLOW,
    )
    yield row(
        "two servers, `proxy_next_upstream timeout non_idempotent`, a slow answer",
        two_servers,
        impatient,
        ("proxy_next_upstream off", "proxy_next_upstream timeout non_idempotent"),
        arguments=SLOW,
    )
    yield row("two servers, as printed, a slow answer", two_servers, impatient, arguments=SLOW)
    yield row(
        "`mirror` to the same host",
        (to, to + "\n        mirror /mirror;"),
        (
            "    location /",
            "    location = /mirror {\n        internal;\n        proxy_pass http://127.0.0.1:8080$request_uri;\n"
            f"{host}    }}\n    location /",
        ),
        arguments=("--only", "get", "--only", "post", "--delay", "300"),
    )


def mistakes_of_haproxy():
    server = "    server one 127.0.0.1:8080\n"

    def row(configuration, *lines, edits=(), arguments=()):
        text = "".join(f"    {line}\n" for line in lines)
        return Row("HAProxy", configuration, [(server, text + server), *edits], arguments)

    for action in (
        "path-merge-slashes",
        "path-strip-dot",
        "path-strip-dotdot",
        "percent-decode-unreserved",
        "percent-to-uppercase",
        "query-sort-by-name",
    ):
        yield row(
            f"`normalize-uri {action}`",
            f"http-request normalize-uri {action}",
            edits=[("defaults\n", "global\n    expose-experimental-directives\n\ndefaults\n")],
        )
    yield row("`http-request set-header Host`", "http-request set-header Host 127.0.0.1:8080")
    yield row("a cut path: `http-request replace-path`", "http-request replace-path /orders(.*) \\1")
    yield row(
        "`retry-on all-retryable-errors`, a slow answer",
        "retry-on all-retryable-errors",
        "timeout server 1s",
        arguments=SLOW,
    )
    yield row("as printed, a slow answer", "timeout server 1s", arguments=SLOW)


def mistakes_of_apache():
    preserve = "    ProxyPreserveHost On\n"
    slashes = "    AllowEncodedSlashes NoDecode\n"
    to = "ProxyPass / http://127.0.0.1:8080/ nocanon"

    def row(configuration, *edits, arguments=()):
        return Row("Apache", configuration, list(edits), arguments)

    yield row("no `ProxyPreserveHost`", (preserve, ""))
    yield row(
        "no `ProxyPreserveHost`, and `trust_forwarded_host`",
        (preserve, ""),
        arguments=("--trust-forwarded-host", "x-forwarded-host"),
    )
    yield row("no `AllowEncodedSlashes`", (slashes, ""))
    yield row("no `nocanon`", (" nocanon", ""))
    yield row(
        "`RewriteRule … [P]` instead of `ProxyPass`",
        (to, "RewriteEngine On\n    RewriteRule ^/(.*)$ http://127.0.0.1:8080/$1 [P]"),
    )
    yield row("a cut path: `ProxyPass /orders/`", (to, to.replace(" / ", " /orders/ ")))
    yield row("`SetInputFilter DEFLATE`", (to, to + "\n    SetInputFilter DEFLATE"))


def mistakes_of_caddy():
    to = "reverse_proxy 127.0.0.1:8080"

    def row(configuration, edit, arguments=()):
        return Row("Caddy", configuration, [edit], arguments)

    rename = (to, to + " {\n\t\theader_up Host {upstream_hostport}\n\t}")
    yield row("`header_up Host {upstream_hostport}`", rename)
    yield row(
        "the same, and `trust_forwarded_host`", rename, arguments=("--trust-forwarded-host", "x-forwarded-host")
    )
    yield row("a cut path: `uri strip_prefix`", (to, "uri strip_prefix /orders\n\t" + to))
    yield row("a cut path: `handle_path`", (to, "handle_path /orders* {\n\t\t" + to + "\n\t}"))
    yield row("`uri replace`", (to, "uri replace // /\n\t" + to))
    transport = "\n\t\ttransport http {\n\t\t\tresponse_header_timeout 1s\n\t\t}\n\t}"
    yield row("`lb_try_duration`, a slow answer", (to, to + " {\n\t\tlb_try_duration 3s" + transport), arguments=SLOW)
    yield row("as printed, a slow answer", (to, to + " {" + transport), arguments=SLOW)


def mistakes_of_varnish():
    passing = "    return (pass);\n"

    def row(configuration, *lines, edits=(), arguments=()):
        text = "".join(f"    {line}\n" for line in lines)
        return Row("Varnish", configuration, [(passing, text + passing), *edits], arguments)

    sort = [("vcl 4.1;\n", "vcl 4.1;\n\nimport std;\n")]
    yield row("`std.querysort`", "set req.url = std.querysort(req.url);", edits=sort)
    yield row("`std.tolower`", "set req.url = std.tolower(req.url);", edits=sort)
    yield row("a removed query", 'set req.url = regsub(req.url, "\\?.*$", "");')
    yield row("a cut path: `regsub(req.url, …)`", 'set req.url = regsub(req.url, "^/orders", "");')
    yield row("`set req.http.Host`", 'set req.http.Host = "127.0.0.1:8080";')
    again = "sub vcl_backend_error {\n    return (retry);\n}\n"
    impatient = ('.port = "8080";\n', '.port = "8080";\n    .first_byte_timeout = 1s;\n')
    yield row(
        "`return (retry)` in `vcl_backend_error`, a slow answer",
        edits=[impatient, ("sub vcl_recv", again + "\nsub vcl_recv")],
        arguments=SLOW,
    )
    yield row("as printed, a slow answer", edits=[impatient], arguments=SLOW)


# The words that the operator must find in the reason of each kind.
WORDS = {
    "unlisted_authority": ["api.example.com", "Host", "trust_forwarded_host"],
    "missing_authority": ["Host"],
    "wrong_mac": ["proxy"],
    "replayed": ["proxy"],
    "absent_component": ["proxy"],
    "wrong_digest": ["proxy"],
    "not_ascii": ["percent-encode"],
}
# And if the request has a query.
WORDS_OF_QUERY = {"wrong_mac": ["query"]}


class Run:
    """One row: the proxy with its configuration, and all requests through it."""

    def __init__(self, row, example, certificates, ignored=()):
        self.row = row
        text = printed_configuration(row.proxy)
        for old, new in row.edits:
            text = replaced(text, old, new)
        port, self.host = proxy.free_port(), proxy.free_port()
        text = with_ports(row.proxy, text, port, self.host, certificates)
        with contextlib.ExitStack() as stack:
            stack.enter_context(proxy.running(row.proxy, text, port))
            through = port
            if row.proxy != "Varnish":
                protocol = "h2" if "--http2" in row.arguments else "http/1.1"
                through = stack.enter_context(proxy.tls_tunnel(port, protocol))
            command = [example, "--json", "--listen", f"127.0.0.1:{self.host}", "--through", f"127.0.0.1:{through}"]
            output = subprocess.run([*command, *row.arguments], capture_output=True, text=True, timeout=300)
        if output.stderr or not output.stdout:
            raise RuntimeError(f"{row.proxy}, {row.configuration}: {output.stderr}")
        requests = [json.loads(line) for line in output.stdout.splitlines()]
        self.requests = [request for request in requests if request["name"] not in ignored]

    def unusual(self):
        """What a mistake cannot change: requests that differ anyway, and those that no consumer can sign."""
        names = {name for names in self.outcomes().values() for name in names}
        return names | {request["name"] for request in self.requests if request["expected"] != "accepted"}

    def outcomes(self):
        """What happened instead of the expected: each outcome with the names of its requests."""
        by_outcome = {}
        for request in self.requests:
            kinds = [arrival["kind"] for arrival in request["arrived"]]
            if kinds == [request["expected"]] and not self.lost(request):
                continue
            by_outcome.setdefault(self.outcome(request, kinds), []).append(request["name"])
        return by_outcome

    def outcome(self, request, kinds):
        got = request["status"] or f"no answer ({request['problem']})"
        if not kinds:
            return f"{got} from the proxy"
        arrived = " and ".join(f"`{kind}`" for kind in sorted(kinds))
        return f"{arrived}, but the consumer got {got}" if self.lost(request) else arrived

    def lost(self, request):
        """Whether the consumer got another answer than that of the host."""
        kinds = [arrival["kind"] for arrival in request["arrived"]]
        usual = 200 if kinds == ["accepted"] else 401
        # A proxy that has lost its patience answers by itself, and one that sends twice has two answers.
        return len(kinds) == 1 and "--delay" not in self.row.arguments and request["status"] != usual

    def line(self):
        """The first cells of the row in the table of the page."""
        cells = []
        for result, names in self.outcomes().items():
            others = [request["name"] for request in self.requests if request["name"] not in names]
            if not others:
                which = "all"
            elif len(others) < len(names):
                which = "all but " + in_code(others)
            else:
                which = in_code(names)
            cells.append(f"{result}: {which}")
        return f"| {self.row.proxy} | {self.row.configuration} | {'; '.join(cells) or 'nothing'} |"

    def missing_words(self):
        """Where a reason does not say what an operator needs: one sentence for each kind and its missing words."""
        found = {}
        for request in self.requests:
            for arrival in request["arrived"]:
                words = WORDS.get(arrival["kind"], [])
                if "?" in request["request"]:
                    words = words + WORDS_OF_QUERY.get(arrival["kind"], [])
                missing = [word for word in words if word not in arrival["reason"]]
                if missing:
                    found.setdefault((arrival["kind"], *missing), (request["name"], arrival["reason"]))
        for (kind, *missing), (name, reason) in found.items():
            row = f"{self.row.proxy}, {self.row.configuration}, `{name}`"
            yield f"`{kind}` does not say {' nor '.join(missing)}: {row}: {reason}"


    def reasons(self):
        """Each kind and its reason, with the ports of the page."""
        for request in self.requests:
            for arrival in request["arrived"]:
                if arrival["reason"]:
                    yield arrival["kind"], arrival["reason"].replace(f"127.0.0.1:{self.host}", "127.0.0.1:8080")


def false_quotations(page, reasons):
    """Reasons that the page quotes, as `refused: KIND: REASON` in lines of a block of text, and that no request got."""
    for quoted in re.findall(r"^refused: (.*?)(?=^refused: |^```)", page, re.MULTILINE | re.DOTALL):
        kind, reason = " ".join(quoted.split()).split(": ", 1)
        # Without all proxies, not all kinds occur.
        if kind in reasons and reason not in reasons[kind]:
            yield f"{PAGE} quotes `{kind}: {reason}`, but the reasons are {sorted(set(reasons[kind]))[:3]}"


def in_code(names):
    return ", ".join(f"`{name}`" for name in names)


def printed_configuration(name):
    blocks = re.findall(rf"^```{LANGUAGES[name]}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    if not blocks:
        raise RuntimeError(f"{PAGE} prints no configuration of {name}")
    return blocks[0]


def with_ports(name, text, port, host, certificates):
    """The text with free ports and a certificate of this machine in the place of the printed ones."""
    chain, key, both = certificates
    listen = {
        "nginx": [("listen 443 ", f"listen 127.0.0.1:{port} ")],
        "HAProxy": [("bind :443 ", f"bind 127.0.0.1:{port} "), ("/etc/haproxy/api.example.com.pem", str(both))],
        "Apache": [("<VirtualHost *:443>", f"<VirtualHost 127.0.0.1:{port}>")],
    }
    for old, new in listen.get(name, []):
        text = replaced(text, old, new)
    text = text.replace("/etc/ssl/api.example.com.pem", str(chain)).replace("/etc/ssl/api.example.com.key", str(key))
    return text.replace("8080", str(host))


def replaced(text, old, new):
    if text.count(old) != 1:
        raise RuntimeError(f"the configuration of the page has {old!r} {text.count(old)} times:\n{text}")
    return text.replace(old, new)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="nginx only")
    parser.add_argument("--verbose", action="store_true", help="print the reasons of the refusals too")
    parser.add_argument("example", help="the program of the example `behind_a_proxy`")
    options = parser.parse_args()

    page = PAGE.read_text()
    problems = []
    count = 0
    reasons = {}
    with tempfile.TemporaryDirectory(prefix="proxies-") as folder:
        certificates = proxy.certificate(pathlib.Path(folder))
        print("| proxy | configuration | what differs |\n| --- | --- | --- |", flush=True)
        for name in ["nginx"] if options.short else LANGUAGES:
            unusual = set()
            for row in rows(name):
                run = Run(row, options.example, certificates, unusual if row.edits else ())
                unusual = unusual or run.unusual()
                line = run.line()
                print(line, flush=True)
                count += 1
                if f"\n{line}" not in page:
                    problems.append(f"{PAGE} has no row that begins with: {line}")
                problems.extend(run.missing_words())
                for kind, reason in run.reasons():
                    reasons.setdefault(kind, []).append(reason)
                if options.verbose:
                    for request in run.requests:
                        print(f"    {request['name']}: {request['status']} {request['arrived']}")
                for request in run.requests:
                    if f"\n| `{request['name']}` | `{request['request']}` |" not in page:
                        problems.append(f"{PAGE} does not list `{request['name']}`, `{request['request']}`")
    problems.extend(false_quotations(page, reasons))
    print()
    print("\n".join(dict.fromkeys(problems)) or f"{count} rows are as {PAGE} says")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
