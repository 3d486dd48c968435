"""The installed package quire-llm and a small model for it. Nothing of the sources is importable here."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "data" / "contract" / "paged"


@pytest.fixture(scope="session")
def package() -> Path:
    """The default model."""
    subprocess.run([ROOT / "scripts" / "default_model.sh"], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "models" / "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def llm(package: Path) -> Iterator[Any]:
    """One engine for the tests that leave it as they found it."""
    from quire import LLM

    with LLM(package, max_num_seqs=8, num_kv_blocks=1024) as opened:
        yield opened


@pytest.fixture
def command(package: Path) -> Callable[..., list[dict[str, Any]]]:
    """`quire generate --json` of the same installation: the answers to lines of a prompt file."""

    def run(lines: list[dict[str, Any]], *flags: str) -> list[dict[str, Any]]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
        done = subprocess.run(
            [Path(sys.executable).with_name("quire"), "generate", "-m", package, "--file", "-",
             "--json", *flags],
            input="".join(json.dumps(line) + "\n" for line in lines),
            capture_output=True, text=True, check=True, timeout=300, env=clean,
        )  # fmt: skip
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run
