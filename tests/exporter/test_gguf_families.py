"""GGUF files of every architecture, written as llama.cpp's converter writes them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, RopeScalingType, dequantize
from quire_export import ExportOptions, export_model
from quire_export.reference_ops import ReferenceGraph
from tiny_families import random_model
from tiny_gguf import encode, permute, unpermute
from tiny_models import VOCAB_SIZE
from transformers import PreTrainedModel

_LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "self_attn.qkv_proj": "attn_qkv",
    "mlp.gate_up_proj": "ffn_up",
}
_GEMMA = _LAYER | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
_WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
# Sizes that blocks of 32 divide; what the metadata cannot say keeps its value there.
_SHAPE = {
    "hidden_size": 96,
    "intermediate_size": 64,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "head_dim": 32,
}
_YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "beta_fast": 20.0}
_LONG = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "partial_rotary_factor": 0.75,
    "short_factor": [1.0 + 0.1 * i for i in range(12)],
    "long_factor": [1.5 + i for i in range(12)],
}
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "qwen2": ("qwen2", {"tie_word_embeddings": False}),
    "qwen3": ("qwen3", {}),
    "llama_yarn": (
        "llama",
        {"rope_parameters": _YARN | {"original_max_position_embeddings": 64}},
    ),
    "mistral_full": ("llama", {}),
    "smollm3": ("smollm3", {"num_hidden_layers": 5, "no_rope_layers": None}),
    "phi3": ("phi3", {"sliding_window": 17}),
    "phi3_partial_longrope": (
        "phi3",
        {"original_max_position_embeddings": 128, "rope_parameters": _LONG},
    ),
    "gemma": ("gemma", {}),
    "gemma2": ("gemma2", {"query_pre_attn_scalar": 32, "sliding_window": 12}),
    "gemma3": (
        "gemma3",
        {
            "query_pre_attn_scalar": 32,
            "sliding_window": 9,
            "num_hidden_layers": 7,
            "layer_types": None,
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        },
    ),
}


def gguf_name(architecture: str, name: str) -> str:
    """The GGUF name of a Hugging Face tensor."""
    stem, suffix = name.rsplit(".", 1)
    if stem in _WHOLE:
        return f"{_WHOLE[stem]}.{suffix}"
    layer, inner = stem.removeprefix("model.layers.").split(".", 1)
    names = _GEMMA if architecture in ("gemma2", "gemma3") else _LAYER
    return f"blk.{layer}.{names[inner]}.{suffix}"


def write_metadata(writer: GGUFWriter, architecture: str, model: PreTrainedModel) -> None:
    """The keys of the converter."""
    config = model.config
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(32)
    writer.add_value_length(32)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    ropes = config.rope_parameters
    writer.add_rope_freq_base(ropes.get("full_attention", ropes)["rope_theta"])
    scaling = ropes.get("rope_type")
    if scaling == "yarn":
        writer.add_rope_scaling_type(RopeScalingType.YARN)
        writer.add_rope_scaling_factor(ropes["factor"])
        writer.add_rope_scaling_orig_ctx_len(ropes["original_max_position_embeddings"])
        writer.add_float32(f"{architecture}.rope.scaling.yarn_beta_fast", ropes["beta_fast"])
    elif scaling == "longrope":
        writer.add_rope_dimension_count(24)
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
        factor = config.max_position_embeddings / config.original_max_position_embeddings
        length = config.original_max_position_embeddings
        writer.add_rope_scaling_attn_factors((1 + np.log(factor) / np.log(length)) ** 0.5)
        for kind in ("short", "long"):
            values = np.array(ropes[f"{kind}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{kind}.weight", values)
    if architecture == "phi3":
        writer.add_sliding_window(config.sliding_window or 0)
    if architecture in ("gemma2", "gemma3"):
        writer.add_sliding_window(config.sliding_window)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


def _turned_heads(architecture: str, target: str, model: PreTrainedModel) -> int:
    """The heads of a matrix whose rows the converter turns; 0 for the others."""
    if architecture not in ("llama", "smollm3"):
        return 0
    heads, shared = model.config.num_attention_heads, model.config.num_key_value_heads
    return {"attn_q": heads, "attn_k": shared}.get(target.split(".")[-2], 0)


def write_gguf(path: Path, architecture: str, model: PreTrainedModel, kind: str) -> None:
    """The model; matrices of type `kind`, whose values `model` then has as well."""
    chosen, rng = GGMLQuantizationType[kind], np.random.default_rng(5)
    writer = GGUFWriter(str(path), architecture)
    write_metadata(writer, architecture, model)
    for name, parameter in model.named_parameters():
        target = gguf_name(architecture, name)
        values = parameter.detach().float().numpy()
        if values.ndim == 1:
            is_gemma_norm = architecture.startswith("gemma") and "norm" in target
            writer.add_tensor(target, values + 1 if is_gemma_norm else values)
            continue
        heads = _turned_heads(architecture, target, model)
        raw = encode(permute(values, heads) if heads else values, chosen, rng)
        writer.add_tensor(target, raw, raw_dtype=chosen)
        stored = dequantize(raw, chosen)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(unpermute(stored, heads) if heads else stored.copy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        *((case, "F32") for case in CASES),
        *(("qwen3", "Q8_0"), ("gemma3", "Q5_0"), ("phi3", "Q4_0")),
    ],
)
def test_a_file_computes_what_the_model_it_was_made_of_computes(
    case: str, kind: str, tmp_path: Path
) -> None:
    """Every architecture, exactly stored: the oracle is the model itself, not the file's reader."""
    architecture, special = CASES[case]
    model = random_model(case, **(_SHAPE | special))
    write_gguf(tmp_path / "model.gguf", architecture, model, kind)
    package = tmp_path / "package"
    report = export_model(tmp_path / "model.gguf", package, ExportOptions(progress=False))
    assert report.loss is None
    ids = np.random.default_rng(3).integers(0, VOCAB_SIZE, 40).tolist()
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([ids])).logits[0].numpy()
    ours = ReferenceGraph(package / "model.onnx").logits([ids])[0]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-4)
