"""A model in operators that any ONNX runtime has, with its cache as inputs and outputs, or none.

Explicit graphs speak Hugging Face's names; none graphs take a whole sequence. Both compute with
PlainOperators; matrices of 4 and 8 bits become MatMulNBits of com.microsoft, which the stock
builds of ONNX Runtime (web included) carry.
"""

import torch
from torch import nn

from quire_export.operators import CausalModel, Matrix, StepInputs
from quire_export.plain import PlainOperators
from quire_export.weights import BLOCK

_symbolic = torch.onnx.ops.symbolic
# Accuracy levels of MatMulNBits: activations in float32, or quantized to 8 bits.
FLOAT32_LEVEL, INT8_LEVEL = 1, 4


class StockMatrix(nn.Module):
    """A Matrix of 4 or 8 bits as MatMulNBits stores it: unsigned q, value = scale * (q - zero).

    weight: uint8 [N, Kb, 16] with neighbours in one byte, the even one low, or [N, Kb, 32];
    scale: float32 [N, Kb]; zero: float32 [N, Kb], or None for the middle (8 or 128).
    """

    def __init__(self, matrix: Matrix) -> None:
        super().__init__()
        self.scheme, self.bits = matrix.scheme, matrix.bits
        self.in_features, self.out_features = matrix.in_features, matrix.out_features
        self.register_buffer("bias", matrix.bias)
        scale = matrix.scale.float()
        if matrix.bits == 4:
            q = torch.cat([matrix.weight & 15, matrix.weight >> 4], dim=-1)
        else:
            q = (matrix.weight.to(torch.int16) + 128).to(torch.uint8)
        zero = None
        if matrix.min is not None:
            q, scale, zero = _with_zero(q, scale, matrix.min.float(), matrix.bits)
        packed = q[..., 0::2] | (q[..., 1::2] << 4) if matrix.bits == 4 else q
        self.register_buffer("weight", packed.contiguous())
        self.register_buffer("scale", scale.contiguous())
        self.register_buffer("zero", zero)


def _with_zero(
    q: torch.Tensor, scale: torch.Tensor, minimum: torch.Tensor, bits: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """q, scale and zero of scale * q + minimum; blocks whose scale is 0 keep their constant."""
    constant = scale == 0
    middle = 128.0 if bits == 8 else 0.0
    zero = middle - minimum / torch.where(constant, torch.ones(()), scale)
    flat = constant.unsqueeze(-1)
    q = torch.where(flat, torch.ones((), dtype=torch.uint8), q)
    return q, torch.where(constant, minimum, scale), torch.where(constant, torch.zeros(()), zero)


def use_stock_matrices(model: nn.Module) -> None:
    """Replaces every Matrix of 4 or 8 bits by its stock form; shared ones stay shared."""
    made: dict[int, StockMatrix] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Matrix) and child.scale is not None:
                if id(child) not in made:
                    made[id(child)] = StockMatrix(child)
                setattr(parent, name, made[id(child)])


