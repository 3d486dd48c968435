"""The tensors of a GGUF file, as a package stores them or as float32."""

import numpy as np
import torch

from quire_export.errors import ExportError
from quire_export.gguf_blocks import BLOCK_TYPES, REQUANTIZED, read_blocks
from quire_export.gguf_header import GgufHeader, GgufTensor
from quire_export.weights import StoredMatrix, store_int8

__all__ = ["GgufFile", "GgufTensor"]


class GgufFile(GgufHeader):
    """An opened GGUF file; keeps it mapped while alive. Raises ExportError on any damage."""

    def _storage(self, name: str, type_id: int) -> tuple[str, int, int]:
        """Of every type that the `gguf` package knows."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        try:
            kind = GGMLQuantizationType(type_id)
        except ValueError:
            return super()._storage(name, type_id)
        return (kind.name, *GGML_QUANT_SIZES[kind])

    def keeps(self, name: str) -> bool:
        """Whether a package stores the tensor in blocks as the file does, or nearly so."""
        tensor = self.tensors[name]
        known = tensor.type_name in BLOCK_TYPES or tensor.type_name in REQUANTIZED
        return known and len(tensor.shape) == 2

    def keeps_exactly(self, name: str) -> bool:
        """Whether `stored` changes no value of it."""
        kind = BLOCK_TYPES.get(self.tensors[name].type_name)
        return kind is not None and kind.exact

    def stored(self, name: str) -> StoredMatrix:
        """A tensor that `keeps` holds for, in the package's blocks."""
        tensor = self.tensors[name]
        if tensor.type_name in REQUANTIZED:
            return store_int8(self.values(name))
        kind = BLOCK_TYPES[tensor.type_name]
        rows, columns = tensor.shape
        raw = self.bytes_of(tensor).reshape(rows, columns // kind.block, -1)
        stored = read_blocks(kind, raw, columns)
        for part in (stored.scale, stored.minimum):
            if part is not None and not torch.isfinite(part).all():
                raise ExportError(
                    f"{self.path.name}: tensor {name!r} has a scale that is not "
                    "finite; download it again"
                )
        return stored

    def values(self, name: str) -> torch.Tensor:
        """A tensor of any type as float32 in its numpy shape."""
        from gguf import GGMLQuantizationType, dequantize

        tensor = self.tensors[name]
        try:
            values = dequantize(self._raw_rows(tensor), GGMLQuantizationType(tensor.type_id))
        except NotImplementedError as error:
            raise ExportError(
                f"{self.path.name}: tensor {name!r} of type {tensor.type_name} "
                "cannot be dequantized; use another quantization"
            ) from error
        return torch.from_numpy(np.array(values, dtype=np.float32).reshape(tensor.shape))

    def _raw_rows(self, tensor: GgufTensor) -> np.ndarray:
        raw = self.bytes_of(tensor)
        plain = {"F32": np.float32, "F16": np.float16}.get(tensor.type_name)
        if plain is not None:
            return raw.view(plain).reshape(tensor.shape)
        return raw.reshape(*tensor.shape[:-1], -1)
