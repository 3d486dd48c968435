"""A model in several GGUF files, as llama-gguf-split and the converter write them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from quire_export import ExportError, ExportOptions, export_model
from quire_export.gguf_source import load_gguf
from quire_export.progress import Progress
from quire_export.reference_ops import ReferenceGraph
from tiny_gguf import make_tiny_gguf

SILENT = Progress(enabled=False)


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """A model in three or more parts, by the gguf package's own writer."""
    folder = tmp_path / "parts"
    folder.mkdir()
    make_tiny_gguf(
        folder / "tiny.gguf", "Q8_0", split_max_tensors=9, tokenizer=True, vocab_size=269
    )
    found = sorted(folder.glob("tiny-*.gguf"))
    assert len(found) >= 3
    return found


def test_any_part_names_the_whole_model(parts: list[Path], tmp_path: Path) -> None:
    """Tensors, tokenizer and name are those of the model in one file."""
    whole = tmp_path / "tiny.gguf"
    make_tiny_gguf(whole, "Q8_0", tokenizer=True, vocab_size=269)
    options = ExportOptions(progress=False)
    export_model(whole, tmp_path / "whole", options)
    report = export_model(parts[1], tmp_path / "split", options)
    assert report.name == "tiny"
    ids = np.random.default_rng(1).integers(0, 256, 30).tolist()
    one, many = (
        ReferenceGraph(tmp_path / n / "model.onnx").logits([ids])[0] for n in ("whole", "split")
    )
    np.testing.assert_array_equal(one, many)
    for name in ("tokenizer.json", "generation_config.json"):
        assert (tmp_path / "whole" / name).read_text() == (tmp_path / "split" / name).read_text()


def test_every_part_gives_the_same_fingerprint(parts: list[Path]) -> None:
    """Which one was named does not matter."""
    found = {load_gguf(part, True, SILENT).info["sha256"] for part in parts}
    assert len(found) == 1


def test_a_missing_part_is_named(parts: list[Path]) -> None:
    """The model is never read without it."""
    parts[1].unlink()
    with pytest.raises(ExportError, match=rf"{parts[1].name} is not beside .* into one folder"):
        load_gguf(parts[0], True, SILENT)


def test_parts_in_the_wrong_place_are_refused(parts: list[Path]) -> None:
    """Two parts with each other's names."""
    spare = parts[0].with_name("spare")
    parts[1].rename(spare)
    parts[2].rename(parts[1])
    spare.rename(parts[2])
    with pytest.raises(ExportError, match="is not part 2 of"):
        load_gguf(parts[0], True, SILENT)


def test_a_part_of_another_model_is_refused(parts: list[Path], tmp_path: Path) -> None:
    """Its tensors would be there twice, or too many of them."""
    folder = tmp_path / "other"
    folder.mkdir()
    make_tiny_gguf(folder / "tiny.gguf", "Q8_0", split_max_tensors=8, num_hidden_layers=2)
    other = sorted(folder.glob("tiny-*.gguf"))
    assert len(other) == len(parts)
    shutil.copyfile(other[-1], parts[-1])
    with pytest.raises(ExportError, match=r"another part|instead of"):
        load_gguf(parts[0], True, SILENT)


def test_a_part_under_another_name_says_what_it_is(parts: list[Path]) -> None:
    """Renamed, it is no model."""
    renamed = parts[0].with_name("model.gguf")
    parts[0].rename(renamed)
    with pytest.raises(ExportError, match="one part of several .* merge them"):
        load_gguf(renamed, True, SILENT)


@pytest.mark.parametrize(
    "name", ["m-00000-of-00003.gguf", "m-00004-of-00003.gguf", "m-00001-of-09999.gguf"]
)
def test_names_that_cannot_be_are_refused(name: str, tmp_path: Path) -> None:
    """Before anything is opened."""
    (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(ExportError, match="is no part of"):
        load_gguf(tmp_path / name, True, SILENT)


def test_a_reference_reads_all_parts(parts: list[Path]) -> None:
    """Whose logits the export is compared with."""
    source = load_gguf(parts[0], True, SILENT)
    model = source.reference(source.spec)
    with torch.no_grad():
        assert torch.isfinite(model(input_ids=torch.arange(9)[None]).logits).all()
