"""A tiny random model of each family, of odd sizes; wide weights, so that near ties are rare."""

from pathlib import Path

import torch
from tiny_models import BOS, EOS, VOCAB_SIZE, write_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
_SHAPE = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 60,
    "intermediate_size": 70,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "pad_token_id": None,
}
_LOCAL_GLOBAL = ["sliding_attention", "full_attention", "sliding_attention"]
# Name of a variant: model type of transformers, and what is special about it.
FAMILIES: dict[str, tuple[str, dict[str, object]]] = {
    "llama_untied_llama3": ("llama", {"rope_parameters": LLAMA3, "tie_word_embeddings": False}),
    "llama_yarn": ("llama", {"rope_parameters": YARN, "head_dim": 20}),
    "llama_dynamic": (
        "llama",
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
    ),
    "llama_gelu": ("llama", {"hidden_act": "gelu", "tie_word_embeddings": True}),
    "mistral": ("mistral", {"sliding_window": 13, "head_dim": 14, "num_key_value_heads": 3}),
    "mistral_full": ("mistral", {"sliding_window": None, "head_dim": 10}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2_windowed": (
        "qwen2",
        {
            "use_sliding_window": True,
            "sliding_window": 11,
            "max_window_layers": 1,
            "num_key_value_heads": 6,
        },
    ),
    "qwen3": ("qwen3", {"head_dim": 16, "tie_word_embeddings": True}),
    "qwen3_bias_untied": (
        "qwen3",
        {"head_dim": 10, "attention_bias": True, "num_key_value_heads": 1},
    ),
    "gemma": ("gemma", {"head_dim": 12}),
    "gemma2": (
        "gemma2",
        {
            "head_dim": 18,
            "query_pre_attn_scalar": 25,
            "sliding_window": 12,
            "attn_logit_softcapping": 20.0,
            "final_logit_softcapping": 15.0,
        },
    ),
    "gemma2_uncapped": (
        "gemma2",
        {
            "head_dim": 10,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "layer_types": ["full_attention"] * 3,
            "attention_bias": True,
        },
    ),
    "gemma3": (
        "gemma3_text",
        {
            "head_dim": 18,
            "query_pre_attn_scalar": 30,
            "sliding_window": 9,
            "layer_types": _LOCAL_GLOBAL,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        },
    ),
    "phi3": ("phi3", {"sliding_window": 17}),
    "phi3_partial_longrope": (
        "phi3",
        {
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "original_max_position_embeddings": 128,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 1e4,
                "partial_rotary_factor": 0.6,
                "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.6],
                "long_factor": [1.5, 2.5, 4.0, 6.0, 9.0, 14.0],
            },
        },
    ),
    "gpt2": (
        "gpt2",
        {
            "n_embd": 60,
            "n_head": 5,
            "n_layer": 3,
            "n_inner": 70,
            "n_positions": 256,
            "activation_function": "gelu_new",
        },
    ),
    "gpt2_untied_relu": (
        "gpt2",
        {
            "n_embd": 36,
            "n_head": 3,
            "n_layer": 2,
            "n_positions": 256,
            "activation_function": "relu",
            "tie_word_embeddings": False,
        },
    ),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 0, 1]}),
    "smollm3_windowed": (
        "smollm3",
        {
            "no_rope_layers": [0, 1, 0],
            "use_sliding_window": True,
            "sliding_window": 10,
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": False,
        },
    ),
}


def random_model(name: str, seed: int = 0, **overrides: object) -> PreTrainedModel:
    """A random float32 model; norms and biases are random as well."""
    kind, special = FAMILIES[name]
    shared = {k: v for k, v in _SHAPE.items() if kind != "gpt2" or "token" in k or "vocab" in k}
    config = AutoConfig.for_model(kind, **(shared | special | overrides))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(seed)
    # What Gemma stores of a norm is the factor less one.
    centre = 0.0 if kind.startswith("gemma") else 1.0
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            noise = 0.2 * torch.randn(parameter.shape, generator=generator)
            is_norm = "norm" in parameter_name or ".ln_" in parameter_name
            is_factor = is_norm and parameter_name.endswith("weight")
            parameter.copy_(centre + noise if is_factor else noise)
    return model


def make_tiny(
    folder: Path, name: str, tokenizer: bool = True, seed: int = 0, **overrides: object
) -> Path:
    """Writes a tiny random model as a Hugging Face folder; `overrides` are fields of its config."""
    folder.mkdir(parents=True, exist_ok=True)
    random_model(name, seed, **overrides).save_pretrained(folder)
    if tokenizer:
        write_tokenizer(folder)
    return folder
