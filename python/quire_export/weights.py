"""Matrices as a package stores them: plain, or packed in blocks of 32 with scale and minimum."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from quire_export.errors import ExportError

BLOCK = 32
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class StoredMatrix:
    """A [rows, columns] matrix in one of the storage forms of docs/model_package.md.

    weight: float32/float16/bfloat16 [N, K], int8 [N, Kb, 32] or uint8 [N, Kb, 16];
    scale, minimum: float16 [N, Kb] or None. `scheme` names it in model_info.json.
    """

    scheme: str
    columns: int
    weight: torch.Tensor
    scale: torch.Tensor | None = None
    minimum: torch.Tensor | None = None

    @property
    def rows(self) -> int:
        """Number of rows N."""
        return self.weight.shape[0]

    @property
    def bits(self) -> int:
        """Bits an element takes: 4, 8, 16 or 32."""
        return {torch.uint8: 4, torch.int8: 8, torch.float32: 32}.get(self.weight.dtype, 16)

    @property
    def layout(self) -> tuple[object, ...]:
        """Matrices of equal layout can be stacked row on row."""
        return (
            self.scheme,
            self.weight.dtype,
            self.columns,
            self.scale is None,
            self.minimum is None,
        )

    def take_rows(self, index: torch.Tensor) -> "StoredMatrix":
        """The matrix of the rows named by `index` int64 [N], bit for bit."""
        scale = None if self.scale is None else self.scale[index]
        minimum = None if self.minimum is None else self.minimum[index]
        return StoredMatrix(self.scheme, self.columns, self.weight[index], scale, minimum)

    def dequantize(self) -> torch.Tensor:
        """The values it stands for; float32 [N, K]."""
        if self.scale is None:
            return self.weight.float()
        if self.bits == 4:
            nibbles = torch.cat([self.weight & 15, self.weight >> 4], dim=-1).float()
            if self.minimum is None:
                nibbles -= 8.0
        else:
            nibbles = self.weight.float()
        values = self.scale.float().unsqueeze(-1) * nibbles
        if self.minimum is not None:
            values += self.minimum.float().unsqueeze(-1)
        return values.reshape(self.rows, -1)[:, : self.columns].contiguous()


def stack_rows(parts: Sequence[StoredMatrix]) -> StoredMatrix:
    """One matrix of all rows of `parts`, which have equal layouts."""

    def join(tensors: list[torch.Tensor | None]) -> torch.Tensor | None:
        present = [t for t in tensors if t is not None]
        return torch.cat(present) if present else None

    return StoredMatrix(
        parts[0].scheme,
        parts[0].columns,
        torch.cat([p.weight for p in parts]),
        join([p.scale for p in parts]),
        join([p.minimum for p in parts]),
    )


def store_plain(values: torch.Tensor, dtype: str) -> StoredMatrix:
    """Values [N, K] unquantized, rounded to `dtype` (fp32, fp16 or bf16)."""
    stored = values.to(DTYPES[dtype]).contiguous()
    if not torch.isfinite(stored).all():
        raise ExportError(
            f"a weight does not fit {dtype} or is not a number; "
            "use --dtype bf16 or fp32, or check the source"
        )
    return StoredMatrix("none", values.shape[1], stored)


def store_int8(values: torch.Tensor) -> StoredMatrix:
    """Values [N, K] as scale * q, q in -127..127, to nearest, one float16 scale a block."""
    blocks = _blocks(values)
    scale = _finite16(blocks.abs().amax(dim=-1) / 127.0)
    divisor = scale.float().unsqueeze(-1)
    q = torch.where(divisor > 0, blocks / divisor, torch.zeros(())).round().clamp(-127, 127)
    return StoredMatrix("int8", values.shape[1], q.to(torch.int8), scale)


def store_int4(values: torch.Tensor) -> StoredMatrix:
    """Values [N, K] as scale * q + minimum, q in 0..15, to nearest, float16 scale and minimum."""
    blocks, columns = _blocks(values), values.shape[1]
    tail = columns % BLOCK
    if tail:
        # The padding must not stretch the last block's range: repeat a real value there.
        blocks[:, -1, tail:] = blocks[:, -1, :1]
    low = blocks.amin(dim=-1)
    minimum = _finite16(low)
    scale = _finite16((blocks.amax(dim=-1) - minimum.float()).clamp(min=0) / 15.0)
    divisor = scale.float().unsqueeze(-1)
    shifted = blocks - minimum.float().unsqueeze(-1)
    q = torch.where(divisor > 0, shifted / divisor, torch.zeros(())).round().clamp(0, 15)
    if tail:
        q[:, -1, tail:] = 0
    q8 = q.to(torch.uint8)
    packed = q8[..., :16] | (q8[..., 16:] << 4)
    return StoredMatrix("int4", columns, packed.contiguous(), scale, minimum)


def _blocks(values: torch.Tensor) -> torch.Tensor:
    """Values [N, K] zero-padded and cut into blocks; float32 [N, Kb, 32]."""
    rows, columns = values.shape
    padding = -columns % BLOCK
    padded = torch.nn.functional.pad(values.float(), (0, padding))
    return padded.reshape(rows, -1, BLOCK)


def _finite16(values: torch.Tensor) -> torch.Tensor:
    half = values.to(torch.float16)
    if not torch.isfinite(half).all():
        raise ExportError(
            "a block's scale does not fit float16 or is not a number; "
            "export with --quantize none, or check the source"
        )
    return half
