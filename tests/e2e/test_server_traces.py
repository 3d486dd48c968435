"""Traces of `quire serve`, as a collector gets them, and its status on a terminal."""

import http.client
import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from program import Program
from server_process import serving, wait_until

CHAT = "/v1/chat/completions"


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP, in JSON."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[tuple[str, Any]] = []

    def spans(self) -> list[dict[str, Any]]:
        return [span for _, post in self.posts for resource in post["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/json"
        self.server.posts.append((self.path, json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_request_is_a_trace_of_its_phases(
    quire: Program, tiny_package: Path, collector: Collector
) -> None:
    flags = ("--otlp-endpoint", f"http://127.0.0.1:{collector.server_port}")
    trace = "0af7651916cd43dd8448eb211c80319c"
    body = {"messages": [{"role": "user", "content": "Hi, secret"}], "max_tokens": 30}
    with serving(quire.binary, tiny_package, flags=flags) as server:
        server.request("POST", CHAT, body, traceparent=f"00-{trace}-b7ad6b7169203331-01")
        server.post("/v1/completions", {"prompt": ["a", "b"], "max_tokens": 4})
        server.request("GET", "/v1/models")
        wait_until(lambda: len(collector.spans()) >= 11, "the spans")
        assert server.metric("quire_trace_spans_dropped_total") == 0
        wait_until(lambda: server.metric("quire_trace_spans_exported_total") == 11, "the count")
        assert server.stop() == 0
    spans = collector.spans()
    assert len(spans) == 11 and {path for path, _ in collector.posts} == {"/v1/traces"}
    chat = [span for span in spans if span["traceId"] == trace]
    assert [s["name"] for s in chat] == [f"POST {CHAT}", "queue", "prefill", "decode"]
    root, *phases = chat
    assert root["parentSpanId"] == "b7ad6b7169203331"
    assert all(phase["parentSpanId"] == root["spanId"] for phase in phases)
    times = [int(root["startTimeUnixNano"])]
    for phase in phases:
        times += [int(phase["startTimeUnixNano"]), int(phase["endTimeUnixNano"])]
    times.append(int(root["endTimeUnixNano"]))
    assert times == sorted(times), times
    assert all(re.fullmatch("[0-9a-f]{16}", span["spanId"]) for span in spans)
    assert len({span["spanId"] for span in spans}) == 11
    assert "secret" not in json.dumps(collector.posts)


def test_what_a_server_still_has_goes_out_when_it_ends(
    quire: Program, tiny_package: Path, collector: Collector
) -> None:
    flags = ("--otlp-endpoint", f"http://127.0.0.1:{collector.server_port}/here")
    with serving(quire.binary, tiny_package, flags=flags) as server:
        server.post("/v1/completions", {"prompt": "a", "max_tokens": 4})
        assert server.stop() == 0
    assert len(collector.spans()) == 4 and collector.posts[0][0] == "/here"


def test_a_collector_that_is_away_costs_the_spans_and_nothing_else(
    quire: Program, tiny_package: Path
) -> None:
    with Collector() as gone:
        port = gone.server_port
    with serving(quire.binary, tiny_package, flags=("--otlp-endpoint", f"http://127.0.0.1:{port}")) as server:
        for _ in range(3):
            server.post("/v1/completions", {"prompt": "a", "max_tokens": 4})
        wait_until(lambda: server.metric("quire_trace_spans_dropped_total") == 12, "the count")
        assert server.metric("quire_trace_spans_exported_total") == 0
        assert server.stop() == 0
    quire("serve", "-m", tiny_package, "--otlp-endpoint", "https://x").assert_refused(2, "--otlp-endpoint")


def test_a_terminal_sees_what_the_server_does_while_it_does_it(
    quire: Program, tiny_package: Path
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [quire.binary, "serve", "-m", tiny_package, "--port", "0"], stderr=theirs)
    os.close(theirs)
    shown = b""

    def read_to(pattern: bytes) -> re.Match[bytes]:
        nonlocal shown
        while not (found := re.search(pattern, shown)):
            assert select.select([ours], [], [], 60)[0], shown
            shown += os.read(ours, 4096)
        return found

    port = int(read_to(rb"listening on http://127\.0\.0\.1:(\d+)")[1])
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = {"prompt": "a", "max_tokens": 100, "ignore_eos": True}
    client.request("POST", "/v1/completions", json.dumps(body))
    assert client.getresponse().status == 200
    client.close()
    speed = read_to(rb"0 running, 0 waiting, cache 0 % used, prompts (\d+) tokens/s, answers ([1-9]\d*)")
    assert 0 < int(speed[2]) <= 34  # of a hundred in three seconds
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    os.close(ours)
