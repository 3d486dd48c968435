"""Damaged and forged packages: one line that names the cause, exit code 3, soon; never a crash."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packages import edit_json, rehash
from program import Program
from refusal import Damage, assert_refused, open_it

CONFIGS = [
    "model_info.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json",
]  # fmt: skip
FILES = [*CONFIGS, "model.onnx", "model.onnx.data", "chat_template.jinja"]
# A file that parses after a flip is a package again: anything but a crash is right.
CODES = (0, 1, 2, 3)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def emptied(data: bytes) -> bytes:
    return b""


def lengthened(data: bytes) -> bytes:
    return data + b"\0"


@pytest.mark.parametrize("name", FILES[1:])
@pytest.mark.parametrize("damage", [truncated, flipped, emptied, lengthened])
def test_a_damaged_file_is_named(
    name: str, damage: Callable[[bytes], bytes], quire: Program, package: Path
) -> None:
    """Size and hash are checked before anything is read."""
    file = package / name
    file.write_bytes(damage(file.read_bytes()))
    assert_refused(quire, package, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_a_folder_or_a_link_is_named(
    name: str, quire: Program, package: Path, tmp_path: Path
) -> None:
    """Links could lead anywhere; model_info.json itself may be one, it is only read as data."""
    file = package / name
    data = file.read_bytes()
    file.unlink()
    assert_refused(quire, package, name)
    file.mkdir()
    assert_refused(quire, package, name)
    file.rmdir()
    outside = tmp_path / "outside"
    outside.write_bytes(data)
    file.symlink_to(outside)
    if name != "model_info.json":
        assert_refused(quire, package, name)
    file.unlink()
    os.mkfifo(file)
    assert_refused(quire, package, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [truncated, emptied])
def test_damage_with_right_hashes_is_found_by_what_reads_the_file(
    name: str, damage: Callable[[bytes], bytes], quire: Program, package: Path
) -> None:
    """As one who forges a package would leave it. An empty template is a package without one."""
    file = package / name
    file.write_bytes(damage(file.read_bytes()))
    if name == "model_info.json":
        assert_refused(quire, package, name)
        return
    rehash(package)
    if name == "chat_template.jinja" and damage is emptied:
        assert open_it(quire, package).code == 0
        return
    assert_refused(quire, package, "chat template" if name == "chat_template.jinja" else name)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, '{"a":' * 100_000, "[]", "17", "null", '"x"', "{", "{}x", '{"a": 1, "a": 2}',
        '{"a": "\xff"}', '{"a": 1e999}', "\0", "\ufeff{}", '{"a": NaN}',
    ],
)  # fmt: skip
def test_strange_json_is_refused_in_every_file(
    text: str, quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Deep, of another type, with keys given twice, in another encoding, or none at all."""
    for name in CONFIGS:
        package = Path(shutil.copytree(tiny_package, tmp_path / name))
        (package / name).write_bytes(text.encode("latin-1" if "\xff" in text else "utf-8"))
        if name == "model_info.json":
            assert_refused(quire, package, name)
            continue
        rehash(package)
        run = open_it(quire, package)
        # tokenizer_config.json and generation_config.json may hold unknown keys.
        assert run.code == 3 or (run.code == 0 and text.startswith(('{"a": 1e', "\ufeff"))), (
            name,
            run,
        )
        if run.code:
            run.assert_refused(3, name)


def set_info(**fields: Any) -> Damage:
    """Overwrites fields of model_info.json; None removes."""

    def damage(package: Path) -> None:
        def edit(info: dict[str, Any]) -> None:
            for key, value in fields.items():
                if value is None:
                    del info[key]
                else:
                    info[key] = value

        edit_json(package / "model_info.json", edit)

    return damage


def list_file(name: str) -> Damage:
    """Lists another file in model_info.json."""

    def damage(package: Path) -> None:
        entry = {"size": 0, "xxh3_128": "0" * 32, "sha256": "0" * 64}
        edit_json(package / "model_info.json", lambda info: info["files"].update({name: entry}))

    return damage


