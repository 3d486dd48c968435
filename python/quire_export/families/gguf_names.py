"""GGUF's names of what Llama-like families share, and the configuration its metadata stands for."""

from collections.abc import Mapping

from quire_export.errors import ExportError
from quire_export.families.base import integer, number

USED = frozenset(
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
        "rope.scale_linear",
        "rope.scaling.factor",
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",
        "rope.scaling.type",
        "rope.scaling.yarn_beta_fast",
        "rope.scaling.yarn_beta_slow",
        "vocab_size",
    }
)
# Divisors of rotary frequencies, for contexts up to the original length and beyond it.
SHORT_FACTORS, LONG_FACTORS = "rope_factors_short.weight", "rope_factors_long.weight"
TENSORS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
SANDWICH_NORMS = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}


def shared_config(
    meta: Mapping[str, object],
    architecture: str,
    tensors: frozenset[str],
    free: frozenset[str] = frozenset(),
) -> dict[str, object]:
    """config.json's common keys from a file's metadata and the names of its tensors.

    `free` are lengths that need not be the head size.
    """
    prefix = architecture + "."
    values = {key.removeprefix(prefix): _one(value) for key, value in meta.items()}
    hidden, heads = integer(values, "embedding_length"), integer(values, "attention.head_count")
    head_dim = integer(values, "attention.key_length", hidden // max(heads, 1))
    for key in ("attention.value_length", "rope.dimension_count"):
        if key not in free and integer(values, key, head_dim) != head_dim:
            raise ExportError(
                f"GGUF: {prefix}{key} differs from the head size {head_dim}; choose another "
                "model of its family"
            )
    tokens = meta.get("tokenizer.ggml.tokens")
    config: dict[str, object] = {
        "num_hidden_layers": integer(values, "block_count"),
        "hidden_size": hidden,
        "intermediate_size": integer(values, "feed_forward_length"),
        "num_attention_heads": heads,
        "num_key_value_heads": integer(values, "attention.head_count_kv", heads),
        "head_dim": head_dim,
        "max_position_embeddings": integer(values, "context_length"),
        "vocab_size": integer(values, "vocab_size", len(tokens) if tokens else None),
        "rms_norm_eps": number(values, "attention.layer_norm_rms_epsilon"),
        "rope_theta": number(values, "rope.freq_base", 10000.0),
        "tie_word_embeddings": "output.weight" not in tensors,
    }
    scaling = _rope_scaling(values)
    return config | ({"rope_scaling": scaling} if scaling else {})


def _one(value: object) -> object:
    """A list of one value for each layer as that value, when all are the same."""
    is_uniform = isinstance(value, list) and value and all(item == value[0] for item in value)
    return value[0] if is_uniform else value


def _rope_scaling(values: Mapping[str, object]) -> dict[str, object]:
    """rope_scaling of the keys; empty when nothing is scaled."""
    factor = number(values, "rope.scaling.factor", number(values, "rope.scale_linear", 0.0))
    kind = values.get("rope.scaling.type", "linear")  # llama.cpp's default
    if kind == "none" or (kind == "linear" and factor in (0.0, 1.0)):
        return {}
    if kind == "linear":
        return {"rope_type": kind, "factor": factor}
    original = "rope.scaling.original_context_length"
    length = {}
    if original in values:
        length["original_max_position_embeddings"] = integer(values, original)
    if kind == "yarn":
        betas = {
            f"beta_{end}": number(values, f"rope.scaling.yarn_beta_{end}")
            for end in ("fast", "slow")
            if f"rope.scaling.yarn_beta_{end}" in values
        }
        return {"rope_type": kind, "factor": factor, **length, **betas}
    if kind == "longrope":
        attention = values.get("rope.scaling.attn_factor")
        return {"rope_type": kind, **length} | (
            {"attention_factor": attention} if attention is not None else {}
        )
    raise ExportError(
        f"GGUF: rope scaling {kind!r} is not supported; known: none, linear, yarn, longrope; "
        "export from the model's Hugging Face folder"
    )
