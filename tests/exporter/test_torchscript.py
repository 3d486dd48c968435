"""The wrappers, traced, give what they gave untraced; offsets, cache shapes, greedy ids hold."""

import io
from pathlib import Path

import pytest
import torch
from nanochat_runs import DATA, golden
from quire_export import ExportOptions, export_model
from quire_export.nanochat import ExportableGPT, ExportableGPTWithCache, load_decoder
from quire_export.nanochat.checkpoint import find_model, load_checkpoint
from quire_export.nanochat.decoder import NanochatDecoder
from quire_export.nanochat.reference import NanochatReference

RUN = DATA / "A-e5-d4"


@pytest.fixture(scope="module")
def model() -> NanochatDecoder:
    """The trained E5 chat model."""
    return load_decoder(RUN, "sft")


@pytest.fixture(scope="module")
def reference() -> NanochatReference:
    """The same by its formulas."""
    checkpoint = load_checkpoint(*find_model(RUN, "sft", None, None), None)
    return NanochatReference(checkpoint.spec, checkpoint.tensors)


def through_a_file(module: torch.nn.Module, example: tuple[object, ...]) -> torch.nn.Module:
    """The module traced, saved and loaded again."""
    with torch.no_grad():
        traced = torch.jit.trace(module.eval(), example, check_trace=False, strict=False)
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    return torch.jit.load(file)


@pytest.mark.parametrize("offset", [0, 37])
@torch.no_grad()
def test_the_traced_exportable_gpt_differs_by_nothing(offset: int, model: NanochatDecoder) -> None:
    """Zero difference at other lengths, batches and offsets than it was traced with."""
    module = ExportableGPT(model)
    example = (torch.zeros(2, 3, dtype=torch.int64), torch.tensor(0))
    traced = through_a_file(module, example)
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, 4096, (3, 150), generator=generator)
    assert torch.equal(traced(ids, torch.tensor(offset)), module(ids, offset))


@torch.no_grad()
def test_exportable_gpt_computes_the_source_model(
    model: NanochatDecoder, reference: NanochatReference
) -> None:
    """Beyond the short window; a shifted beginning changes only what positions decide."""
    ids = torch.tensor([golden("A-e5-d4", "golden_sft")["prompts"][5]["ids"]])
    ours = ExportableGPT(model)(ids)
    assert (ours - reference(ids).logits).abs().max() < 5e-5
    # Rotary positions are relative: an offset must not change anything but rounding.
    assert (ExportableGPT(model)(ids, 100) - ours).abs().max() < 5e-4


@torch.no_grad()
def test_the_traced_cache_grows_and_the_greedy_ids_are_upstreams(model: NanochatDecoder) -> None:
    """Shapes after each step; token by token the golden continuation."""
    module = ExportableGPTWithCache(model)
    keys, values = module.empty_cache()
    ids = torch.zeros(1, 2, dtype=torch.int64)
    example = (ids, keys, values, torch.arange(2)[None], ids)
    traced = through_a_file(module, example)
    prompt = golden("A-e5-d4", "golden_sft")["prompts"][2]
    fed, previous, produced = prompt["ids"], -1, []
    for token in prompt["greedy"]["tokens"]:
        begin = keys[0].shape[2]
        step = torch.tensor([fed])
        before = torch.tensor([[previous, *fed[:-1]]])
        positions = torch.arange(begin, begin + len(fed))[None]
        logits, keys, values = traced(step, keys, values, positions, before)
        assert all(part.shape == (1, 4, begin + len(fed), 32) for part in (*keys, *values))
        produced.append(int(logits[0, -1].argmax()))
        previous, fed = fed[-1], [token]
    assert produced == prompt["greedy"]["tokens"]


def test_the_script_of_a_package_marks_its_caches_as_written(
    tiny_folder: Path, tmp_path: Path
) -> None:
    """The schema of quire::paged_attention has alias annotations, so no copy may slip in."""
    package = tmp_path / "package"
    options = ExportOptions(progress=False, format="torchscript", quantize="int8")
    export_model(tiny_folder, package, options)
    assert not (package / "model.onnx").exists()
    graph = torch.jit.load(str(package / "model.pt")).inlined_graph
    nodes = [node for node in graph.nodes() if node.kind().startswith("quire::")]
    assert {"quire::linear", "quire::paged_attention"} <= {node.kind() for node in nodes}
    schema = next(node.schema() for node in nodes if node.kind() == "quire::paged_attention")
    assert "Tensor(a!) key_cache, Tensor(b!) value_cache" in schema
