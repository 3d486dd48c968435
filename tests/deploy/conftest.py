"""Finds the built program, for the files of deploy/."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from program import Program  # noqa: E402


@pytest.fixture(scope="session")
def quire() -> Program:
    """The program under test: QUIRE_BINARY, or the release build."""
    binary = Path(os.environ.get("QUIRE_BINARY", ROOT / "build" / "release" / "quire")).absolute()
    assert binary.is_file(), f"{binary} is not built; run scripts/build.sh release quire"
    return Program(binary)
