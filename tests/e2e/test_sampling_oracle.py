"""Penalties, bias, bans, truncation, logprobs and stop strings against NumPy."""

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracle import load_folder
from packages import PackageStore
from program import Program
from tokenizers import Tokenizer

VOCAB = 301
NEAR = 2e-3  # logits this close are a near tie: fp32 rounding may choose either


def random_case(rng: random.Random) -> dict[str, Any]:
    """One request with a random choice of parameters."""
    case: dict[str, Any] = {
        "token_ids": [rng.randrange(3, VOCAB) for _ in range(rng.randrange(1, 30))],
        "max_tokens": rng.randrange(1, 25),
        "ignore_eos": True,
        "logprobs": rng.randrange(0, 21),
        "seed": rng.randrange(1 << 40),
    }
    if rng.random() < 0.5:
        case["temperature"] = rng.choice([0.3, 0.8, 1.0, 1.7])
        case["top_k"] = rng.choice([0, 1, 5, 40])
        case["top_p"] = rng.choice([1.0, 0.9, 0.4])
        case["min_p"] = rng.choice([0.0, 0.05, 0.4])
    if rng.random() < 0.5:
        case["repetition_penalty"] = rng.choice([0.7, 1.1, 1.8])
    if rng.random() < 0.5:
        case["presence_penalty"] = rng.choice([-1.5, 0.6, 2.0])
        case["frequency_penalty"] = rng.choice([-0.4, 0.3, 1.2])
    if rng.random() < 0.4:
        ids = rng.sample(range(3, VOCAB), 6)
        case["logit_bias"] = {str(i): rng.uniform(-100, 8) for i in ids}
    if rng.random() < 0.3:
        case["allowed_token_ids"] = rng.sample(range(3, VOCAB), 40)
    if rng.random() < 0.3:
        case["bad_words"] = [[rng.randrange(3, VOCAB)] for _ in range(8)]
        case["bad_words"] += [[rng.randrange(3, VOCAB), rng.randrange(3, VOCAB)] for _ in range(60)]
    return case


def processed(row: np.ndarray, case: dict[str, Any], output: list[int]) -> np.ndarray:
    """The logits of one step after everything but temperature and truncation; vLLM's order."""
    logits = row.astype(np.float64).copy()
    if allowed := case.get("allowed_token_ids"):
        banned = np.ones(VOCAB, bool)
        banned[allowed] = False
        logits[banned] = -np.inf
    for word in case.get("bad_words", []):
        if len(word) == 1 or output[-(len(word) - 1) :] == word[:-1]:
            logits[word[-1]] = -np.inf
    for token, bias in case.get("logit_bias", {}).items():
        logits[int(token)] += bias
    seen = np.unique([*case["token_ids"], *output])
    penalty = case.get("repetition_penalty", 1.0)
    logits[seen] = np.where(logits[seen] > 0, logits[seen] / penalty, logits[seen] * penalty)
    counts = np.bincount(output, minlength=VOCAB) if output else np.zeros(VOCAB)
    logits -= case.get("frequency_penalty", 0.0) * counts
    logits -= case.get("presence_penalty", 0.0) * (counts > 0)
    return logits


def kept(logits: np.ndarray, case: dict[str, Any], slack: float) -> np.ndarray:
    """Which tokens truncation leaves; `slack` in logits widens every bound."""
    scaled = logits / case["temperature"]
    room = slack / case["temperature"]
    probabilities = np.exp(scaled - scaled.max())
    keep = probabilities >= case["min_p"] * np.exp(-room)
    if top_k := case["top_k"]:
        keep &= scaled >= np.sort(scaled)[-top_k] - room
    order = np.argsort(-scaled, kind="stable")
    weights = np.where(probabilities >= case["min_p"], probabilities, 0)[order]
    if top_k:
        weights[top_k:] = 0
    before = (np.cumsum(weights) - weights) / weights.sum()
    if case["top_p"] < 1:
        inside = np.zeros(VOCAB, bool)
        inside[order[before < case["top_p"] * (1 + 10 * slack)]] = True
        keep &= inside
    return keep


