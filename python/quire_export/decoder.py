"""The one PyTorch definition of a decoder, which every model family maps onto.

Each wrapper (paged, explicit, none) runs this same `Decoder` with its own `Operators`.
"""

import torch
from torch import nn

from quire_export.operators import Heads, Matrix, Norm, Operators, StepInputs, Tensors
from quire_export.rope import rope_tables
from quire_export.spec import DecoderSpec
from quire_export.weights import stack_rows


def _matrix(tensors: Tensors, name: str) -> Matrix:
    return Matrix(tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))


def _norm(tensors: Tensors, name: str) -> Norm:
    return Norm(tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))


def _apply_norm(spec: DecoderSpec, ops: Operators, norm: Norm, x: torch.Tensor) -> torch.Tensor:
    if spec.norm == "layer":
        return ops.layer_norm(norm, x, spec.norm_eps)
    return ops.rms_norm(norm, x, spec.norm_eps)


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

    def __init__(self, spec: DecoderSpec, tensors: Tensors, prefix: str) -> None:
        super().__init__()
        found = _merge(tensors, prefix, ("q_proj", "k_proj", "v_proj"))
        for name, matrix in found.items():
            self.add_module("qkv_proj" if name == "merged" else name, matrix)
        self._inputs = tuple("qkv_proj" if name == "merged" else name for name in found)
        self.o_proj = _matrix(tensors, prefix + "o_proj")
        if spec.qk_norm:
            self.q_norm = _norm(tensors, prefix + "q_norm")
            self.k_norm = _norm(tensors, prefix + "k_norm")

    def forward(
        self, x: torch.Tensor, layer: int, decoder: "Decoder", ops: Operators
    ) -> torch.Tensor:
        """x [..., E], normalised, to what the layer adds to the residual stream [..., E]."""
        spec = decoder.spec
        qkv = tuple(ops.linear(getattr(self, name), x) for name in self._inputs)
        if spec.qk_norm:
            if len(qkv) == 1:
                qkv = qkv[0].split([spec.q_rows, spec.kv_rows, spec.kv_rows], dim=-1)
            query = ops.rms_norm(self.q_norm, qkv[0], spec.norm_eps)
            qkv = (query, ops.rms_norm(self.k_norm, qkv[1], spec.norm_eps), qkv[2])
        return ops.linear(self.o_proj, ops.attention(decoder.heads(layer), qkv))


class Mlp(nn.Module):
    """The feed-forward part of one layer: gate_up_proj (two when storage differs), or up_proj."""

    def __init__(self, spec: DecoderSpec, tensors: Tensors, prefix: str) -> None:
        super().__init__()
        names = ("gate_proj", "up_proj") if spec.gated else ("up_proj",)
        merged = "gate_up_proj" if spec.gated else "up_proj"
        found = _merge(tensors, prefix, names)
        for name, matrix in found.items():
            self.add_module(merged if name == "merged" else name, matrix)
        self._inputs = tuple(merged if name == "merged" else name for name in found)
        self.down_proj = _matrix(tensors, prefix + "down_proj")

    def forward(self, x: torch.Tensor, spec: DecoderSpec, ops: Operators) -> torch.Tensor:
        """x [..., E], normalised, to what the layer adds to the residual stream [..., E]."""
        parts = [ops.linear(getattr(self, name), x) for name in self._inputs]
        inner = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        activate = ops.gated if spec.gated else ops.activation
        return ops.linear(self.down_proj, activate(spec.activation, inner))


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, spec: DecoderSpec, tensors: Tensors, index: int) -> None:
        super().__init__()
        prefix = f"model.layers.{index}."
        self.index = index
        self.input_layernorm = _norm(tensors, prefix + "input_layernorm")
        self.self_attn = Attention(spec, tensors, prefix + "self_attn.")
        self.post_attention_layernorm = _norm(tensors, prefix + "post_attention_layernorm")
        if spec.sandwich_norms:
            self.pre_feedforward_layernorm = _norm(tensors, prefix + "pre_feedforward_layernorm")
            self.post_feedforward_layernorm = _norm(tensors, prefix + "post_feedforward_layernorm")
        self.mlp = Mlp(spec, tensors, prefix + "mlp.")

    def forward(self, x: torch.Tensor, decoder: "Decoder", ops: Operators) -> torch.Tensor:
        """The residual stream [..., E] after this layer."""
        spec = decoder.spec
        normed = _apply_norm(spec, ops, self.input_layernorm, x)
        attended = self.self_attn(normed, self.index, decoder, ops)
        before_mlp = self.post_attention_layernorm
        if spec.sandwich_norms:
            attended = _apply_norm(spec, ops, self.post_attention_layernorm, attended)
            before_mlp = self.pre_feedforward_layernorm
        x = x + attended
        fed = self.mlp(_apply_norm(spec, ops, before_mlp, x), spec, ops)
        if spec.sandwich_norms:
            fed = _apply_norm(spec, ops, self.post_feedforward_layernorm, fed)
        return x + fed


