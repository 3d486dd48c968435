"""The one decoder every model family maps onto, as plain numbers."""

from dataclasses import dataclass, field

import torch

from quire_export.errors import ExportError


@dataclass(frozen=True)
class RopeSpec:
    """Rotary embedding of `dim` dimensions a head. `factors` [dim/2] divide the frequencies."""

    dim: int
    theta: float
    kind: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_seq_len: int = 0
    factors: torch.Tensor | None = field(default=None, compare=False)


@dataclass(frozen=True)
class DecoderSpec:
    """Sizes and switches of a decoder: everything about a model but its weights."""

    architecture: str
    num_layers: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab_size: int
    max_seq_len: int
    rms_norm_eps: float
    tie_word_embeddings: bool
    attention_bias: bool
    mlp_bias: bool
    rope: RopeSpec

    def __post_init__(self) -> None:
        limits = {
            "num_layers": 4096,
            "hidden_size": 1 << 20,
            "intermediate_size": 1 << 22,
            "num_heads": 1 << 16,
            "num_kv_heads": 1 << 16,
            "head_dim": 1 << 14,
            "vocab_size": 1 << 24,
            "max_seq_len": 1 << 24,
        }
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 1 <= value <= limit:
                raise ExportError(
                    f"config: {name} is {value}, which is not between 1 and {limit}; "
                    "the model's configuration is damaged"
                )
        if self.num_heads % self.num_kv_heads:
            raise ExportError(
                f"config: {self.num_heads} heads cannot share {self.num_kv_heads} "
                "key-value heads evenly; the model's configuration is damaged"
            )
        if self.head_dim % 2:
            raise ExportError(
                f"config: head_dim {self.head_dim} is odd, which rotary embedding "
                "cannot split; this model is not supported"
            )

    @property
    def q_rows(self) -> int:
        """Rows of the query projection, H*D."""
        return self.num_heads * self.head_dim

    @property
    def kv_rows(self) -> int:
        """Rows of the key or value projection, Hkv*D."""
        return self.num_kv_heads * self.head_dim

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Canonical name and [N, K] or [N] shape of every tensor the decoder needs.

        The canonical names are those of the Llama family in Hugging Face layout.
        """
        e, i = self.hidden_size, self.intermediate_size
        shapes: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocab_size, e),
            "model.norm.weight": (e,),
        }
        if not self.tie_word_embeddings:
            shapes["lm_head.weight"] = (self.vocab_size, e)
        matrices = {
            "self_attn.q_proj": (self.q_rows, e, self.attention_bias),
            "self_attn.k_proj": (self.kv_rows, e, self.attention_bias),
            "self_attn.v_proj": (self.kv_rows, e, self.attention_bias),
            "self_attn.o_proj": (e, self.q_rows, self.attention_bias),
            "mlp.gate_proj": (i, e, self.mlp_bias),
            "mlp.up_proj": (i, e, self.mlp_bias),
            "mlp.down_proj": (e, i, self.mlp_bias),
        }
        for layer in range(self.num_layers):
            prefix = f"model.layers.{layer}."
            shapes[prefix + "input_layernorm.weight"] = (e,)
            shapes[prefix + "post_attention_layernorm.weight"] = (e,)
            for name, (rows, columns, bias) in matrices.items():
                shapes[f"{prefix}{name}.weight"] = (rows, columns)
                if bias:
                    shapes[f"{prefix}{name}.bias"] = (rows,)
        return shapes
