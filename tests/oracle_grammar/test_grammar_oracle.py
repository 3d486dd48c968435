"""Constraints against Python: the same texts are accepted, by the automaton and by the references.

`QUIRE_SEED=N` replays; `python test_grammar_oracle.py 100000` is the long run, with its figures."""

import json
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from oracle import MAKERS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVER = ROOT / "build" / os.environ.get("QUIRE_BUILD", "release") / "tests/oracle_grammar/grammar_driver"
# What a schema of the maker's may be refused for: it says so, and nothing is judged.
REFUSALS = ("is not enforced", "matches no text")


def compare(kind: str, seed: int, documents: int) -> dict[str, object]:
    """Judges at least so many documents; the differences, and what was seen."""
    rng = random.Random(seed)
    seen = {"rules": 0, "documents": 0, "valid": 0, "refused": 0, "given_up": 0}
    differences, compile_us = [], []
    with subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdin and driver.stdout
        while seen["documents"] < documents:
            case, texts, expected = MAKERS[kind](rng, 20)
            driver.stdin.write(json.dumps(case | {"documents": texts}) + "\n")
            driver.stdin.flush()
            answer = json.loads(driver.stdout.readline())
            seen["rules"] += 1
            if "error" in answer:
                if not any(words in answer["error"] for words in REFUSALS):
                    differences.append((case["text"], answer["error"], None))
                elif "matches no text" in answer["error"]:
                    differences += [(case["text"], t, True) for t, e in zip(texts, expected) if e]
                seen["refused"] += 1
                continue
            compile_us.append(answer["compile_us"])
            for text, ours, theirs in zip(texts, answer["accepted"], expected, strict=True):
                seen["documents"] += 1
                seen["valid"] += theirs
                if ours is None:
                    seen["given_up"] += 1
                elif ours != theirs:
                    differences.append((case["text"], text, theirs))
        driver.stdin.close()
    compile_us.sort()
    seen["compile_us_median"] = compile_us[len(compile_us) // 2]
    seen["compile_us_p99"] = compile_us[len(compile_us) * 99 // 100]
    return {"differences": differences, **seen}


@pytest.mark.parametrize("kind", MAKERS)
def test_texts_are_accepted_as_the_reference_accepts_them(kind: str) -> None:
    seed = int(os.environ.get("QUIRE_SEED", random.randrange(2**32)))
    print(f"QUIRE_SEED={seed}")
    found = compare(kind, seed, 1700)
    assert not found["differences"], found["differences"][:3]
    assert found["valid"] > found["documents"] / 10, found


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for each in MAKERS:
        begin = time.monotonic()
        result = compare(each, int(os.environ.get("QUIRE_SEED", 1)), wanted // len(MAKERS))
        wrong = result.pop("differences")
        print(each, result, f"{time.monotonic() - begin:.0f} s,", len(wrong), "differences")
        for difference in wrong[:12]:
            print("   ", difference)
