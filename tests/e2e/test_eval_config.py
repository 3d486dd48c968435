"""`eval` against transformers; `--show-config` against what was given."""

import json
import math
import os
from pathlib import Path

import pytest
import torch
from oracle import load_folder
from packages import PackageStore
from program import Program
from tokenizers import Tokenizer


@pytest.mark.parametrize("context", [33, 130])
def test_perplexity_is_that_of_transformers(
    context: int, quire: Program, tiny_package: Path, store: PackageStore, tmp_path: Path
) -> None:
    """Over the same windows, each after what the tokenizer puts before a text."""
    text = "One thing was certain, that the white kitten had had nothing to do with it. \u00e9" * 9
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    run = quire("eval", "-m", tiny_package, "--file", path, "--context", str(context), "--json")
    assert run.code == 0, run
    result = json.loads(run.out)

    tokenizer = Tokenizer.from_file(str(tiny_package / "tokenizer.json"))
    beginning = tokenizer.encode("").ids
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    model = load_folder(store.source_of(tiny_package))
    size = context - len(beginning)
    nll, best, count = 0.0, 0, 0
    for begin in range(0, len(ids), size):
        window = beginning + ids[begin : begin + size]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([window])).logits[0].double()
        for i in range(max(len(beginning), 1), len(window)):
            row = logits[i - 1]
            nll -= row.log_softmax(-1)[window[i]].item()
            best += int(row.argmax().item() == window[i])
            count += 1
    assert result["tokens"] == count
    assert math.isclose(result["nll"], nll / count, abs_tol=1e-5)
    assert math.isclose(result["perplexity"], math.exp(nll / count), rel_tol=1e-4)
    assert abs(result["accuracy"] * count - best) <= 1
    predicted = len(text.encode()) if beginning else None
    if predicted:
        bits = nll / math.log(2) / predicted
        assert math.isclose(result["bits_per_byte"], bits, rel_tol=1e-4)


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        (["--file", "no-such-file"], 3, "no-such-file"),
        (["--context", "1"], 2, "--context"),
        (["--context", "100000"], 2, "--context"),
        (["--limit", "-1"], 2, "--limit"),
    ],
)
def test_wrong_options_of_eval_are_refused_in_one_line(
    options: list[str], code: int, named: str, quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """With the option or file by name."""
    path = tmp_path / "text.txt"
    path.write_text("Some words to predict.")
    run = quire("eval", "-m", tiny_package, "--file", path, *options) if "--file" not in options \
        else quire("eval", "-m", tiny_package, *options)  # fmt: skip
    assert run.code == code and run.err.count("\n") == 1 and named in run.err, run


def test_show_config_names_every_option_and_its_origin(quire: Program, tmp_path: Path) -> None:
    """Flags before environment before file before default; what it prints is a --config file."""
    config = tmp_path / "engine.conf"
    config.write_text("threads = 7\nmax-num-seqs = 3\nblock-size = 32\n")
    environment = {"QUIRE_MAX_NUM_SEQS": "5", "QUIRE_KV_DTYPE": "fp16"}
    run = quire(
        "generate", "-m", "anything", "--config", config, "--kv-dtype", "bf16", "--show-config",
        env=environment,
    )  # fmt: skip
    assert run.code == 0 and run.err == "", run
    shown = dict(line.split(" = ", 1) for line in run.out.splitlines()[1:])
    assert shown["threads"] == "7  # configuration file"
    assert shown["block-size"] == "32  # configuration file"
    assert shown["max-num-seqs"] == "5  # environment"
    assert shown["kv-dtype"] == "bf16  # command line"
    assert shown["max-batch-tokens"] == "512  # default"
    saved = tmp_path / "saved.conf"
    lines = [line for line in run.out.splitlines() if not line.startswith(("config =", "no-"))]
    saved.write_text("\n".join(lines))
    again = quire("generate", "-m", "anything", "--config", saved, "--show-config")
    assert again.code == 0 and "kv-dtype = bf16  # configuration file" in again.out, again


def test_threads_are_what_affinity_allows_and_the_program_says_so(
    quire: Program, tiny_package: Path
) -> None:
    """A quota needs rights that a test has not; tests/unit/base/cgroup_test.cc has the files of one."""
    before = os.sched_getaffinity(0)
    one = min(before)
    os.sched_setaffinity(0, {one})
    try:
        config = quire("bench", "-m", tiny_package, "--show-config")
        run = quire("generate", "-m", tiny_package, "-n", "1", "--stats", "x")
        given = quire("generate", "-m", tiny_package, "-n", "1", "--stats", "--threads", "2", "x")
    finally:
        os.sched_setaffinity(0, before)
    assert "\n# threads = 0 is 1 thread" in config.out, config
    assert run.code == 0 and run.err.startswith("1 thread: "), run
    assert given.err.startswith("--threads 2; without it 1 thread: "), given