WRONG_INFO = {
    "another format": (set_info(format="gguf"), "gguf"),
    "a newer version": (set_info(format_version=2), "newer quire"),
    "version 0": (set_info(format_version=0), "version 0"),
    "a version that is text": (set_info(format_version="1"), "format_version"),
    "a runtime of the future": (set_info(min_runtime_version="99.0.0"), "99.0.0"),
    "no vocab_size": (set_info(vocab_size=None), "vocab_size"),
    "no files": (set_info(files=None), "files"),
    "files that lack the graph": (set_info(files={}), "model.onnx"),
    "heads that do not divide": (set_info(num_heads=7), "num_heads"),
    "heads 0": (set_info(num_kv_heads=0), "num_kv_heads"),
    "negative layers": (set_info(num_layers=-1), "num_layers"),
    "layers 1e18": (set_info(num_layers=10**18), "num_layers"),
    "layers 2^24": (set_info(num_layers=1 << 24), "layers"),
    "layers 2^64": (set_info(num_layers=2**64), "num_layers"),
    "float layers": (set_info(num_layers=2.5), "num_layers"),
    "one layer too many": (set_info(num_layers=3), "layers"),
    "vocab_size too large": (set_info(vocab_size=302), "logits"),
    "vocab_size too small": (set_info(vocab_size=300), "logits"),
    "vocab_size below the tokenizer's": (set_info(vocab_size=100), "eos"),
    "head_dim of the cache": (
        set_info(cache_layers=[{"num_kv_heads": 2, "head_dim": 20}]), "cache_layers",
    ),
    "key heads of the cache": (
        set_info(cache_layers=[{"num_kv_heads": 3, "head_dim": 10}]), "cache_layers",
    ),
    "huge heads of the cache": (
        set_info(cache_layers=[{"num_kv_heads": 1 << 24, "head_dim": 1 << 24}]), "cache_layers",
    ),
    "a context the tables lack": (set_info(max_seq_len=1 << 24), "max_seq_len"),
    "eos past the vocabulary": (set_info(special_ids={"eos": [999]}), "eos"),
    "eos that is text": (set_info(special_ids={"eos": "x"}), "eos"),
    "an unknown graph": (set_info(graph="spiral"), "spiral"),
    "a graph of another kind": (set_info(graph="explicit"), "explicit"),
    "a backend that is not here": (set_info(backends=["torch"]), "ONNX"),
    "no backend": (set_info(backends=[]), "backends"),
    "backends that are numbers": (set_info(backends=[1]), "backends"),
    "a file above": (list_file("../x"), "../x"),
    "an absolute file": (list_file("/etc/hostname"), "/etc/hostname"),
    "a file with an escape in its name": (list_file("\x1b[2J\nx"), "x"),
    "a hash that is none": (
        set_info(files={"model.onnx": {"size": 1, "xxh3_128": "zz", "sha256": ""}}), "hash",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_INFO)
def test_a_wrong_model_info_is_refused(name: str, quire: Program, package: Path) -> None:
    """The field is named."""
    damage, word = WRONG_INFO[name]
    damage(package)
    assert_refused(quire, package, word)


def set_tokenizer(edit: Callable[[dict[str, Any]], Any]) -> Damage:
    def damage(package: Path) -> None:
        edit_json(package / "tokenizer.json", edit)
        rehash(package)

    return damage


def set_text(name: str, text: str) -> Damage:
    def damage(package: Path) -> None:
        (package / name).write_text(text)
        rehash(package)

    return damage


WRONG_TEXTS = {
    "a tokenizer larger than the model": (
        set_tokenizer(
            lambda t: t["added_tokens"].append(
                t["added_tokens"][0] | {"id": 4000, "content": "<|new|>"}
            )
        ),
        "tokenizer",
    ),
    "an id of 2^31": (
        set_tokenizer(lambda t: t["model"]["vocab"].update({"zz": 2**31})),
        "tokenizer.json",
    ),
    "an id below 0": (
        set_tokenizer(lambda t: t["model"]["vocab"].update({"zz": -1})),
        "tokenizer.json",
    ),
    "an id of 2^30": (
        set_tokenizer(lambda t: t["model"]["vocab"].update({"zz": 2**30})),
        "tokenizer",
    ),
    "two tokens of one id": (
        set_tokenizer(lambda t: t["model"]["vocab"].update({"zz": 5})),
        "tokenizer.json",
    ),
    "a merge of unknown parts": (
        set_tokenizer(lambda t: t["model"]["merges"].append(["qqq", "zzz"])),
        "tokenizer.json",
    ),
    "a word-level model": (
        set_tokenizer(lambda t: t["model"].update({"type": "WordLevel"})),
        "WordLevel",
    ),
    "an unknown pre-tokenizer": (
        set_tokenizer(lambda t: t.update({"pre_tokenizer": {"type": "UnicodeScripts"}})),
        "UnicodeScripts",
    ),
    "an unknown normalizer": (
        set_tokenizer(lambda t: t.update({"normalizer": {"type": "Lowercase"}})),
        "Lowercase",
    ),
    "no model": (set_tokenizer(lambda t: t.pop("model") and None), "model"),
    "a template that does not parse": (set_text("chat_template.jinja", "{% for %}"), "template"),
    "a template that is never closed": (set_text("chat_template.jinja", "{{ messages"), "template"),
    "a deep template": (set_text("chat_template.jinja", "{{" + "(" * 50_000), "template"),
    "a huge template": (set_text("chat_template.jinja", "x" * (1 << 20)), "chat_template.jinja"),
    "temperature nan": (
        set_text("generation_config.json", '{"temperature": NaN}'),
        "generation_config",
    ),
    "temperature -1": (set_text("generation_config.json", '{"temperature": -1}'), "temperature"),
    "top_k text": (set_text("generation_config.json", '{"top_k": "x"}'), "top_k"),
    "eos past the model": (set_text("generation_config.json", '{"eos_token_id": 500}'), "500"),
    "eos of words": (set_text("generation_config.json", '{"eos_token_id": ["a"]}'), "eos_token_id"),
}


@pytest.mark.parametrize("name", WRONG_TEXTS)
def test_forged_tokenizers_templates_and_defaults_are_refused(
    name: str, quire: Program, package: Path
) -> None:
    """With hashes made to fit."""
    damage, word = WRONG_TEXTS[name]
    damage(package)
    assert_refused(quire, package, word)


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ messages[0].content[::0] }}",
        "{{ 1 // 0 }}",
        "{{ raise_exception('no\nroles') }}",
        "{{ undefined_thing.field }}",
    ],
)
def test_a_hostile_template_costs_its_prompt_and_nothing_else(
    template: str, quire: Program, package: Path
) -> None:
    """The template is the package's fault, but raw prompts still work."""
    set_text("chat_template.jinja", template)(package)
    run = open_it(quire, package)
    assert run.code in (1, 2, 3) and run.err.count("\n") == 1 and run.seconds < 5, run
    assert quire("generate", "-m", package, "--raw", "-n", "1", "x").code == 0


