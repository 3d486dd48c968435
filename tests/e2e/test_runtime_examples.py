"""The two examples that use a runtime alone agree with the recorded model and with each other."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "tests" / "data" / "contract"


def run(example: str, *arguments: str) -> list[str]:
    """The lines an example prints."""
    binary = ROOT / "build" / "release" / "examples" / example
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


@pytest.mark.parametrize("example", ["onnx_runtime", "libtorch"])
def test_an_example_of_a_runtime_generates_greedily(example: str) -> None:
    """The prompt's next token is the source model's; generation goes on from there."""
    expected = json.loads((CONTRACT / "expected.json").read_text())
    ids = list(map(str, expected["ids"]))
    lines = run(example, str(CONTRACT / "none"), "5", "0", "0", *ids)
    best = int(np.argmax(expected["logits"][-1]))
    assert lines[0] == f"best: {best}"
    generated = lines[1].removeprefix("generated: ").split()
    assert generated[0] == str(best) and len(generated) == 5
    # The prompt's beginning must lead to what the source model says there.
    first = run(example, str(CONTRACT / "none"), "1", "0", "0", *ids[:9])
    assert first[0] == f"best: {int(np.argmax(expected['logits'][8]))}"


def test_both_runtimes_draw_the_same_tokens() -> None:
    """The same seed and nearly the same logits."""
    arguments = (str(CONTRACT / "none"), "12", "0.8", "10", "3", "1", "4", "1", "5")
    onnx, torch = run("onnx_runtime", *arguments), run("libtorch", *arguments)
    assert onnx == torch and len(onnx[1].split()) == 13


@pytest.mark.parametrize("example", ["onnx_runtime", "libtorch"])
def test_an_example_says_what_is_missing(example: str) -> None:
    """A folder without the file; too few arguments."""
    binary = ROOT / "build" / "release" / "examples" / example
    done = subprocess.run([binary, "/nowhere", "1", "0", "0", "1"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and done.stderr.startswith(f"{example}: ")
    assert subprocess.run([binary], capture_output=True, check=False).returncode == 2
