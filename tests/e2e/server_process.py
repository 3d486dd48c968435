"""A `quire serve` under test, and clients of it made of the standard library and raw sockets."""

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEADLINE_S = 60


def wait_until(condition: Any, what: str) -> Any:
    """The first true value of `condition`, asked again until a deadline."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if value := condition():
            return value
        select.select([], [], [], 0.01)
    raise AssertionError(f"not in {DEADLINE_S} s: {what}")


class Server:
    """A running server on a port of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int, lines: list[str]) -> None:
        self.process, self.port, self.lines = process, port, lines
        self.tls: ssl.SSLContext | None = None  # for a server of HTTPS

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case and text of one request; a body that is no text is JSON."""
        if self.tls is None:
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        else:
            client = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=DEADLINE_S, context=self.tls)
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, data, named)
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, text

    def post(self, path: str, body: Any, status: int = 200, **headers: str) -> Any:
        """The JSON answer, whose status must be as given."""
        code, _, text = self.request("POST", path, body, **headers)
        assert code == status, (code, text)
        return json.loads(text)

    def events(self, path: str, body: dict[str, Any]) -> list[Any]:
        """The data of a streamed answer's events, to the end of the stream."""
        code, headers, text = self.request("POST", path, body | {"stream": True})
        assert code == 200 and headers["content-type"].startswith("text/event-stream"), text
        data = re.findall(r"^data: (.*)$", text, re.MULTILINE)
        return [item if item == "[DONE]" else json.loads(item) for item in data]

    def raw(self, data: bytes = b"") -> socket.socket:
        """A connection of one's own, with something sent on it."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)
        if self.tls is not None:
            client = self.tls.wrap_socket(client, server_hostname="127.0.0.1")
        client.sendall(data)
        return client

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = self.request("GET", "/metrics")[2]
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in found)

    def assert_idle(self) -> None:
        """Nothing runs, waits or holds a block any more."""
        for name in ("vllm:num_requests_running", "vllm:num_requests_waiting",
                     "quire_kv_cache_blocks_used"):
            wait_until(lambda n=name: self.metric(n) == 0, f"{name} is 0")

    def stop(self) -> int:
        """Asks it to end and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


@contextlib.contextmanager
def serving(
    binary: Path, *packages: Path, flags: tuple[str, ...] = (), port: int = 0
) -> Iterator[Server]:
    """A server that is ready; killed in the end if it is still there."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
    models = [argument for package in packages for argument in ("-m", str(package))]
    process = subprocess.Popen(
        [binary, "serve", *models, "--port", str(port), *flags],
        stderr=subprocess.PIPE, text=True, env=clean)
    lines: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")))
    reader.start()
    try:
        wait_until(lambda: lines or process.poll() is not None, "the server is ready")
        found = re.match(r"listening on https?://127\.0\.0\.1:(\d+)$", lines[0] if lines else "")
        assert found, lines
        yield Server(process, int(found[1]), lines)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()


def post_bytes(path: str, body: bytes, *headers: str) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: quire", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_status(client: socket.socket) -> int:
    """The status of the answer on a raw connection."""
    head = b""
    while b"\r\n" not in head:
        more = client.recv(4096)
        assert more, f"closed after {head!r}"
        head += more
    return int(head.split(b" ", 2)[1])
