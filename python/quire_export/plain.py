"""The operators in plain torch, float32: the numerics reference, and the body of stock graphs."""

import torch
from torch import nn

from quire_export.operators import Heads, Matrix, Norm

# Low enough to vanish beside any score, high enough that a row of nothing else stays finite.
_HIDDEN = -1e30
_ACTIVATIONS = {
    "silu": nn.functional.silu,
    "gelu": nn.functional.gelu,
    "gelu_tanh": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "relu": nn.functional.relu,
    "relu2": lambda x: nn.functional.relu(x).square(),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
ACTIVATION_KINDS = tuple(_ACTIVATIONS)


class PlainOperators:
    """Computes [B, S, ...] at `positions` int64 [B, S], after `past` keys and values if given.

    `past` alternates keys and values [B, Hkv, P, D] layer by layer; `present` then holds, in the
    same order, [B, Hkv, P + S, D]. `mask` int64 [B, P + S] is 0 at keys that nobody may see.
    """

    def __init__(
        self,
        positions: torch.Tensor,
        past: list[torch.Tensor] | None = None,
        mask: torch.Tensor | None = None,
    ) -> None:
        self._positions, self._past, self._mask = positions, past, mask
        self.present: list[torch.Tensor] = []
        self._visible: dict[int, torch.Tensor] = {}

    def embedding(self, table: Matrix, ids: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        if table.scale is None:
            return nn.functional.embedding(ids, table.weight).float()
        return table.stored().take_rows(ids.reshape(-1)).dequantize().reshape(*ids.shape, -1)

    def linear(self, matrix: Matrix, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return nn.functional.linear(x, matrix.stored().dequantize(), matrix.bias)

    def rms_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """See Operators."""
        width = norm.weight.shape[0]
        groups = x if x.shape[-1] == width else x.unflatten(-1, (-1, width))
        y = groups * torch.rsqrt(groups.square().mean(-1, keepdim=True) + epsilon) * norm.weight
        return y if y.ndim == x.ndim else y.flatten(-2)

    def layer_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """See Operators."""
        return nn.functional.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, epsilon)

    def activation(self, kind: str, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return _ACTIVATIONS[kind](x)

    def gated(self, kind: str, gate_up: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        gate, up = gate_up.chunk(2, dim=-1)
        return _ACTIVATIONS[kind](gate) * up

    def soft_cap(self, x: torch.Tensor, cap: float) -> torch.Tensor:
        """See Operators."""
        return torch.tanh(x / cap) * cap

    def attention(self, heads: Heads, qkv: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """See Operators."""
        size, counts = heads.head_dim, (heads.num_heads, heads.num_kv_heads, heads.num_kv_heads)
        if len(qkv) == 1:
            qkv = qkv[0].split([count * size for count in counts], dim=-1)
        query, key, value = (
            part.unflatten(-1, (count, size)).transpose(1, 2)
            for part, count in zip(qkv, counts, strict=True)
        )
        query, key = (self._rotate(heads, part) for part in (query, key))
        key, value = self._with_past(heads.layer, key, value)
        # Queries that share a key-value head lie side by side: no key is copied for them.
        query = query.unflatten(1, (heads.num_kv_heads, -1))
        scores = query @ key.unsqueeze(2).transpose(-1, -2) * (heads.scale or size**-0.5)
        if heads.softcap:
            scores = torch.tanh(scores / heads.softcap) * heads.softcap
        scores = torch.where(self._sight(heads.window, key.shape[2]), scores, _HIDDEN)
        out = torch.softmax(scores, dim=-1) @ value.unsqueeze(2)
        return out.flatten(1, 2).transpose(1, 2).flatten(-2)

    def _rotate(self, heads: Heads, x: torch.Tensor) -> torch.Tensor:
        """Rotates x [B, heads, S, D], halves convention; dimensions past the tables' stay."""
        if heads.cos is None or heads.sin is None:
            return x
        cos, sin = (
            nn.functional.embedding(self._positions, table).unsqueeze(1)
            for table in (heads.cos, heads.sin)
        )
        half = heads.cos.shape[1]
        low, high = x[..., :half], x[..., half : 2 * half]
        parts = [low * cos - high * sin, high * cos + low * sin]
        if 2 * half < heads.head_dim:
            parts.append(x[..., 2 * half :])
        return torch.cat(parts, dim=-1)

    def _with_past(
        self, layer: int, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self._past is not None:
            key = torch.cat([self._past[2 * layer], key], dim=2)
            value = torch.cat([self._past[2 * layer + 1], value], dim=2)
            self.present += [key, value]
        return key, value

    def _sight(self, window: int, length: int) -> torch.Tensor:
        """Which of `length` keys a query may see; bool [B or 1, 1, 1, S, length].

        Places are counted along the mask, so holes in it (padding anywhere) widen no window.
        """
        if window not in self._visible:
            queries = self._positions.shape[1]
            if self._mask is None:
                keys = torch.arange(length).unsqueeze(0)
            else:
                keys = torch.cumsum(self._mask, dim=1) - 1
            places = keys[:, length - queries :]
            index = torch.arange(length)
            seen = (index.unsqueeze(0) <= index[length - queries :].unsqueeze(1)).unsqueeze(0)
            if window >= 0:
                seen = seen & (places.unsqueeze(2) - keys.unsqueeze(1) < window)
            if self._mask is not None:
                seen = seen & (self._mask != 0).unsqueeze(1)
            self._visible[window] = seen.unsqueeze(1).unsqueeze(1)
        return self._visible[window]
