"""GGUF files: kept bit for bit, dequantized exactly, refused by name, never trusted."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from gguf import GGUFReader, dequantize
from quire_export import ExportError, ExportOptions, export_model
from quire_export.gguf_source import load_gguf
from quire_export.progress import Progress
from quire_export.reference_ops import dequantize as dequantize_stored
from tiny_gguf import make_tiny_gguf, unpermute
from transformers import AutoModelForCausalLM

QUIET = ExportOptions(progress=False)
SILENT = Progress(enabled=False)


def stored_matrices(package: Path) -> dict[str, np.ndarray]:
    """Every Linear and Embedding matrix of a package as float32, by initializer name."""
    model = onnx.load(package / "model.onnx")
    tensors = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type not in ("Linear", "Embedding"):
            continue
        attributes = {a.name: a.i for a in node.attribute}
        parts = [tensors[n] if n else None for n in [*node.input, "", ""][1:4]]
        found[node.input[1]] = dequantize_stored(*parts, attributes["bits"], attributes["K"])
    return found


def file_matrices(path: Path, heads: int, kv_heads: int) -> dict[str, np.ndarray]:
    """Every tensor of a GGUF file by gguf's own code, query and key rows put back in order."""
    found = {}
    for tensor in GGUFReader(path).tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name:
            values = unpermute(values, heads)
        elif ".attn_k." in tensor.name:
            values = unpermute(values, kv_heads)
        found[tensor.name] = values
    return found


def expected_layer(file: dict[str, np.ndarray], layer: int) -> dict[str, np.ndarray]:
    """The merged matrices of one layer."""
    part = {
        name: file[f"blk.{layer}.{name}.weight"]
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    }
    prefix = f"model.layers.{layer}."
    return {
        prefix + "self_attn.qkv_proj.weight": np.concatenate(
            [part["attn_q"], part["attn_k"], part["attn_v"]]
        ),
        prefix + "self_attn.o_proj.weight": part["attn_output"],
        prefix + "mlp.gate_up_proj.weight": np.concatenate([part["ffn_gate"], part["ffn_up"]]),
        prefix + "mlp.down_proj.weight": part["ffn_down"],
    }


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0", "F32", "F16", "BF16", "Q5_0", "Q5_1"])
def test_every_value_survives(kind: str, tmp_path: Path) -> None:
    """The package's matrices are bit-equal to gguf's dequantized ones."""
    path = tmp_path / f"tiny.{kind}.gguf"
    config = make_tiny_gguf(path, kind, tie_word_embeddings=False)
    export_model(path, tmp_path / "package", QUIET)
    file = file_matrices(path, config.num_attention_heads, config.num_key_value_heads)
    expected = {
        "model.embed_tokens.weight": file["token_embd.weight"],
        "lm_head.weight": file["output.weight"],
    }
    for layer in range(config.num_hidden_layers):
        expected |= expected_layer(file, layer)
    stored = stored_matrices(tmp_path / "package")
    assert set(stored) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(stored[name], values, err_msg=name)
    info = json.loads((tmp_path / "package" / "model_info.json").read_text())
    widened = {"Q5_0": "q8_0", "Q5_1": "int8"}
    kept = kind.lower() if kind in ("Q4_0", "Q4_1", "Q8_0") else widened.get(kind, "none")
    activations = {} if kept == "none" else {"activation_bits": 16}
    assert info["quantization"] == {"default": kept, "tensors": {}} | activations
    assert info["name"] == "tiny" and info["source"]["file"] == path.name


@pytest.mark.parametrize(("kind", "bits"), [("Q4_K", 4), ("Q5_K", 8), ("Q6_K", 8)])
def test_k_quants_are_kept_nearly_or_dequantized_exactly(
    kind: str, bits: int, tmp_path: Path
) -> None:
    """As the package's nearest blocks by default; as float32 with --quantize none."""
    path = tmp_path / "tiny.gguf"
    config = make_tiny_gguf(
        path,
        kind,
        hidden_size=256,
        intermediate_size=256,
        num_attention_heads=4,
        head_dim=64,
        num_hidden_layers=1,
    )
    report = export_model(path, tmp_path / "kept", QUIET)
    assert report.loss is not None and report.loss.agreement > 0.9
    options = ExportOptions(progress=False, quantize="none")
    assert export_model(path, tmp_path / "exact", options).loss is None
    file = file_matrices(path, config.num_attention_heads, config.num_key_value_heads)
    kept, exact = (stored_matrices(tmp_path / name) for name in ("kept", "exact"))
    for name, values in expected_layer(file, 0).items():
        np.testing.assert_array_equal(exact[name], values, err_msg=name)
        # A rounding to float16 of scale and minimum; half a step of 8 bits where blocks differ.
        allowed = np.abs(values).max() * (0.004 if kind == "Q6_K" else 0.002)
        np.testing.assert_allclose(kept[name], values, rtol=0, atol=allowed, err_msg=name)
    model = onnx.load(tmp_path / "kept" / "model.onnx", load_external_data=False)
    linear = [n for n in model.graph.node if n.op_type == "Linear"]
    assert {a.i for n in linear for a in n.attribute if a.name == "bits"} == {bits}


