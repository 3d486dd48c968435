"""Gemma 1, 2 and 3 (text): scaled embeddings, norms stored less one, gated gelu.

Gemma 2 adds soft caps, a norm behind each part and layers with and without window in turn; Gemma 3
norms on query and key, and a rotary base for each kind of layer.
"""

from dataclasses import replace

import torch

from quire_export.errors import ExportError
from quire_export.families import gguf_names
from quire_export.families.base import Family, GgufMapping, Matrices, flag, integer, number
from quire_export.families.common import (
    FULL,
    ROPE_KEYS,
    SIZE_KEYS,
    SLIDING,
    WINDOW_KEYS,
    activation_of,
    head_size,
    layer_kinds,
    llama_like,
    window_of,
    windowed_layers,
)
from quire_export.families.rotary import read_rope, scaling_of
from quire_export.spec import DecoderSpec, LayerSpec

_KEYS = SIZE_KEYS | ROPE_KEYS | {"attention_bias", "hidden_activation"}
_CAPS = {"attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar"}


def _canonical(tensors: Matrices, _spec: DecoderSpec) -> Matrices:
    """Norms as the factor they multiply with: one more than what is stored."""
    return {
        name: 1.0 + tensor.float() if name.endswith("norm.weight") else tensor
        for name, tensor in tensors.items()
    }


def _fields(config: dict[str, object]) -> dict[str, object]:
    bias = flag(config, "attention_bias", False)
    return {
        "tied": True,
        "qkv_bias": bias,
        "output_bias": bias,
        "activation": activation_of(config, "hidden_activation", "gelu_pytorch_tanh"),
        "embedding_scale": float(
            torch.tensor(integer(config, "hidden_size") ** 0.5, dtype=torch.float32)
        ),
    }


def _gemma(config: dict[str, object]) -> DecoderSpec:
    # Here, unlike in its successors, transformers reads hidden_act.
    fields = _fields(config) | {
        "activation": activation_of(config, "hidden_act", "gelu_pytorch_tanh")
    }
    return llama_like({"head_dim": 256} | config, "gemma", **fields)


def _newer_fields(config: dict[str, object]) -> dict[str, object]:
    scalar = number(config, "query_pre_attn_scalar", 256)
    caps = [
        number(config, key, 0.0) for key in ("attn_logit_softcapping", "final_logit_softcapping")
    ]
    if scalar <= 0 or min(caps) < 0:
        raise ExportError(
            "config: query_pre_attn_scalar or a soft cap is not positive; check the file"
        )
    return _fields(config) | {
        "sandwich_norms": True,
        "attention_scale": scalar**-0.5,
        "attention_softcap": caps[0],
        "final_softcap": caps[1],
    }


def _gemma2(config: dict[str, object]) -> DecoderSpec:
    full = {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "head_dim": 256}
    full |= config
    layers = max(integer(config, "num_hidden_layers"), 0)
    kinds = layer_kinds(config, [FULL if i % 2 else SLIDING for i in range(layers)])
    window = window_of({"sliding_window": 4096} | config)
    return llama_like(full, "gemma2", layers=windowed_layers(kinds, window), **_newer_fields(full))


def _gemma3(config: dict[str, object]) -> DecoderSpec:
    full = {"head_dim": 256} | config
    layers = max(integer(config, "num_hidden_layers"), 0)
    pattern = integer(config, "sliding_window_pattern", 6)
    if pattern < 1:
        raise ExportError(f"config: sliding_window_pattern is {pattern}; check the file")
    kinds = layer_kinds(config, [SLIDING if (i + 1) % pattern else FULL for i in range(layers)])
    windows = windowed_layers(kinds, window_of({"sliding_window": 4096} | config))
    windows = windows or (LayerSpec(),) * layers
    return llama_like(
        full,
        "gemma3",
        qk_norm=True,
        ropes=_two_ropes(full),
        layers=tuple(
            replace(own, rope=int(kind == SLIDING))
            for own, kind in zip(windows, kinds, strict=True)
        ),
        **_newer_fields(full),
    )


def _two_ropes(config: dict[str, object]) -> tuple[object, ...]:
    """The rotary embeddings of layers that see everything, and of those with a window."""
    head_dim, scaling = head_size(config), scaling_of(config)
    local = {"rope_theta": number(config, "rope_local_base_freq", 1e4)}
    if FULL in scaling or SLIDING in scaling:
        nested = [scaling.get(kind) or {} for kind in (FULL, SLIDING)]
        if not all(isinstance(part, dict) for part in nested):
            raise ExportError("config: rope_parameters is not an object of objects; check the file")
        scaling, local = nested[0], local | nested[1]
    return (
        read_rope(config, head_dim, scaling, default_theta=1e6),
        read_rope({}, head_dim, local),
    )


