"""The programs of docs/python.md and the README work as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = ("README.md", "docs/python.md")
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    )
]
# vLLM's program is run by Quire: the names in it are the same.
AS_VLLM = "import sys, quire\nsys.modules['vllm'] = quire\n"


@pytest.mark.parametrize("block", BLOCKS)
def test_the_programs_of_the_documentation_work_as_written(block: str, package: Path) -> None:
    """From the repository's root, with the installed package."""
    program = (AS_VLLM if "vllm" in block else "") + block
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=package.parents[1], check=False, timeout=120,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
