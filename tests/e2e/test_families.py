"""Every family answers as transformers does, in each cache kind, batched and alone."""

import json

import numpy as np
import pytest
from oracle import Margin, load_folder
from packages import PackageStore
from program import Program
from tiny_families import FAMILIES
from tiny_models import VOCAB_SIZE

LENGTHS = (1, 2, 16, 17, 33, 90)
STOCK = {"max_tokens": 20, "logprobs": 20}
# One variant of a family for the other cache kinds, which share all but the wrapper.
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


@pytest.mark.parametrize(
    ("name", "cache"),
    [(name, "explicit") for name in CHOSEN]
    + [(name, "none") for name in ("mistral", "gemma3", "phi3_partial_longrope", "gpt2")],
)
def test_graphs_of_stock_operators_answer_like_transformers_in_the_engine(
    name: str, cache: str, quire: Program, store: PackageStore
) -> None:
    """The same prompts in one call; the exporter has run these graphs by onnxruntime alone."""
    package = store.family(name, export={"cache": cache})
    assert json.loads((package / "model_info.json").read_text())["graph"] == cache
    prompts = random_prompts(8)
    answers = quire.generate(package, [{"token_ids": ids, **STOCK} for ids in prompts])
    model, margin = load_folder(store.source_of(package)), Margin()
    for ids, answer in zip(prompts, answers, strict=True):
        margin.check(model, ids, answer)
    alone = quire.generate(package, [{"token_ids": prompts[-1], **STOCK}])[0]
    assert alone["token_ids"] == answers[-1]["token_ids"]
    margin.conclude(f"{name} {cache}")