def test_mixed_types_stay_apart(tmp_path: Path) -> None:
    """Projections of unlike storage are not merged; the graph still equals its source."""
    path = tmp_path / "mixed.gguf"
    make_tiny_gguf(
        path,
        "Q4_0",
        num_hidden_layers=1,
        kinds={
            "blk.0.attn_v.weight": "Q8_0",
            "blk.0.ffn_up.weight": "F16",
            "token_embd.weight": "Q8_0",
        },
    )
    report = export_model(path, tmp_path / "package", QUIET)
    assert report.graph_difference.max_abs < 2e-4
    info = json.loads((tmp_path / "package" / "model_info.json").read_text())
    assert info["quantization"] == {
        "default": "q4_0",
        "tensors": {
            "model.embed_tokens.weight": "q8_0",
            "model.layers.0.self_attn.v_proj.weight": "q8_0",
            "model.layers.0.mlp.up_proj.weight": "none",
        },
        "activation_bits": 16,
    }
    graph = onnx.load(tmp_path / "package" / "model.onnx", load_external_data=False).graph
    for node in graph.node:
        if node.op_type == "Linear":
            attributes = {a.name: a.i for a in node.attribute}
            wanted = 16 if attributes["bits"] in (4, 8) else None
            assert attributes.get("activation_bits") == wanted, node.name


def test_rope_factors_divide_the_frequencies(tmp_path: Path) -> None:
    """Llama 3 files carry them as a tensor."""
    path = tmp_path / "llama3.gguf"
    factors = np.linspace(1, 8, 8, dtype=np.float32)
    make_tiny_gguf(path, "F32", tensors={"rope_freqs.weight": factors})
    export_model(path, tmp_path / "package", QUIET)
    model = onnx.load(tmp_path / "package" / "model.onnx")
    table = next(i for i in model.graph.initializer if i.name == "rope_cos")
    frequencies = 10000.0 ** (-np.arange(8) / 8) / factors
    expected = np.cos(np.outer(np.arange(256), frequencies))
    np.testing.assert_allclose(onnx.numpy_helper.to_array(table), expected, atol=3e-5)


def test_requantizing_a_gguf_file(tmp_path: Path) -> None:
    """--quantize none and int8 dequantize first."""
    path = tmp_path / "tiny.gguf"
    make_tiny_gguf(path, "Q4_0", num_hidden_layers=1)
    plain = export_model(path, tmp_path / "none", ExportOptions(quantize="none", progress=False))
    assert plain.loss is None and plain.tolerance["max_abs_logit_diff"] == 2e-4
    eight = export_model(path, tmp_path / "int8", ExportOptions(quantize="int8", progress=False))
    assert 0 < eight.loss.max_abs < 1


def test_biases_come_along(tmp_path: Path) -> None:
    """Query and key biases are permuted like their rows."""
    path = tmp_path / "biased.gguf"
    make_tiny_gguf(path, "Q8_0", attention_bias=True)
    with pytest.raises(ExportError, match=r"tensor .*o_proj.bias|attn_output.bias"):
        make = tmp_path / "cut.gguf"
        make.write_bytes(
            path.read_bytes().replace(b"blk.1.attn_output.bias", b"blk.1.attn_outpux.bias")
        )
        load_gguf(make, True, SILENT)
    report = export_model(path, tmp_path / "package", QUIET)
    assert report.graph_difference.max_abs < 2e-4


def test_tokenizer_is_rebuilt(tmp_path: Path) -> None:
    """Ids, special tokens and end-of-sequence ids equal the tokenizer it was made from."""
    from tiny_models import make_tokenizer
    from tokenizers import Tokenizer

    path = tmp_path / "tiny.gguf"
    make_tiny_gguf(path, "Q8_0", tokenizer=True, vocab_size=269, num_hidden_layers=1)
    package = tmp_path / "package"
    export_model(path, package, QUIET)
    ours, original = Tokenizer.from_file(str(package / "tokenizer.json")), make_tokenizer()
    golden = json.loads((package / "golden.json").read_text())
    assert len(golden["tokenizer"]) >= 60
    for entry in golden["tokenizer"]:
        assert ours.encode(entry["text"]).ids == original.encode(entry["text"]).ids
    info = json.loads((package / "model_info.json").read_text())
    assert info["control_token_ids"] == [256, 257, 258, 259]
    assert info["special_ids"] == {"bos": 256, "eos": [257], "pad": None, "unk": None}
    assert json.loads((package / "generation_config.json").read_text())["eos_token_id"] == 257


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extra": {"llama.expert_count": 8}}, "unknown key 'llama.expert_count'"),
        ({"extra": {"llama.attention.sliding_window": 64}}, "llama.attention.sliding_window"),
        ({"extra": {"mystery.key": 1}}, "unknown key 'mystery.key'"),
        ({"extra": {"split.count": 3}}, "one part of several"),
        (
            {"tensors": {"blk.0.attn_q_norm.weight": np.ones(16, np.float32)}},
            "tensor blk.0.attn_q_norm.weight is unknown",
        ),
        ({"tensors": {"rope_freqs.weight": np.ones(5, np.float32)}}, "rope_freqs.weight is not 8"),
    ],
)
def test_what_would_be_ignored_is_refused(settings: dict, message: str, tmp_path: Path) -> None:
    """A key or tensor the decoder has no place for is an error that names it."""
    make_tiny_gguf(tmp_path / "tiny.gguf", **settings)
    with pytest.raises(ExportError, match=message) as caught:
        load_gguf(tmp_path / "tiny.gguf", True, SILENT)
    assert caught.value.exit_code == 3


