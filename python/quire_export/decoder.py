"""The one PyTorch definition of a decoder. What its operators do is chosen by who calls it.

Every wrapper (paged now; with explicit or without cache later) runs this same `Decoder` with its
own `Operators`, so the serialised forms cannot drift apart. `EagerOperators` are the numerics
reference: plain torch, float32, one sequence, no cache.
"""

from typing import Protocol

import torch
from torch import nn

from quire_export.rope import rope_tables
from quire_export.spec import DecoderSpec
from quire_export.weights import StoredMatrix, stack_rows

Tensors = dict[str, StoredMatrix | torch.Tensor]


class Matrix(nn.Module):
    """A stored matrix [N, K] with an optional float32 bias [N], held as buffers."""

    def __init__(self, stored: StoredMatrix, bias: torch.Tensor | None = None) -> None:
        super().__init__()
        self.scheme, self.bits = stored.scheme, stored.bits
        self.in_features, self.out_features = stored.columns, stored.rows
        self.register_buffer("weight", stored.weight)
        self.register_buffer("scale", stored.scale)
        self.register_buffer("min", stored.minimum)
        self.register_buffer("bias", bias)

    def stored(self) -> StoredMatrix:
        """The matrix without its bias."""
        return StoredMatrix(self.scheme, self.in_features, self.weight, self.scale, self.min)


class Norm(nn.Module):
    """The weight of an RMSNorm; float32 [K]."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.float())


class Operators(Protocol):
    """How a decoder's five operators are carried out or written down."""

    def embedding(self, table: Matrix, ids: torch.Tensor) -> torch.Tensor:
        """Rows of `table` named by ids int64 [T]; float32 [T, K]."""

    def linear(self, matrix: Matrix, x: torch.Tensor) -> torch.Tensor:
        """x [T, K] times the transposed matrix, plus its bias; [T, N]."""

    def rms_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """x [T, K] over its root mean square, times the weight."""

    def swiglu(self, gate_up: torch.Tensor) -> torch.Tensor:
        """silu(gate) * up of gate and up side by side [T, 2*I]; [T, I]."""

    def attention(
        self, layer: int, decoder: "Decoder", qkv: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """Causal attention; `qkv` is one packed tensor or query, key, value; [T, H*D]."""


def _merge(tensors: Tensors, prefix: str, names: tuple[str, ...]) -> dict[str, Matrix]:
    """The named projections as one matrix ("merged") where their storage agrees, else each."""
    parts = [tensors[f"{prefix}{name}.weight"] for name in names]
    biases = [tensors.get(f"{prefix}{name}.bias") for name in names]
    if len({part.layout for part in parts}) > 1:
        return {
            name: Matrix(part, bias) for name, part, bias in zip(names, parts, biases, strict=True)
        }
    bias = None if biases[0] is None else torch.cat(biases)
    return {"merged": Matrix(stack_rows(parts), bias)}


class Attention(nn.Module):
    """Projections of one layer's attention: qkv_proj, or three when storage differs."""

    def __init__(self, tensors: Tensors, prefix: str) -> None:
        super().__init__()
        found = _merge(tensors, prefix, ("q_proj", "k_proj", "v_proj"))
        for name, matrix in found.items():
            self.add_module("qkv_proj" if name == "merged" else name, matrix)
        self._inputs = tuple("qkv_proj" if name == "merged" else name for name in found)
        self.o_proj = Matrix(tensors[prefix + "o_proj.weight"], tensors.get(prefix + "o_proj.bias"))

    def forward(
        self, x: torch.Tensor, layer: int, decoder: "Decoder", ops: Operators
    ) -> torch.Tensor:
        """x [T, E], normalised, to what the layer adds to the residual stream [T, E]."""
        qkv = tuple(ops.linear(getattr(self, name), x) for name in self._inputs)
        return ops.linear(self.o_proj, ops.attention(layer, decoder, qkv))


class Mlp(nn.Module):
    """The gated feed-forward part of one layer: gate_up_proj, or two when storage differs."""

    def __init__(self, tensors: Tensors, prefix: str) -> None:
        super().__init__()
        found = _merge(tensors, prefix, ("gate_proj", "up_proj"))
        for name, matrix in found.items():
            self.add_module("gate_up_proj" if name == "merged" else name, matrix)
        self._inputs = tuple("gate_up_proj" if name == "merged" else name for name in found)
        self.down_proj = Matrix(
            tensors[prefix + "down_proj.weight"], tensors.get(prefix + "down_proj.bias")
        )

    def forward(self, x: torch.Tensor, ops: Operators) -> torch.Tensor:
        """x [T, E], normalised, to what the layer adds to the residual stream [T, E]."""
        parts = [ops.linear(getattr(self, name), x) for name in self._inputs]
        gate_up = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        return ops.linear(self.down_proj, ops.swiglu(gate_up))


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, tensors: Tensors, index: int) -> None:
        super().__init__()
        prefix = f"model.layers.{index}."
        self.index = index
        self.input_layernorm = Norm(tensors[prefix + "input_layernorm.weight"])
        self.self_attn = Attention(tensors, prefix + "self_attn.")
        self.post_attention_layernorm = Norm(tensors[prefix + "post_attention_layernorm.weight"])
        self.mlp = Mlp(tensors, prefix + "mlp.")

    def forward(self, x: torch.Tensor, decoder: "Decoder", ops: Operators) -> torch.Tensor:
        """The residual stream [T, E] after this layer."""
        epsilon = decoder.spec.rms_norm_eps
        normed = ops.rms_norm(self.input_layernorm, x, epsilon)
        x = x + self.self_attn(normed, self.index, decoder, ops)
        normed = ops.rms_norm(self.post_attention_layernorm, x, epsilon)
        return x + self.mlp(normed, ops)


