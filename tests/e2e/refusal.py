"""What every refusal of a package promises."""

from collections.abc import Callable
from pathlib import Path

from program import Program, Run

# Spoils the package in a folder.
Damage = Callable[[Path], None]


def open_it(quire: Program, package: Path) -> Run:
    """Opens the model for one token."""
    return quire("generate", "-m", package, "-n", "1", "x", timeout=30)


def assert_refused(quire: Program, package: Path, *words: str) -> None:
    run = open_it(quire, package)
    run.assert_refused(3, *words)
    assert run.out == "" and run.seconds < 5
