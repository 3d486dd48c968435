"""The decoder as the engine's paged graph: all sequences of a step on one flat token axis."""

import torch
from torch import nn

from quire_export.decoder import Decoder, Matrix, Norm
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

    def swiglu(self, gate_up: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return self._node("SwiGLU", (gate_up,), {}, (gate_up.shape[0], gate_up.shape[1] // 2))

    def attention(
        self, layer: int, decoder: Decoder, qkv: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """See Operators."""
        spec = decoder.spec
        query, key, value = qkv if len(qkv) == 3 else (qkv[0], None, None)
        inputs = (
            query,
            key,
            value,
            *self._caches[2 * layer : 2 * layer + 2],
            *self._batch,
            decoder.rope_cos,
            decoder.rope_sin,
        )
        attributes = {
            "num_heads": spec.num_heads,
            "kv_num_heads": spec.num_kv_heads,
            "scale": 0.0,
            "softcap": 0.0,
            "local_window_size": -1,
            "do_rotary": 1,
            "rotary_interleaved": 0,
        }
        return self._node("PagedAttention", inputs, attributes, (query.shape[0], spec.q_rows))


class PagedGraph(nn.Module):
    """The decoder with the inputs and outputs of the paged graph."""

    def __init__(self, decoder: Decoder, activation_bits: int) -> None:
        super().__init__()
        self.decoder = decoder
        self._activation_bits = activation_bits

    def forward(
        self,
        input_ids: torch.Tensor,
        cumulative_sequence_lengths: torch.Tensor,
        past_sequence_lengths: torch.Tensor,
        block_table: torch.Tensor,
        logits_indices: torch.Tensor,
        caches: list[torch.Tensor],
    ) -> torch.Tensor:
        """Logits [L, vocab]; the inputs are those of docs/model_package.md, caches alternating."""
        batch = (cumulative_sequence_lengths, past_sequence_lengths, block_table)
        ops = PagedOperators(batch, caches, self._activation_bits)
        return self.decoder(input_ids, logits_indices, ops)


def example_inputs(num_layers: int) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Small inputs to trace with, and which of their dimensions are free."""
    caches = [torch.zeros(2, 64, dtype=torch.uint8) for _ in range(2 * num_layers)]
    inputs = (
        torch.zeros(5, dtype=torch.int64),
        torch.zeros(3, dtype=torch.int32),
        torch.zeros(2, dtype=torch.int32),
        torch.zeros(2, 7, dtype=torch.int32),
        torch.zeros(3, dtype=torch.int64),
        caches,
    )
    dim = torch.export.Dim
    batch, blocks, size = dim("batch"), dim("num_blocks"), dim("block_bytes")
    free = (
        {0: dim("tokens")},
        {0: dim("batch_plus_1")},
        {0: batch},
        {0: batch, 1: dim("max_blocks")},
        {0: dim("logits_rows")},
        [{0: blocks, 1: size} for _ in caches],
    )
    return inputs, free


def input_names(num_layers: int) -> list[str]:
    """Names of the graph's inputs, in order."""
    return [
        *FLAT_INPUTS,
        *(f"{kind}_cache.{layer}" for layer in range(num_layers) for kind in ("key", "value")),
    ]
