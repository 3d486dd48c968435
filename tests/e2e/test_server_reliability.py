"""A server under clients that crowd, stall and leave, and under kills, reloads and scarcity."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Program
from server_process import DEADLINE_S, Server, post_bytes, read_status, serving, wait_until

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "Hi"}


def chat(**fields: Any) -> bytes:
    return post_bytes(CHAT, json.dumps({"messages": [USER], "max_tokens": 8, **fields}).encode())


@pytest.fixture(autouse=True, scope="module")
def many_descriptors() -> Iterator[None]:
    """The tests themselves hold thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def server(quire: Program, tiny_package: Path) -> Iterator[Server]:
    with serving(quire.binary, tiny_package) as running:
        golden = running.post(CHAT, {"messages": [USER], "max_tokens": 8})["choices"]
        yield running
        running.assert_idle()
        assert running.post(CHAT, {"messages": [USER], "max_tokens": 8})["choices"] == golden
        assert running.stop() == 0


def resident_kib(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def is_closed(client: socket.socket) -> bool:
    """Reads what there is; true once the other side has closed."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_an_idle_connection_costs_32_kib_at_most_and_too_many_get_a_503(server: Server) -> None:
    few = descriptors(server)
    before = resident_kib(server)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(server.raw()) for _ in range(2000)]
        wait_until(lambda: descriptors(server) >= 2000, "all are accepted")
        assert resident_kib(server) - before <= 32 * 2000
        # Each can still be used.
        for client in idle[::100]:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_status(client) == 200
        more = [stack.enter_context(server.raw(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"))
                for _ in range(100)]
        statuses = {status_or_none(client) for client in more}
        assert statuses <= {200, 503, None} and statuses & {503, None}, statuses
    wait_until(lambda: descriptors(server) <= few + 2, "all are closed")


def status_or_none(client: socket.socket) -> int | None:
    """The status of an answer; None for a connection closed without one."""
    try:
        return read_status(client)
    except (AssertionError, ConnectionError):
        return None


def test_clients_that_dribble_are_cut_off_while_others_are_served(server: Server) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.raw(head)) for _ in range(100)]

        def all_are_cut_off() -> bool:
            for client in slow:
                with contextlib.suppress(OSError):
                    client.sendall(b"x")
            assert server.request("GET", "/health")[0] == 200
            return all(is_closed(client) for client in slow)

        wait_until(all_are_cut_off, "the slow heads are cut off")


def test_a_stream_that_nobody_reads_is_bounded_and_then_cut_off(
    quire: Program, default_package: Path
) -> None:
    with serving(quire.binary, default_package) as server:
        before = resident_kib(server)
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", server.port))
                client.sendall(chat(max_tokens=3000, n=8, temperature=1, ignore_eos=True, stream=True,
                                    logprobs=True, top_logprobs=20))
            wait_until(lambda: server.metric("vllm:num_requests_running") > 0, "they run")
            # Others are served meanwhile, and what nobody reads is given up.
            assert server.post(CHAT, {"messages": [USER], "max_tokens": 4})["choices"]
            wait_until(lambda: server.metric("quire_clients_too_slow_total") == 4, "they are cut off")
            assert resident_kib(server) - before < 256 * 1024
        server.assert_idle()
        assert server.stop() == 0


@pytest.mark.parametrize("how", ["reset", "closed"])
def test_clients_that_leave_are_counted_and_cost_nothing(server: Server, how: str) -> None:
    few = descriptors(server)
    stream = chat(max_tokens=400, ignore_eos=True, stream=True)
    whole = chat(max_tokens=400, ignore_eos=True)
    for i in range(200):
        with server.raw(stream if i % 2 else whole) as client:
            if i % 3 and i % 2:
                assert read_status(client) == 200
            if how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.assert_idle()
    wait_until(lambda: descriptors(server) <= few + 2, "no descriptor is left")


def test_a_server_that_was_killed_under_load_starts_again_on_its_port(
    quire: Program, tiny_package: Path
) -> None:
    port = 0
    for _ in range(20):
        with serving(quire.binary, tiny_package, port=port) as server:
            assert port in (0, server.port)
            port = server.port
            busy = [server.raw(chat(max_tokens=400, ignore_eos=True, stream=True)) for _ in range(8)]
            assert [read_status(client) for client in busy] == [200] * 8
            server.process.kill()
            server.process.wait(DEADLINE_S)
            for client in busy:
                client.close()


def test_a_unix_socket_left_by_a_killed_server_is_no_obstacle(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    path = tmp_path / "quire.sock"
    command = [quire.binary, "serve", "-m", tiny_package, "--unix-socket", path]
    for how in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            assert "listening" in process.stderr.readline()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
                assert read_status(client) == 200
        finally:
            process.send_signal(how)
            process.wait(DEADLINE_S)
            process.stderr.close()


def test_keys_change_under_a_hundred_streams_and_none_is_dropped(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("old\n")
    body = json.dumps({"messages": [USER], "max_tokens": 300, "ignore_eos": True, "stream": True})
    request = post_bytes(CHAT, body.encode(), "Authorization: Bearer old")
    with serving(quire.binary, tiny_package, flags=("--api-key-file", str(keys))) as server:
        clients = [server.raw(request) for _ in range(100)]
        keys.write_text("new\n")
        assert [read_status(client) for client in clients] == [200] * 100
        server.process.send_signal(signal.SIGHUP)
        for client in clients:
            rest = b""
            while b"data: [DONE]" not in rest:
                more = client.recv(65536)
                assert more, rest[-200:]
                rest += more
            client.close()
        wait_until(lambda: server.request("GET", "/v1/models", x_api_key="old")[0] == 401, "reloaded")
        assert server.stop() == 0


def limited(limit: str, *command: str | Path) -> list[str]:
    """A command under one limit of the shell."""
    return ["bash", "-c", f'ulimit {limit}; exec "$@"', "limited", *map(str, command)]


@contextlib.contextmanager
def serving_under(limit: str, quire: Program, package: Path) -> Iterator[Server]:
    wrapper = package.parent / f".limited{os.getpid()}"
    wrapper.write_text(f'#!/bin/bash\nulimit {limit}\nexec {quire.binary} "$@"\n')
    wrapper.chmod(0o755)
    try:
        with serving(wrapper, package) as server:
            yield server
    finally:
        wrapper.unlink()


def test_a_server_without_descriptors_left_recovers(quire: Program, tiny_package: Path) -> None:
    with serving_under("-n 40", quire, tiny_package) as server:
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(server.raw())
            wait_until(lambda: descriptors(server) >= 38, "all are in use")
        wait_until(lambda: server.request("GET", "/health")[0] == 200, "it serves again")
        assert server.post(CHAT, {"messages": [USER], "max_tokens": 4})["choices"]
        assert server.stop() == 0


def test_a_server_stopped_for_a_while_goes_on(server: Server) -> None:
    client = server.raw(chat(max_tokens=300, ignore_eos=True, stream=True))
    assert read_status(client) == 200
    server.process.send_signal(signal.SIGSTOP)
    waiting = [server.raw(chat()) for _ in range(20)]
    server.process.send_signal(signal.SIGCONT)
    assert [read_status(other) for other in waiting] == [200] * 20
    for other in [client, *waiting]:
        other.close()


@pytest.mark.parametrize("target", ["/dev/full", "closed"])
def test_a_log_that_cannot_be_written_stops_nothing(
    quire: Program, tiny_package: Path, target: str
) -> None:
    with socket.socket() as probe:  # a port that is free now
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    redirect = "2>&-" if target == "closed" else f"2>{target}"
    line = f'exec "$@" {redirect}'
    process = subprocess.Popen(
        ["bash", "-c", line, "x", quire.binary, "serve", "-m", tiny_package, "--port", str(port)])
    try:
        server = Server(process, port, [])  # type: ignore[arg-type]

        def is_up() -> bool:
            with contextlib.suppress(ConnectionRefusedError):
                return server.request("GET", "/health/ready")[0] == 200
            return False

        wait_until(is_up, "it is ready")
        for _ in range(50):
            assert server.post(CHAT, {"messages": [USER], "max_tokens": 2})["choices"]
        assert server.stop() == 0
    finally:
        process.kill()
        process.wait()


def test_more_requests_than_the_cache_holds_are_each_what_they_are_alone(
    quire: Program, tiny_package: Path
) -> None:
    bodies = [{"messages": [{"role": "user", "content": f"Tell me of {i}"}], "max_tokens": 100,
               "ignore_eos": True} for i in range(24)]
    with serving(quire.binary, tiny_package, flags=("--kv-blocks", "32")) as server:
        alone = [server.post(CHAT, body)["choices"] for body in bodies]
        clients = [server.raw(post_bytes(CHAT, json.dumps(body).encode(), "Connection: close"))
                   for body in bodies]
        for client, expected in zip(clients, alone, strict=True):
            answer = b""
            while more := client.recv(65536):
                answer += more
            assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["choices"] == expected
            client.close()
        assert server.metric("vllm:num_preemptions_total") > 0
        too_long = {"messages": [{"role": "user", "content": "word " * 400}], "max_tokens": 4}
        assert server.post(CHAT, too_long, status=400)["error"]["message"]
        server.assert_idle()
        assert server.stop() == 0