@pytest.fixture(scope="module")
def answers(
    quire: Program, tiny_package: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """150 random cases with what the engine made of them, all in one crowd."""
    rng = random.Random(20261122)
    cases = [random_case(rng) for _ in range(150)]
    path = tmp_path_factory.mktemp("cases") / "cases.jsonl"
    path.write_text("\n".join(map(json.dumps, cases)))
    run = quire("generate", "-m", tiny_package, "--file", path, "--json", "--kv-blocks", "64")
    assert run.code == 0, run
    return list(zip(cases, map(json.loads, run.out.strip().split("\n")), strict=True))


def test_every_step_chooses_what_numpy_says(
    answers: list[tuple[dict[str, Any], dict[str, Any]]], tiny_package: Path, store: PackageStore
) -> None:
    """Greedy: the best of the processed logits. Drawn: one of those that truncation leaves."""
    model = load_folder(store.source_of(tiny_package))
    steps = near = 0
    for case, answer in answers:
        prompt, ids = case["token_ids"], answer["token_ids"]
        with torch.no_grad():
            rows = model(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 :]
        rows = rows.double().numpy()
        for i, token in enumerate(ids):
            steps += 1
            logits = processed(rows[i], case, ids[:i])
            assert np.isfinite(logits[token]), (case, i)
            if "temperature" in case:
                assert kept(logits, case, NEAR)[token], (case, i, token)
            else:
                near += logits.argmax() != token
                assert logits[token] >= logits.max() - NEAR, (case, i, token)
            raw = rows[i] - np.logaddexp.reduce(rows[i])
            entry = answer["logprobs"][i]
            assert abs(entry["logprob"] - raw[token]) < 1e-3
            top = entry["top_logprobs"]
            assert len(top) == case["logprobs"]
            expected = np.sort(raw)[::-1][: len(top)]
            assert np.allclose([best["logprob"] for best in top], expected, atol=1e-3)
    print(f"{steps} steps, {near} near ties")
    assert steps > 1000 and near <= 5


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1.0},
        {"temperature": 0.7, "top_k": 8},
        {"temperature": 1.3, "top_p": 0.8, "min_p": 0.02},
    ],
)
def test_draws_follow_the_distribution(
    settings: dict[str, Any],
    quire: Program,
    tiny_package: Path,
    store: PackageStore,
    tmp_path: Path,
) -> None:
    """2,560 first tokens of one prompt: a chi-square statistic within five deviations."""
    model = load_folder(store.source_of(tiny_package))
    prompt = [5, 77, 130, 9]
    with torch.no_grad():
        row = model(input_ids=torch.tensor([prompt])).logits[0, -1].double().numpy()
    case = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, **settings}
    scaled = row / case["temperature"]
    weights = np.where(kept(row, case, 0.0), np.exp(scaled - scaled.max()), 0)
    probabilities = weights / weights.sum()
    path = tmp_path / "draws.jsonl"
    request = {"token_ids": prompt, "max_tokens": 1, "n": 128, "ignore_eos": True, **settings}
    path.write_text("\n".join(json.dumps({**request, "seed": seed}) for seed in range(20)))
    run = quire("generate", "-m", tiny_package, "--file", path, "--json")
    assert run.code == 0, run
    drawn = [
        sample["token_ids"][0] for line in run.out.strip().split("\n")
        for sample in json.loads(line)["outputs"]
    ]  # fmt: skip
    counts = np.bincount(drawn, minlength=VOCAB)
    expected = probabilities * len(drawn)
    assert counts[expected == 0].sum() == 0
    common = expected >= 5
    observed = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], max(expected[~common].sum(), 1e-9))
    observed, wanted = observed[wanted > 1], wanted[wanted > 1]
    statistic = ((observed - wanted) ** 2 / wanted).sum()
    freedom = len(observed) - 1
    print(f"chi-square {statistic:.1f} with {freedom} degrees of freedom")
    assert statistic < freedom + 5 * np.sqrt(2 * freedom)


def test_a_stop_string_ends_the_text_where_python_finds_it(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Strings cut out of the unstopped text, across token and UTF-8 borders, several at once."""
    rng = random.Random(7)
    tokenizer = Tokenizer.from_file(str(tiny_package / "tokenizer.json"))
    base = {"max_tokens": 60, "temperature": 1.2, "ignore_eos": True}
    prompts = [[rng.randrange(3, VOCAB) for _ in range(8)] for _ in range(40)]
    free = [{"token_ids": ids, "seed": i, **base} for i, ids in enumerate(prompts)]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(map(json.dumps, free)))
    run = quire("generate", "-m", tiny_package, "--file", path, "--json")
    texts = [json.loads(line)["text"] for line in run.out.strip().split("\n")]
    stopped = []
    for case, text in zip(free, texts, strict=True):
        # Bytes that are no UTF-8 come out as U+FFFD, which a stop string cannot mean.
        pieces = re.findall("[^\ufffd]{1,8}", text)
        stopped.append({**case, "stop": rng.sample(pieces, 2) + ["~~~"]})
    path.write_text("\n".join(map(json.dumps, stopped)))
    run = quire("generate", "-m", tiny_package, "--file", path, "--json")
    assert run.code == 0, run
    cut = 0
    for case, text, line in zip(stopped, texts, run.out.strip().split("\n"), strict=True):
        answer = json.loads(line)
        # The stop string that is complete first ends the text; one token may complete both.
        found = [(text.find(stop), len(stop)) for stop in case["stop"] if stop in text]
        if found:
            first_end = min(begin + length for begin, length in found)
            candidates = {text[:begin] for begin, _ in found if begin < first_end}
            assert answer["text"] in candidates, (case, text, answer["text"])
            assert answer["finish_reason"] == "stop"
            cut += 1
        else:
            assert answer["text"] == text and answer["finish_reason"] == "length"
        assert tokenizer.decode(answer["token_ids"]).startswith(answer["text"].rstrip("\ufffd"))
    assert cut > 25
