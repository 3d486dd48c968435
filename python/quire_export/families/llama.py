"""The Llama family: Llama 1 to 3.x, SmolLM, TinyLlama and everything that shares their shape."""

from collections.abc import Mapping

from quire_export.errors import ExportError
from quire_export.families.base import Family, flag, integer, number
from quire_export.spec import DecoderSpec, RopeSpec

_ROPE_KEYS = {
    "default": frozenset(),
    "linear": frozenset({"factor"}),
    "llama3": frozenset(
        {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}
    ),
}


def _rope(config: dict[str, object], head_dim: int) -> RopeSpec:
    """Reads rope_theta and rope_scaling, or their newer form rope_parameters."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(scaling, dict):
        raise ExportError("config: rope_scaling is not an object; check the file")
    theta = number(scaling, "rope_theta", number(config, "rope_theta", 10000.0))
    kind = scaling.get("rope_type", scaling.get("type")) or "default"
    if not isinstance(kind, str) or kind not in _ROPE_KEYS:
        raise ExportError(
            f"config: rope type {kind!r} is not supported; known: " + ", ".join(_ROPE_KEYS)
        )
    extra = {key for key, value in scaling.items() if value is not None}
    extra -= _ROPE_KEYS[kind] | {"rope_theta", "rope_type", "type"}
    if kind == "default":
        extra.discard("factor")
    if extra:
        raise ExportError(
            f"config: rope_scaling has the unknown key {sorted(extra)[0]!r} for "
            f"type {kind}; this model is not supported"
        )
    if kind == "default":
        return RopeSpec(head_dim, theta)
    if kind == "linear":
        return RopeSpec(head_dim, theta, "linear", _positive(scaling, "factor"))
    return RopeSpec(
        head_dim,
        theta,
        "llama3",
        _positive(scaling, "factor"),
        _positive(scaling, "low_freq_factor"),
        _positive(scaling, "high_freq_factor"),
        integer(scaling, "original_max_position_embeddings"),
    )


def _positive(scaling: Mapping[str, object], key: str) -> float:
    value = number(scaling, key)
    if value <= 0:
        raise ExportError(f"config: rope_scaling.{key} is {value}, not positive; check the file")
    return value


def _spec(config: dict[str, object]) -> DecoderSpec:
    hidden = integer(config, "hidden_size")
    heads = integer(config, "num_attention_heads")
    if config.get("head_dim") is None and (heads < 1 or hidden % heads):
        raise ExportError(
            f"config: hidden_size {hidden} is no multiple of {heads} heads and "
            "head_dim is not given; check the file"
        )
    head_dim = integer(config, "head_dim", hidden // max(heads, 1))
    return DecoderSpec(
        architecture="llama",
        num_layers=integer(config, "num_hidden_layers"),
        hidden_size=hidden,
        intermediate_size=integer(config, "intermediate_size"),
        num_heads=heads,
        num_kv_heads=integer(config, "num_key_value_heads", heads),
        head_dim=head_dim,
        vocab_size=integer(config, "vocab_size"),
        max_seq_len=integer(config, "max_position_embeddings", 2048),
        rms_norm_eps=number(config, "rms_norm_eps", 1e-6),
        tie_word_embeddings=flag(config, "tie_word_embeddings", False),
        attention_bias=flag(config, "attention_bias", False),
        mlp_bias=flag(config, "mlp_bias", False),
        rope=_rope(config, head_dim),
    )


def _config_of_gguf(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    """The config.json a GGUF file's metadata stands for; `tensors` are the file's tensor names."""
    values = {key.removeprefix("llama."): value for key, value in meta.items()}
    hidden, heads = integer(values, "embedding_length"), integer(values, "attention.head_count")
    head_dim = integer(values, "attention.key_length", hidden // max(heads, 1))
    for key in ("attention.value_length", "rope.dimension_count"):
        if integer(values, key, head_dim) != head_dim:
            raise ExportError(
                f"GGUF: llama.{key} differs from the head size {head_dim}; "
                "this model is not supported"
            )
    tokens = meta.get("tokenizer.ggml.tokens")
    config: dict[str, object] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": integer(values, "block_count"),
        "hidden_size": hidden,
        "intermediate_size": integer(values, "feed_forward_length"),
        "num_attention_heads": heads,
        "num_key_value_heads": integer(values, "attention.head_count_kv"),
        "head_dim": head_dim,
        "max_position_embeddings": integer(values, "context_length"),
        "vocab_size": integer(values, "vocab_size", len(tokens) if tokens else None),
        "rms_norm_eps": number(values, "attention.layer_norm_rms_epsilon"),
        "rope_theta": number(values, "rope.freq_base", 10000.0),
        "tie_word_embeddings": "output.weight" not in tensors,
        "attention_bias": "blk.0.attn_q.bias" in tensors,
        "mlp_bias": "blk.0.ffn_gate.bias" in tensors,
    }
    scaling = values.get("rope.scaling.type", "none")
    if scaling == "linear":
        config["rope_scaling"] = {
            "rope_type": "linear",
            "factor": number(values, "rope.scaling.factor"),
        }
    elif scaling != "none":
        raise ExportError(f"GGUF: rope scaling {scaling!r} is not supported; known: none, linear")
    return config


LLAMA = Family(
    model_type="llama",
    architectures=("LlamaForCausalLM",),
    gguf_architecture="llama",
    used_config=frozenset(
        {
            "attention_bias",
            "head_dim",
            "hidden_size",
            "intermediate_size",
            "max_position_embeddings",
            "mlp_bias",
            "num_attention_heads",
            "num_hidden_layers",
            "num_key_value_heads",
            "rms_norm_eps",
            "rope_parameters",
            "rope_scaling",
            "rope_theta",
            "tie_word_embeddings",
            "vocab_size",
        }
    ),
    fixed_config={
        "hidden_act": "silu",
        "pretraining_tp": 1,
        "is_llama_config": True,
        "rope_interleaved": False,
        "partial_rotary_factor": 1.0,
        "use_sliding_window": False,
    },
    used_gguf=frozenset(
        {
            "attention.head_count",
            "attention.head_count_kv",
            "attention.key_length",
            "attention.layer_norm_rms_epsilon",
            "attention.value_length",
            "block_count",
            "context_length",
            "embedding_length",
            "feed_forward_length",
            "rope.dimension_count",
            "rope.freq_base",
            "rope.scaling.factor",
            "rope.scaling.finetuned",
            "rope.scaling.original_context_length",
            "rope.scaling.type",
            "vocab_size",
        }
    ),
    gguf_tensors={
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    },
    gguf_layer_tensors={
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    },
    gguf_permuted=frozenset({"attn_q", "attn_k"}),
    build_spec=_spec,
    config_of_gguf=_config_of_gguf,
)
