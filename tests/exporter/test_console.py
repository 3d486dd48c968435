"""What the commands print arrives or is missed aloud, and cannot command a terminal (S4, S10, S13)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from quire_export import ExportError, ExportOptions, export_model
from tiny_models import make_tiny_llama

PYTHON_FOLDER = str(Path(__file__).resolve().parents[2] / "python")
EXPORT, PULL = ["-m", "quire_export"], ["-m", "quire_export.zoo"]


def run(
    arguments: list[str], redirect: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Python with `arguments` as a shell would run it with `redirect`.

    Buffered as it is for users: what cannot be written must not fail again at the interpreter's end.
    """
    return subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {redirect}', sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": PYTHON_FOLDER, "PYTHONUNBUFFERED": ""},
        check=False,
    )


@pytest.mark.parametrize("command", [EXPORT, PULL])
@pytest.mark.parametrize("flag", ["--help", "--version"])
@pytest.mark.parametrize(
    ("redirect", "cause"), [("> /dev/full", "No space left"), (">&-", "standard output is closed")]
)
def test_output_that_cannot_be_written_is_an_error(
    command: list[str], flag: str, redirect: str, cause: str
) -> None:
    """Exit status 1 and one line."""
    if command is PULL:
        flag = "--help"
    done = run([*command, flag], redirect)
    assert done.returncode == 1
    assert cause in done.stderr and done.stderr.count("\n") == 1


def test_the_report_of_an_export_is_missed_aloud(tiny_folder: Path, tmp_path: Path) -> None:
    """The package is there, but what the export found out was lost."""
    package = tmp_path / "package"
    done = run([*EXPORT, str(tiny_folder), "-o", str(package)], "> /dev/full")
    assert done.returncode == 1 and "cannot write the output: No space left" in done.stderr
    assert (package / "model_info.json").is_file()


def test_a_closed_stderr_changes_no_exit_status(tmp_path: Path) -> None:
    """There is nobody to tell, so the status must."""
    assert run([*EXPORT, "no-such-file", "-o", str(tmp_path / "x")], "2>&-").returncode == 3
    assert run([*EXPORT, "no-such-file", "-o", str(tmp_path / "x")], "2> /dev/full").returncode == 3


@pytest.mark.parametrize("command", [EXPORT, PULL])
def test_modules_of_the_current_folder_are_not_run(command: list[str], tmp_path: Path) -> None:
    """A tqdm.py or a torch/ there is none of ours."""
    for name in ("tqdm.py", "torch.py", "transformers.py", "numpy.py"):
        (tmp_path / name).write_text("import sys; print('EVIL', file=sys.stderr)")
    done = run([*command, "no-such-model", *(["-o", "x"] if command is EXPORT else [])], cwd=tmp_path)
    assert done.returncode in (2, 3)
    assert "EVIL" not in done.stderr and "no-such-model" in done.stderr


@pytest.mark.parametrize(
    "text", ["\x1b]0;title\x07\x1b[2J", "\x9b31mred", "\u202ereversed", "\ud800", "\x7f\b\b"]
)
def test_what_a_model_s_files_say_is_shown_escaped(text: str, tmp_path: Path) -> None:
    """In keys, values and names alike: C0 and C1 controls, directions, surrogates."""
    for changes in (
        {f"key{text}": 1},
        {"hidden_act": f"a{text}"},
        {"architectures": [f"Evil{text}"]},
        {"rope_parameters": {"rope_type": f"{text}"}},
        {"rope_parameters": {"rope_type": "default", f"k{text}": 1}},
    ):
        folder = make_tiny_llama(tmp_path / "source")
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        with pytest.raises(ExportError) as caught:
            export_model(folder, tmp_path / "package", ExportOptions(progress=False))
        assert str(caught.value).isprintable()
        assert text.encode("unicode_escape").decode() in str(caught.value)
