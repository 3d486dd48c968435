"""Graphs of stock operators, run by the onnxruntime package as anybody would."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from quire_export import ExportOptions, export_model
from quire_export.operators import Matrix
from quire_export.stock import StockMatrix
from quire_export.weights import store_int4
from test_folder_export import source_logits
from tiny_families import make_tiny
from tiny_gguf import make_tiny_gguf
from tiny_models import VOCAB_SIZE
from transformers import AutoModelForCausalLM


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Gemma 3 (windows, two rotary tables) and its explicit package."""
    root = tmp_path_factory.mktemp("stock")
    folder = make_tiny(root / "source", "gemma3", num_hidden_layers=2, layer_types=None)
    export_model(folder, root / "package", ExportOptions(progress=False, cache="explicit"))
    return folder, root / "package"


def run(package: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """One call of the graph."""
    session = onnxruntime.InferenceSession(package / "model.onnx")
    return session.run(None, feeds)


def empty_cache(package: Path, batch: int) -> dict[str, np.ndarray]:
    """Caches of no token."""
    info = json.loads((package / "model_info.json").read_text())
    shape = (batch, info["num_kv_heads"], 0, info["head_dim"])
    return {
        f"past_key_values.{layer}.{kind}": np.zeros(shape, np.float32)
        for layer in range(info["num_layers"])
        for kind in ("key", "value")
    }


def test_an_explicit_graph_has_hugging_face_s_names_and_free_axes(
    windowed: tuple[Path, Path],
) -> None:
    """And nothing but operators of ONNX."""
    model = onnx.load(windowed[1] / "model.onnx", load_external_data=False)
    onnx.checker.check_model(str(windowed[1] / "model.onnx"))
    inputs = {
        i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in model.graph.input
    }
    assert list(inputs)[:4] == [
        "input_ids",
        "attention_mask",
        "position_ids",
        "past_key_values.0.key",
    ]
    assert inputs["input_ids"] == ["batch_size", "sequence_length"]
    assert inputs["past_key_values.1.value"] == ["batch_size", 2, "past_sequence_length", 18]
    outputs = [o.name for o in model.graph.output]
    assert outputs[:3] == ["logits", "present.0.key", "present.0.value"]
    assert {node.domain for node in model.graph.node} == {""}


def test_padding_anywhere_changes_nothing(windowed: tuple[Path, Path]) -> None:
    """On the left of a prompt, and inside the cache of the shorter sequence."""
    folder, package = windowed
    rng = np.random.default_rng(4)
    long, short = rng.integers(0, VOCAB_SIZE, 30), rng.integers(0, VOCAB_SIZE, 21)
    expected = [source_logits(folder, ids.tolist()) for ids in (long, short)]
    ids, mask = np.zeros((2, 28), np.int64), np.zeros((2, 28), np.int64)
    positions = np.zeros((2, 28), np.int64)
    for row, tokens in enumerate((long[:28], short[:16])):
        ids[row, 28 - len(tokens) :] = tokens
        mask[row, 28 - len(tokens) :] = 1
        positions[row, 28 - len(tokens) :] = np.arange(len(tokens))
    feeds = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    logits, *present = run(package, feeds | empty_cache(package, 2))
    np.testing.assert_allclose(logits[0], expected[0][:28], atol=2e-4)
    np.testing.assert_allclose(logits[1, 12:], expected[1][:16], atol=2e-4)
    # The shorter one's tokens now come before the padding, as a cache padded at its end has them.
    present = [np.stack([p[0], np.roll(p[1], -12, axis=1)]) for p in present]
    mask = np.concatenate([np.stack([mask[0], np.roll(mask[1], -12)]), np.ones((2, 2))], axis=1)
    feeds = {
        "input_ids": np.stack([long[28:30], short[16:18]]),
        "attention_mask": mask.astype(np.int64),
        "position_ids": np.array([[28, 29], [16, 17]]),
    }
    past = dict(zip(empty_cache(package, 2), present, strict=True))
    logits = run(package, feeds | past)[0]
    np.testing.assert_allclose(logits[0], expected[0][28:30], atol=2e-4)
    np.testing.assert_allclose(logits[1], expected[1][16:18], atol=2e-4)


def test_a_none_graph_counts_positions_from_its_offset(tmp_path: Path) -> None:
    """GPT-2's position table is read from position_offset on."""
    folder = make_tiny(tmp_path / "source", "gpt2", n_layer=1)
    export_model(folder, tmp_path / "package", ExportOptions(progress=False, cache="none"))
    ids = np.arange(9)[None] * 31 % VOCAB_SIZE
    moved = run(
        tmp_path / "package", {"input_ids": ids, "position_offset": np.array(40, np.int64)}
    )[0]
    assert np.abs(moved[0] - source_logits(folder, ids[0].tolist())).max() > 0.1
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        expected = model(
            input_ids=torch.from_numpy(ids), position_ids=torch.arange(40, 49)[None]
        ).logits[0]
    np.testing.assert_allclose(moved[0], expected.numpy(), atol=2e-4)


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0"])
def test_gguf_blocks_become_stock_nodes_of_the_same_values(kind: str, tmp_path: Path) -> None:
    """MatMulNBits computes with the file's values; those with a minimum within float rounding."""
    make_tiny_gguf(tmp_path / "model.gguf", kind, num_hidden_layers=1)
    package = tmp_path / "package"
    options = ExportOptions(progress=False, cache="explicit")
    report = export_model(tmp_path / "model.gguf", package, options)
    assert report.graph_difference.max_abs < 2e-4
    model = onnx.load(package / "model.onnx", load_external_data=False)
    nodes = [n for n in model.graph.node if n.op_type == "MatMulNBits"]
    # qkv, o, gate_up, down and the output layer; with a zero point where there is a minimum.
    assert len(nodes) == 5
    assert {len(n.input) for n in nodes} == ({4} if kind == "Q4_1" else {3})
    data = (package / "model.onnx.data").stat().st_size
    plain = tmp_path / "plain"
    options = ExportOptions(progress=False, cache="none", quantize="none")
    export_model(tmp_path / "model.gguf", plain, options)
    assert data < 0.45 * (plain / "model.onnx.data").stat().st_size


def test_blocks_of_one_value_keep_it(tmp_path: Path) -> None:
    """A scale of zero has no zero point; the constant moves into the scale."""
    values = torch.tensor([[0.5] * 32 + [-3.0] * 32, [0.0] * 64, list(range(64))]) / 2
    stored = store_int4(values)
    stock = StockMatrix(Matrix(stored))
    low, high = stock.weight & 15, stock.weight >> 4
    q = torch.stack([low, high], dim=-1).flatten(-2).float()
    made = (q - stock.zero.unsqueeze(-1)) * stock.scale.unsqueeze(-1)
    torch.testing.assert_close(made.reshape(3, -1), stored.dequantize(), atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize(("bits", "level"), [(8, 4), (16, 1)])
def test_coarse_activations_are_the_caller_s_choice(bits: int, level: int, tmp_path: Path) -> None:
    """8 asks MatMulNBits for its quantized kernel, 16 for float32; the tolerance says which."""
    folder = make_tiny(tmp_path / "source", "qwen2", num_hidden_layers=1)
    package = tmp_path / "package"
    options = ExportOptions(progress=False, cache="none", quantize="int4", activation_bits=bits)
    assert export_model(folder, package, options).graph_difference.max_abs < 2e-4
    nodes = onnx.load(package / "model.onnx", load_external_data=False).graph.node
    assert {a.i for n in nodes for a in n.attribute if a.name == "accuracy_level"} == {level}
    tolerance = json.loads((package / "golden.json").read_text())["tolerance"]
    assert (tolerance["max_abs_logit_diff"] > 1e-3) == (bits == 8)
