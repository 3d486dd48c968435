#!/usr/bin/env python3
"""Loads a server of its own and prints what it held: streams at once, probes meanwhile, throughput.

Usage: benchmarks/server_load.py [--package PKG] [--streams 1000] [--clients 32] [--rounds 3]

Prints one JSON object. Everything goes over the loopback interface to a server that this script starts.
"""
import argparse
import asyncio
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUIRE = ROOT / "build/release/quire"
NEW_TOKENS = 64


def start(package: str, *flags: str) -> tuple[subprocess.Popen, int]:
    """A server that is ready, and its port."""
    command = [QUIRE, "serve", "-m", package, "--port", "0", *flags]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = server.stderr.readline()
    found = re.match(r"listening on http://127\.0\.0\.1:(\d+)", line)
    if not found:
        sys.exit(f"error: the server did not start: {line}")
    return server, int(found[1])


async def ask(port: int, path: str, body: dict | None = None) -> tuple[bytes, list[float]]:
    """The whole answer, head and all, and the times its pieces came at."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = b"" if body is None else json.dumps(body).encode()
    verb = "GET" if body is None else "POST"
    head = f"{verb} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    begin, answer, times = time.perf_counter(), b"", []
    while piece := await reader.read(65536):
        answer += piece
        times.append(time.perf_counter() - begin)
    writer.close()
    return answer, times


def chat(i: int, stream: bool) -> dict:
    return {"messages": [{"role": "user", "content": f"Tell me about the number {i}."}],
            "max_tokens": NEW_TOKENS, "ignore_eos": True, "temperature": 0, "stream": stream}


def text_of(answer: bytes) -> str:
    events = re.findall(rb"^data: (\{.*\})\r?$", answer, re.MULTILINE)
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events]
    return "".join(delta.get("content") or "" for delta in deltas)


async def hold_streams(port: int, count: int) -> dict:
    """Many streams at once: whether each says what it says alone, and what a probe waits meanwhile."""
    done = asyncio.Event()
    waits: list[float] = []

    async def probe() -> None:
        while not done.is_set():
            waits.append((await ask(port, "/health"))[1][-1])
            await asyncio.sleep(0.1)

    probing = asyncio.create_task(probe())
    begin = time.perf_counter()
    answers = await asyncio.gather(*(ask(port, "/v1/chat/completions", chat(i, True)) for i in range(count)))
    seconds = time.perf_counter() - begin
    done.set()
    await probing
    crowd = [text_of(answer) for answer, _ in answers]
    sample = range(0, count, max(1, count // 50))
    alone = [text_of((await ask(port, "/v1/chat/completions", chat(i, True)))[0]) for i in sample]
    waits.sort()
    return {"streams": count, "whole": sum(b"data: [DONE]" in answer for answer, _ in answers),
            "equal_to_solo": f"{sum(crowd[i] == text for i, text in zip(sample, alone))} of {len(alone)}",
            "seconds": round(seconds, 1), "health_p99_ms": round(1e3 * waits[int(0.99 * (len(waits) - 1))], 1),
            "health_max_ms": round(1e3 * waits[-1], 1), "probes": len(waits)}


async def throughput(port: int, clients: int) -> float:
    """New tokens a second of that many answers asked for at once."""
    begin = time.perf_counter()
    await asyncio.gather(*(ask(port, "/v1/chat/completions", chat(i, False)) for i in range(clients)))
    return clients * NEW_TOKENS / (time.perf_counter() - begin)


def engine_throughput(package: str, clients: int) -> float:
    """The same answers by `quire generate`, without its start."""
    lines = "".join(json.dumps(chat(i, False) | {"stream": None}) + "\n" for i in range(clients))
    lines = lines.replace(', "stream": null', "")
    run = subprocess.run([QUIRE, "generate", "-m", package, "--file", "-", "--stats", "--json",
                          "--no-prefix-cache"],
                         input=lines, capture_output=True, text=True, check=True)
    timings = [json.loads(line)["timings"]["total_ms"] for line in run.stdout.splitlines()]
    return clients * NEW_TOKENS / (max(timings) / 1e3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--package", default=str(ROOT / "models/smollm2-135m-instruct"))
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    server, port = start(options.package, "--max-queue", str(2 * options.streams), "--no-prefix-cache")
    try:
        ratios = []
        for _ in range(options.rounds):
            by_http = asyncio.run(throughput(port, options.clients))
            ratios.append(by_http / engine_throughput(options.package, options.clients))
        held = asyncio.run(hold_streams(port, options.streams))
    finally:
        server.terminate()
        server.wait()
    print(json.dumps({"cpus": os.cpu_count(), "clients": options.clients,
                      "http_to_engine": [round(ratio, 3) for ratio in ratios],
                      "http_to_engine_median": round(statistics.median(ratios), 3), **held,
                      "exit_code": server.returncode}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
