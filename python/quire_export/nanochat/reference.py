"""nanochat's forward pass as its formulas stand, in float32: what exports are held against.

Deliberately apart from decoder.py: nothing is folded, merged or shared with what is exported.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

from quire_export.nanochat.eras import RMS_EPS, SMEAR_CHANNELS, NanochatSpec

Cache = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Answer:
    """Logits float32 [1, T, vocab] and what the next call needs to go on."""

    logits: torch.Tensor
    past_key_values: "Past"


@dataclass(frozen=True)
class Past:
    """Keys and values of each layer [Hkv, P, D], and the last token's id."""

    layers: Cache
    last_id: torch.Tensor


def _norm(x: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, (x.shape[-1],), eps=RMS_EPS)


class NanochatReference:
    """One checkpoint in float32, callable as a transformers model is."""

    def __init__(self, spec: NanochatSpec, tensors: dict[str, torch.Tensor]) -> None:
        self._spec = spec
        self._tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        self._cos = self._sin = torch.zeros(0, spec.head_dim // 2)

    def named_parameters(self) -> list[tuple[str, torch.Tensor]]:
        """Names and tensors, which may be written to."""
        return list(self._tensors.items())

    @torch.inference_mode()
    def __call__(
        self,
        input_ids: torch.Tensor,
        use_cache: bool = False,
        past_key_values: Past | None = None,
    ) -> Answer:
        """Logits of input_ids int64 [1, T] after what `past_key_values` holds."""
        ids = input_ids[0]
        layers: Cache = list(past_key_values.layers) if past_key_values else []
        offset = layers[0][0].shape[1] if layers else 0
        self._extend_tables(offset + len(ids))
        before = past_key_values.last_id if past_key_values else None
        x0 = self._embed(ids, before)
        x, middle = x0, None
        for layer in range(self._spec.num_layers):
            if self._spec.era.lambdas:
                x = self._tensors["resid_lambdas"][layer] * x
                x = x + self._tensors["x0_lambdas"][layer] * x0
            past = layers[layer] if offset else None
            attended, kept = self._attention(layer, _norm(x), ids, past)
            layers[layer : layer + 1] = [kept]
            x = x + attended
            hidden = functional.relu(_norm(x) @ self._weight(layer, "mlp.c_fc").T).square()
            x = x + hidden @ self._weight(layer, "mlp.c_proj").T
            if layer == self._spec.backout_layer:
                middle = x
        if middle is not None:
            x = x - self._tensors["backout_lambda"] * middle
        cap = self._spec.era.softcap
        logits = cap * torch.tanh(_norm(x) @ self._tensors["lm_head.weight"].T / cap)
        return Answer(logits[None], Past(layers, ids[-1:]))

    def _weight(self, layer: int, name: str) -> torch.Tensor:
        return self._tensors[f"transformer.h.{layer}.{name}.weight"]

    def _embed(self, ids: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
        """Normalised embeddings [T, E], smeared with the one before where the era does."""
        table = self._tensors["transformer.wte.weight"]
        x = _norm(table[ids])
        if not self._spec.era.smear:
            return x
        first = torch.zeros_like(x[:1]) if before is None else _norm(table[before])
        previous = torch.cat([first, x[:-1]])
        gate = torch.sigmoid(x[:, :SMEAR_CHANNELS] @ self._tensors["smear_gate.weight"].T)
        return x + self._tensors["smear_lambda"] * gate * previous

    def _extend_tables(self, length: int) -> None:
        """Rotary tables of at least `length` rows."""
        if len(self._cos) >= length:
            return
        size, era = self._spec.head_dim, self._spec.era
        channels = torch.arange(0, size, 2, dtype=torch.float32)
        angles = torch.outer(
            torch.arange(2 * length, dtype=torch.float32), 1.0 / era.rope_theta ** (channels / size)
        )
        self._cos, self._sin = angles.cos(), angles.sin()
        if era.bf16_rotary:
            self._cos = self._cos.bfloat16().float()
            self._sin = self._sin.bfloat16().float()

    def _attention(
        self,
        layer: int,
        h: torch.Tensor,
        ids: torch.Tensor,
        past: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """What the layer's attention adds [T, E], and its keys and values so far."""
        spec, size = self._spec, self._spec.head_dim
        offset = past[0].shape[1] if past else 0
        positions = torch.arange(offset, offset + len(ids))
        cos, sin = self._cos[positions], self._sin[positions]

        def heads(name: str) -> torch.Tensor:
            return (h @ self._weight(layer, name).T).view(len(ids), -1, size).transpose(0, 1)

        def turned(x: torch.Tensor) -> torch.Tensor:
            low, high = x.chunk(2, dim=-1)
            return torch.cat([low * cos + high * sin, high * cos - low * sin], dim=-1)

        query = _norm(turned(heads("attn.c_q"))) * spec.era.qk_scale
        key = _norm(turned(heads("attn.c_k"))) * spec.era.qk_scale
        value = heads("attn.c_v")
        if spec.has_value_embedding(layer):
            channels = h[:, : spec.era.gate_channels]
            gate = torch.sigmoid(channels @ self._weight(layer, "attn.ve_gate").T)
            extra = self._tensors[f"value_embeds.{layer}.weight"][ids]
            extra = extra.view(len(ids), -1, size).transpose(0, 1)
            value = value + spec.era.gate_scale * gate.T.unsqueeze(-1) * extra
        if past:
            key, value = torch.cat([past[0], key], dim=1), torch.cat([past[1], value], dim=1)
        distance = positions[:, None] - torch.arange(offset + len(ids))[None]
        visible = distance >= 0
        if spec.window(layer) >= 0:
            visible &= distance < spec.window(layer)
        group = spec.num_heads // spec.num_kv_heads
        out = functional.scaled_dot_product_attention(
            query,
            key.repeat_interleave(group, 0),
            value.repeat_interleave(group, 0),
            attn_mask=visible,
        )
        out = out.transpose(0, 1).reshape(len(ids), -1)
        return out @ self._weight(layer, "attn.c_proj").T, (key, value)