def _gemma_gguf(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    return gguf_names.shared_config(meta, "gemma", tensors) | {
        "architectures": ["GemmaForCausalLM"],
        "model_type": "gemma",
        "hidden_activation": "gelu_pytorch_tanh",
    }


def _gemma2_gguf(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    config = gguf_names.shared_config(meta, "gemma2", tensors)
    return config | {
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        "hidden_activation": "gelu_pytorch_tanh",
        "sliding_window": integer(meta, "gemma2.attention.sliding_window", 4096),
        "attn_logit_softcapping": number(meta, "gemma2.attn_logit_softcapping", 50.0),
        "final_logit_softcapping": number(meta, "gemma2.final_logit_softcapping", 30.0),
        # The file does not carry it: only the 27B model's differs from the head size.
        "query_pre_attn_scalar": config["hidden_size"] // config["num_attention_heads"]
        if config["num_hidden_layers"] == 46
        else config["head_dim"],
    }


def _gemma3_gguf(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    config = gguf_names.shared_config(meta, "gemma3", tensors)
    scaling = config.pop("rope_scaling", None)
    full = {"rope_type": "default", "rope_theta": number(meta, "gemma3.rope.freq_base", 1e6)}
    local = number(meta, "gemma3.rope.freq_base_swa", 1e4)
    config.pop("rope_theta")
    return config | {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "hidden_activation": "gelu_pytorch_tanh",
        "sliding_window": integer(meta, "gemma3.attention.sliding_window", 4096),
        "sliding_window_pattern": integer(meta, "gemma3.attention.sliding_window_pattern", 6),
        "final_logit_softcapping": number(meta, "gemma3.final_logit_softcapping", 0.0) or None,
        # The file does not carry it: only the 27B model's differs from the head size.
        "query_pre_attn_scalar": config["hidden_size"] // config["num_attention_heads"]
        if config["num_hidden_layers"] == 62
        else config["head_dim"],
        "rope_parameters": {
            FULL: full | (scaling or {}),
            SLIDING: {"rope_type": "default", "rope_theta": local},
        },
    }


GEMMA = Family(
    model_type="gemma",
    architectures=("GemmaForCausalLM",),
    used_config=_KEYS,
    fixed_config={"use_bidirectional_attention": (False,)},
    build_spec=_gemma,
    canonical=_canonical,
    gguf=GgufMapping(
        architecture="gemma",
        used=gguf_names.USED,
        tensors=gguf_names.TENSORS,
        layer_tensors=gguf_names.LAYER_TENSORS,
        config=_gemma_gguf,
    ),
)
GEMMA2 = Family(
    model_type="gemma2",
    architectures=("Gemma2ForCausalLM",),
    used_config=_KEYS | WINDOW_KEYS | _CAPS,
    fixed_config={"use_bidirectional_attention": (False,), "sliding_window_size": (4096,)},
    build_spec=_gemma2,
    canonical=_canonical,
    gguf=GgufMapping(
        architecture="gemma2",
        used=gguf_names.USED
        | {"attention.sliding_window", "attn_logit_softcapping", "final_logit_softcapping"},
        tensors=gguf_names.TENSORS,
        layer_tensors=gguf_names.LAYER_TENSORS | gguf_names.SANDWICH_NORMS,
        config=_gemma2_gguf,
    ),
)
GEMMA3 = Family(
    model_type="gemma3_text",
    architectures=("Gemma3ForCausalLM",),
    used_config=_KEYS | WINDOW_KEYS | _CAPS | {"rope_local_base_freq", "sliding_window_pattern"},
    fixed_config={"use_bidirectional_attention": (False,)},
    build_spec=_gemma3,
    canonical=_canonical,
    gguf=GgufMapping(
        architecture="gemma3",
        used=gguf_names.USED
        | {
            "attention.sliding_window",
            "attention.sliding_window_pattern",
            "final_logit_softcapping",
            "rope.freq_base_swa",
        },
        tensors=gguf_names.TENSORS,
        layer_tensors=gguf_names.LAYER_TENSORS | gguf_names.QK_NORMS | gguf_names.SANDWICH_NORMS,
        config=_gemma3_gguf,
    ),
)
