"""Files that are read with care, without PyTorch: what the zoo needs, too."""

import hashlib
import json
from pathlib import Path

from quire_export.errors import ExportError

_MAX_JSON_BYTES = 64 << 20
_MAX_JSON_DEPTH_ERRORS = (RecursionError, ValueError)


def read_json(path: Path, limit: int = _MAX_JSON_BYTES) -> dict[str, object]:
    """A JSON object from a file of at most `limit` bytes."""
    try:
        size = path.stat().st_size
        if size > limit:
            raise ExportError(
                f"{path.name} has {size} bytes, more than {limit}; check that it is the "
                "file it is named for"
            )
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}; check the folder") from error
    except _MAX_JSON_DEPTH_ERRORS as error:
        raise ExportError(f"{path.name} is not JSON: {error}; check the file") from error
    if not isinstance(value, dict):
        raise ExportError(f"{path.name} is not a JSON object; check the file")
    return value


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
