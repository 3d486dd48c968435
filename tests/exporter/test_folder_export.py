"""Hugging Face folders: the package computes what transformers computes."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from quire_export import ExportOptions, export_model
from quire_export.errors import ExportError
from quire_export.reference_ops import ReferenceGraph
from safetensors.torch import load_file, save_file
from tiny_families import make_tiny
from tiny_models import make_tiny_llama
from transformers import AutoModelForCausalLM

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SHAPES = {
    "tied_gqa3": {},
    "untied_mha_head6": {
        "tie_word_embeddings": False,
        "hidden_size": 30,
        "num_attention_heads": 5,
        "num_key_value_heads": 5,
    },
    "hidden50_head10_gqa5": {"hidden_size": 50, "num_attention_heads": 5, "num_key_value_heads": 1},
    "head_dim_20_wider_than_hidden": {
        "hidden_size": 50,
        "num_attention_heads": 5,
        "num_key_value_heads": 5,
        "head_dim": 20,
    },
    "gqa2_untied_odd_vocab": {
        "hidden_size": 40,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
        "vocab_size": 333,
        "intermediate_size": 33,
    },
    "biases": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False},
    "rope_llama3": {"rope_parameters": LLAMA3},
    "rope_linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.5}},
    "one_layer_big_theta": {
        "num_hidden_layers": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
    },
}


def source_logits(folder: Path, ids: list[int]) -> np.ndarray:
    """Logits [T, vocab] by transformers in float32."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0].numpy()


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_equal_transformers(shape: str, tmp_path: Path) -> None:
    """Prompts the exporter never saw, in batches, in one and in two steps."""
    folder = make_tiny_llama(tmp_path / "source", **SHAPES[shape])
    export_model(folder, tmp_path / "package", ExportOptions(progress=False))
    rng = np.random.default_rng(3)
    sequences = [rng.integers(0, 301, n).tolist() for n in (1, 2, 17, 200)]
    graph = ReferenceGraph(tmp_path / "package" / "model.onnx")
    for split in (False, True):
        for ids, logits in zip(sequences, graph.logits(sequences, split), strict=True):
            np.testing.assert_allclose(logits, source_logits(folder, ids), rtol=0, atol=2e-4)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_sixteen_bit_weights_are_the_rounded_source(
    dtype: str, tiny_folder: Path, tmp_path: Path
) -> None:
    """bits = 16, and the values are those torch rounds to."""
    package = tmp_path / "package"
    report = export_model(tiny_folder, package, ExportOptions(dtype=dtype, progress=False))
    assert report.loss is not None and 0 < report.loss.max_abs < 0.5
    model = onnx.load(package / "model.onnx")
    head = next(n for n in model.graph.node if n.output[0] == "logits")
    assert {a.name: a.i for a in head.attribute}["bits"] == 16
    table = next(i for i in model.graph.initializer if i.name == "model.embed_tokens.weight")
    source = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
    expected = source.model.embed_tokens.weight.detach().to(kind).float().numpy()
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(table).astype(np.float32), expected)


@pytest.mark.parametrize(("quantize", "worst"), [("int8", 1.0), ("int4", 8.0)])
def test_quantizing_reports_its_cost_and_measures_a_tolerance(
    quantize: str, worst: float, tiny_folder: Path, tmp_path: Path
) -> None:
    """The goldens come from the stored weights, so the graph still equals its source."""
    package = tmp_path / "package"
    report = export_model(tiny_folder, package, ExportOptions(quantize=quantize, progress=False))
    assert report.graph_difference.max_abs < 2e-4
    assert 0 < report.loss.max_abs < worst
    info = json.loads((package / "model_info.json").read_text())
    assert info["quantization"]["default"] == quantize
    if quantize == "int4":
        wide = {"model.embed_tokens", *(f"model.layers.{i}.self_attn.v_proj" for i in range(2))}
        wide |= {f"model.layers.{i}.mlp.down_proj" for i in range(2)}
        expected = {f"{name}.weight": "int8" for name in wide}
        assert info["quantization"]["tensors"] == expected
    golden = json.loads((package / "golden.json").read_text())
    tolerance = golden["tolerance"]
    assert tolerance["min_gap"] == tolerance["max_abs_logit_diff"] >= 4e-4
    assert info["quantization"]["activation_bits"] == 16

    coarse = tmp_path / "coarse"
    options = ExportOptions(quantize=quantize, activation_bits=8, progress=False)
    assert export_model(tiny_folder, coarse, options).graph_difference.max_abs < 2e-4
    info = json.loads((coarse / "model_info.json").read_text())
    assert info["quantization"]["activation_bits"] == 8
    wider = json.loads((coarse / "golden.json").read_text())["tolerance"]
    assert wider["max_abs_logit_diff"] > 10 * tolerance["max_abs_logit_diff"]


