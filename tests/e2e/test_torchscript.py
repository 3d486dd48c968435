"""TorchScript packages answer as their ONNX twins do, in every cache kind; strangers are refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from nanochat_runs import DATA, TRAINED, golden
from packages import PackageStore, edit_json, rehash
from program import Program

PROMPTS = [[1], [5, 9, 200, 7, 7, 31], list(range(3, 90)), list(range(250, 20, -1))]


def both_answers(
    quire: Program, package: Path, requests: list[dict[str, Any]], *flags: str
) -> list[list[dict[str, Any]]]:
    """What each backend answers."""
    return [
        quire.generate(package, requests, "--backend", backend, *flags)
        for backend in ("onnx", "torch")
    ]


def outcome(answers: list[dict[str, Any]]) -> list[Any]:
    """Tokens and log-probabilities to the last digit."""
    return [(answer["token_ids"], answer["logprobs"]) for answer in answers]


def assert_close(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Equal tokens, log-probabilities within float32's rounding."""
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["token_ids"] == other["token_ids"]
        for left, right in zip(mine["logprobs"], other["logprobs"], strict=True):
            assert abs(left["logprob"] - right["logprob"]) < 2e-4


@pytest.mark.parametrize(
    ("name", "cache"),
    [("A-e5-d4", "paged"), ("C-e2-d4", "paged"), ("A-e5-d4", "explicit"), ("C-e2-d4", "none")],
)
def test_nanochat_has_upstreams_greedy_ids_on_both_backends(
    name: str, cache: str, quire: Program, store: PackageStore
) -> None:
    """Within and beyond the windows, in one batch; a paged graph gives equal bits."""
    source = TRAINED[name]
    package = store.from_source(
        f"nanochat-{name}-{cache}-both", DATA / name, source=source, cache=cache, format="both"
    )
    prompts = [p for p in golden(name, f"golden_{source}")["prompts"] if p.get("greedy")]
    requests = [
        {"token_ids": p["ids"], "max_tokens": 24, "logprobs": 5, "temperature": 0} for p in prompts
    ]
    answers = both_answers(quire, package, requests)
    for backend in answers:
        for prompt, answer in zip(prompts, backend, strict=True):
            assert answer["token_ids"] == prompt["greedy"]["tokens"][:24], prompt["name"]
    if cache == "paged":
        assert outcome(answers[0]) == outcome(answers[1])
        squeezed = quire.generate(
            package, requests, "--backend", "torch", "--kv-blocks", "60", "--max-batch-tokens", "40"
        )
        assert outcome(squeezed) == outcome(answers[1])


@pytest.mark.parametrize("cache", ["paged", "explicit", "none"])
def test_a_llama_answers_alike_on_both_backends(
    cache: str, quire: Program, store: PackageStore
) -> None:
    """Odd sizes, grouped heads."""
    package = store.tiny("both", export={"format": "both", "cache": cache})
    requests = [{"token_ids": ids, "max_tokens": 12, "logprobs": 5} for ids in PROMPTS]
    onnx, torch = both_answers(quire, package, requests)
    assert_close(onnx, torch)
    if cache == "paged":
        assert outcome(onnx) == outcome(torch)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_quantized_weights_round_alike_on_both_backends(
    quantize: str, quire: Program, store: PackageStore
) -> None:
    """The same kernels compute both; so does a cache of 16 bits."""
    package = store.tiny("both-q", export={"format": "both", "quantize": quantize})
    requests = [{"token_ids": ids, "max_tokens": 12, "logprobs": 5} for ids in PROMPTS]
    onnx, torch = both_answers(quire, package, requests, "--kv-dtype", "bf16")
    assert outcome(onnx) == outcome(torch)


@pytest.mark.parametrize("family", ["gpt2", "gemma2"])
def test_other_families_answer_alike_on_both_backends(
    family: str, quire: Program, store: PackageStore
) -> None:
    """Learned positions and LayerNorm; soft-caps, windows and four norms a layer."""
    package = store.family(family, export={"format": "both"})
    requests = [{"token_ids": ids, "max_tokens": 12, "logprobs": 5} for ids in PROMPTS[:3]]
    onnx, torch = both_answers(quire, package, requests)
    assert outcome(onnx) == outcome(torch)


@pytest.fixture
def script(store: PackageStore, tmp_path: Path) -> Path:
    """A copy of a package with TorchScript alone."""
    package = store.tiny("script", export={"format": "torchscript"})
    return Path(shutil.copytree(package, tmp_path / "script"))


def test_torchscript_that_nobody_vouches_for_needs_trust(quire: Program, script: Path) -> None:
    """Changed or unlisted, it is refused by name; --trust-torchscript runs it."""
    run = ("generate", "-m", script, "--token-ids", "1,2,3", "-n", "4")
    assert quire(*run).code == 0
    with (script / "model.pt").open("ab") as handle:
        handle.write(b"\0")
    quire(*run).assert_refused(3, "model.pt", "--trust-torchscript")
    assert quire("inspect", script).code == 3
    edit_json(script / "model_info.json", lambda info: info["files"].pop("model.pt") and None)
    quire(*run).assert_refused(3, "model.pt", "--trust-torchscript")


def test_a_trusted_file_runs_whatever_its_hash(quire: Program, script: Path) -> None:
    """The file is whole but model_info.json knows another hash."""

    def forget(info: dict[str, Any]) -> None:
        info["files"]["model.pt"]["sha256"] = "0" * 64

    edit_json(script / "model_info.json", forget)
    run = ("generate", "-m", script, "--token-ids", "1,2,3", "-n", "4")
    quire(*run).assert_refused(3, "--trust-torchscript")
    assert quire(*run, "--trust-torchscript").code == 0


def test_a_missing_backend_is_named(quire: Program, script: Path, tiny_package: Path) -> None:
    """A package without the graph asked for, a name that is none, a file that is none."""
    run = ("generate", "--token-ids", "1,2,3", "-m")
    quire(*run, tiny_package, "--backend", "torch").assert_refused(3, "no TorchScript")
    quire(*run, script, "--backend", "onnx").assert_refused(3, "no ONNX graph")
    quire(*run, script, "--backend", "jax").assert_refused(2, "--backend")
    (script / "model.pt").write_bytes(b"not a model")
    quire(*run, script, "--trust-torchscript").assert_refused(3, "model.pt cannot be used")


def test_shadow_mode_compares_two_backends(
    quire: Program, store: PackageStore, tmp_path: Path
) -> None:
    """Equal bits where the arithmetic is the same; the first difference is named."""
    package = store.tiny("both", export={"format": "both", "cache": "paged"})
    run = quire("verify", package, "--shadow", "onnx,torch")
    assert run.code == 0 and "equal: every logit, bit for bit" in run.out
    stock = store.tiny("both", export={"format": "both", "cache": "explicit"})
    run = quire("verify", stock, "--shadow", "torch,onnx")
    assert run.code == 0 and "close: within the package's tolerance" in run.out
    assert "first differing logit     prompt" in run.out
    mixed = Path(shutil.copytree(package, tmp_path / "mixed"))
    other = store.tiny("other", export={"format": "both"}, rms_norm_eps=0.5)
    shutil.copy(other / "model.pt", mixed / "model.pt")
    rehash(mixed)
    run = quire("verify", mixed, "--shadow", "onnx,torch")
    assert run.code == 1 and "different" in run.out
    quire("verify", package, "--shadow", "onnx").assert_refused(2, "--shadow")
