"""What the README and the guide tell people to type works as it stands."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def shell_blocks(name: str) -> list[tuple[str, str]]:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [(f"{name}-{index}", block) for index, block in enumerate(blocks)]


PAGES = ("README.md", "docs/guide.md", "docs/nanochat.md", "docs/structured_output.md")
BLOCKS = [block for page in PAGES for block in shell_blocks(page)]


@pytest.mark.parametrize("block", [block for _, block in BLOCKS], ids=[name for name, _ in BLOCKS])
@pytest.mark.usefixtures("quire", "default_package")
def test_the_commands_of_the_documentation_work_as_written(block: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=ROOT, env=environment,
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
