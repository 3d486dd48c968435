"""Matrices as a package stores them: plain, or packed in blocks of 32 with scale and minimum."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from quire_export.errors import ExportError

BLOCK = 32
# Rows that are searched at a time: bounds the memory of large matrices.
_SEARCHED_ROWS = 128
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
    return StoredMatrix("int8", values.shape[1], _eight_bits(blocks, scale), scale)


def _eight_bits(blocks: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Nearest q of blocks [N, Kb, 32] under float16 scales; int8."""
    divisor = scale.float().unsqueeze(-1)
    q = torch.where(divisor > 0, blocks / divisor, torch.zeros(()))
    return q.round().clamp(-127, 127).to(torch.int8)


def store_int4(values: torch.Tensor, search: bool = False) -> StoredMatrix:
    """Values [N, K] as scale * q + minimum, q in 0..15, float16 scale and minimum a block.

    To nearest between the block's least and largest value; with `search`, between the bounds that
    cost the least (see _search).
    """
    blocks, columns = _blocks(values), values.shape[1]
    tail = columns % BLOCK
    real = torch.ones(BLOCK)
    if tail:
        # The padding must not stretch the last block's range: repeat a real value there.
        blocks[:, -1, tail:] = blocks[:, -1, :1]
        real = torch.ones(blocks.shape[1], BLOCK)
        real[-1, tail:] = 0.0
    scale, minimum = _range(blocks)
    if search:
        parts = [
            _search(part, real, s, m)
            for part, s, m in zip(
                blocks.split(_SEARCHED_ROWS),
                scale.split(_SEARCHED_ROWS),
                minimum.split(_SEARCHED_ROWS),
                strict=True,
            )
        ]
        scale, minimum = (torch.cat(part) for part in zip(*parts, strict=True))
    q = _four_bits(blocks, scale, minimum)
    if tail:
        q[:, -1, tail:] = 0
    q8 = q.to(torch.uint8)
    packed = q8[..., :16] | (q8[..., 16:] << 4)
    return StoredMatrix("int4", columns, packed.contiguous(), scale, minimum)


def _range(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and minimum that span each block; float16 [N, Kb]."""
    minimum = _finite16(blocks.amin(dim=-1))
    scale = _finite16((blocks.amax(dim=-1) - minimum.float()).clamp(min=0) / 15.0)
    return scale, minimum


def _four_bits(
    blocks: torch.Tensor, scale: torch.Tensor, minimum: torch.Tensor
) -> torch.Tensor:
    """Nearest q of blocks [N, Kb, 32]; float32."""
    divisor = scale.float().unsqueeze(-1)
    shifted = blocks - minimum.float().unsqueeze(-1)
    return torch.where(divisor > 0, shifted / divisor, torch.zeros(())).round().clamp(0, 15)


def _search(
    blocks: torch.Tensor, real: torch.Tensor, scale: torch.Tensor, minimum: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and minimum, float16 [N, Kb], of the least weighted squared error found.

    Each of several steps, finer and coarser than the one that spans the block, gives integers; the
    scale and minimum that fit those best (linear least squares) are tried, rounded to float16. An
    element weighs the more the larger it is, as K-quants have it: |x| + the block's root mean square.
    """
    weight = (blocks.abs() + blocks.square().mean(dim=-1, keepdim=True).sqrt()) * real
    low = blocks.amin(dim=-1, keepdim=True)
    spread = (blocks.amax(dim=-1, keepdim=True) - low).clamp(min=1e-30)
    total = weight.sum(dim=-1)
    sum_x = (weight * blocks).sum(dim=-1)

    def cost(s: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        made = s.float().unsqueeze(-1) * _four_bits(blocks, s, m) + m.float().unsqueeze(-1)
        return (weight * (made - blocks).square()).sum(dim=-1)

    least = cost(scale, minimum)
    for levels in (13.8, 14.2, 14.6, 15.0, 15.4, 15.8, 16.2):
        q = ((blocks - low) * (levels / spread)).round().clamp(0, 15)
        weighted = weight * q
        sum_q, sum_qq = weighted.sum(dim=-1), (weighted * q).sum(dim=-1)
        sum_qx = (weighted * blocks).sum(dim=-1)
        spread_q = total * sum_qq - sum_q.square()
        fit = (total * sum_qx - sum_q * sum_x) / spread_q
        offset = (sum_qq * sum_x - sum_q * sum_qx) / spread_q
        tried = fit.to(torch.float16), offset.to(torch.float16)
        found = cost(*tried)
        # A comparison with a NaN (a block of one value has no fit) is false.
        better = (found < least) & (fit > 0)
        least = torch.where(better, found, least)
        scale = torch.where(better, tried[0], scale)
        minimum = torch.where(better, tried[1], minimum)
    return scale, minimum


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
