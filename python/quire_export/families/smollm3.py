"""SmolLM3: Llama with layers that do not rotate."""

from dataclasses import replace

from quire_export.errors import ExportError
from quire_export.families import gguf_names
from quire_export.families.base import Family, GgufMapping, flag, integer
from quire_export.families.common import (
    FULL,
    ROPE_KEYS,
    SIZE_KEYS,
    SLIDING,
    WINDOW_KEYS,
    layer_kinds,
    llama_like,
    window_of,
    windowed_layers,
)
from quire_export.spec import DecoderSpec, LayerSpec


def _rotating(config: dict[str, object]) -> list[bool]:
    """Whether each layer rotates."""
    layers = max(integer(config, "num_hidden_layers"), 0)
    given = config.get("no_rope_layers")
    if given is None:
        interval = integer(config, "no_rope_layer_interval", 4)
        if interval < 1:
            raise ExportError(f"config: no_rope_layer_interval is {interval}; check the file")
        return [(i + 1) % interval != 0 for i in range(layers)]
    if not isinstance(given, list) or len(given) != layers or any(v not in (0, 1) for v in given):
        raise ExportError(f"config: no_rope_layers is not {layers} times 0 or 1; check the file")
    return [bool(value) for value in given]


def _spec(config: dict[str, object]) -> DecoderSpec:
    rotating = _rotating(config)
    window = window_of(config) if flag(config, "use_sliding_window", False) else -1
    default = [FULL if window < 0 or turns else SLIDING for turns in rotating]
    kinds = layer_kinds(config, default)
    windows = windowed_layers(kinds, window) or tuple(LayerSpec() for _ in rotating)
    layers = tuple(
        own if turns else replace(own, rope=-1)
        for own, turns in zip(windows, rotating, strict=True)
    )
    bias = flag(config, "attention_bias", False)
    return llama_like(
        config,
        "smollm3",
        tied=True,
        theta=2e6,
        qkv_bias=bias,
        output_bias=bias,
        mlp_bias=flag(config, "mlp_bias", False),
        layers=layers,
    )


def _gguf_config(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    # The file does not carry which layers do not rotate: every fourth, as in the released models.
    return gguf_names.shared_config(meta, "smollm3", tensors) | {
        "architectures": ["SmolLM3ForCausalLM"],
        "model_type": "smollm3",
        "no_rope_layer_interval": 4,
    }


SMOLLM3 = Family(
    model_type="smollm3",
    architectures=("SmolLM3ForCausalLM",),
    used_config=SIZE_KEYS
    | ROPE_KEYS
    | WINDOW_KEYS
    | {
        "attention_bias",
        "mlp_bias",
        "no_rope_layer_interval",
        "no_rope_layers",
        "use_sliding_window",
    },
    fixed_config={"max_window_layers": (28,), "pretraining_tp": (1, 2)},
    build_spec=_spec,
    gguf=GgufMapping(
        architecture="smollm3",
        used=gguf_names.USED,
        tensors=gguf_names.TENSORS,
        layer_tensors=gguf_names.LAYER_TENSORS,
        config=_gguf_config,
        permuted=frozenset({"attn_q", "attn_k"}),
    ),
)
