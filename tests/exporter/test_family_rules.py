"""What is special to a family: factor sets, fused matrices under quantization, refusals by name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from quire_export import ExportError, ExportOptions, export_model
from quire_export.families import FAMILIES as KNOWN
from quire_export.reference_ops import ReferenceGraph
from safetensors.torch import load_file, save_file
from test_folder_export import source_logits
from tiny_families import FAMILIES, make_tiny
from tiny_models import VOCAB_SIZE

LONGROPE = "phi3_partial_longrope"


@pytest.mark.parametrize(("max_seq_len", "length"), [(None, 100), (256, 200)])
def test_longrope_takes_the_factors_of_its_context(
    max_seq_len: int | None, length: int, tmp_path: Path
) -> None:
    """Short ones up to the original 128 tokens; long ones where --max-seq-len asks for more.

    transformers chooses by the length of the sequence, so 200 tokens at once show the long ones.
    """
    folder = make_tiny(tmp_path / "source", LONGROPE)
    notices: list[str] = []
    options = ExportOptions(progress=False, max_seq_len=max_seq_len, notice=notices.append)
    export_model(folder, tmp_path / "package", options)
    info = json.loads((tmp_path / "package" / "model_info.json").read_text())
    assert info["max_seq_len"] == (max_seq_len or 128)
    assert (len(notices) == 1 and "--max-seq-len 256" in notices[0]) == (max_seq_len is None)
    ids = np.random.default_rng(2).integers(0, VOCAB_SIZE, length).tolist()
    ours = ReferenceGraph(tmp_path / "package" / "model.onnx").logits([ids])[0]
    np.testing.assert_allclose(ours, source_logits(folder, ids), rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", ["gpt2", "phi3", "gemma3"])
def test_stored_matrices_find_their_way_back_into_the_source_model(
    name: str, tmp_path: Path
) -> None:
    """Fused or transposed ones too: the goldens of a quantized package are the stored model's."""
    folder = make_tiny(tmp_path / "source", name)
    options = ExportOptions(progress=False, quantize="int8")
    report = export_model(folder, tmp_path / "package", options)
    assert report.graph_difference.max_abs < 2e-4
    assert 0 < report.loss.mean_abs < 0.2 and 0.85 < report.loss.agreement <= 1


def test_gpt2_folders_without_the_prefix_export_alike(tmp_path: Path) -> None:
    """The first published checkpoints name tensors so, and carry their masks."""
    folder = make_tiny(tmp_path / "source", "gpt2", n_layer=1)
    export_model(folder, tmp_path / "a", ExportOptions(progress=False))
    path = folder / "model.safetensors"
    tensors = {k.removeprefix("transformer."): v for k, v in load_file(path).items()}
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 256, 256)
    save_file(tensors, path, {"format": "pt"})
    export_model(folder, tmp_path / "b", ExportOptions(progress=False))
    data = [(tmp_path / x / "model.onnx.data").read_bytes() for x in "ab"]
    assert data[0] == data[1]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("llama_gelu", {"architectures": ["MixtralForCausalLM"]}, "MixtralForCausalLM is not supp"),
        ("llama_gelu", {"architectures": ["BloomForCausalLM"]}, "known: LlamaForCausalLM, Mist"),
        ("llama_gelu", {"architectures": ["Qwen2VLForConditionalGeneration"]}, "not supported"),
        ("llama_gelu", {"num_kv_shared_layers": 2}, "unknown key 'num_kv_shared_layers'"),
        ("qwen2", {"use_mrope": True}, "use_mrope = True is not supported"),
        ("qwen2", {"layer_types": ["chunked_attention"] * 3}, "'chunked_attention' is not supp"),
        ("qwen2", {"layer_types": ["full_attention"]}, "layer_types does not name 3 layers"),
        ("qwen2", {"layer_types": ["sliding_attention"] * 3}, "without sliding_window"),
        ("mistral", {"sliding_window": 0}, "sliding_window is 0"),
        ("mistral", {"sliding_window": "many"}, "sliding_window is 'many'"),
        ("gemma2", {"query_pre_attn_scalar": 0}, "query_pre_attn_scalar or a soft cap"),
        ("gemma2", {"attn_logit_softcapping": -1.0}, "a soft cap is not positive"),
        ("gemma2", {"use_bidirectional_attention": True}, "use_bidirectional_attention = True"),
        ("gemma3", {"rope_parameters": {"full_attention": [1]}}, "not an object of objects"),
        ("gemma3", {"layer_types": None, "sliding_window_pattern": 0}, "pattern is 0"),
        ("phi3", {"num_key_value_heads": 3}, "qkv_proj.weight has shape"),
        ("gpt2", {"n_embd": 59}, "n_embd 59 is no multiple of 5"),
        ("gpt2", {"n_embd": 65}, "not three times 65"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention = True"),
        ("smollm3", {"no_rope_layers": [1, 2, 1]}, "no_rope_layers is not 3 times 0 or 1"),
        ("smollm3", {"no_rope_layers": None, "no_rope_layer_interval": 0}, "interval is 0"),
        (LONGROPE, {"original_max_position_embeddings": 1}, "embeddings is 1, too small"),
    ],
)
def test_what_a_family_cannot_do_is_refused_by_name(
    name: str, changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    """One line, exit code 3, no package."""
    folder = make_tiny(tmp_path / "source", name, tokenizer=False)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ExportError, match=message) as caught:
        export_model(folder, tmp_path / "package", ExportOptions(progress=False))
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)
    assert not (tmp_path / "package").exists()


def test_every_family_has_a_tiny_model() -> None:
    """So that none goes untested."""
    assert {family.model_type for family in KNOWN} == {kind for kind, _ in FAMILIES.values()}
