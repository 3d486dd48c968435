"""Where a package may be put: nowhere that would lose somebody's files."""

from pathlib import Path

from quire_export.errors import ExportError, UsageError
from quire_export.files import read_json

_INFO_FILE = "model_info.json"
_FORMAT = "quire-model-package"


def check_destination(destination: Path, source: Path, force: bool) -> None:
    """Refuses a destination that is neither new nor empty nor, with `force`, a Quire package.

    Never one that is `source` or holds it.
    """
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise UsageError(f"destination {destination} exists and is no folder; choose another name")
    if not destination.is_dir():
        return
    if not any(destination.iterdir()):
        return
    if not force:
        raise UsageError(
            f"destination {destination} is not empty; choose another name, or pass --force if it "
            "is a Quire package to be replaced"
        )
    _check_apart(destination, source)
    foreign = _foreign_entry(destination)
    if foreign is not None:
        raise UsageError(
            f"destination {destination} {foreign}, and --force replaces Quire packages only; "
            "choose another name or move what is there"
        )


def _check_apart(destination: Path, source: Path) -> None:
    if not source.exists():  # a name of the hub
        return
    place = destination.resolve()
    if any(place in (path, *path.parents) for path in (source.resolve(), source.absolute())):
        raise UsageError(
            f"destination {destination} is or holds the source {source}; choose another name"
        )


def _foreign_entry(folder: Path) -> str | None:
    """What keeps `folder` from being a Quire package and nothing else; None when nothing does."""
    info = folder / _INFO_FILE
    if not info.is_file():
        return f"has no {_INFO_FILE}"
    try:
        described = read_json(info)
    except ExportError:
        described = {}
    listed = described.get("files")
    if described.get("format") != _FORMAT or not isinstance(listed, dict):
        return f"has a {_INFO_FILE} that is not of a Quire package"
    for path in sorted(folder.iterdir()):
        if path.name not in listed and path.name != _INFO_FILE:
            return f"also holds {path.name}, which is not of the package"
        if path.is_dir() and not path.is_symlink():
            return f"also holds the folder {path.name}"
    return None
