"""A bounded reader of a GGUF file's header: metadata, and where each tensor's bytes lie.

The `gguf` package's own reader trusts counts (a damaged array length keeps it busy for hours), so
the header is walked here, every length checked against the file before it is used. numpy is all it
needs.
"""

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quire_export.errors import ExportError

_MAX_ENTRIES = 1 << 16
_MAX_DIMS = 4
_SCALARS = {
    0: "<u1",
    1: "<i1",
    2: "<u2",
    3: "<i2",
    4: "<u4",
    5: "<i4",
    6: "<f4",
    7: "?",
    10: "<u8",
    11: "<i8",
    12: "<f8",
}
_STRING, _ARRAY = 8, 9
# The types that a package keeps as they are: name, elements and bytes of a block.
_STORAGE = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    8: ("Q8_0", 32, 34),
}


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor lies: `shape` in numpy order, `type_id` of GGML, bytes [start, end)."""

    name: str
    type_id: int
    type_name: str
    shape: tuple[int, ...]
    start: int
    end: int


class GgufHeader:
    """An opened GGUF file; keeps it mapped while alive. Raises ExportError on any damage."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as handle:
                self._data = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ExportError(f"cannot read {path}: {error}; check the file") from error
        self._at = 0
        self.metadata: dict[str, object] = {}
        self.tensors: dict[str, GgufTensor] = {}
        try:
            self._parse()
        except (struct.error, ValueError, TypeError, OverflowError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> ExportError:
        return ExportError(
            f"{self.path.name} is not a readable GGUF file: {what} "
            f"(byte {self._at}); download it again"
        )

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise self._damaged(f"{size} bytes are missing, the file is cut off")
        start, self._at = self._at, self._at + size
        return self._data[start : self._at]

    def _unpack(self, form: str) -> int:
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def _string(self) -> str:
        return self._take(self._unpack("<Q")).decode("utf-8")

    def _value(self, kind: int) -> object:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            item, count = self._unpack("<I"), self._unpack("<Q")
            if item == _STRING:
                if count > len(self._data) // 8:
                    raise self._damaged(f"an array claims {count} strings")
                return [self._string() for _ in range(count)]
            dtype = np.dtype(self._scalar(item))
            return np.frombuffer(self._take(count * dtype.itemsize), dtype).tolist()
        dtype = np.dtype(self._scalar(kind))
        return np.frombuffer(self._take(dtype.itemsize), dtype).tolist()[0]

    def _scalar(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise self._damaged(f"unknown metadata type {kind}")
        return _SCALARS[kind]

    def _parse(self) -> None:
        if self._take(4) != b"GGUF":
            raise self._damaged("it does not begin with GGUF")
        version = self._unpack("<I")
        if version not in (2, 3):
            raise self._damaged(f"version {version} is not 2 or 3 (or the file is big-endian)")
        num_tensors, num_keys = self._unpack("<Q"), self._unpack("<Q")
        if num_tensors > _MAX_ENTRIES or num_keys > _MAX_ENTRIES:
            raise self._damaged(f"it claims {num_tensors} tensors and {num_keys} keys")
        for _ in range(num_keys):
            key = self._string()
            if key in self.metadata:
                raise self._damaged(f"key {key!r} appears twice")
            self.metadata[key] = self._value(self._unpack("<I"))
        self._parse_tensors(num_tensors)

    def _parse_tensors(self, count: int) -> None:
        found: list[tuple[str, list[int], int, int]] = []
        for _ in range(count):
            name, num_dims = self._string(), self._unpack("<I")
            if not 1 <= num_dims <= _MAX_DIMS:
                raise self._damaged(f"tensor {name!r} has {num_dims} dimensions")
            dims = [self._unpack("<Q") for _ in range(num_dims)]
            found.append((name, dims, self._unpack("<I"), self._unpack("<Q")))
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._damaged(f"alignment {alignment!r} is no power of two")
        base = -(-self._at // alignment) * alignment
        for name, dims, type_id, offset in found:
            self._add_tensor(name, dims, type_id, base + offset)

    def _add_tensor(self, name: str, dims: list[int], type_id: int, start: int) -> None:
        type_name, block, block_bytes = self._storage(name, type_id)
        size = math.prod(dims) // block * block_bytes
        if name in self.tensors:
            raise self._damaged(f"tensor {name!r} appears twice")
        if min(dims) < 1 or dims[0] % block or start + size > len(self._data):
            raise self._damaged(f"tensor {name!r} lies outside the file or has a damaged shape")
        self.tensors[name] = GgufTensor(
            name, type_id, type_name, tuple(reversed(dims)), start, start + size
        )

    def _storage(self, name: str, type_id: int) -> tuple[str, int, int]:
        """Name, elements and bytes of a block of a type."""
        if type_id not in _STORAGE:
            raise ExportError(
                f"{self.path.name}: tensor {name!r} has the unknown type {type_id}; "
                "use another quantization, or a newer exporter"
            )
        return _STORAGE[type_id]

    def storage(self, tensor: GgufTensor) -> tuple[str, int, int]:
        """Name, elements and bytes of a block of the tensor's type."""
        return self._storage(tensor.name, tensor.type_id)

    def bytes_of(self, tensor: GgufTensor) -> np.ndarray:
        """What the file has of it, uint8, not copied."""
        return np.frombuffer(self._data, np.uint8, tensor.end - tensor.start, tensor.start)
