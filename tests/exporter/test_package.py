"""The package's folder: complete, checked, aligned, and never half written."""

import errno
import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import xxhash
from quire_export import ExportError, ExportOptions, UsageError, export_model
from tokenizers import Tokenizer
from transformers import AutoTokenizer

QUIET = ExportOptions(progress=False)


def load(package: Path, name: str) -> dict:
    """A JSON file of a package."""
    return json.loads((package / name).read_text())


def test_model_info_names_every_file_with_right_checksums(tiny_package: Path) -> None:
    """Sizes, XXH3-128 and SHA-256, recomputed."""
    files = load(tiny_package, "model_info.json")["files"]
    assert set(files) == {p.name for p in tiny_package.iterdir()} - {"model_info.json"}
    for name, entry in files.items():
        data = (tiny_package / name).read_bytes()
        assert entry == {
            "size": len(data),
            "xxh3_128": xxhash.xxh3_128_hexdigest(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }


def test_model_info_describes_the_model(tiny_package: Path) -> None:
    """The fields of docs/model_package.md."""
    info = load(tiny_package, "model_info.json")
    expected = {
        "format": "quire-model-package",
        "format_version": 1,
        "architecture": "llama",
        "graph": "paged",
        "backends": ["onnx"],
        "num_layers": 2,
        "hidden_size": 60,
        "intermediate_size": 70,
        "num_heads": 6,
        "num_kv_heads": 2,
        "head_dim": 10,
        "vocab_size": 301,
        "max_seq_len": 256,
        "dtype": "fp32",
        "tool_markers": None,
        "quantization": {"default": "none", "tensors": {}},
        "cache_layers": [{"num_kv_heads": 2, "head_dim": 10}],
        "special_ids": {"bos": 256, "eos": [257], "pad": None, "unk": None},
        "control_token_ids": [256, 257, 258, 259],
    }
    assert {key: info[key] for key in expected} == expected
    assert info["source"]["kind"] == "huggingface" and len(info["source"]["sha256"]) == 64


def test_external_data_is_aligned_and_relative(tiny_package: Path) -> None:
    """One file beside the graph; every tensor begins at a multiple of 64."""
    model = onnx.load(tiny_package / "model.onnx", load_external_data=False)
    ends = [0]
    for tensor in model.graph.initializer:
        entry = {e.key: e.value for e in tensor.external_data}
        assert entry["location"] == "model.onnx.data" and int(entry["offset"]) % 64 == 0
        assert int(entry["offset"]) >= ends[-1]
        ends.append(int(entry["offset"]) + int(entry["length"]))
    assert ends[-1] == (tiny_package / "model.onnx.data").stat().st_size


def test_a_layer_is_ten_nodes(tiny_package: Path) -> None:
    """No stray casts, reshapes or guards; nothing of this machine in the graph."""
    model = onnx.load(tiny_package / "model.onnx", load_external_data=False)
    layer = [
        "RMSNorm",
        "Linear",
        "PagedAttention",
        "Linear",
        "Add",
        "RMSNorm",
        "Linear",
        "SwiGLU",
        "Linear",
        "Add",
    ]
    assert [n.op_type for n in model.graph.node] == [
        "Embedding",
        *layer,
        *layer,
        "Gather",
        "RMSNorm",
        "Linear",
    ]
    assert len({n.name for n in model.graph.node}) == len(model.graph.node)
    assert {(o.domain, o.version) for o in model.opset_import} == {("", 20), ("quire", 1)}
    raw = (tiny_package / "model.onnx").read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in raw and b"site-packages" not in raw
    inputs = [i.name for i in model.graph.input]
    assert inputs == [
        "input_ids",
        "cumulative_sequence_lengths",
        "past_sequence_lengths",
        "block_table",
        "logits_indices",
        "key_cache.0",
        "value_cache.0",
        "key_cache.1",
        "value_cache.1",
    ]


def test_goldens_follow_the_schema(tiny_package: Path) -> None:
    """Prompts of the promised lengths; best logit first; greedy continues the prompt."""
    golden = load(tiny_package, "golden.json")
    assert golden["tolerance"] == {
        "max_abs_logit_diff": 2e-4,
        "min_gap": 1e-3,
        "min_top1_agreement": 0.99,
    }
    names = [p["name"] for p in golden["prompts"]]
    assert names == ["len1", "len7", "len64", "chat1", "chat2"]
    for prompt in golden["prompts"]:
        assert len(prompt["positions"]) == len(prompt["ids"])
        for position in prompt["positions"]:
            logits = position["top_logits"]
            assert len(set(position["top_ids"])) == len(logits) == 16
            assert logits == sorted(logits, reverse=True)
            assert np.isclose(position["gap"], logits[0] - logits[1], atol=1e-6)
        greedy = prompt["greedy"]
        assert len(greedy["ids"]) == len(greedy["gaps"]) <= 32
        assert greedy["ids"][0] == prompt["positions"][-1]["top_ids"][0]
        assert len(greedy["ids"]) == 32 or greedy["ids"][-1] == 257


def test_tokenizer_goldens_are_the_reference_s(tiny_package: Path, tiny_folder: Path) -> None:
    """Recomputed with the tokenizers library; chats with transformers on the source folder."""
    golden = load(tiny_package, "golden.json")
    tokenizer = Tokenizer.from_file(str(tiny_package / "tokenizer.json"))
    assert len(golden["tokenizer"]) >= 60
    assert any(entry["special"] for entry in golden["tokenizer"])
    for entry in golden["tokenizer"]:
        ids = tokenizer.encode(entry["text"], add_special_tokens=entry["special"]).ids
        assert entry["ids"] == ids
        assert entry["special"] or "<|" not in entry["text"]
    reference = AutoTokenizer.from_pretrained(tiny_folder)
    for chat in golden["chat"]:
        assert chat["text"] == reference.apply_chat_template(
            chat["messages"], tokenize=False, add_generation_prompt=True
        )
        assert "What is the capital of France?" in golden["chat"][0]["text"]


def test_a_filled_destination_is_refused_and_kept(tiny_folder: Path, tmp_path: Path) -> None:
    """Without --force somebody's files stay."""
    target = tmp_path / "package"
    target.mkdir()
    (target / "mine.txt").write_text("keep me")
    with pytest.raises(UsageError, match=r"not empty.*--force"):
        export_model(tiny_folder, target, QUIET)
    assert [p.name for p in tmp_path.rglob("*")] == ["package", "mine.txt"]


def test_force_replaces_a_package(
    tiny_folder: Path, tiny_package: Path, tmp_path: Path
) -> None:
    """The old one is gone, and nothing else lies around."""
    target = Path(shutil.copytree(tiny_package, tmp_path / "package"))
    (target / "golden.json").write_text("old")
    export_model(tiny_folder, target, ExportOptions(force=True, progress=False))
    assert (target / "golden.json").read_bytes() == (tiny_package / "golden.json").read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["package"]


def test_a_full_disk_leaves_nothing_behind(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how many bytes are needed."""

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("quire_export.export.write_model", full)
    with pytest.raises(ExportError, match=r"about \d+ bytes are needed") as caught:
        export_model(tiny_folder, tmp_path / "package", QUIET)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_disk_known_to_be_too_small_is_refused_before_writing(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how many bytes are free, too."""
    usage = SimpleNamespace(total=1000, used=900, free=100)
    monkeypatch.setattr("quire_export.package.shutil.disk_usage", lambda _path: usage)
    with pytest.raises(ExportError, match=r"about \d+ bytes are needed.* 100 are free"):
        export_model(tiny_folder, tmp_path / "package", QUIET)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_force_keeps_the_old_package(
    tiny_folder: Path, tiny_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old package is replaced only by a finished one."""
    target = Path(shutil.copytree(tiny_package, tmp_path / "package"))
    (target / "golden.json").write_text("old")

    def broken(*_args: object) -> None:
        raise ExportError("the exported graph differs")

    monkeypatch.setattr("quire_export.export.check_graph", broken)
    with pytest.raises(ExportError, match="differs"):
        export_model(tiny_folder, target, ExportOptions(force=True, progress=False))
    assert (target / "golden.json").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["package"]


def test_a_wrong_graph_is_never_handed_out(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder with a wrong rotary base fails the comparison with its source."""
    from quire_export import decoder

    right = decoder.rope_tables
    monkeypatch.setattr(decoder, "rope_tables", lambda *a: tuple(t.flip(0) for t in right(*a)))
    with pytest.raises(ExportError, match="differs from the source model"):
        export_model(tiny_folder, tmp_path / "package", QUIET)
    assert list(tmp_path.iterdir()) == []


def test_exports_are_reproducible(tiny_folder: Path, tiny_package: Path, tmp_path: Path) -> None:
    """The same source gives the same bytes."""
    export_model(tiny_folder, tmp_path / "package", QUIET)
    for path in tiny_package.iterdir():
        assert path.read_bytes() == (tmp_path / "package" / path.name).read_bytes(), path.name
