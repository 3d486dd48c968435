"""A model in one GGUF file, or in several: NAME-00001-of-00003.gguf and its neighbours."""

import hashlib
import re
from pathlib import Path

import torch

from quire_export.errors import ExportError
from quire_export.files import sha256_of
from quire_export.gguf_file import GgufFile, GgufTensor
from quire_export.weights import StoredMatrix

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_MAX_PARTS = 1000


class GgufParts:
    """The files of a model as if they were one. Any part may be named; the first has the metadata.

    Raises ExportError on a part that is missing, damaged, or of another model.
    """

    def __init__(self, path: Path) -> None:
        self.paths = _paths(path)
        self.name = path.stem if len(self.paths) == 1 else _PART.fullmatch(path.name)["stem"]
        files = [GgufFile(part) for part in self.paths]
        self.metadata = files[0].metadata
        self.tensors: dict[str, GgufTensor] = {}
        self._owner: dict[str, GgufFile] = {}
        for number, file in enumerate(files):
            _check_part(file, number, len(files))
            for tensor in file.tensors:
                if tensor in self._owner:
                    raise ExportError(
                        f"{file.path.name}: tensor {tensor!r} is in another part as well; "
                        "download the parts again"
                    )
                self._owner[tensor] = file
                self.tensors[tensor] = file.tensors[tensor]
        said = self.metadata.get("split.tensors.count", len(self._owner))
        if len(files) > 1 and said != len(self._owner):
            raise ExportError(
                f"the parts of {self.name} hold {len(self._owner)} tensors instead of {said}; "
                "download them again"
            )

    def keeps(self, name: str) -> bool:
        """See GgufFile."""
        return self._owner[name].keeps(name)

    def keeps_exactly(self, name: str) -> bool:
        """See GgufFile."""
        return self._owner[name].keeps_exactly(name)

    def stored(self, name: str) -> StoredMatrix:
        """See GgufFile."""
        return self._owner[name].stored(name)

    def values(self, name: str) -> torch.Tensor:
        """See GgufFile."""
        return self._owner[name].values(name)

    def sha256(self) -> str:
        """Of the file; of several, of their `sha256sum` listing."""
        sums = [sha256_of(path) for path in self.paths]
        if len(sums) == 1:
            return sums[0]
        listing = "".join(f"{s}  {path.name}\n" for s, path in zip(sums, self.paths, strict=True))
        return hashlib.sha256(listing.encode()).hexdigest()


def _paths(path: Path) -> list[Path]:
    """Every part of the model that `path` is, or is a part of, in order."""
    named = _PART.fullmatch(path.name)
    if named is None or int(named["count"]) == 1:
        return [path]
    count = int(named["count"])
    if not 1 <= int(named["number"]) <= count or count > _MAX_PARTS:
        raise ExportError(f"{path.name} is no part of {count}; give the first part's name")
    names = [f"{named['stem']}-{i:05}-of-{count:05}.gguf" for i in range(1, count + 1)]
    paths = [path.with_name(name) for name in names]
    for part in paths:
        if not part.is_file():
            raise ExportError(
                f"{part.name} is not beside {path.name}; put all {count} parts into one folder"
            )
    return paths


def _check_part(file: GgufFile, number: int, count: int) -> None:
    """Refuses a file whose own keys say that it is not part `number` of `count`."""
    said = file.metadata.get("split.count", 0) or 1
    if said != count and count == 1:
        raise ExportError(
            f"{file.path.name} is one part of several ({said}); put them into one folder under "
            f"their names, NAME-00001-of-{said:05}.gguf and so on, or merge them with "
            "llama-gguf-split --merge"
        )
    if said != count or (count > 1 and file.metadata.get("split.no") != number):
        raise ExportError(
            f"{file.path.name} is not part {number + 1} of {count} by its own split.no and "
            "split.count; download the parts again"
        )
