"""The example programs answer, and an installed folder runs wherever it is moved to."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("QUIRE_BINARY", ROOT / "build" / "release" / "quire")).parent
QUESTION = "What is the capital of France?"


def run_example(name: str, *arguments: str) -> str:
    done = subprocess.run([BUILD / "examples" / name, *arguments], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["hello", "streaming", "hello_c"])
def test_an_example_answers_a_question(name: str, default_package: pathlib.Path) -> None:
    assert "Paris" in run_example(name, str(default_package), QUESTION)


def test_the_batch_example_answers_every_question(default_package: pathlib.Path) -> None:
    answers = run_example("batch", str(default_package), QUESTION, "Name a fruit.", "Count to three.")
    assert answers.count("---") == 3
    assert "failed" not in answers


def test_the_forward_example_predicts_the_next_token(default_package: pathlib.Path) -> None:
    # "The capital of France is" and, after it, " Paris".
    lines = run_example("forward", str(default_package), "504", "3575", "282", "4649", "314")
    assert lines.splitlines()[-1].startswith("314 -> 7042 ")


def test_an_example_reports_a_missing_package_in_one_line() -> None:
    for name in ["hello", "hello_c"]:
        done = subprocess.run([BUILD / "examples" / name, "/nowhere", QUESTION], capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1


def test_an_installed_folder_runs_where_it_is_moved_without_environment(
    default_package: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    subprocess.run(["cmake", "--install", BUILD, "--prefix", tmp_path / "here"], check=True,
                   capture_output=True)
    moved = tmp_path / "some where else"
    shutil.move(tmp_path / "here", moved)
    done = subprocess.run([moved / "bin" / "quire", "generate", "-m", default_package, QUESTION],
                          env={}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Paris" in done.stdout
    linked = subprocess.run(["ldd", moved / "bin" / "quire"], check=True, capture_output=True,
                            text=True).stdout
    # Opened when a model needs it, and found beside the program.
    assert "onnxruntime" not in linked
    done = subprocess.run([moved / "bin" / "quire", "verify", default_package, "--shadow", "graph,onnx"],
                          env={}, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert (moved / "share" / "doc" / "quire" / "LICENSE").exists()
