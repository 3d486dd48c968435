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
        "rope.scaling.factor",
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",
        "rope.scaling.type",
        "vocab_size",
    }
)
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
    meta: Mapping[str, object], architecture: str, tensors: frozenset[str]
) -> dict[str, object]:
    """config.json's common keys from a file's metadata and the names of its tensors."""
    prefix = architecture + "."
    values = {key.removeprefix(prefix): value for key, value in meta.items()}
    hidden, heads = integer(values, "embedding_length"), integer(values, "attention.head_count")
    head_dim = integer(values, "attention.key_length", hidden // max(heads, 1))
    for key in ("attention.value_length", "rope.dimension_count"):
        if integer(values, key, head_dim) != head_dim:
            raise ExportError(
                f"GGUF: {prefix}{key} differs from the head size {head_dim}; "
                "this model is not supported"
            )
    tokens = meta.get("tokenizer.ggml.tokens")
    config: dict[str, object] = {
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
