"""nanochat as one PyTorch definition, whose operators are chosen by who calls it.

The serialised forms differ from the formulas of reference.py in these identities: rotation and
norm of queries and keys change places (not where the tables are rounded to bfloat16, which makes
the rotation change lengths), their scale goes into the attention's, the rotation by a negative
angle into the sign of the sine table, and the smear reads the token before from its id.
"""

from dataclasses import dataclass

import torch
from torch import nn

from quire_export.nanochat.eras import RMS_EPS, SMEAR_CHANNELS, NanochatSpec
from quire_export.operators import Heads, Matrix, Norm, Operators, StepInputs, Tensors
from quire_export.weights import StoredMatrix


def rotary_tables(spec: NanochatSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin, for the textbook direction of rotation; two float32 [max_seq_len, D/2]."""
    channels = torch.arange(0, spec.head_dim, 2, dtype=torch.float32)
    inverse = 1.0 / (spec.era.rope_theta ** (channels / spec.head_dim))
    angles = torch.outer(torch.arange(spec.max_seq_len, dtype=torch.float32), inverse)
    cos, sin = angles.cos(), angles.sin()
    if spec.era.bf16_rotary:
        cos, sin = cos.bfloat16().float(), sin.bfloat16().float()
    return cos, -sin


class Attention(nn.Module):
    """Projections of one layer, and its gate over value embeddings if it has them."""

    def __init__(self, spec: NanochatSpec, tensors: Tensors, layer: int) -> None:
        super().__init__()
        self.layer = layer
        prefix = f"transformer.h.{layer}.attn."
        for name in ("c_q", "c_k", "c_v", "c_proj"):
            self.add_module(name, Matrix(tensors[f"{prefix}{name}.weight"]))
        self.has_values = spec.has_value_embedding(layer)
        if self.has_values:
            gate = tensors[prefix + "ve_gate.weight"]
            # One row a dimension instead of one a head: the gate then comes as wide as the values.
            rows = gate.dequantize().repeat_interleave(spec.head_dim, 0)
            self.ve_gate = Matrix(StoredMatrix("none", gate.columns, rows))

    def forward(
        self, h: torch.Tensor, mixed: "Mixed", decoder: "NanochatDecoder", ops: Operators
    ) -> torch.Tensor:
        """h [..., E], normalised, to what the layer adds to the residual stream [..., E]."""
        era = decoder.spec.era
        query, key, value = (ops.linear(m, h) for m in (self.c_q, self.c_k, self.c_v))
        if era.bf16_rotary:
            query, key = (decoder.rotate(x, mixed.step) for x in (query, key))
        query = ops.rms_norm(decoder.head_norm, query, RMS_EPS)
        key = ops.rms_norm(decoder.head_norm, key, RMS_EPS)
        if self.has_values:
            table = decoder.value_embeds[str(self.layer)]
            gate = ops.linear(self.ve_gate, h[..., : era.gate_channels])
            gate = ops.activation("sigmoid", gate) * era.gate_scale
            value = value + gate * ops.embedding(table, mixed.step.input_ids)
        return ops.linear(self.c_proj, ops.attention(decoder.heads(self.layer), (query, key, value)))


class Layer(nn.Module):
    """One transformer layer with its two mixing factors."""

    def __init__(self, spec: NanochatSpec, tensors: Tensors, layer: int) -> None:
        super().__init__()
        prefix = f"transformer.h.{layer}.mlp."
        self.attn = Attention(spec, tensors, layer)
        self.c_fc = Matrix(tensors[prefix + "c_fc.weight"])
        self.c_proj = Matrix(tensors[prefix + "c_proj.weight"])
        self.mixes = spec.era.lambdas
        if self.mixes:
            self.register_buffer("resid_lambda", tensors["resid_lambdas"][layer : layer + 1])
            self.register_buffer("x0_lambda", tensors["x0_lambdas"][layer : layer + 1])

    def forward(
        self, x: torch.Tensor, mixed: "Mixed", decoder: "NanochatDecoder", ops: Operators
    ) -> torch.Tensor:
        """The residual stream [..., E] after this layer."""
        if self.mixes:
            x = self.resid_lambda * x + self.x0_lambda * mixed.x0
        x = x + self.attn(ops.rms_norm(decoder.norm, x, RMS_EPS), mixed, decoder, ops)
        hidden = ops.linear(self.c_fc, ops.rms_norm(decoder.norm, x, RMS_EPS))
        return x + ops.linear(self.c_proj, ops.activation("relu2", hidden))


@dataclass(frozen=True)
class Mixed:
    """What every layer reads beside the stream: the step, and the stream's beginning [..., E]."""

    step: StepInputs
    x0: torch.Tensor


class NanochatDecoder(nn.Module):
    """A checkpoint from `tensors` under its own names (NanochatSpec.tensor_shapes, cropped).

    It is a CausalModel (operators.py).
    """

    def __init__(self, spec: NanochatSpec, tensors: Tensors) -> None:
        super().__init__()
        self.spec = spec
        self.vocab_size, self.max_seq_len = spec.vocab_size, spec.max_seq_len
        self.cache_layers = ((spec.num_kv_heads, spec.head_dim),) * spec.num_layers
        self.optional_inputs = ("position_ids",) * spec.era.bf16_rotary
        self.optional_inputs += ("previous_ids",) * spec.era.smear
        self.wte = Matrix(tensors["transformer.wte.weight"])
        self.layers = nn.ModuleList(Layer(spec, tensors, i) for i in range(spec.num_layers))
        self.value_embeds = nn.ModuleDict(
            {
                str(i): Matrix(tensors[f"value_embeds.{i}.weight"])
                for i in range(spec.num_layers)
                if spec.has_value_embedding(i)
            }
        )
        self.lm_head = Matrix(tensors["lm_head.weight"])
        # nanochat's norms have no weight; the operator takes one.
        self.norm = Norm(torch.ones(spec.hidden_size))
        self.head_norm = Norm(torch.ones(spec.head_dim))
        if spec.era.smear:
            self.smear_gate = Matrix(tensors["smear_gate.weight"])
            self.register_buffer("smear_lambda", tensors["smear_lambda"])
            self.register_buffer("backout_lambda", tensors["backout_lambda"])
        cos, sin = rotary_tables(spec)
        self.register_buffer("rope_cos", cos)
        self.register_buffer("rope_sin", sin)

    def heads(self, layer: int) -> Heads:
        """The attention of a layer."""
        spec, rotates = self.spec, not self.spec.era.bf16_rotary
        return Heads(
            layer=layer,
            num_heads=spec.num_heads,
            num_kv_heads=spec.num_kv_heads,
            head_dim=spec.head_dim,
            scale=spec.era.qk_scale**2 / spec.head_dim**0.5,
            window=spec.window(layer),
            cos=self.rope_cos if rotates else None,
            sin=self.rope_sin if rotates else None,
        )

    def rotate(self, x: torch.Tensor, step: StepInputs) -> torch.Tensor:
        """The heads of x [..., n*D] turned to their positions, ahead of the attention."""
        half = self.spec.head_dim // 2
        cos = nn.functional.embedding(step.position_ids, self.rope_cos).unsqueeze(-2)
        sin = nn.functional.embedding(step.position_ids, self.rope_sin).unsqueeze(-2)
        heads = x.unflatten(-1, (x.shape[-1] // (2 * half), 2 * half))
        low, high = heads[..., :half], heads[..., half:]
        turned = torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)
        return turned.flatten(-2)

    def forward(self, step: StepInputs, ops: Operators) -> torch.Tensor:
        """See CausalModel."""
        x = ops.rms_norm(self.norm, ops.embedding(self.wte, step.input_ids), RMS_EPS)
        if self.spec.era.smear:
            x = self._smear(x, step.previous_ids, ops)
        mixed, middle = Mixed(step, x), None
        for index, layer in enumerate(self.layers):
            x = layer(x, mixed, self, ops)
            if index == self.spec.backout_layer:
                middle = x
        if middle is not None:
            x = x - self.backout_lambda * middle
        if step.logits_indices is not None:
            # The same rows as index_select, but torch exports it as one Gather.
            x = nn.functional.embedding(step.logits_indices, x)
        x = ops.rms_norm(self.norm, x, RMS_EPS)
        return ops.soft_cap(ops.linear(self.lm_head, x), self.spec.era.softcap)

    def _smear(self, x: torch.Tensor, previous_ids: torch.Tensor, ops: Operators) -> torch.Tensor:
        """Adds to each embedding x [..., E] its share of the one before (-1: there is none)."""
        known = previous_ids.clamp(min=0)
        before = ops.rms_norm(self.norm, ops.embedding(self.wte, known), RMS_EPS)
        gate = ops.activation("sigmoid", ops.linear(self.smear_gate, x[..., :SMEAR_CHANNELS]))
        there = (previous_ids >= 0).to(x.dtype).unsqueeze(-1)
        return x + gate * self.smear_lambda * there * before
