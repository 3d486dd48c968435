"""Tiny GGUF files of every tensor type, written as llama.cpp's converter would."""

from pathlib import Path

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, quantize
from tiny_models import make_tokenizer, random_llama
from transformers import LlamaConfig

_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def gguf_name(name: str) -> str:
    """The GGUF name of a Hugging Face tensor."""
    stem, suffix = name.rsplit(".", 1)
    if stem in _WHOLE:
        return f"{_WHOLE[stem]}.{suffix}"
    layer, inner = stem.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{_NAMES[inner]}.{suffix}"


def permute(weight: np.ndarray, heads: int) -> np.ndarray:
    """What the converter does to query and key rows."""
    half = weight.shape[0] // heads // 2
    parts = weight.reshape(heads, 2, half, *weight.shape[1:])
    return parts.swapaxes(1, 2).reshape(weight.shape)


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """The inverse of `permute`, by search instead of by formula."""
    order = permute(np.arange(weight.shape[0]), heads)
    original = np.empty_like(weight)
    original[order] = weight
    return original


def encode(values: np.ndarray, kind: GGMLQuantizationType, rng: np.random.Generator) -> np.ndarray:
    """`values` in the bytes of `kind`; random bytes with sane scales where gguf cannot encode."""
    try:
        return quantize(values, kind)
    except NotImplementedError:
        block, size = GGML_QUANT_SIZES[kind]
        raw = rng.integers(0, 256, (*values.shape[:-1], values.shape[-1] // block, size), np.uint8)
        scale = np.frombuffer(np.float16(0.004).tobytes(), np.uint8)
        if kind == GGMLQuantizationType.Q6_K:
            raw[..., -2:] = scale
        else:
            raw[..., 0:2] = scale
            raw[..., 2:4] = scale
        return raw.reshape(*values.shape[:-1], -1)


def add_metadata(writer: GGUFWriter, config: LlamaConfig, tokenizer: bool) -> None:
    """The keys llama.cpp's converter writes for a Llama model."""
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    if not tokenizer:
        return
    made = make_tokenizer()
    vocab = sorted(made.get_vocab(), key=made.get_vocab().get)
    special = {t.content for t in made.get_added_tokens_decoder().values()}
    import json

    merges = json.loads(made.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocab)
    writer.add_token_types([3 if token in special else 1 for token in vocab])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(vocab.index("<|bos|>"))
    writer.add_eos_token_id(vocab.index("<|eos|>"))


def make_tiny_gguf(
    path: Path,
    kind: str = "Q4_0",
    tokenizer: bool = False,
    extra: dict[str, object] | None = None,
    tensors: dict[str, np.ndarray] | None = None,
    kinds: dict[str, str] | None = None,
    split_max_tensors: int = 0,
    **overrides: object,
) -> LlamaConfig:
    """Writes a tiny random Llama; matrices of type `kind`, or by GGUF name what `kinds` says.

    `extra` are further uint32 keys, `tensors` further float32 tensors; `split_max_tensors` makes
    parts of so many. Returns the configuration.
    """
    sizes = {
        "hidden_size": 96,
        "intermediate_size": 64,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 16,
    } | overrides
    model = random_llama(**sizes)
    config, rng = model.config, np.random.default_rng(5)
    writer = GGUFWriter(str(path), "llama", split_max_tensors=split_max_tensors)
    add_metadata(writer, config, tokenizer)
    for key, value in (extra or {}).items():
        writer.add_uint32(key, value)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values, target = tensor.detach().to(torch.float32).numpy(), gguf_name(name)
        if ".attn_q." in target:
            values = permute(values, config.num_attention_heads)
        elif ".attn_k." in target:
            values = permute(values, config.num_key_value_heads)
        chosen = GGMLQuantizationType[(kinds or {}).get(target, kind)]
        if values.ndim == 1 or chosen == GGMLQuantizationType.F32:
            writer.add_tensor(target, values)
        else:
            writer.add_tensor(target, encode(values, chosen, rng), raw_dtype=chosen)
    for name, values in (tensors or {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return config
