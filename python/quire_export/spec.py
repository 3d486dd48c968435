"""The one decoder every model family maps onto, as plain numbers."""

from dataclasses import dataclass, field

import torch

from quire_export.errors import ExportError

_LIMITS = {
    "num_layers": 4096,
    "hidden_size": 1 << 20,
    "intermediate_size": 1 << 22,
    "num_heads": 1 << 16,
    "num_kv_heads": 1 << 16,
    "head_dim": 1 << 14,
    "vocab_size": 1 << 24,
    "max_seq_len": 1 << 24,
}


@dataclass(frozen=True)
class RopeSpec:
    """Rotary embedding of `dim` dimensions a head.

    `factors` [dim/2] divide the frequencies; `attention_factor` multiplies cos and sin. The fields
    between are those of the kinds linear, llama3, yarn and longrope (rope.py). `long_factors` are
    longrope's for contexts beyond `original_max_seq_len`: whoever sets the context chooses.
    """

    dim: int
    theta: float
    kind: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_seq_len: int = 0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    attention_factor: float = 1.0
    factors: torch.Tensor | None = field(default=None, compare=False)
    long_factors: torch.Tensor | None = field(default=None, compare=False)


@dataclass(frozen=True)
class LayerSpec:
    """What sets one layer apart: keys its attention sees (-1: all), its rotary table (-1: none)."""

    window: int = -1
    rope: int = 0


@dataclass(frozen=True)
class DecoderSpec:
    """Sizes and switches of a decoder: everything about a model but its weights.

    `layers` may be left empty when no layer is special. `norm` is rms or layer; `sandwich_norms`
    puts a norm behind attention and feed-forward part as well. `activation` is a kind of
    docs/model_package.md, `gated` whether it gates an up projection. `position_rows` is the length
    of a table of learned positions, 0 when there is none.
    """

    architecture: str
    num_layers: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab_size: int
    max_seq_len: int
    norm_eps: float
    tie_word_embeddings: bool
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    ropes: tuple[RopeSpec, ...] = ()
    layers: tuple[LayerSpec, ...] = ()
    norm: str = "rms"
    sandwich_norms: bool = False
    qk_norm: bool = False
    activation: str = "silu"
    gated: bool = True
    attention_scale: float = 0.0
    attention_softcap: float = 0.0
    final_softcap: float = 0.0
    embedding_scale: float = 1.0
    position_rows: int = 0

    def __post_init__(self) -> None:
        for name, limit in _LIMITS.items():
            value = getattr(self, name)
            if not 1 <= value <= limit:
                raise ExportError(
                    f"config: {name} is {value}, which is not between 1 and {limit}; "
                    "check the model's config.json, or download it again"
                )
        if self.num_heads % self.num_kv_heads:
            raise ExportError(
                f"config: {self.num_heads} heads cannot share {self.num_kv_heads} "
                "key-value heads evenly; check the model's config.json, or download it again"
            )
        for rope in self.ropes:
            if rope.dim % 2 or not 2 <= rope.dim <= self.head_dim:
                raise ExportError(
                    f"config: head_dim {self.head_dim} is odd, which rotary embedding "
                    "cannot split; choose another model of its family"
                    if rope.dim == self.head_dim
                    else f"config: {rope.dim} rotary dimensions of a head of {self.head_dim} are "
                    "odd, none or too many; check the model's config.json, or download it again"
                )
        if self.layers and len(self.layers) != self.num_layers:
            raise ExportError(
                f"config: {len(self.layers)} layers are described, but there are "
                f"{self.num_layers}; check the model's config.json, or download it again"
            )

    @property
    def q_rows(self) -> int:
        """Rows of the query projection, H*D."""
        return self.num_heads * self.head_dim

    @property
    def kv_rows(self) -> int:
        """Rows of the key or value projection, Hkv*D."""
        return self.num_kv_heads * self.head_dim

    def layer(self, index: int) -> LayerSpec:
        """What sets layer `index` apart."""
        if self.layers:
            return self.layers[index]
        return LayerSpec(rope=0 if self.ropes else -1)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Canonical name and [N, K] or [N] shape of every tensor the decoder needs.

        The canonical names are those of the Llama family in Hugging Face layout, with Gemma's for
        what Llama has not; norms are stored as the factor they multiply with.
        """
        e = self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocab_size, e)}
        if self.position_rows:
            shapes["model.embed_positions.weight"] = (self.position_rows, e)
        shapes |= self._norm_shapes("model.norm", e)
        if not self.tie_word_embeddings:
            shapes["lm_head.weight"] = (self.vocab_size, e)
        norms = ["input_layernorm", "post_attention_layernorm"]
        if self.sandwich_norms:
            norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
        for layer in range(self.num_layers):
            prefix = f"model.layers.{layer}."
            for name in norms:
                shapes |= self._norm_shapes(prefix + name, e)
            if self.qk_norm:
                shapes[prefix + "self_attn.q_norm.weight"] = (self.head_dim,)
                shapes[prefix + "self_attn.k_norm.weight"] = (self.head_dim,)
            for name, (rows, columns, bias) in self._matrices().items():
                shapes[f"{prefix}{name}.weight"] = (rows, columns)
                if bias:
                    shapes[f"{prefix}{name}.bias"] = (rows,)
        return shapes

    def _norm_shapes(self, name: str, width: int) -> dict[str, tuple[int, ...]]:
        parts = ("weight", "bias") if self.norm == "layer" else ("weight",)
        return {f"{name}.{part}": (width,) for part in parts}

    def _matrices(self) -> dict[str, tuple[int, int, bool]]:
        """Rows, columns and whether there is a bias, of each matrix of a layer."""
        e, i = self.hidden_size, self.intermediate_size
        matrices = {
            "self_attn.q_proj": (self.q_rows, e, self.qkv_bias),
            "self_attn.k_proj": (self.kv_rows, e, self.qkv_bias),
            "self_attn.v_proj": (self.kv_rows, e, self.qkv_bias),
            "self_attn.o_proj": (e, self.q_rows, self.output_bias),
            "mlp.up_proj": (i, e, self.mlp_bias),
            "mlp.down_proj": (e, i, self.mlp_bias),
        }
        if self.gated:
            matrices["mlp.gate_proj"] = (i, e, self.mlp_bias)
        return matrices