class Trunk(nn.Module):
    """Everything below the output layer; named `model` as in Hugging Face's files."""

    def __init__(self, spec: DecoderSpec, tensors: Tensors) -> None:
        super().__init__()
        self.embed_tokens = Matrix(tensors["model.embed_tokens.weight"])
        if spec.position_rows:
            self.embed_positions = Matrix(tensors["model.embed_positions.weight"])
        self.layers = nn.ModuleList(Layer(spec, tensors, i) for i in range(spec.num_layers))
        self.norm = _norm(tensors, "model.norm")


class Decoder(nn.Module):
    """A decoder from `tensors` under their canonical names (DecoderSpec.tensor_shapes).

    It is a CausalModel (operators.py).
    """

    def __init__(self, spec: DecoderSpec, tensors: Tensors) -> None:
        super().__init__()
        self.spec = spec
        self.vocab_size, self.max_seq_len = spec.vocab_size, spec.max_seq_len
        self.cache_layers = ((spec.num_kv_heads, spec.head_dim),) * spec.num_layers
        self.optional_inputs = ("position_ids",) if spec.position_rows else ()
        self.model = Trunk(spec, tensors)
        if not spec.tie_word_embeddings:
            self.lm_head = Matrix(tensors["lm_head.weight"])
        self._tables: list[tuple[str, str]] = []
        for i, rope in enumerate(spec.ropes):
            names = tuple(f"rope_{part}{f'_{i}' if i else ''}" for part in ("cos", "sin"))
            for name, table in zip(names, rope_tables(rope, spec.max_seq_len), strict=True):
                self.register_buffer(name, table)
            self._tables.append(names)

    def heads(self, layer: int) -> Heads:
        """The attention of a layer."""
        spec, own = self.spec, self.spec.layer(layer)
        cos, sin = (
            (getattr(self, name) for name in self._tables[own.rope])
            if own.rope >= 0
            else (None, None)
        )
        return Heads(
            layer=layer,
            num_heads=spec.num_heads,
            num_kv_heads=spec.num_kv_heads,
            head_dim=spec.head_dim,
            scale=spec.attention_scale,
            softcap=spec.attention_softcap,
            window=own.window,
            cos=cos,
            sin=sin,
        )

    def forward(self, step: StepInputs, ops: Operators) -> torch.Tensor:
        """See CausalModel."""
        spec = self.spec
        x = ops.embedding(self.model.embed_tokens, step.input_ids)
        if spec.embedding_scale != 1.0:
            x = x * spec.embedding_scale
        if spec.position_rows:
            x = x + ops.embedding(self.model.embed_positions, step.position_ids)
        for layer in self.model.layers:
            x = layer(x, self, ops)
        if step.logits_indices is not None:
            # The same rows as index_select, but torch exports it as one Gather without a Reshape.
            x = nn.functional.embedding(step.logits_indices, x)
        x = _apply_norm(spec, ops, self.model.norm, x)
        # Tied embeddings are one module, hence one initializer in the graph.
        logits = ops.linear(
            self.model.embed_tokens if spec.tie_word_embeddings else self.lm_head, x
        )
        return ops.soft_cap(logits, spec.final_softcap) if spec.final_softcap else logits
