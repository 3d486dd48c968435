"""`quire list` and `quire pull` as a user types them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from program import Program


def test_list_shows_name_size_licence(quire: Program) -> None:
    """One line a model."""
    run = quire("list")
    assert run.code == 0 and "smollm2-135m-instruct" in run.out and "Apache-2.0" in run.out


def test_pull_of_an_unknown_model_names_the_known(quire: Program) -> None:
    """Exit code 2; nothing is run."""
    run = quire("pull", "../../etc/passwd")
    assert run.code == 2 and "gemma-3-270m" in run.err and run.err.count("\n") == 1


def test_pull_without_the_exporter_says_what_to_install(quire: Program, tmp_path: Path) -> None:
    """Exit code 1, one line."""
    run = quire("pull", "gemma-3-270m", env={"QUIRE_PYTHON": str(tmp_path / "no-python")})
    assert run.code == 1 and "QUIRE_PYTHON" in run.err and run.err.count("\n") == 1


def test_pull_of_what_is_there_says_so(quire: Program, default_package: Path) -> None:
    """Through the exporter's Python, and without exporting again."""
    environment = {"QUIRE_PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "python")}
    run = quire("pull", "smollm2-135m-instruct", "-o", default_package, env=environment)
    assert run.code == 0 and run.out.strip() == str(default_package), run
    assert "there already" in run.err


@pytest.mark.parametrize("target", ["> /dev/full", ">&-"])
def test_s4_pull_whose_output_cannot_be_written_fails(
    target: str, quire: Program, default_package: Path
) -> None:
    """Its one line of output is the exporter's, whose exit code is no code of ours."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
    done = subprocess.run(
        ["bash", "-c", f'"$@" {target}', "bash", quire.binary,
         "pull", "smollm2-135m-instruct", "-o", default_package],
        capture_output=True, text=True, check=False, timeout=120,
        env=clean | {"QUIRE_PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "python")},
    )  # fmt: skip
    assert done.returncode == 1, done
    assert "cannot write" in done.stderr.splitlines()[-1], done


@pytest.mark.parametrize("python_path", ["{}", "{}:", ":{}", "{}::", ".:{}", "./:{}", "{}:./."])
def test_s10_pull_runs_nothing_of_the_current_folder(
    python_path: str, quire: Program, tmp_path: Path
) -> None:
    """Neither in the Python it starts nor in the pip that one starts, which finds no index here."""
    folder = tmp_path / "here"
    for module in ("quire_export", "pip", "tqdm"):
        (folder / module).mkdir(parents=True)
        for name in ("__init__", "__main__", "zoo"):
            (folder / module / f"{name}.py").write_text("print('EVIL')\n")
    for module in ("sitecustomize", "usercustomize", "json", "argparse"):
        (folder / f"{module}.py").write_text("print('EVIL')\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("QUIRE_", "PYTHON"))}
    done = subprocess.run(
        [quire.binary, "pull", "gemma-3-270m"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env=clean | {
            "QUIRE_PYTHON": sys.executable,
            "PYTHONPATH": python_path.format(ROOT / "python"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "QUIRE_CACHE": str(tmp_path / "cache"),
            "PIP_NO_INDEX": "1",
        },
    )  # fmt: skip
    assert "EVIL" not in done.stdout + done.stderr, done
    assert done.returncode == 1 and "could not be downloaded" in done.stderr, done
