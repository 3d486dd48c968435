"""nanochat packages answer as upstream's own code did, alone, in a crowd and squeezed."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nanochat_runs import DATA, ERAS, TRAINED, era_run, golden
from packages import PackageStore
from program import Program

SQUEEZE = ("--kv-blocks", "60", "--max-batch-tokens", "40")


def bits(answers: list[dict[str, Any]]) -> list[Any]:
    """What must be equal to the last digit."""
    return [(answer["token_ids"], answer["logprobs"]) for answer in answers]


def era_package(store: PackageStore, name: str, folder: Path) -> Path:
    """The package of an era's random weights."""
    softcap = 20.0 if name.startswith("e3") else None
    run = era_run(name, folder / "run")
    return store.from_source(f"nanochat-{name}", run, source="base", softcap=softcap)


@pytest.mark.parametrize("name", TRAINED)
def test_greedy_ids_are_upstreams_whatever_the_company(
    name: str, quire: Program, store: PackageStore
) -> None:
    """Prompts within and beyond the windows; batched, alone, preempted, with prefix hits."""
    source = TRAINED[name]
    package = store.from_source(f"nanochat-{name}", DATA / name, source=source)
    prompts = golden(name, f"golden_{source}")["prompts"]
    prompts = [prompt for prompt in prompts if prompt.get("greedy")]
    requests = [{"token_ids": p["ids"], "max_tokens": 64, "logprobs": 20, "temperature": 0} for p in prompts]
    batched = quire.generate(package, requests)
    for prompt, answer in zip(prompts, batched, strict=True):
        assert answer["token_ids"] == prompt["greedy"]["tokens"], prompt["name"]
        first = {t["token_id"]: t["logprob"] for t in answer["logprobs"][0]["top_logprobs"]}
        for token, logit in prompt["last_row_top8"]:
            assert abs(first[token] - (logit - prompt["logsumexp"][-1])) < 1e-4
    alone = [quire.generate(package, [request])[0] for request in requests]
    assert bits(alone) == bits(batched)
    squeezed = quire.generate(package, requests + requests, *SQUEEZE)
    assert bits(squeezed) == bits(alone + alone)
    assert any(answer["usage"]["cached_tokens"] > 0 for answer in squeezed)


@pytest.mark.parametrize("name", ERAS)
def test_every_era_has_upstreams_logits(
    name: str, quire: Program, store: PackageStore, tmp_path: Path
) -> None:
    """Each stored position is asked for as a prompt of its own; later ones hit the cache."""
    package = era_package(store, name, tmp_path)
    saved = np.load(DATA / "eras" / name / "logits.npz")
    for prompt in ("short", "long"):
        ids, rows = saved[f"{prompt}_ids"].tolist(), saved[f"{prompt}_rows"].tolist()
        requests = [
            {"token_ids": ids[: row + 1], "max_tokens": 1, "logprobs": 20, "temperature": 0}
            for row in rows
        ]
        answers = quire.generate(package, requests, "--max-batch-tokens", "64")
        for logits, answer in zip(saved[f"{prompt}_logits"].astype(np.float64), answers, strict=True):
            assert answer["token_ids"] == [int(logits.argmax())]
            total = math.log(np.exp(logits).sum())
            for entry in answer["logprobs"][0]["top_logprobs"]:
                assert abs(entry["logprob"] - (logits[entry["token_id"]] - total)) < 1e-4
