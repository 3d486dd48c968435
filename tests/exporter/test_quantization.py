"""Choosing bits: the search beats rounding to nearest, patterns are obeyed, losses are named."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from quire_export import ExportError, ExportOptions, export_model
from quire_export.cli import main
from quire_export.golden import PackageTokenizer
from quire_export.quality import Quality, check_quality, compare, predictions, windows_of
from quire_export.weights import StoredMatrix, store_int4
from test_numerics import random_matrix
from tiny_models import BOS, random_llama, write_tokenizer


def weighted_error(stored: StoredMatrix, values: torch.Tensor) -> torch.Tensor:
    """Squared error of each block of 32, larger elements weighing more, as the search counts it."""
    padded, made = (
        torch.nn.functional.pad(x, (0, -x.shape[1] % 32)).reshape(len(x), -1, 32)
        for x in (values, stored.dequantize())
    )
    count = torch.full((padded.shape[1], 1), 32.0)
    weight = padded.abs() + (padded.square().sum(-1, keepdim=True) / count).sqrt()
    return (weight * (made - padded).square()).sum(-1)


@pytest.mark.parametrize("columns", [32, 96, 320])
def test_the_search_never_loses_to_the_nearest_and_wins_a_tenth(columns: int) -> None:
    """Of every block, and in all by more than a tenth; plain squared error falls as well."""
    values = random_matrix(300, columns) * random_matrix(300, 1, 2).exp()
    nearest, searched = store_int4(values), store_int4(values, search=True)
    before, after = (weighted_error(stored, values) for stored in (nearest, searched))
    assert (after <= before * 1.0001).all()
    assert after.sum() < 0.9 * before.sum()
    plain = [(s.dequantize() - values).square().sum() for s in (nearest, searched)]
    assert plain[1] < 0.95 * plain[0]


@pytest.mark.parametrize("columns", [1, 31, 33, 50])
def test_the_search_survives_odd_ends_and_odd_values(columns: int) -> None:
    """Last blocks of any length, constants, zeros, one outlier; the padding stays zero."""
    values = random_matrix(6, columns)
    values[0], values[1], values[2, -1] = 0.0, 0.75, 1000.0
    stored = store_int4(values, search=True)
    error = (stored.dequantize() - values).abs()
    assert error[0].max() == 0 and error[1].max() < 1e-3 and error[2].max() < 70
    nibbles = torch.cat([stored.weight & 15, stored.weight >> 4], dim=-1)
    assert (nibbles.reshape(6, -1)[:, columns:] == 0).all()


def test_patterns_say_what_int4_stores_in_eight_bits(tiny_folder: Path, tmp_path: Path) -> None:
    """And without any everything has 4."""
    options = ExportOptions(progress=False, quantize="int4", wide=("*.o_proj.weight",))
    report = export_model(tiny_folder, tmp_path / "some", options)
    info = json.loads((tmp_path / "some" / "model_info.json").read_text())["quantization"]
    assert info["default"] == "int4"
    assert set(info["tensors"]) == {f"model.layers.{i}.self_attn.o_proj.weight" for i in (0, 1)}
    assert report.quality is not None and report.quality.num_tokens > 200
    options = ExportOptions(progress=False, quantize="int4", wide=(), rounding="nearest")
    nearest = export_model(tiny_folder, tmp_path / "all", options)
    info = json.loads((tmp_path / "all" / "model_info.json").read_text())["quantization"]
    assert info["tensors"] == {}
    assert nearest.quality.agreement < report.quality.agreement < 1


def test_perplexity_is_that_of_the_chain_rule(tmp_path: Path) -> None:
    """Against probabilities multiplied one by one in NumPy."""
    write_tokenizer(tmp_path)
    model = random_llama()
    windows = windows_of(PackageTokenizer(tmp_path, 301), BOS, 100)
    assert all(w[0] == BOS and len(w) <= 100 for w in windows) and len(windows) > 5
    found = compare(predictions(model, windows), predictions(model, windows))
    total, count = 0.0, 0
    for window in windows:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([window])).logits[0].double().numpy()
        for row, following in zip(logits[:-1], window[1:], strict=True):
            total -= np.log(np.exp(row[following]) / np.exp(row).sum())
            count += 1
    assert found.num_tokens == count and found.agreement == 1 and found.rise == 1
    np.testing.assert_allclose(found.source_perplexity, np.exp(total / count), rtol=1e-4)


def test_a_loss_beyond_the_gate_is_refused_unless_forced() -> None:
    """One line with both figures and what to do; a source that knows nothing has none to lose."""
    bad = Quality(1000, 20.0, 30.0, 0.5)
    with pytest.raises(ExportError, match="from 20 to 30, by more than 25%.*--force-quality") as e:
        check_quality(bad, 301, forced=False)
    assert e.value.exit_code == 1
    check_quality(bad, 301, forced=True)
    check_quality(Quality(1000, 20.0, 24.9, 0.5), 301, forced=False)
    check_quality(Quality(1000, 400.0, 4000.0, 0.1), 301, forced=False)


def test_the_command_prints_what_was_lost(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Perplexity before and after, and top-1 agreement."""
    arguments = ["--quantize", "int4", "--rounding", "nearest", "--wide", "*embed*"]
    assert main([str(tiny_folder), "-o", str(tmp_path / "package"), *arguments]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("perplexity of ") and "top-1 agreement" in line