def test_cropping_cuts_tables_and_prompts(tiny_folder: Path, tmp_path: Path) -> None:
    """A context of 20 tokens leaves no golden beyond it."""
    package = tmp_path / "package"
    export_model(tiny_folder, package, ExportOptions(max_seq_len=20, progress=False))
    assert json.loads((package / "model_info.json").read_text())["max_seq_len"] == 20
    model = onnx.load(package / "model.onnx", load_external_data=False)
    assert {i.name: list(i.dims) for i in model.graph.initializer}["rope_cos"] == [20, 5]
    golden = json.loads((package / "golden.json").read_text())
    assert golden["prompts"]
    for prompt in golden["prompts"]:
        assert len(prompt["ids"]) + len(prompt["greedy"]["ids"]) <= 20


def test_pickled_weights_export_like_safetensors(tiny_folder: Path, tmp_path: Path) -> None:
    """pytorch_model.bin goes through torch.load(weights_only=True)."""
    from safetensors.torch import load_file

    folder = make_tiny_llama(tmp_path / "source")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    export_model(folder, tmp_path / "a", ExportOptions(progress=False))
    export_model(tiny_folder, tmp_path / "b", ExportOptions(progress=False))
    data = [(tmp_path / x / "model.onnx.data").read_bytes() for x in "ab"]
    assert data[0] == data[1]


def test_folder_without_tokenizer_exports_with_a_notice(tmp_path: Path) -> None:
    """Such a package takes token ids only."""
    folder = make_tiny_llama(tmp_path / "source", tokenizer=False)
    notices: list[str] = []
    export_model(folder, tmp_path / "package", ExportOptions(progress=False, notice=notices.append))
    assert len(notices) == 1 and "no tokenizer" in notices[0]
    assert not (tmp_path / "package" / "tokenizer.json").exists()
    golden = json.loads((tmp_path / "package" / "golden.json").read_text())
    assert golden["tokenizer"] == [] and golden["chat"] == []
    assert [len(p["ids"]) for p in golden["prompts"]] == [1, 7, 64]


def test_sharded_safetensors_are_read_through_their_index(tmp_path: Path) -> None:
    """Large models come in several files."""
    from tiny_models import random_llama

    folder = tmp_path / "source"
    random_llama().save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    report = export_model(folder, tmp_path / "package", ExportOptions(progress=False))
    assert report.graph_difference.max_abs < 2e-4


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("qwen2", "model.embed_tokens.weight"),
        ("gemma", "model.embed_tokens.weight"),
        ("smollm3", "model.embed_tokens.weight"),
        ("gpt2", "transformer.wte.weight"),
    ],
)
def test_a_tied_matrix_may_be_stored_under_either_name(
    name: str, table: str, both: bool, tmp_path: Path
) -> None:
    """The head's alone, or both; the weights of the package are the same."""
    packages = []
    for kind in ("usual", "other"):
        folder = make_tiny(tmp_path / kind, name)
        if kind == "other":
            tensors = load_file(folder / "model.safetensors")
            tensors["lm_head.weight"] = tensors[table].clone()
            if not both:
                del tensors[table]
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        packages.append(tmp_path / f"{kind}-package")
        export_model(folder, packages[-1], ExportOptions(progress=False))
    usual, other = ((p / "model.onnx.data").read_bytes() for p in packages)
    assert usual == other


@pytest.mark.parametrize("kind", ["smollm3", "qwen3", "gemma3"])
def test_a_decoder_that_was_saved_without_its_head_exports(kind: str, tmp_path: Path) -> None:
    """AutoModel's names have no "model." before them; transformers takes both."""
    source = make_tiny(tmp_path / "source", kind)
    usual, other = tmp_path / "usual", tmp_path / "other"
    export_model(source, usual, ExportOptions(progress=False))
    path = source / "model.safetensors"
    tensors = {name.removeprefix("model."): t for name, t in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    export_model(source, other, ExportOptions(progress=False))
    assert (usual / "model.onnx.data").read_bytes() == (other / "model.onnx.data").read_bytes()


def test_a_folder_of_gguf_files_names_them(tmp_path: Path) -> None:
    """As repositories of such files are; which one is meant only their reader knows."""
    for name in ("m.Q8_0.gguf", "m.Q4_K_M.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(ExportError, match=r"GGUF files: m\.Q4_K_M\.gguf, m\.Q8_0\.gguf; give one"):
        export_model(tmp_path, tmp_path / "package", ExportOptions(progress=False))
