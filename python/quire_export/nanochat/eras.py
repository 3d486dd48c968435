"""The eras of nanochat's model code, told apart by names and shapes of a checkpoint's tensors.

A checkpoint records seven sizes and nothing of the constants its model was trained with; those
changed over time without a version number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quire_export.errors import ExportError

SMEAR_CHANNELS = 24
# FLT_EPSILON: what torch's rms_norm takes when it is given none.
RMS_EPS = 1.1920929e-07
# Upstream computes this many rotary rows for each token of sequence_len.
ROTARY_FACTOR = 10
_TILE = 128


@dataclass(frozen=True)
class Era:
    """Constants of one era. `gate_channels` 0: no value embeddings.

    `short_divisor` d: a short window is sequence_len / d, in E4 and E5 rounded up to 128.
    """

    name: str
    rope_theta: float
    qk_scale: float
    softcap: float
    short_divisor: int
    gate_channels: int = 0
    gate_scale: float = 0.0
    lambdas: bool = True
    smear: bool = False
    bf16_rotary: bool = False

    def short_window(self, sequence_len: int) -> int:
        """Tokens before its own that a query of a short layer sees."""
        if self.short_divisor == 2:
            return sequence_len // 2
        return -(-sequence_len // (self.short_divisor * _TILE)) * _TILE


E0 = Era("E0", 1e4, 1.0, 15.0, 2, lambdas=False, bf16_rotary=True)
E1 = Era("E1", 1e4, 1.0, 15.0, 2, bf16_rotary=True)
E2 = Era("E2", 1e4, 1.0, 15.0, 2, gate_channels=32, gate_scale=2.0, bf16_rotary=True)
E3 = Era("E3", 1e4, 1.0, 20.0, 2, gate_channels=32, gate_scale=2.0, bf16_rotary=True)
E4 = Era("E4", 1e5, 1.15, 15.0, 3, gate_channels=12, gate_scale=3.0)
E5 = Era("E5", 1e5, 1.2, 15.0, 4, gate_channels=12, gate_scale=3.0, smear=True)


def candidate_eras(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Era, ...]:
    """The eras whose model has such tensors; E2 and E3 differ only in a constant."""
    gates = {s[-1] for name, s in shapes.items() if name.endswith(".attn.ve_gate.weight") and s}
    if "smear_lambda" in shapes:
        return (E5,)
    if E4.gate_channels in gates:
        return (E4,)
    if E2.gate_channels in gates:
        return (E2, E3)
    if gates:
        raise ExportError(
            f"h.N.attn.ve_gate.weight has {sorted(gates)[0]} columns, which no known nanochat "
            "has (12 or 32); copy the checkpoint again, or use an exporter as new as it is"
        )
    return (E1,) if "resid_lambdas" in shapes else (E0,)


@dataclass(frozen=True)
class NanochatSpec:
    """Sizes and constants of one checkpoint. `window_pattern` None: every layer sees all."""

    era: Era
    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    vocab_size: int
    sequence_len: int
    window_pattern: str | None
    padded_vocab_size: int
    max_seq_len: int
    architecture: str = "nanochat"
    # The rotary tables follow from the era; the exporter has no choice to make among others.
    ropes: tuple[()] = ()

    def __post_init__(self) -> None:
        limits = {
            "num_layers": 4096,
            "hidden_size": 1 << 20,
            "num_heads": 1 << 16,
            "num_kv_heads": 1 << 16,
            "vocab_size": 1 << 24,
            "sequence_len": 1 << 20,
        }
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 1 <= value <= limit:
                self._refuse(f"{name} is {value}, which is not between 1 and {limit}")
        if self.hidden_size % (2 * self.num_heads):
            self._refuse(f"n_embd {self.hidden_size} gives {self.num_heads} heads no even size")
        if self.num_heads % self.num_kv_heads:
            self._refuse(
                f"{self.num_heads} heads cannot share {self.num_kv_heads} key-value heads evenly"
            )
        pattern = self.window_pattern
        if pattern is not None and (not pattern or pattern.strip("SL")):
            self._refuse(f"window_pattern {pattern!r} has letters other than S and L")
        channels = max(self.era.gate_channels, SMEAR_CHANNELS if self.era.smear else 0)
        if self.hidden_size < channels:
            self._refuse(f"n_embd {self.hidden_size} is below the {channels} its gates read")

    @staticmethod
    def _refuse(why: str) -> None:
        raise ExportError(f"meta: model_config: {why}; copy the checkpoint's meta file again")

    @property
    def head_dim(self) -> int:
        """Dimensions of a head, D."""
        return self.hidden_size // self.num_heads

    @property
    def intermediate_size(self) -> int:
        """Width of the feed-forward layer."""
        return 4 * self.hidden_size

    @property
    def q_rows(self) -> int:
        """Rows of the query projection, H*D."""
        return self.hidden_size

    @property
    def kv_rows(self) -> int:
        """Rows of the key or value projection, Hkv*D."""
        return self.num_kv_heads * self.head_dim

    @property
    def backout_layer(self) -> int | None:
        """The layer whose output is taken back before the head."""
        return self.num_layers // 2 if self.era.smear else None

    def has_value_embedding(self, layer: int) -> bool:
        """Every other layer has one, the last always."""
        return self.era.gate_channels > 0 and layer % 2 == (self.num_layers - 1) % 2

    def window(self, layer: int) -> int:
        """Keys a query of the layer sees, its own included; -1: all."""
        if self.window_pattern is None:
            return -1
        letter = self.window_pattern[layer % len(self.window_pattern)]
        if letter == "L" or layer == self.num_layers - 1:
            return self.sequence_len + 1
        return self.era.short_window(self.sequence_len) + 1

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor of the checkpoint, vocabulary padding included."""
        e, padded = self.hidden_size, self.padded_vocab_size
        shapes: dict[str, tuple[int, ...]] = {
            "transformer.wte.weight": (padded, e),
            "lm_head.weight": (padded, e),
        }
        if self.era.lambdas:
            shapes |= {"resid_lambdas": (self.num_layers,), "x0_lambdas": (self.num_layers,)}
        if self.era.smear:
            shapes["smear_gate.weight"] = (1, SMEAR_CHANNELS)
            shapes |= {"smear_lambda": (1,), "backout_lambda": (1,)}
        for layer in range(self.num_layers):
            prefix = f"transformer.h.{layer}."
            shapes |= {
                prefix + "attn.c_q.weight": (self.q_rows, e),
                prefix + "attn.c_k.weight": (self.kv_rows, e),
                prefix + "attn.c_v.weight": (self.kv_rows, e),
                prefix + "attn.c_proj.weight": (e, e),
                prefix + "mlp.c_fc.weight": (4 * e, e),
                prefix + "mlp.c_proj.weight": (e, 4 * e),
            }
            if self.has_value_embedding(layer):
                gate = (self.num_kv_heads, self.era.gate_channels)
                shapes[prefix + "attn.ve_gate.weight"] = gate
                shapes[f"value_embeds.{layer}.weight"] = (padded, self.kv_rows)
        return shapes
