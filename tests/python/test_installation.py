"""The distribution as `pip` installed it."""

import importlib.metadata
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import quire
from conftest import ROOT

BIN = Path(sys.executable).parent


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In an environment that knows nothing of the repository."""
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120,
        env={"HOME": str(cwd), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def test_it_is_imported_from_the_environment_and_not_from_the_sources() -> None:
    """What these tests test."""
    assert not Path(quire.__file__).is_relative_to(ROOT / "python")
    assert "PYTHONPATH" not in os.environ


def test_it_needs_numpy_alone() -> None:
    """Everything else is an extra, and importing it brings nothing else in."""
    needs = importlib.metadata.requires("quire-llm") or []
    assert [need for need in needs if "extra ==" not in need] == ["numpy>=1.26"]
    found = run(
        sys.executable, "-c",
        "import sys, quire; quire.LLM, quire.AsyncLLM\n"
        "print({'torch', 'onnxruntime', 'transformers', 'tqdm'} & sys.modules.keys())",
        cwd=Path("/"),
    )  # fmt: skip
    assert found.stdout == "set()\n", found


def test_program_library_and_distribution_are_of_one_version(tmp_path: Path) -> None:
    """One statement of it, in CMakeLists.txt."""
    version = importlib.metadata.version("quire-llm")
    assert quire.__version__ == version
    assert run(BIN / "quire", "--version", cwd=tmp_path).stdout == f"quire {version}\n"
    assert run(BIN / "quire-export", "--version", cwd=tmp_path).stdout == f"quire-export {version}\n"


def test_the_commands_work_from_anywhere_without_pythonpath(package: Path, tmp_path: Path) -> None:
    """The default model's best-known answer, and the exporter's help."""
    found = run(BIN / "quire", "generate", "-m", package, "What is the capital of France?",
                cwd=tmp_path)  # fmt: skip
    assert found.stdout == "The capital of France is Paris.\n", found
    assert "SRC" in run(BIN / "quire-export", "--help", cwd=tmp_path).stdout


def test_ten_lines_of_the_readme_answer(package: Path, tmp_path: Path) -> None:
    """In a folder without the sources."""
    program = (
        "from quire import LLM, SamplingParams\n"
        f"llm = LLM({str(package)!r})\n"
        "print(llm.chat([{'role': 'user', 'content': 'What is the capital of France?'}])[0]"
        ".outputs[0].text)\n"
    )
    found = run(sys.executable, "-c", program, cwd=tmp_path)
    assert (found.returncode, found.stdout, found.stderr) == (
        0, "The capital of France is Paris.\n", "",
    ), found  # fmt: skip


def test_the_sources_alone_say_what_is_missing(tmp_path: Path) -> None:
    """PYTHONPATH=python was how the exporter was run; it hides the installed package."""
    found = subprocess.run(
        [sys.executable, "-c", "import quire; quire.LLM"], cwd=tmp_path, check=False,
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "python")},
    )  # fmt: skip
    assert "the native part of quire is not in" in found.stderr.splitlines()[-1]


def test_every_public_name_is_typed_and_documented() -> None:
    """py.typed is there, and nothing in __all__ is without a docstring."""
    assert (Path(quire.__file__).parent / "py.typed").is_file()
    assert [n for n in quire.__all__ if n != "__version__" and not getattr(quire, n).__doc__] == []


def test_an_export_without_pytorch_says_what_to_install(tmp_path: Path) -> None:
    """One line, no traceback; a torch that cannot be imported stands for one that is not there."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    (tmp_path / "config.json").write_text("{}")
    found = subprocess.run(
        [BIN / "quire-export", tmp_path, "-o", tmp_path / "out"], check=False, timeout=60,
        capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert found.returncode == 1 and found.stderr.count("\n") == 1, found
    assert "quire-llm[export]" in found.stderr, found


def test_an_sdist_holds_all_that_a_build_needs(tmp_path: Path) -> None:
    """CMake finds every file it names; nothing is built here. Neither tests nor what was built is in it."""
    made = subprocess.run(
        [sys.executable, "-c",
         f"from scikit_build_core.build import build_sdist; print(build_sdist({str(tmp_path)!r}))"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    archive = tmp_path / made.stdout.split()[-1]
    assert archive.stat().st_size < 2 << 20
    with tarfile.open(archive) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}
    (tmp_path / "sources").mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path / "sources"], check=True)
    tops = {name.split("/")[0] for name in names}
    assert {"src", "include", "python", "LICENSE"} <= tops and not {"tests", "build", ".venv"} & tops
    nanobind = subprocess.run([sys.executable, "-m", "nanobind", "--cmake_dir"], check=True,
                              capture_output=True, text=True).stdout.strip()  # fmt: skip
    configured = subprocess.run(
        ["cmake", "-G", "Ninja", "-S", next((tmp_path / "sources").iterdir()), "-B", tmp_path / "build",
         "-DQUIRE_BUILD_PYTHON=ON", "-DQUIRE_BUILD_TESTS=OFF", "-DQUIRE_WITH_TORCH=OFF",
         f"-Dnanobind_DIR={nanobind}", f"-DPython_EXECUTABLE={sys.executable}"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert configured.returncode == 0, configured.stderr
