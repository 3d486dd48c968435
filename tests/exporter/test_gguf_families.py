"""GGUF files of every architecture, written as llama.cpp's converter writes them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, dequantize
from quire_export import ExportOptions, export_model
from quire_export.reference_ops import ReferenceGraph
from tiny_families import random_model
from tiny_gguf import encode
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
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "qwen2": ("qwen2", {"tie_word_embeddings": False}),
    "qwen3": ("qwen3", {}),
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
    names = _GEMMA if architecture.startswith("gemma") else _LAYER
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
    if architecture.startswith("gemma"):
        writer.add_sliding_window(config.sliding_window)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


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
        raw = encode(values, chosen, rng)
        writer.add_tensor(target, raw, raw_dtype=chosen)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(dequantize(raw, chosen).copy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("case", "kind"), [*((case, "F32") for case in CASES), ("qwen3", "Q8_0"), ("gemma3", "Q5_0")]
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
