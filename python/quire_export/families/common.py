"""What families in Llama's shape share: keys, sizes, windows and GGUF names."""

from collections.abc import Mapping

from quire_export.errors import ExportError
from quire_export.families.base import flag, integer, number
from quire_export.families.rotary import read_rope
from quire_export.spec import DecoderSpec, LayerSpec

SIZE_KEYS = frozenset(
    {
        "head_dim",
        "hidden_act",
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "num_attention_heads",
        "num_hidden_layers",
        "num_key_value_heads",
        "rms_norm_eps",
        "tie_word_embeddings",
        "vocab_size",
    }
)
ROPE_KEYS = frozenset(
    {
        "original_max_position_embeddings",
        "partial_rotary_factor",
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
    }
)
WINDOW_KEYS = frozenset({"layer_types", "sliding_window"})
_ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "relu2": "relu2",
}
FULL, SLIDING = "full_attention", "sliding_attention"


def activation_of(config: Mapping[str, object], key: str, default: str) -> str:
    """The decoder's name of a configuration's activation."""
    name = config.get(key) or default
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise ExportError(
            f"config.json: {key} = {name!r} is not supported; choose a model with one of "
            + ", ".join(_ACTIVATIONS)
        )
    return _ACTIVATIONS[name]


def head_size(config: Mapping[str, object]) -> int:
    """head_dim, or the hidden size shared among the heads."""
    hidden = integer(config, "hidden_size")
    heads = integer(config, "num_attention_heads")
    if config.get("head_dim") is None and (heads < 1 or hidden % heads):
        raise ExportError(
            f"config: hidden_size {hidden} is no multiple of {heads} heads and "
            "head_dim is not given; check the file"
        )
    return integer(config, "head_dim", hidden // max(heads, 1))


def llama_like(
    config: dict[str, object],
    architecture: str,
    tied: bool = False,
    theta: float = 10000.0,
    **special: object,
) -> DecoderSpec:
    """The decoder of a configuration with Llama's keys; `special` are further fields.

    `tied` and `theta` are what the family takes when the configuration does not say.
    """
    head_dim = head_size(config)
    fields: dict[str, object] = {
        "num_layers": integer(config, "num_hidden_layers"),
        "hidden_size": integer(config, "hidden_size"),
        "intermediate_size": integer(config, "intermediate_size"),
        "num_heads": integer(config, "num_attention_heads"),
        "num_kv_heads": integer(
            config, "num_key_value_heads", integer(config, "num_attention_heads")
        ),
        "head_dim": head_dim,
        "vocab_size": integer(config, "vocab_size"),
        "max_seq_len": integer(config, "max_position_embeddings", 2048),
        "norm_eps": number(config, "rms_norm_eps", 1e-6),
        "tie_word_embeddings": flag(config, "tie_word_embeddings", tied),
    }
    if "ropes" not in special:
        fields["ropes"] = (read_rope(config, head_dim, default_theta=theta),)
    if "activation" not in special:
        fields["activation"] = activation_of(config, "hidden_act", "silu")
    return DecoderSpec(architecture=architecture, **(fields | special))


def window_of(config: Mapping[str, object]) -> int:
    """sliding_window as the number of visible keys, -1 when it is absent or null."""
    window = integer(config, "sliding_window", -1)
    if window == 0 or window < -1:
        raise ExportError(f"config: sliding_window is {window}, not positive; check the file")
    return window


def layer_kinds(config: Mapping[str, object], default: list[str]) -> list[str]:
    """layer_types, one of full_attention and sliding_attention for each layer."""
    kinds = config.get("layer_types")
    if kinds is None:
        return default
    layers = integer(config, "num_hidden_layers")
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise ExportError(f"config: layer_types does not name {layers} layers; check the file")
    for kind in kinds:
        if kind not in (FULL, SLIDING):
            raise ExportError(
                f"config: layer type {kind!r} is not supported; choose a model that has only "
                f"{FULL} and {SLIDING}"
            )
    return kinds


def windowed_layers(kinds: list[str], window: int) -> tuple[LayerSpec, ...]:
    """One LayerSpec for each of layer_kinds(); empty when none has a window."""
    if SLIDING in kinds and window < 0:
        raise ExportError(
            "config: layer_types has sliding layers without sliding_window; check the file, or "
            "download it again"
        )
    if SLIDING not in kinds:
        return ()
    return tuple(LayerSpec(window if kind == SLIDING else -1) for kind in kinds)


def switched_windows(config: Mapping[str, object]) -> tuple[LayerSpec, ...]:
    """The layers of Qwen's keys: use_sliding_window, and from which layer on."""
    layers = integer(config, "num_hidden_layers")
    window = window_of(config) if flag(config, "use_sliding_window", False) else -1
    first = integer(config, "max_window_layers", 28) if window > 0 else layers
    default = [SLIDING if i >= first else FULL for i in range(max(layers, 0))]
    return windowed_layers(layer_kinds(config, default), window)
