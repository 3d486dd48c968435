"""What a model is built from: stored matrices, norms, and the operators a wrapper lends it.

A model definition (the decoder, nanochat's) is written once against `Operators`. Who calls it
chooses what the operators do: `paged.PagedOperators` writes down nodes of domain quire,
`plain.PlainOperators` computes in plain torch, `stock.StockOperators` does so in operators that any
runtime has. So the serialised forms cannot drift apart.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from quire_export.weights import StoredMatrix

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
    """The weight of a norm and, for a LayerNorm, its optional bias; float32 [K]."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight.float())
        self.register_buffer("bias", None if bias is None else bias.float())


@dataclass(frozen=True)
class Heads:
    """One layer's attention but for its operands.

    `layer` numbers its cache. scale 0 means 1/sqrt(head_dim), softcap 0 none; `window` is how many
    keys are visible, the query's own included (-1: all); cos and sin [P, R/2] are None where the
    layer does not rotate.
    """

    layer: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    scale: float = 0.0
    softcap: float = 0.0
    window: int = -1
    cos: torch.Tensor | None = None
    sin: torch.Tensor | None = None


@dataclass(frozen=True)
class StepInputs:
    """What a step feeds a model; ids are int64 [T] (paged) or [B, S] (the other cache kinds).

    `logits_indices` names the rows of T whose logits are wanted, None all of them. `previous_ids`
    is the token before each token, -1 where there is none. The wrappers give `position_ids` and
    `previous_ids` to models that name them in `optional_inputs`.
    """

    input_ids: torch.Tensor
    logits_indices: torch.Tensor | None = None
    position_ids: torch.Tensor | None = None
    previous_ids: torch.Tensor | None = None


class Operators(Protocol):
    """How a model's operators are carried out or written down. x may be [T, K] or [B, S, K]."""

    def embedding(self, table: Matrix, ids: torch.Tensor) -> torch.Tensor:
        """Rows of `table` named by ids int64 [...]; float32 [..., K]."""

    def linear(self, matrix: Matrix, x: torch.Tensor) -> torch.Tensor:
        """x [..., K] times the transposed matrix, plus its bias; [..., N]."""

    def rms_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """Each group of K of x [..., G*K] over its root mean square, times the weight [K]."""

    def layer_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """x [..., K] less its mean, over its deviation, times the weight, plus the bias."""

    def activation(self, kind: str, x: torch.Tensor) -> torch.Tensor:
        """f(x), `kind` being one of docs/model_package.md."""

    def gated(self, kind: str, gate_up: torch.Tensor) -> torch.Tensor:
        """f(gate) * up of gate and up side by side [..., 2*I]; [..., I]."""

    def soft_cap(self, x: torch.Tensor, cap: float) -> torch.Tensor:
        """cap * tanh(x / cap)."""

    def attention(self, heads: Heads, qkv: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Causal attention; `qkv` is one packed tensor or query, key, value; [..., H*D]."""


class CausalModel(Protocol):
    """What a wrapper needs of a model; it is an nn.Module whose buffers are its weights.

    `cache_layers` has (key-value heads, head size) of each cache in order; `optional_inputs` names
    those of position_ids and previous_ids that `forward` reads.
    """

    cache_layers: tuple[tuple[int, int], ...]
    optional_inputs: tuple[str, ...]
    vocab_size: int
    max_seq_len: int

    def forward(self, step: StepInputs, ops: Operators) -> torch.Tensor:
        """Logits [L, vocab], or [B, S, vocab] where no rows are named."""
