"""The package's folder: written beside its destination, made durable, then put in place."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.destination import check_destination
from quire_export.files import sha256_of

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# golden.json, tokenizer.json and the graph take no more than this beside the weights.
_OVERHEAD_BYTES = 32 << 20


@contextlib.contextmanager
def staged_folder(
    destination: Path, source: Path, force: bool, weight_bytes: int
) -> Iterator[Path]:
    """A temporary sibling folder that becomes `destination` on success and vanishes otherwise.

    `source` is where the model comes from: never replaced.
    """
    check_destination(destination, source, force)
    needed = weight_bytes + _OVERHEAD_BYTES
    staged: Path | None = None
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(destination.parent).free
        if free < needed:
            raise _too_small(destination, needed, f"{free} are free")
        staged = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
        staged.chmod(0o755)
        yield staged
        _make_durable(staged)
        # Once more: an export takes minutes, in which somebody may have put files there.
        check_destination(destination, source, force)
        _put_in_place(staged, destination)
        staged = None
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise _too_small(destination, needed, "nothing was left behind") from error
        raise ExportError(
            f"cannot write {destination}: {error.strerror or error}; "
            "choose a folder you can write to",
            EXIT_OTHER,
        ) from error
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)


def _too_small(destination: Path, needed: int, more: str) -> ExportError:
    return ExportError(
        f"no space for {destination}: about {needed} bytes are needed, {more}; "
        "free some or choose another disk",
        EXIT_OTHER,
    )


def _make_durable(folder: Path) -> None:
    for path in (*sorted(folder.iterdir()), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put_in_place(staged: Path, destination: Path) -> None:
    """Renames `staged`; what was at the destination is kept until the new folder is there."""
    old: Path | None = None
    if destination.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{destination.name}.old.", dir=destination.parent))
        destination.rename(old)
    try:
        staged.rename(destination)
    except OSError:
        if old is not None:
            old.rename(destination)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def write_json(path: Path, value: dict[str, object], indent: int | None = None) -> None:
    """Writes JSON in UTF-8; infinities and NaN are refused."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def file_entries(folder: Path) -> dict[str, dict[str, object]]:
    """Size and checksums of every file of the folder, for model_info.json."""
    return {
        path.name: {"size": path.stat().st_size, "xxh3_128": _xxh3(path), "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
    }


def _xxh3(path: Path) -> str:
    """XXH3-128 in its canonical (big-endian) form, 32 hex digits."""
    import xxhash  # not needed by what a recipe of the zoo makes

    state = xxhash.xxh3_128()
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()
