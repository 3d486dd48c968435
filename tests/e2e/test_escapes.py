"""What files and users wrote is shown and never obeyed (S11 and S13 of the security review)."""

from pathlib import Path

import pytest
from packages import edit_json
from program import Program

# Window title, clear screen, colour; the same as C1; a line of its own; text that runs backwards.
HOSTILE = "\x1b]0;title\x07\x1b[2J\x1b[31m \u009b31m\u0085 \u2028 \u202eabc\nintact: every file has"


def assert_shows_as_itself(text: str) -> None:
    """Only line feeds, and nothing a terminal or a reader takes for more than a letter."""
    for line in text.split("\n"):
        assert all(c >= " " and not "\x7f" <= c <= "\x9f" for c in line), repr(line)
        assert not set(line) & set("\u2028\u2029\u202e"), repr(line)
        assert not line.startswith("intact: every file has") or line.endswith("sha256")


@pytest.mark.parametrize("field", ["name", "architecture", "dtype", "source", "license", "file"])
def test_s13_inspect_shows_the_control_characters_of_a_package(
    field: str, quire: Program, package: Path
) -> None:
    """In every field that is text; the listing keeps its lines."""

    def edit(info: dict) -> None:
        if field == "file":
            (package / HOSTILE.replace("/", "")).write_bytes(b"")
            entry = {
                "size": 0,
                "xxh3_128": "99aa06d3014798d86001c324468d497f",
                "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            }
            info["files"][HOSTILE] = entry
        elif field in ("source", "license"):
            info["source"] = {"kind": HOSTILE, "license": HOSTILE}
        else:
            info[field] = HOSTILE

    plain = quire("inspect", package)
    edit_json(package / "model_info.json", edit)
    run = quire("inspect", package)
    assert run.code == 0 and run.err == "", run
    assert_shows_as_itself(run.out)
    assert run.out.count("\n") == plain.out.count("\n") + (field == "file")
    assert field == "dtype" or "\\x1b]0;title\\x07\\x1b[2J" in run.out


def test_s11_messages_show_the_control_characters_of_files_and_arguments(
    quire: Program, package: Path, tmp_path: Path
) -> None:
    """Each refusal stays one line that shows as itself."""
    folder = tmp_path / HOSTILE
    runs = [
        quire("generate", "-m", folder, "x"),
        quire(HOSTILE),
        quire("generate", "-m", package, f"--{HOSTILE}", "x"),
        quire("generate", "-m", package, "--token-ids", HOSTILE),
        quire("tokenize", "-m", package, "--lines", stdin=HOSTILE),
        quire("pull", HOSTILE),
        quire(b"generate", b"-m", b"/\x9b31m\xff", b"x"),
    ]
    edit_json(package / "model_info.json", lambda info: info.update(graph=HOSTILE))
    runs.append(quire("generate", "-m", package, "x"))
    for run in runs:
        assert run.code in (2, 3) and run.err.count("\n") == 1, run
        assert_shows_as_itself(run.err)
