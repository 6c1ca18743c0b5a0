"""Starts nginx, HAProxy, Apache, Caddy and Varnish as child processes, each with a configuration of its own on free ports."""

import asyncio
import contextlib
import functools
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

MODULES = (
    "mpm_event authz_core ssl socache_shmcb http2 headers rewrite filter deflate proxy proxy_http"
    " proxy_balancer lbmethod_byrequests slotmem_shm"
).split()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def certificate(folder):
    """A certificate for api.example.com: the paths of it, of its key, and of both in one file."""
    chain, key, both = (folder / name for name in ("chain.pem", "key.pem", "both.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=api.example.com", "-addext", "subjectAltName=DNS:api.example.com", "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_text(chain.read_text() + key.read_text())
    return chain, key, both


def nginx(folder, text, _port):
    paths = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    return (
        f"user root;\ndaemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\n    access_log off;\n{paths}{indented}}}\n",
        ["nginx", "-e", "stderr", "-p", folder, "-c", folder / "config"],
    )


def haproxy(folder, text, _port):
    return text, ["haproxy", "-db", "-f", folder / "config"]


def apache(folder, text, port):
    load = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
    return (
        f"{load}ServerRoot {folder}\nDefaultRuntimeDir {folder}\nPidFile {folder}/pid\nErrorLog /dev/stderr\n"
        f"ServerName 127.0.0.1\nListen 127.0.0.1:{port}\n{text}",
        ["apache2", "-D", "FOREGROUND", "-f", folder / "config"],
    )


def caddy(folder, text, port):
    options = (
        f"{{\n\tadmin off\n\thttp_port {free_port()}\n\thttps_port {port}\n\tdefault_bind 127.0.0.1\n\tlocal_certs\n"
        f"\tskip_install_trust\n\tstorage file_system {folder}/storage\n}}\n"
    )
    return options + text, ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "config"]


def varnish(folder, text, port):
    arguments = ["-F", "-n", folder / "state", "-a", f"127.0.0.1:{port}", "-f", folder / "config", "-s", "malloc,32m"]
    return text, ["varnishd", *arguments, "-p", "feature=+http2"]


PROXIES = {"nginx": nginx, "HAProxy": haproxy, "Apache": apache, "Caddy": caddy, "Varnish": varnish}


@contextlib.contextmanager
def running(name, text, port):
    """Runs the proxy of this name while the context lasts; `text` makes it listen on 127.0.0.1:`port`.

    A proxy that does not start raises an error with all that the proxy has printed.
    """
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        folder = pathlib.Path(folder)
        # Varnish and Apache leave the rights of root before they read some of their files.
        folder.chmod(0o755)
        config, command = PROXIES[name](folder, text, port)
        (folder / "config").write_text(config)
        environment = os.environ | {"HOME": str(folder), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        program = shutil.which(command[0], path=environment["PATH"])
        if program is None:
            raise RuntimeError(f"{command[0]} is not installed")
        with open(folder / "log", "w+b") as log:
            process = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
            )  # fmt: skip
            try:
                wait_for(port, process, lambda: f"{name}: {(folder / 'log').read_text()}\n{config}")
                yield
            finally:
                stop(process)


def wait_for(port, process, problem):
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(problem())


def stop(process):
    """Ends the process, and then what is left of its group."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def tls_tunnel(target, protocol):
    """Accepts plain connections while the context lasts, and passes each on to a port of 127.0.0.1 inside of TLS.

    `protocol` is the one to ask for: "http/1.1" or "h2". The value is the port to connect to.
    """
    started = asyncio.start_server(tunnel(target, protocol), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(started, event_loop()).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        # Its connections end with the proxy.
        event_loop().call_soon_threadsafe(server.close)


@functools.cache
def event_loop():
    """One loop for all tunnels, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def tunnel(target, protocol):
    context = ssl.create_default_context()
    # The certificate was made for this run.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            to = await asyncio.open_connection("127.0.0.1", target, ssl=context, server_hostname="api.example.com")
            ways = [asyncio.create_task(copy(*way)) for way in ((reader, to[1]), (to[0], writer))]
            _, other = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in other:
                way.cancel()
            to[1].transport.abort()
        writer.close()

    return serve


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
