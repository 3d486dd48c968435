"""Packages for tests: exported once and kept, copied to be damaged, with hashes made to fit."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import xxhash


class PackageStore:
    """Exports packages on demand; a later run finds them unless the exporter has changed."""

    def __init__(self, folder: Path, exporter: list[Path]) -> None:
        digest = hashlib.sha256()
        for source in exporter:
            for path in sorted(source.rglob("*.py")):
                digest.update(path.name.encode() + path.read_bytes())
        self._folder = folder / digest.hexdigest()[:16]
        if folder.is_dir():
            for old in folder.iterdir():
                if old != self._folder:
                    shutil.rmtree(old, ignore_errors=True)

    def tiny(
        self, name: str, export: dict[str, Any] | None = None, tokenizer: bool = True, **config: Any
    ) -> Path:
        """The package of a random Llama; its source folder stands beside it (see source_of)."""
        settings = json.dumps([export, tokenizer, config], sort_keys=True)
        name += "-" + hashlib.sha256(settings.encode()).hexdigest()[:8]
        source = self.source_of(self._folder / name)
        with self._alone(source) as missing:
            if missing:
                from tiny_models import make_tiny_llama

                # Renamed when it is whole: a run that was stopped leaves nothing to trip over.
                draft = source.with_name(f".{source.name}.{os.getpid()}")
                make_tiny_llama(draft, tokenizer=tokenizer, **config).rename(source)
        return self.from_source(name, source, **(export or {}))

    def family(
        self, name: str, export: dict[str, Any] | None = None, **config: Any
    ) -> Path:
        """The package of a random model of a family; see tiny_families."""
        settings = json.dumps([export, config], sort_keys=True)
        package = self._folder / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"
        source = self.source_of(package)
        with self._alone(source) as missing:
            if missing:
                from tiny_families import make_tiny

                draft = source.with_name(f".{source.name}.{os.getpid()}")
                make_tiny(draft, name, **config).rename(source)
        return self.from_source(package.name, source, **(export or {}))

    def scripted(self, name: str, export: dict[str, Any] | None = None, **script: Any) -> Path:
        """The package of a model that says what it is told to; see scripted_model."""
        settings = json.dumps([export, script], sort_keys=True)
        package = self._folder / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"
        source = self.source_of(package)
        with self._alone(source) as missing:
            if missing:
                from scripted_model import make_scripted

                draft = source.with_name(f".{source.name}.{os.getpid()}")
                make_scripted(draft, **script).rename(source)
        return self.from_source(package.name, source, **(export or {}))

    def from_source(self, name: str, source: Path, /, **export: Any) -> Path:
        """The package of a folder or file, exported with the given options."""
        package = self._folder / name
        with self._alone(package) as missing:
            if missing:
                from quire_export import ExportOptions, export_model

                export_model(source, package, ExportOptions(progress=False, **export))
        return package

    @contextlib.contextmanager
    def _alone(self, folder: Path) -> Iterator[bool]:
        """Whether `folder` has to be made; the tests of another process wait meanwhile, and find it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield not folder.is_dir()

    @staticmethod
    def source_of(package: Path) -> Path:
        """Where the Hugging Face folder of a tiny package is."""
        return package.with_name(package.name + ".source")


def rehash(package: Path) -> None:
    """Makes model_info.json tell the truth of its files again, as a forger would."""
    info = json.loads((package / "model_info.json").read_text())
    for name in info["files"]:
        data = (package / name).read_bytes()
        info["files"][name] = {
            "size": len(data),
            "xxh3_128": xxhash.xxh3_128_hexdigest(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    (package / "model_info.json").write_text(json.dumps(info))


def edit_json(path: Path, edit: Callable[[Any], Any]) -> None:
    """Replaces a JSON file by what `edit` makes of it; None means it was changed in place."""
    value = json.loads(path.read_text())
    changed = edit(value)
    path.write_text(json.dumps(value if changed is None else changed))
