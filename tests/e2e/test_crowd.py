"""A prompt's answer does not depend on its company, bit for bit."""

import random
from pathlib import Path
from typing import Any

import pytest
from program import Program

PREAMBLE = "You are a careful assistant who answers in one short sentence. " * 4
TEXTS = [
    PREAMBLE + "What is the tallest mountain?",
    PREAMBLE + "What is the longest river?",
    PREAMBLE + "What is the tallest mountain?",
    "Hi",
    "Count from one to twenty.",
    "Write a limerick about a cat named Tom, then explain why it is funny.",
    "Sum: " + " ".join(map(str, range(60))),
]
SQUEEZES = {
    "small_steps": ("--max-batch-tokens", "24"),
    "few_at_once": ("--max-num-seqs", "3"),
    "preempting": ("--kv-blocks", "20", "--max-batch-tokens", "40"),
    "no_prefix_cache": ("--no-prefix-cache",),
    "one_thread_long_blocks": ("--threads", "1", "--block-size", "32"),
    "speculating": ("--speculate", "6", "--max-batch-tokens", "40"),
}


def requests_of(seed: int, max_tokens: int) -> list[dict[str, Any]]:
    """Greedy and seeded requests, some with several samples, in a random order."""
    rng = random.Random(seed)
    requests: list[dict[str, Any]] = []
    for text in TEXTS:
        common = {"prompt": text, "max_tokens": rng.randint(3, max_tokens), "logprobs": 3}
        requests.append(common)
        drawn = {"temperature": 0.9, "top_p": 0.95, "seed": rng.randrange(2**40)}
        requests.append(common | drawn | {"n": rng.choice([1, 1, 3])})
    rng.shuffle(requests)
    return requests


def bits(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """What must be equal: text, ids, reasons and log-probabilities to their last printed digit."""
    return answer["outputs"]


def assert_crowd_changes_nothing(
    quire: Program, package: Path, squeezes: dict[str, tuple[str, ...]], max_tokens: int, count: int
) -> None:
    requests = requests_of(5, max_tokens)[:count]
    alone = [bits(quire.generate(package, [request])[0]) for request in requests]
    for name, flags in {"default": (), **squeezes}.items():
        crowd = quire.generate(package, requests, *flags)
        for request, expected, answer in zip(requests, alone, crowd, strict=True):
            assert bits(answer) == expected, (name, request)


@pytest.mark.parametrize("kv_dtype", ["fp32", "bf16", "int8"])
def test_a_crowd_changes_nothing_in_an_odd_fp32_model(
    kv_dtype: str, quire: Program, tiny_package: Path
) -> None:
    """Under every squeeze: small steps, few sequences, preemption, other threads and blocks."""
    flags = ("--kv-dtype", kv_dtype)
    requests = requests_of(6, 40)
    for request in requests:
        request["prompt"] = request["prompt"][-200:]
    alone = [bits(quire.generate(tiny_package, [r], *flags)[0]) for r in requests]
    for name, squeeze in {"default": (), **SQUEEZES}.items():
        for trial in range(3):
            order = random.Random(trial).sample(range(len(requests)), len(requests))
            crowd = quire.generate(tiny_package, [requests[i] for i in order], *flags, *squeeze)
            for i, answer in zip(order, crowd, strict=True):
                assert bits(answer) == alone[i], (name, trial, requests[i])


def test_a_crowd_changes_nothing_in_the_default_model(
    quire: Program, default_package: Path
) -> None:
    """The quantized package, as everyone runs it."""
    assert_crowd_changes_nothing(quire, default_package, SQUEEZES, 12, 14)


def test_a_crowd_changes_nothing_in_the_real_model_in_fp32(
    quire: Program, fp32_package: Path
) -> None:
    """The same weights, dequantized."""
    squeezes = {name: SQUEEZES[name] for name in ("small_steps", "preempting")}
    assert_crowd_changes_nothing(quire, fp32_package, squeezes, 6, 8)


def test_every_instruction_set_path_keeps_the_promise(quire: Program, tiny_package: Path) -> None:
    """Bits are promised on each path of this machine, not across them."""
    requests = [{"prompt": text[-100:], "max_tokens": 12, "logprobs": 2} for text in TEXTS]
    for isa in ("portable", "avx2", "avx512"):
        env = {"QUIRE_ISA": isa}
        if quire("generate", "-m", tiny_package, "-n", "1", "x", env=env).code != 0:
            assert isa != "portable"
            continue
        crowd = quire.generate(tiny_package, requests, "--max-batch-tokens", "19", env=env)
        for request, answer in zip(requests, crowd, strict=True):
            alone = quire.generate(tiny_package, [request], env=env)[0]
            assert bits(alone) == bits(answer), (isa, request)


def test_samples_of_one_prompt_differ_and_are_those_of_its_seed(
    quire: Program, tiny_package: Path
) -> None:
    """Sample i of n equals sample i of any larger n; another seed draws others."""
    request = {"prompt": "in the", "max_tokens": 12, "temperature": 1.0, "seed": 7}
    few, many = (quire.generate(tiny_package, [request | {"n": n}])[0]["outputs"] for n in (2, 6))
    assert many[:2] == few
    assert len({tuple(sample["token_ids"]) for sample in many}) > 1
    other = quire.generate(tiny_package, [request | {"n": 6, "seed": 8}])[0]["outputs"]
    assert other != many
