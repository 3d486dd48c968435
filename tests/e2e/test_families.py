"""Every family answers as transformers does, in each cache kind, batched and alone."""

import json

import numpy as np
import pytest
from oracle import Margin, load_folder
from packages import PackageStore
from program import Program
from quire_export.stock_run import StockGraph
from tiny_families import FAMILIES
from tiny_models import VOCAB_SIZE

LENGTHS = (1, 2, 16, 17, 33, 90)
STOCK = {"max_tokens": 20, "logprobs": 20}
# One variant of a family in the cache kinds that share everything but the wrapper.
CHOSEN = (
    "llama_untied_llama3",
    "mistral",
    "qwen2_windowed",
    "qwen3",
    "gemma2",
    "gemma3",
    "phi3_partial_longrope",
    "gpt2",
    "smollm3_windowed",
)


def random_prompts(seed: int) -> list[list[int]]:
    """One prompt of each length."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, VOCAB_SIZE, length).tolist() for length in LENGTHS]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_answers_like_transformers_alone_and_batched(
    name: str, quire: Program, store: PackageStore
) -> None:
    """Paged, several prompts in one call; each alone gives the very same answer."""
    package = store.family(name)
    prompts = random_prompts(8)
    requests = [{"token_ids": ids, **STOCK} for ids in prompts]
    batched = quire.generate(package, requests)
    model, margin = load_folder(store.source_of(package)), Margin()
    for ids, answer in zip(prompts, batched, strict=True):
        margin.check(model, ids, answer)
    for i in (1, 5):
        alone = quire.generate(package, [requests[i]])[0]
        assert alone["token_ids"] == batched[i]["token_ids"]
        assert alone["logprobs"] == batched[i]["logprobs"]
    margin.conclude(name)


@pytest.mark.parametrize("cache", ["explicit", "none"])
@pytest.mark.parametrize("name", CHOSEN)
def test_graphs_of_stock_operators_give_the_source_s_greedy_ids(
    name: str, cache: str, store: PackageStore
) -> None:
    """By the onnxruntime package alone; the prompts are none that the export saw."""
    package = store.family(name, export={"cache": cache})
    assert json.loads((package / "model_info.json").read_text())["graph"] == cache
    graph = StockGraph(package / "model.onnx")
    model, margin = load_folder(store.source_of(package)), Margin()
    for prompt in random_prompts(9)[:5]:
        ids: list[int] = []
        for _ in range(8):
            ids.append(int(graph.logits([prompt + ids])[0][-1].argmax()))
        margin.check(model, prompt, {"token_ids": ids})
    # Of so few positions one near tie is luck, and more than a hundredth.
    assert margin.near_ties <= 1, margin