class StockOperators(PlainOperators):
    """PlainOperators that know StockMatrix.

    `activation_bits` 8 lets MatMulNBits quantize activations (its accuracy level 4); 16, which it
    has not, asks for float32 (level 1).
    """

    def __init__(
        self,
        activation_bits: int,
        positions: torch.Tensor,
        past: list[torch.Tensor] | None = None,
        mask: torch.Tensor | None = None,
    ) -> None:
        super().__init__(positions, past, mask)
        self._accuracy_level = INT8_LEVEL if activation_bits == 8 else FLOAT32_LEVEL

    def embedding(self, table: Matrix | StockMatrix, ids: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        if not isinstance(table, StockMatrix):
            return super().embedding(table, ids)
        flat = ids.reshape(-1)
        packed = _rows(table.weight, flat)
        if table.bits == 4:
            # Halves of a byte without a bit operator, which not every runtime has.
            whole = packed.to(torch.float32)
            high = torch.floor(whole * 0.0625)
            packed = torch.stack([whole - high * 16.0, high], dim=-1).flatten(-2)
        middle = 8.0 if table.bits == 4 else 128.0
        zero = middle if table.zero is None else _rows(table.zero, flat).unsqueeze(-1)
        values = (packed.to(torch.float32) - zero) * _rows(table.scale, flat).unsqueeze(-1)
        values = values.flatten(-2)[:, : table.in_features]
        return values.reshape(*ids.shape, table.in_features)

    def linear(self, matrix: Matrix | StockMatrix, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        if not isinstance(matrix, StockMatrix):
            return super().linear(matrix, x)
        attributes = {
            "K": matrix.in_features,
            "N": matrix.out_features,
            "bits": matrix.bits,
            "block_size": BLOCK,
            "accuracy_level": self._accuracy_level,
        }
        y = _symbolic(
            "com.microsoft::MatMulNBits",
            (x, matrix.weight, matrix.scale, matrix.zero),
            attributes,
            dtype=torch.float32,
            shape=(*x.shape[:-1], matrix.out_features),
            version=1,
        )
        return y if matrix.bias is None else y + matrix.bias


def _rows(table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return torch.index_select(table, 0, ids)


class ExplicitGraph(nn.Module):
    """A model with Hugging Face's inputs and outputs; see docs/model_package.md."""

    def __init__(self, decoder: CausalModel, activation_bits: int) -> None:
        super().__init__()
        self.decoder = decoder
        self._activation_bits = activation_bits

    def forward(
        self, step: dict[str, torch.Tensor], past: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Logits [B, S, vocab] and the cache with this step's keys and values behind it."""
        ops = StockOperators(
            self._activation_bits, step["position_ids"], past, step["attention_mask"]
        )
        named = {name: step[name] for name in self.decoder.optional_inputs}
        logits = self.decoder(StepInputs(input_ids=step["input_ids"], **named), ops)
        return logits, ops.present


class NoneGraph(nn.Module):
    """A model without cache: the whole sequence each time."""

    def __init__(self, decoder: CausalModel, activation_bits: int) -> None:
        super().__init__()
        self.decoder = decoder
        self._activation_bits = activation_bits

    def forward(self, input_ids: torch.Tensor, position_offset: torch.Tensor) -> torch.Tensor:
        """Logits [B, S, vocab] of input_ids int64 [B, S], the first at position_offset int64 []."""
        positions = position_offset + torch.arange(input_ids.shape[1]).unsqueeze(0)
        optional = {"position_ids": positions}
        if "previous_ids" in self.decoder.optional_inputs:
            optional["previous_ids"] = nn.functional.pad(input_ids[:, :-1], (1, 0), value=-1)
        named = {name: optional[name] for name in self.decoder.optional_inputs}
        step = StepInputs(input_ids=input_ids, **named)
        return self.decoder(step, StockOperators(self._activation_bits, positions))


def explicit_example(model: CausalModel) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Small inputs to trace an ExplicitGraph with, and which of their dimensions are free."""
    batch, length, before = 2, 3, 4
    step = {
        "input_ids": torch.zeros(batch, length, dtype=torch.int64),
        "attention_mask": torch.ones(batch, before + length, dtype=torch.int64),
        "position_ids": torch.zeros(batch, length, dtype=torch.int64),
    }
    if "previous_ids" in model.optional_inputs:
        step["previous_ids"] = torch.zeros(batch, length, dtype=torch.int64)
    past = [
        torch.zeros(batch, heads, before, size)
        for heads, size in model.cache_layers
        for _ in range(2)
    ]
    free = torch.export.Dim.DYNAMIC
    free_step = {name: {0: free, 1: free} for name in step}
    return (step, past), (free_step, [{0: free, 2: free}] * len(past))


def explicit_names(model: CausalModel) -> tuple[list[str], list[str]]:
    """Names of an explicit graph's inputs and outputs, in order."""
    step = ["input_ids", "attention_mask", "position_ids"]
    if "previous_ids" in model.optional_inputs:
        step.append("previous_ids")
    layers = [
        (layer, kind) for layer in range(len(model.cache_layers)) for kind in ("key", "value")
    ]
    past = [f"past_key_values.{layer}.{kind}" for layer, kind in layers]
    return step + past, ["logits", *(f"present.{layer}.{kind}" for layer, kind in layers)]


def none_example() -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Small inputs to trace a NoneGraph with, and which of their dimensions are free."""
    free = torch.export.Dim.DYNAMIC
    inputs = (torch.zeros(2, 3, dtype=torch.int64), torch.zeros((), dtype=torch.int64))
    return inputs, ({0: free, 1: free}, {})
