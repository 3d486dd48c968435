"""Qwen2 and 2.5 (biased query, key and value) and Qwen3 (norms on query and key)."""

from quire_export.families import gguf_names
from quire_export.families.base import Family, GgufMapping, flag
from quire_export.families.common import (
    ROPE_KEYS,
    SIZE_KEYS,
    WINDOW_KEYS,
    llama_like,
    switched_windows,
)
from quire_export.spec import DecoderSpec

_KEYS = SIZE_KEYS | ROPE_KEYS | WINDOW_KEYS | {"max_window_layers", "use_sliding_window"}


def _qwen2(config: dict[str, object]) -> DecoderSpec:
    return llama_like(config, "qwen2", qkv_bias=True, layers=switched_windows(config))


def _qwen3(config: dict[str, object]) -> DecoderSpec:
    bias = flag(config, "attention_bias", False)
    return llama_like(
        {"head_dim": 128} | config,
        "qwen3",
        qk_norm=True,
        qkv_bias=bias,
        output_bias=bias,
        layers=switched_windows(config),
    )


def _qwen2_gguf(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    shared = gguf_names.shared_config(meta, "qwen2", tensors)
    return shared | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}


def _qwen3_gguf(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    shared = gguf_names.shared_config(meta, "qwen3", tensors)
    return shared | {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "attention_bias": "blk.0.attn_q.bias" in tensors,
    }


QWEN2 = Family(
    model_type="qwen2",
    architectures=("Qwen2ForCausalLM",),
    used_config=_KEYS,
    fixed_config={"use_mrope": (False,)},
    build_spec=_qwen2,
    gguf=GgufMapping(
        architecture="qwen2",
        used=gguf_names.USED,
        tensors=gguf_names.TENSORS,
        layer_tensors=gguf_names.LAYER_TENSORS,
        config=_qwen2_gguf,
    ),
)
QWEN3 = Family(
    model_type="qwen3",
    architectures=("Qwen3ForCausalLM",),
    used_config=_KEYS | {"attention_bias"},
    fixed_config={},
    build_spec=_qwen3,
    gguf=GgufMapping(
        architecture="qwen3",
        used=gguf_names.USED,
        tensors=gguf_names.TENSORS,
        layer_tensors=gguf_names.LAYER_TENSORS | gguf_names.QK_NORMS,
        config=_qwen3_gguf,
    ),
)
