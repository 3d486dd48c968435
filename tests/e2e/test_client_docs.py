"""What docs/clients.md tells people to run, against a server as it says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import Program
from server_process import Server, serving

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
# JavaScript is run by tests/js, in the tier that has node.
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def server(quire: Program, default_package: Path) -> Iterator[Server]:
    with serving(quire.binary, default_package) as running:
        yield running
        assert running.stop() == 0


@pytest.mark.parametrize(("language", "block"), BLOCKS, ids=lambda text: text[:40].split("\n")[0])
def test_a_client_of_the_page_gets_its_answer(server: Server, language: str, block: str) -> None:
    program = ["bash", "-euo", "pipefail"] if language == "sh" else [sys.executable]
    text = block.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    assert text != block
    done = subprocess.run(
        [*program, "-c", text], capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]})
    assert done.returncode == 0, done.stderr
    if "capital of France?" in block and "/tokenize" not in block:
        assert "Paris" in "".join(re.findall(r'"content":"([^"]*)"', done.stdout)) + done.stdout
    else:
        assert done.stdout.strip()
