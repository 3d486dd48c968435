"""Throughput of tokenizers on one core: ours, `tokenizers` and, for byte-level files, `tiktoken`.

Usage: benchmarks/compare_tokenizers.py FOLDER... (each with a tokenizer.json; build tokenize_driver)
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tiktoken

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # read when tokenizers is first used
from tokenizers import Tokenizer  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DRIVER = ROOT / "build/release/tests/oracle_tokenizer/tokenize_driver"
RUNS = 5


def sample_text() -> str:
    """Prose, code and other scripts, about 2 MB."""
    names = ("README.md", "docs/guide.md", "docs/ARCHITECTURE.md", "src/engine/engine.cc")
    files = [ROOT / name for name in names] + sorted((ROOT / "benchmarks/data").glob("*.txt"))
    prose = "\n".join(path.read_text(encoding="utf-8") for path in files)
    scripts = "Привет, мир! 你好,世界。 こんにちは 안녕하세요 שלום مرحبا 12345 😀\n" * 40
    once = prose + scripts
    return once * max(1, 2_000_000 // len(once.encode()))


def best(encode: Callable[[], int]) -> tuple[float, int]:
    """Seconds of the fastest run, and the number of ids."""
    times, count = [], 0
    for _ in range(RUNS):
        start = time.perf_counter()
        count = encode()
        times.append(time.perf_counter() - start)
    return min(times), count


def as_tiktoken(folder: Path) -> tiktoken.Encoding | None:
    """The same vocabulary by rank, where the file splits by one pattern and spells in bytes."""
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    steps = (document["pre_tokenizer"] or {}).get("pretokenizers", [])
    patterns = [step["pattern"].get("Regex") for step in steps if step["type"] == "Split"]
    if len(patterns) != 1 or document["normalizer"]:
        return None
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(256, 512))
    byte_of = {chr(b if b in visible else next(hidden)): b for b in range(256)}
    ranks = {
        bytes(byte_of[c] for c in token): rank
        for token, rank in document["model"]["vocab"].items()
        if all(c in byte_of for c in token)
    }
    return tiktoken.Encoding(
        folder.name, pat_str=patterns[0], mergeable_ranks=ranks, special_tokens={}
    )


def main() -> None:
    """Prints a table; every count must agree with ours, or the row says by how much not."""
    text = sample_text()
    size = len(text.encode())
    print(f"{size / 1e6:.1f} MB of text, one core, best of {RUNS}; MB/s")
    print(f"{'folder':<28}{'ours':>8}{'tokenizers':>12}{'tiktoken':>10}")
    for folder in map(Path, sys.argv[1:]):
        line = json.dumps(text) + "\n"
        done = subprocess.run(
            [DRIVER, folder, "--time"], input=line, capture_output=True, text=True, check=True
        )
        ours = json.loads(done.stdout)
        reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
        reference.encode_special_tokens = True  # as ours reads text that is not trusted
        seconds, count = best(lambda t=reference: len(t.encode(text, add_special_tokens=False).ids))
        row = [size / ours["seconds"] / 1e6, size / seconds / 1e6]
        note = "" if count == ours["ids"] else f"  {ours['ids'] - count:+d} ids"
        encoding = as_tiktoken(folder)
        if encoding is not None:
            seconds, count = best(lambda e=encoding: len(e.encode_ordinary(text)))
            row.append(size / seconds / 1e6)
            note += "" if count == ours["ids"] else f"  tiktoken {ours['ids'] - count:+d} ids"
        figures = "".join(f"{value:>{width}.1f}" for value, width in zip(row, (8, 12, 10)))
        print(f"{str(folder)[-27:]:<28}{figures}{note}")


if __name__ == "__main__":
    main()
