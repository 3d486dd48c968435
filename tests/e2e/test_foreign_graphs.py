"""Graphs that somebody else exported run unchanged, alone and in a batch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from foreign import export_with_cache, export_without_cache
from oracle import Margin, load_folder
from packages import PackageStore
from program import Program

LENGTHS = (1, 2, 5, 5, 17, 33, 64, 100)


@pytest.fixture(scope="module", params=["without_cache", "with_cache"])
def foreign(
    request: pytest.FixtureRequest, store: PackageStore, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A folder with an ONNX export of a tiny Llama, and the folder it came from."""
    source = store.source_of(store.tiny("tiny", max_position_embeddings=512))
    folder = tmp_path_factory.mktemp("foreign") / request.param
    export = export_with_cache if request.param == "with_cache" else export_without_cache
    return export(load_folder(source), source, folder), source


def prompts_file(folder: Path, vocab: int) -> tuple[Path, list[list[int]]]:
    rng = np.random.default_rng(5)
    prompts = [rng.integers(3, vocab, length).tolist() for length in LENGTHS]
    path = folder / "prompts.jsonl"
    lines = [
        json.dumps({"token_ids": ids, "max_tokens": 12, "ignore_eos": True, "logprobs": 5})
        for ids in prompts
    ]
    path.write_text("\n".join(lines))
    return path, prompts


def test_its_greedy_ids_are_those_of_transformers(
    foreign: tuple[Path, Path], quire: Program, tmp_path: Path
) -> None:
    """All prompts at once, with few blocks and small steps, and one prompt alone."""
    folder, source = foreign
    model = load_folder(source)
    path, prompts = prompts_file(tmp_path, model.config.vocab_size)
    margin = Margin()
    for options in ([], ["--kv-blocks", "9", "--max-batch-tokens", "19"]):
        run = quire("generate", "-m", folder, "--file", path, "--json", *options)
        assert run.code == 0, run
        answers = [json.loads(line) for line in run.out.splitlines()]
        for prompt, answer in zip(prompts, answers, strict=True):
            margin.check(model, prompt, answer)
    alone = quire(
        "generate", "-m", folder, "--json", "--token-ids", "-n", "12", "--ignore-eos",
        "--logprobs", "5", ",".join(map(str, prompts[5])),
    )  # fmt: skip
    assert alone.code == 0, alone
    margin.check(model, prompts[5], json.loads(alone.out))
    margin.conclude(folder.name)


def test_inspect_says_what_it_is(foreign: tuple[Path, Path], quire: Program) -> None:
    """And that nothing vouches for its files."""
    run = quire("inspect", foreign[0])
    assert run.code == 0 and "foreign" in run.out and "nothing tells whether" in run.out


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (None, "config.json"),
        ("{", "config.json"),
        ('{"vocab_size": 5, "max_position_embeddings": 64}', "wide"),
        ('{"vocab_size": 256}', "context"),
        ('{"vocab_size": -1, "max_position_embeddings": 64}', "vocab_size"),
    ],
)
def test_a_folder_whose_config_is_wrong_is_refused_in_one_line(
    config: str | None, named: str, foreign: tuple[Path, Path], quire: Program, tmp_path: Path
) -> None:
    """Exit code 3, and the cause by name."""
    folder = tmp_path / "spoilt"
    folder.mkdir()
    for path in foreign[0].rglob("*.onnx*"):
        shutil.copy(path, folder / path.name)
    if config is not None:
        (folder / "config.json").write_text(config)
    run = quire("generate", "-m", folder, "--token-ids", "1,2")
    assert run.code == 3 and run.err.count("\n") == 1 and named in run.err, run
