"""A model as the engine's paged graph: all sequences of a step on one flat token axis."""

import torch
from torch import nn

from quire_export.operators import CausalModel, Heads, Matrix, Norm, StepInputs
from quire_export.weights import BLOCK

_symbolic = torch.onnx.ops.symbolic
FLAT_INPUTS = (
    "input_ids",
    "cumulative_sequence_lengths",
    "past_sequence_lengths",
    "block_table",
    "logits_indices",
)


def _storage(matrix: Matrix) -> dict[str, int]:
    return {
        "K": matrix.in_features,
        "N": matrix.out_features,
        "bits": matrix.bits,
        "block_size": BLOCK,
    }


class PagedOperators:
    """Writes each operator down as a node of domain `quire`; computes nothing."""

    def __init__(
        self,
        batch: tuple[torch.Tensor, ...],
        caches: list[torch.Tensor],
        activation_bits: int,
    ) -> None:
        self._batch = batch  # cumulative_sequence_lengths, past_sequence_lengths, block_table
        self._caches = caches  # key_cache.0, value_cache.0, key_cache.1, ...
        self._activation_bits = activation_bits

    @staticmethod
    def _node(
        name: str,
        inputs: tuple[torch.Tensor | None, ...],
        attributes: dict[str, object],
        shape: tuple[object, ...],
    ) -> torch.Tensor:
        return _symbolic(
            f"quire::{name}", inputs, attributes, dtype=torch.float32, shape=shape, version=1
        )

    def embedding(self, table: Matrix, ids: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return self._node(
            "Embedding",
            (ids, table.weight, table.scale, table.min),
            _storage(table),
            (ids.shape[0], table.in_features),
        )

    def linear(self, matrix: Matrix, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        inputs = (x, matrix.weight, matrix.scale, matrix.min, matrix.bias)
        attributes = _storage(matrix)
        if matrix.bits in (4, 8):
            attributes["activation_bits"] = self._activation_bits
        return self._node("Linear", inputs, attributes, (x.shape[0], matrix.out_features))

    def rms_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """See Operators."""
        return self._node("RMSNorm", (x, norm.weight), {"epsilon": epsilon}, tuple(x.shape))

    def layer_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """See Operators."""
        inputs = (x, norm.weight, norm.bias)
        return self._node("LayerNorm", inputs, {"epsilon": epsilon}, tuple(x.shape))

    def activation(self, kind: str, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return self._node("Activation", (x,), {"kind": kind}, tuple(x.shape))

    def gated(self, kind: str, gate_up: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        shape = (gate_up.shape[0], gate_up.shape[1] // 2)
        if kind == "silu":
            return self._node("SwiGLU", (gate_up,), {}, shape)
        return self._node("GatedActivation", (gate_up,), {"kind": kind}, shape)

    def soft_cap(self, x: torch.Tensor, cap: float) -> torch.Tensor:
        """See Operators."""
        return self._node("SoftCap", (x,), {"cap": cap}, tuple(x.shape))

    def attention(self, heads: Heads, qkv: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """See Operators."""
        query, key, value = qkv if len(qkv) == 3 else (qkv[0], None, None)
        layer = heads.layer
        inputs = (
            query,
            key,
            value,
            *self._caches[2 * layer : 2 * layer + 2],
            *self._batch,
            heads.cos,
            heads.sin,
        )
        attributes = {
            "num_heads": heads.num_heads,
            "kv_num_heads": heads.num_kv_heads,
            "scale": float(heads.scale),
            "softcap": float(heads.softcap),
            "local_window_size": heads.window,
            "do_rotary": int(heads.cos is not None),
            "rotary_interleaved": 0,
        }
        width = heads.num_heads * heads.head_dim
        return self._node("PagedAttention", inputs, attributes, (query.shape[0], width))


class PagedGraph(nn.Module):
    """A model with the inputs and outputs of the paged graph."""

    def __init__(self, decoder: CausalModel, activation_bits: int) -> None:
        super().__init__()
        self.decoder = decoder
        self._activation_bits = activation_bits

    def forward(self, batch: dict[str, torch.Tensor], caches: list[torch.Tensor]) -> torch.Tensor:
        """Logits [L, vocab]; the inputs are those of docs/model_package.md, caches alternating."""
        lengths = tuple(batch[name] for name in FLAT_INPUTS[1:4])
        ops = PagedOperators(lengths, caches, self._activation_bits)
        named = ("input_ids", "logits_indices", *self.decoder.optional_inputs)
        return self.decoder(StepInputs(**{name: batch[name] for name in named}), ops)


def example_inputs(model: CausalModel) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Small inputs to trace with, and which of their dimensions are free."""
    caches = [torch.zeros(2, 64, dtype=torch.uint8) for _ in range(2 * len(model.cache_layers))]
    batch = {
        "input_ids": torch.zeros(5, dtype=torch.int64),
        "cumulative_sequence_lengths": torch.zeros(3, dtype=torch.int32),
        "past_sequence_lengths": torch.zeros(2, dtype=torch.int32),
        "block_table": torch.zeros(2, 7, dtype=torch.int32),
        "logits_indices": torch.zeros(3, dtype=torch.int64),
    }
    batch |= {name: torch.zeros(5, dtype=torch.int64) for name in model.optional_inputs}
    dim = torch.export.Dim
    tokens, sequences = dim("tokens"), dim("batch")
    free_batch = {
        "input_ids": {0: tokens},
        "cumulative_sequence_lengths": {0: dim("batch_plus_1")},
        "past_sequence_lengths": {0: sequences},
        "block_table": {0: sequences, 1: dim("max_blocks")},
        "logits_indices": {0: dim("logits_rows")},
    }
    free_cache = {0: dim("num_blocks"), 1: dim("block_bytes")}
    free_batch |= {name: {0: tokens} for name in model.optional_inputs}
    return (batch, caches), (free_batch, [free_cache] * len(caches))


def input_names(model: CausalModel) -> list[str]:
    """Names of the graph's inputs, in order."""
    return [
        *FLAT_INPUTS,
        *model.optional_inputs,
        *(
            f"{kind}_cache.{layer}"
            for layer in range(len(model.cache_layers))
            for kind in ("key", "value")
        ),
    ]