class Trunk(nn.Module):
    """Everything below the output layer; named `model` as in Hugging Face's files."""

    def __init__(self, spec: DecoderSpec, tensors: Tensors) -> None:
        super().__init__()
        self.embed_tokens = Matrix(tensors["model.embed_tokens.weight"])
        self.layers = nn.ModuleList(Layer(tensors, i) for i in range(spec.num_layers))
        self.norm = Norm(tensors["model.norm.weight"])


class Decoder(nn.Module):
    """A decoder from `tensors` under their canonical names (DecoderSpec.tensor_shapes)."""

    def __init__(self, spec: DecoderSpec, tensors: Tensors) -> None:
        super().__init__()
        self.spec = spec
        self.model = Trunk(spec, tensors)
        if not spec.tie_word_embeddings:
            self.lm_head = Matrix(tensors["lm_head.weight"])
        cos, sin = rope_tables(spec.rope, spec.max_seq_len)
        self.register_buffer("rope_cos", cos)
        self.register_buffer("rope_sin", sin)

    def forward(
        self, input_ids: torch.Tensor, logits_indices: torch.Tensor, ops: Operators
    ) -> torch.Tensor:
        """Logits [L, vocab] of the rows `logits_indices` int64 [L] of input_ids int64 [T]."""
        x = ops.embedding(self.model.embed_tokens, input_ids)
        for layer in self.model.layers:
            x = layer(x, self, ops)
        # The same rows as index_select, but torch exports it as one Gather without a Reshape.
        x = nn.functional.embedding(logits_indices, x)
        x = ops.rms_norm(self.model.norm, x, self.spec.rms_norm_eps)
        # Tied embeddings are one module, hence one initializer in the graph.
        tied = self.spec.tie_word_embeddings
        return ops.linear(self.model.embed_tokens if tied else self.lm_head, x)


class EagerOperators:
    """The operators in plain torch, float32, for one whole sequence without cache."""

    def embedding(self, table: Matrix, ids: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return table.stored().take_rows(ids).dequantize()

    def linear(self, matrix: Matrix, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return nn.functional.linear(x, matrix.stored().dequantize(), matrix.bias)

    def rms_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """See Operators."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * norm.weight

    def swiglu(self, gate_up: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        gate, up = gate_up.chunk(2, dim=-1)
        return nn.functional.silu(gate) * up

    def attention(
        self, layer: int, decoder: Decoder, qkv: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """See Operators."""
        spec = decoder.spec
        packed = torch.cat(qkv, dim=-1)
        length = packed.shape[0]
        heads = packed.reshape(length, -1, spec.head_dim).transpose(0, 1)
        query, key, value = heads.split([spec.num_heads, spec.num_kv_heads, spec.num_kv_heads])
        query, key = (_rotate(x, decoder, length) for x in (query, key))
        group = spec.num_heads // spec.num_kv_heads
        out = nn.functional.scaled_dot_product_attention(
            query,
            key.repeat_interleave(group, 0),
            value.repeat_interleave(group, 0),
            is_causal=True,
        )
        return out.transpose(0, 1).reshape(length, spec.q_rows)


def _rotate(x: torch.Tensor, decoder: Decoder, length: int) -> torch.Tensor:
    """Rotates x [heads, T, D] of positions 0..T-1, halves convention."""
    cos, sin = decoder.rope_cos[:length], decoder.rope_sin[:length]
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)
