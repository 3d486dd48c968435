"""Makes the exporter and the tiny models importable; exports shared packages once."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "python")]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama as a Hugging Face folder."""
    from tiny_models import make_tiny_llama

    return make_tiny_llama(tmp_path_factory.mktemp("source") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_package(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of tiny_folder, exported with defaults."""
    from quire_export import ExportOptions, export_model

    package = tmp_path_factory.mktemp("package") / "tiny"
    export_model(tiny_folder, package, ExportOptions(progress=False))
    return package
