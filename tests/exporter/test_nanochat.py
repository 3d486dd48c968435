"""nanochat directories: every era is told apart and computed as upstream does; damage is refused."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from nanochat_runs import (
    DATA,
    ERAS,
    TRAINED,
    encoding_state,
    era_run,
    golden,
    pickle_encoding,
)
from quire_export import ExportError, ExportOptions, UsageError, export_model
from quire_export.cli import main
from quire_export.nanochat.checkpoint import find_model, load_checkpoint
from quire_export.nanochat.reference import NanochatReference
from quire_export.nanochat.tokenizer_files import make_tokenizer, write_tokenizer_files
from quire_export.nanochat.tokenizer_pickle import read_ranks
from transformers import PreTrainedTokenizerFast

SOFTCAPS = {"e3-early": 20.0, "e3-late": 20.0}


def reference_of(folder: Path, source: str, softcap: float | None = None) -> NanochatReference:
    """The float32 model of a run's default checkpoint."""
    checkpoint = load_checkpoint(*find_model(folder, source, None, None), softcap)
    return NanochatReference(checkpoint.spec, checkpoint.tensors)


def logits_of(model: NanochatReference, ids: list[int]) -> np.ndarray:
    """Logits of every position, in two steps so that the second reads the cache."""
    half = max(1, len(ids) // 2)
    first = model(torch.tensor([ids[:half]]))
    parts = [first.logits[0]]
    if ids[half:]:
        past = first.past_key_values
        parts.append(model(torch.tensor([ids[half:]]), past_key_values=past).logits[0])
    return torch.cat(parts).numpy()


@pytest.mark.parametrize("name", TRAINED)
def test_the_reference_computes_what_upstream_computed(name: str) -> None:
    """Argmax and logsumexp of every position, the best logits of the last."""
    source = TRAINED[name]
    model = reference_of(DATA / name, source)
    for prompt in golden(name, f"golden_{source}")["prompts"]:
        logits = logits_of(model, prompt["ids"])
        assert logits.argmax(-1).tolist() == prompt["argmax"]
        total = torch.from_numpy(logits).logsumexp(-1).numpy()
        assert np.abs(total - np.array(prompt["logsumexp"])).max() < 5e-5
        for token, logit in prompt["last_row_top8"]:
            assert abs(logits[-1, token] - logit) < 5e-5


@pytest.mark.parametrize("name", ERAS)
def test_the_reference_computes_every_era_as_upstream(name: str) -> None:
    """Grouped heads, odd window patterns, padded vocabularies; prompts beyond every window."""
    model = reference_of(DATA / "eras" / name, "base", SOFTCAPS.get(name))
    saved = np.load(DATA / "eras" / name / "logits.npz")
    for prompt in ("short", "long"):
        logits = logits_of(model, saved[f"{prompt}_ids"].tolist())[saved[f"{prompt}_rows"]]
        assert np.abs(logits - saved[f"{prompt}_logits"]).max() < 5e-5


@pytest.mark.parametrize("name", TRAINED)
def test_tokenizer_json_encodes_and_renders_as_upstream(name: str, tmp_path: Path) -> None:
    """All encoding cases that spell no special token, all conversations, all refusals."""
    ranks = read_ranks(DATA / name / "tokenizer" / "tokenizer.pkl")
    tokenizer = make_tokenizer(ranks)
    cases = golden(name, "tokenizer")["encode"]
    plain = [case for case in cases if not any(token in case["text"] for token in ranks.specials)]
    assert len(plain) > 230
    for case in plain:
        assert tokenizer.encode(case["text"]).ids == case["ids"], case["text"]
    write_tokenizer_files(ranks, True, tmp_path)
    renderer = PreTrainedTokenizerFast.from_pretrained(tmp_path, local_files_only=True)
    chats = golden(name, "conversations")
    for case in chats["conversations"]:
        messages = case["conversation"]["messages"]
        # Upstream cuts at a number of tokens, and never sees special tokens in a text.
        if case["name"] in ("injection", "long_truncated"):
            continue
        text = renderer.apply_chat_template(messages, tokenize=False)
        assert tokenizer.encode(text).ids == case["ids"], case["name"]
    for case in chats["invalid"]:
        with pytest.raises(Exception, match=r"."):
            renderer.apply_chat_template(case["conversation"]["messages"], tokenize=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of era E4 to damage."""
    return era_run("e4-gqa", tmp_path / "run")


def model_file(run: Path) -> Path:
    """The run's only checkpoint."""
    return run / "base_checkpoints" / "d2" / "model_000007.pt"


def edit_model(run: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Changes the state dict in place."""
    state = torch.load(model_file(run), weights_only=True)
    edit(state)
    torch.save(state, model_file(run))


def refused(run: Path, message: str, **options: object) -> None:
    """Exporting fails with exit code 3, one line that matches, and no package."""
    package = run.parent / "package"
    with pytest.raises(ExportError, match=message) as caught:
        export_model(run, package, ExportOptions(progress=False, source="base", **options))
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)
    assert not package.exists()


C_Q = "transformer.h.1.attn.c_q.weight"
DAMAGES = {
    "missing": (lambda s: s.pop(C_Q), f"tensor {C_Q} is missing"),
    "misshapen": (lambda s: s.update({C_Q: torch.zeros(48, 47)}), f"tensor {C_Q} has shape"),
    "unknown": (lambda s: s.update({"x.weight": torch.zeros(1)}), "tensor x.weight is unknown"),
    "value lambdas": (lambda s: s.update({"v0_lambdas": torch.zeros(3)}), "v0_lambdas is unknown"),
    "bigrams": (
        lambda s: s.update({"bigram_embed.embed.weight": torch.zeros(4, 4)}),
        "bigram_embed.embed.weight is unknown",
    ),
    "experts": (
        lambda s: s.update({"transformer.h.0.mlp.router.gate.weight": torch.zeros(4, 4)}),
        "mlp.router.gate.weight is unknown",
    ),
    "a NaN": (lambda s: s[C_Q].fill_(float("nan")), f"tensor {C_Q} holds values"),
    "whole numbers": (lambda s: s.update({C_Q: torch.zeros(48, 48, dtype=torch.int64)}), C_Q),
    "another gate": (
        lambda s: s.update({"transformer.h.0.attn.ve_gate.weight": torch.zeros(2, 13)}),
        "transformer.h.0.attn.ve_gate.weight has shape",
    ),
    "a gate of no era": (
        lambda s: [s.update({k: torch.zeros(2, 13)}) for k in list(s) if "ve_gate" in k],
        "13 columns",
    ),
    "twice": (
        lambda s: s.update({"_orig_mod." + C_Q: s[C_Q].clone()}),
        f"tensor {C_Q} twice",
    ),
    "no tensor": (lambda s: s.update({"note": "hello"}), "'note' is no tensor"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_state_dict_is_refused_by_name(what: str, run: Path) -> None:
    """Missing, extra, misshapen: never skipped."""
    edit, message = DAMAGES[what]
    edit_model(run, edit)
    refused(run, message)


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self._path),)


def test_a_checkpoint_that_would_run_code_is_refused(run: Path) -> None:
    """The file is read as data only."""
    trap = run.parent / "trap"
    torch.save({"x": Evil(trap)}, model_file(run))
    refused(run, "no plain PyTorch checkpoint")
    model_file(run).write_bytes(b"not a checkpoint")
    refused(run, "no plain PyTorch checkpoint")
    assert not trap.exists()


def test_a_tokenizer_that_would_run_code_is_refused(run: Path) -> None:
    """Neither a function call, nor one hidden in the state, nor another class."""
    trap = run.parent / "trap"
    file = run / "tokenizer" / "tokenizer.pkl"
    state = encoding_state(300)
    for evil in (pickle.dumps(Evil(trap)), pickle_encoding(state | {"name": Evil(trap)})):
        file.write_bytes(evil)
        refused(run, "run code")
    file.write_bytes(pickle.dumps(Path("x")))
    refused(run, "run code")
    file.write_bytes(pickle_encoding(state)[:-9])
    refused(run, "damaged")
    file.write_bytes(pickle.dumps({"a": 1}))
    refused(run, "no tiktoken vocabulary")
    file.unlink()
    refused(run, "cannot read")
    assert not trap.exists()


BAD_STATES = {
    "another size": (encoding_state(299), "tokenizer has 299 ids, but the model was trained"),
    "a gap": (
        encoding_state(300) | {"special_tokens": {"<|bos|>": 400}},
        "gaps or doubles",
    ),
    "a missing byte": (
        encoding_state(300)
        | {"mergeable_ranks": {b"x" * (i + 1): i for i in range(291)}},
        "no token for byte",
    ),
    "other specials": (
        encoding_state(300)
        | {"special_tokens": {f"<|x{i}|>": 291 + i for i in range(9)}},
        "has no <|bos|>",
    ),
    "another pattern": (encoding_state(300) | {"pat_str": r"\w+"}, "another pattern"),
    "no ranks": (encoding_state(300) | {"mergeable_ranks": None}, "lacks"),
    "text ids": (encoding_state(300) | {"special_tokens": {"<|bos|>": "1"}}, "no small numbers"),
}


@pytest.mark.parametrize("what", BAD_STATES)
def test_a_wrong_vocabulary_is_refused(what: str, run: Path) -> None:
    """A tokenizer of another run would give gibberish."""
    state, message = BAD_STATES[what]
    (run / "tokenizer" / "tokenizer.pkl").write_bytes(pickle_encoding(state))
    refused(run, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layer": 0}, "num_layers is 0"),
        ({"n_layer": 2}, "tensor resid_lambdas has shape"),
        ({"n_head": 5}, "gives 5 heads no even size"),
        ({"n_kv_head": 4}, "6 heads cannot share 4"),
        ({"window_pattern": "SXL"}, "letters other than S and L"),
        ({"window_pattern": 3}, "window_pattern is no text"),
        ({"vocab_size": 1 << 40}, "vocab_size is"),
        ({"sequence_len": "long"}, "sequence_len is 'long'"),
        ({"num_experts": 8}, "unknown key 'num_experts'"),
        ({"n_embd": None}, "n_embd is None"),
    ],
)
def test_a_damaged_meta_file_is_refused(
    changes: dict[str, object], message: str, run: Path
) -> None:
    """Sizes that do not fit, and keys that would be ignored."""
    path = model_file(run).with_name("meta_000007.json")
    meta = json.loads(path.read_text())
    meta["model_config"] |= changes
    path.write_text(json.dumps(meta))
    refused(run, message)


def test_wrong_choices_of_a_checkpoint_are_refused(run: Path) -> None:
    """A source, tag or step that is not there; a soft-cap of another era."""
    package = run.parent / "package"
    refused(run, "has no checkpoint d3", model_tag="d3")
    refused(run, "has no step 8; it has 7", step=8)
    for options, message in (
        ({"softcap": 20.0}, "does not fit this checkpoint of era E4"),
        ({"softcap": -1.0}, "not positive"),
        ({"model_tag": "../d2"}, "no folder name"),
    ):
        with pytest.raises(UsageError, match=message):
            export_model(run, package, ExportOptions(progress=False, source="base", **options))
    with pytest.raises(ExportError, match="has no chatsft_checkpoints; choose --source base"):
        export_model(run, package, ExportOptions(progress=False))
    with pytest.raises(UsageError, match="--source is for nanochat directories"):
        export_model(run.parent, package, ExportOptions(progress=False, source="sft"))


def test_the_deepest_tag_and_the_last_step_are_the_defaults(run: Path) -> None:
    """As upstream picks them; any folder will do where none is named d<number>."""
    checkpoints = run / "base_checkpoints"
    for tag in ("d10", "d9", "e99"):
        shutil.copytree(checkpoints / "d2", checkpoints / tag)
    (checkpoints / "d10" / "model_000012.pt").touch()
    assert find_model(run, "base", None, None) == (checkpoints / "d10", 12)
    assert find_model(run, "base", "d9", None) == (checkpoints / "d9", 7)
    for tag in ("d2", "d9", "d10"):
        shutil.rmtree(checkpoints / tag)
    assert find_model(run, "base", None, None) == (checkpoints / "e99", 7)


def test_the_command_says_how_it_told_e2_from_e3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trained E2 run is recognised by its perplexity; --softcap overrules."""
    source = str(DATA / "C-e2-d4")
    package = tmp_path / "package"
    assert main([source, "--source", "base", "-o", str(package)]) == 0
    assert "soft-cap 15 taken" in capsys.readouterr().err
    info = json.loads((package / "model_info.json").read_text())
    assert info["source"]["era"] == "E2" and info["vocab_size"] == 1500
    assert info["tool_markers"]["tool"] == "calculator"
    assert not (package / "chat_template.jinja").exists()