@pytest.mark.parametrize("command", ["generate", "tokenize", "inspect", "verify", "bench"])
def test_what_is_no_package_is_told(command: str, quire: Program, tmp_path: Path) -> None:
    """Nothing there, an empty folder, a file."""
    file = tmp_path / "file"
    file.write_text("{}")
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = ["x"] if command in ("generate", "tokenize") else []
    for path in (tmp_path / "none", empty, file, Path("/dev/null"), tmp_path / ("n" * 300)):
        run = quire(command, "-m", path, *arguments)
        run.assert_refused(3, str(path))


def test_golden_files_that_cannot_be_used_are_refused(quire: Program, package: Path) -> None:
    """By `verify`: exit code 3, unlike goldens that merely disagree."""
    golden = json.loads((package / "golden.json").read_text())
    wrong: list[Any] = [
        {}, [], golden | {"prompts": 5}, golden | {"tolerance": {}},
        golden | {"prompts": [golden["prompts"][0] | {"ids": [999]}]},
        golden | {"prompts": [golden["prompts"][0] | {"ids": []}]},
        golden | {"prompts": [golden["prompts"][0] | {"ids": [1] * 5000}]},
        golden | {"prompts": [golden["prompts"][0] | {"positions": []}]},
    ]  # fmt: skip
    for value in wrong:
        (package / "golden.json").write_text(json.dumps(value))
        rehash(package)
        quire("verify", package).assert_refused(3, "golden.json")


@pytest.mark.parametrize(
    ("name", "flips"), [("model.onnx", 150), ("tokenizer.json", 60), ("model_info.json", 60)]
)
def test_no_flipped_bit_crashes_the_program(
    name: str, flips: int, quire: Program, package: Path
) -> None:
    """Seeded flips, hashes made to fit: some still make a model, none a crash or a hang."""
    rng = random.Random(1234)
    file = package / name
    good = file.read_bytes()
    info = (package / "model_info.json").read_bytes()
    refused = 0
    for trial in range(flips):
        data = bytearray(good)
        for _ in range(rng.choice([1, 1, 1, 8])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (package / "model_info.json").write_bytes(info)
        file.write_bytes(data)
        if name != "model_info.json":
            rehash(package)
        run = open_it(quire, package)
        assert run.code in CODES and run.seconds < 10, (trial, run)
        assert run.err.count("\n") == (run.code != 0), (trial, run)
        refused += run.code != 0
    print(f"{name}: {refused} of {flips} refused")
    assert refused > flips / 10


def test_an_added_token_beyond_the_logits_fails_only_the_prompt_that_has_it(
    quire: Program, package: Path
) -> None:
    vocab = json.loads((package / "model_info.json").read_text())["vocab_size"]
    token = {"id": vocab, "content": "<|image|>", "special": True, "single_word": False,
             "lstrip": False, "rstrip": False, "normalized": False}
    edit_json(package / "tokenizer.json", lambda t: t["added_tokens"].append(token))
    rehash(package)
    run = quire("generate", "-m", package, "--token-ids", "-n", "2", "--json", str(vocab), "5")
    assert run.code == 1, run
    first, second = run.json_lines()
    assert "error" in first and len(second["token_ids"]) <= 2
