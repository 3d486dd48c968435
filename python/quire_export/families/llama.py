"""The Llama family: Llama 1 to 3.x, SmolLM, TinyLlama and everything that shares their shape."""

from quire_export.families import gguf_names
from quire_export.families.base import Family, GgufMapping, flag
from quire_export.families.common import ROPE_KEYS, SIZE_KEYS, llama_like
from quire_export.spec import DecoderSpec


def _spec(config: dict[str, object]) -> DecoderSpec:
    bias = flag(config, "attention_bias", False)
    return llama_like(
        config,
        "llama",
        qkv_bias=bias,
        output_bias=bias,
        mlp_bias=flag(config, "mlp_bias", False),
    )


def _gguf_config(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    return gguf_names.shared_config(meta, "llama", tensors) | {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": "blk.0.attn_q.bias" in tensors,
        "mlp_bias": "blk.0.ffn_gate.bias" in tensors,
    }


LLAMA = Family(
    model_type="llama",
    architectures=("LlamaForCausalLM",),
    used_config=SIZE_KEYS | ROPE_KEYS | {"attention_bias", "mlp_bias"},
    fixed_config={
        "pretraining_tp": (1,),
        "is_llama_config": (True,),
        "rope_interleaved": (False,),
        "use_sliding_window": (False,),
    },
    build_spec=_spec,
    gguf=GgufMapping(
        architecture="llama",
        used=gguf_names.USED,
        tensors=gguf_names.TENSORS,
        layer_tensors=gguf_names.LAYER_TENSORS,
        config=_gguf_config,
        permuted=frozenset({"attn_q", "attn_k"}),
    ),
)
