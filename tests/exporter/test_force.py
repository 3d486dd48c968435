"""--force replaces Quire packages and nothing else (S9): whatever else is there stays, to the byte."""

import json
import shutil
from pathlib import Path

import pytest
from quire_export import ExportError, ExportOptions, UsageError, export_model
from tiny_models import make_tiny_llama

FORCE = ExportOptions(force=True, progress=False)


def content(folder: Path) -> dict[str, bytes | None]:
    """Every path below `folder`, files with their bytes."""
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


def refused(source: Path, target: Path, around: Path, message: str) -> None:
    """Wrong usage, and not a byte of `around` has changed."""
    before = content(around)
    with pytest.raises(UsageError, match=message) as caught:
        export_model(source, target, FORCE)
    assert caught.value.exit_code == 2
    assert content(around) == before


def test_force_keeps_a_folder_of_anything_else(tiny_folder: Path, tmp_path: Path) -> None:
    """One file of somebody's is enough."""
    target = tmp_path / "precious"
    target.mkdir()
    (target / "thesis.txt").write_text("x")
    refused(tiny_folder, target, tmp_path, "has no model_info.json.*choose another name")


@pytest.mark.parametrize("info", ["", "[]", "{}", '{"format": "other", "files": {}}'])
def test_force_keeps_a_folder_whose_model_info_is_another_s(
    info: str, tiny_folder: Path, tmp_path: Path
) -> None:
    """The name of that file alone proves nothing."""
    target = tmp_path / "precious"
    target.mkdir()
    (target / "model_info.json").write_text(info)
    refused(tiny_folder, target, tmp_path, "not of a Quire package")


def test_force_keeps_what_lies_in_a_package_beside_its_files(
    tiny_folder: Path, tiny_package: Path, tmp_path: Path
) -> None:
    """A file or a folder that the package does not list."""
    target = Path(shutil.copytree(tiny_package, tmp_path / "package"))
    (target / "notes.txt").write_text("mine")
    refused(tiny_folder, target, tmp_path, "also holds notes.txt")
    (target / "notes.txt").unlink()
    info = json.loads((target / "model_info.json").read_text())
    info["files"]["notes"] = {"size": 0, "xxh3_128": "", "sha256": ""}
    (target / "model_info.json").write_text(json.dumps(info))
    (target / "notes").mkdir()
    (target / "notes" / "mine.txt").write_text("mine")
    refused(tiny_folder, target, tmp_path, "also holds the folder notes")


@pytest.mark.parametrize("target", ["source", "source/../source", "link/source", "."])
def test_force_keeps_the_source_and_the_folders_around_it(target: str, tmp_path: Path) -> None:
    """Under any name, even where they pass for a package."""
    source = make_tiny_llama(tmp_path / "all" / "source")
    (tmp_path / "all" / "link").symlink_to(tmp_path / "all")
    for folder in (source, tmp_path / "all"):
        listed = {path.name: {} for path in folder.iterdir()}
        info = {"format": "quire-model-package", "files": listed}
        (folder / "model_info.json").write_text(json.dumps(info))
    refused(source, tmp_path / "all" / target, tmp_path, "is or holds the source")


def test_a_package_may_be_put_inside_the_source(tmp_path: Path) -> None:
    """It takes nothing away."""
    source = make_tiny_llama(tmp_path / "source")
    before = set(content(source))
    export_model(source, source / "package", FORCE)
    export_model(source, source / "package", FORCE)
    assert set(content(source)) - before == {
        f"package{name}" for name in ("", *(f"/{p}" for p in content(source / "package")))
    }


@pytest.mark.parametrize("force", [True, False])
def test_files_that_come_while_an_export_runs_are_kept(
    force: bool, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is at the destination is looked at again before it is replaced."""
    from quire_export import export

    target, right = tmp_path / "package", export.write_model

    def slowly(*arguments: object) -> None:
        right(*arguments)
        target.mkdir()
        (target / "thesis.txt").write_text("x")

    monkeypatch.setattr(export, "write_model", slowly)
    with pytest.raises(ExportError):
        export_model(tiny_folder, target, ExportOptions(force=force, progress=False))
    assert content(tmp_path) == {"package": None, "package/thesis.txt": b"x"}