def test_unknown_pre_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    """Guessing how text is cut would give wrong ids silently."""
    path = tmp_path / "tiny.gguf"
    make_tiny_gguf(path, tokenizer=True, vocab_size=269)
    path.write_bytes(path.read_bytes().replace(b"gpt-2", b"xyz-9"))
    with pytest.raises(ExportError, match=r"tokenizer.ggml.pre 'xyz-9' is not supported"):
        export_model(path, tmp_path / "package", QUIET)
    assert not (tmp_path / "package").exists()


def test_truncation_at_any_byte_is_one_clear_error(tmp_path: Path) -> None:
    """Never a hang, a crash or a model with missing weights."""
    whole = tmp_path / "whole.gguf"
    make_tiny_gguf(whole, tokenizer=True, vocab_size=269, num_hidden_layers=1)
    data = whole.read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in [0, 1, 4, 8, 23, *range(24, len(data) - 1, len(data) // 97), len(data) - 1]:
        cut.write_bytes(data[:size])
        with pytest.raises(ExportError) as caught:
            load_gguf(cut, True, SILENT)
        assert caught.value.exit_code == 3 and "\n" not in str(caught.value)


def test_damaged_headers_never_escape_as_other_errors(tmp_path: Path) -> None:
    """Random bytes in the header: loaded, or refused with ExportError."""
    whole = tmp_path / "whole.gguf"
    make_tiny_gguf(whole, tokenizer=True, vocab_size=269, num_hidden_layers=1)
    data = whole.read_bytes()
    header = GGUFReader(whole).data_offset
    seed = 20240229
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    damaged = tmp_path / "damaged.gguf"
    for _ in range(300):
        copy = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            copy[int(rng.integers(4, header))] = int(rng.integers(0, 256))
        damaged.write_bytes(copy)
        try:
            source = load_gguf(damaged, True, SILENT)
            folder = tmp_path / "out"
            folder.mkdir(exist_ok=True)
            source.write_tokenizer(folder)
        except ExportError as error:
            assert "\n" not in str(error)


def test_source_loader_agrees_with_the_model_it_was_written_from(tmp_path: Path) -> None:
    """The reference itself: an F32 file gives back the random model's logits."""
    from tiny_models import random_llama

    path = tmp_path / "tiny.gguf"
    make_tiny_gguf(path, "F32")
    original = random_llama(
        hidden_size=96,
        intermediate_size=64,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=16,
    )
    ids = torch.arange(30)[None]
    source = load_gguf(path, True, SILENT)
    reference: AutoModelForCausalLM = source.reference(source.spec)
    with torch.no_grad():
        torch.testing.assert_close(reference(ids).logits, original(ids).logits)


@pytest.mark.parametrize(
    ("pre", "text", "pieces"),
    [
        ("smollm", "I'm 2024!", ["I", "'m", " ", "2", "0", "2", "4", "!"]),
        ("gpt-2", "I'm 2024!", ["I", "'m", " 2024", "!"]),
        ("llama-bpe", "I'M 20245!\n\n x", ["I", "'M", " ", "202", "45", "!\n\n", " x"]),
        ("qwen2", "I'M 20245!\n\n x", ["I", "'M", " ", "2", "0", "2", "4", "5", "!\n\n", " x"]),
        ("default", "I'm 20245$x", ["I", "'", "m", " ", "202", "45", "$", "x"]),
    ],
)
def test_each_pre_tokenizer_cuts_as_its_name_says(
    pre: str, text: str, pieces: list[str], tmp_path: Path
) -> None:
    """The cuts `tokenizer.ggml.pre` stands for."""
    from quire_export.gguf_tokenizer import tokenizer_json
    from tokenizers import Tokenizer

    meta = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": ["a", "b", "ab"],
        "tokenizer.ggml.merges": ["a b"],
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tokenizer_json(meta)))
    cut = Tokenizer.from_file(str(path)).pre_tokenizer.pre_tokenize_str(text)
    assert [text[begin:end] for _, (begin, end) in cut] == pieces
