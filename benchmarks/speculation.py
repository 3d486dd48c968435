#!/usr/bin/env python3
"""Times `quire generate` with and without --speculate, in turn, and checks that no token differs.

Usage: benchmarks/speculation.py [--package PKG] [--guesses 8] [--rounds 5] [--threads 2]

Three texts: an edit that repeats a given paragraph, code that repeats itself, and a story that does not;
one stream and eight. Prints tokens a second (median and spread) and the ratio.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARAGRAPH = (
    "The harbour of the old town was built in 1687 by a captain from the north. It has three piers, a "
    "lighthouse of grey stone, and a small market where fish is sold. In winter the boats lie on the shore, "
    "and children climb over the nets. The mayor says that the harbour will be made wider next year, but "
    "nobody believes it.")
FIELD = '    def get_{0}(self) -> str:\n        """Returns the {0} of this person."""\n        return self._{0}\n\n'
CASES = {
    "edit": (True, f"The text:\n{PARAGRAPH}\n\nThe text again:\n{PARAGRAPH}\n\nThe text again:\n"),
    "code": (True, "class Person:\n" + "".join(map(FIELD.format, ("name", "street", "city", "country")))),
    "story": (False, "Tell me a story about a fox who learns to read."),
}


def run(args: argparse.Namespace, case: str, streams: int, guesses: int) -> tuple[float, list]:
    """Tokens a second between the first token and the last, and the answers' ids."""
    raw, prompt = CASES[case]
    # A word in front keeps the prompts of several streams apart.
    lines = [json.dumps({"prompt": prompt if i == 0 else f"({i}) {prompt}", "ignore_eos": True}) for i in range(streams)]
    command = [ROOT / "build/release/quire", "generate", "-m", args.package, "--file", "-", "--json", "-n", "160",
               "--threads", str(args.threads), "--speculate", str(guesses), *(["--raw"] if raw else [])]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {done.stderr}")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    first = min(answer["timings"]["first_token_ms"] for answer in answers)
    last = max(answer["timings"]["total_ms"] for answer in answers)
    ids = [answer["token_ids"] for answer in answers]
    return sum(len(i) - 1 for i in ids) / (last - first) * 1000, ids


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default=str(ROOT / "models/smollm2-135m-instruct"))
    parser.add_argument("--guesses", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print(f"| text | streams | plain, tok/s | --speculate {args.guesses}, tok/s | ratio |\n|---|---|---|---|---|")
    for case in CASES:
        for streams in (1, 8):
            plain, guessing = [], []
            for _ in range(args.rounds):
                rate, expected = run(args, case, streams, 0)
                plain.append(rate)
                rate, ids = run(args, case, streams, args.guesses)
                guessing.append(rate)
                if ids != expected:
                    sys.exit(f"error: {case}, {streams} streams: the answers differ")
            ratio = statistics.median(b / a for a, b in zip(plain, guessing))
            print(f"| {case} | {streams} | {shown(plain)} | {shown(guessing)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
