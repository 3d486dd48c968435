"""A package's tokenizer.json says what AutoTokenizer makes of all of a folder's files."""

import json
from pathlib import Path

import pytest
from quire_export import ExportError, ExportOptions, export_model
from tiny_models import make_tiny_llama, make_tokenizer
from tokenizers import Tokenizer
from transformers import AutoTokenizer

QUIET = ExportOptions(progress=False)
TEXTS = ("hello there", " a<call>b", "x <call>\n\ny", "a<|eos|> <|extra|> b", "<call><|user|><call>")


def exported(tmp_path: Path, settings: dict, **files: object) -> tuple[Tokenizer, object, dict]:
    """The package's tokenizer, AutoTokenizer's of the source, and golden.json."""
    source = make_tiny_llama(tmp_path / "source")
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<call>"])  # id 269
    tokenizer.save(str(source / "tokenizer.json"))
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    for name, content in files.items():
        (source / f"{name}.json").write_text(json.dumps(content))
    export_model(source, tmp_path / "package", QUIET)
    golden = json.loads((tmp_path / "package" / "golden.json").read_text())
    ours = Tokenizer.from_file(str(tmp_path / "package" / "tokenizer.json"))
    return ours, AutoTokenizer.from_pretrained(source), golden


def added(content: str, **flags: bool) -> dict[str, object]:
    """An entry of added_tokens_decoder."""
    plain = dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized", "special"), False)
    return {"content": content} | plain | flags


FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}
DECODER = {"269": added("<call>", special=True, lstrip=True, rstrip=True)}


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        (FAST, {}),
        (FAST | {"added_tokens_decoder": DECODER}, {}),
        (FAST | {"added_tokens_decoder": {"269": added("<call>", single_word=True)}}, {}),
        (FAST | {"added_tokens_decoder": DECODER | {"270": added("<|extra|>")}}, {}),
        (FAST, {"added_tokens": {"<call>": 269, "<|extra|>": 270}}),
        (FAST | {"extra_special_tokens": {"call": "<call>", "more": "<|extra|>"}}, {}),
        (FAST | {"additional_special_tokens": ["<call>", "<|extra|>"]}, {}),
        (FAST | {"pad_token": "<call>"}, {}),
        (FAST | {"pad_token": "<|extra|>"}, {}),
        (FAST | {"bos_token": "<|bos|>", "add_bos_token": True}, {}),
        (FAST | {"eos_token": "<|eos|>", "add_eos_token": True}, {}),
        ({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}, {}),
        (
            {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|bos|>", "add_bos_token": True},
            {},
        ),
        ({"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": DECODER}, {}),
        ({"tokenizer_class": "NoSuchTokenizer", "added_tokens_decoder": DECODER}, {}),
        (FAST, {"special_tokens_map": {"pad_token": "<call>", "eos_token": "<|eos|>"}}),
    ],
)
def test_ids_and_text_are_those_of_autotokenizer(
    settings: dict, files: dict, tmp_path: Path
) -> None:
    """Flags, tokens that stand only elsewhere, prefix spaces, tokens around a text; decoding too."""
    ours, theirs, golden = exported(tmp_path, settings, **files)
    for text in TEXTS:
        for around in (True, False):
            ids = theirs.encode(text, add_special_tokens=around)
            assert ours.encode(text, add_special_tokens=around).ids == ids, text
            for skip in (True, False):
                expected = theirs.decode(ids, skip_special_tokens=skip)
                assert ours.decode(ids, skip_special_tokens=skip) == expected
    assert len(golden["tokenizer"]) >= 60
    for entry in golden["tokenizer"]:
        ids = theirs.encode(entry["text"], add_special_tokens=entry["special"])
        assert entry["ids"] == ids, entry["text"]


def test_a_beginning_that_autotokenizer_adds_not_is_none_of_the_packages(tmp_path: Path) -> None:
    """Transformers 5 passes over add_bos_token beside a tokenizer.json, so a package says no."""
    settings = FAST | {"bos_token": "<|bos|>", "add_bos_token": True}
    _, theirs, _ = exported(tmp_path, settings)
    config = json.loads((tmp_path / "package" / "tokenizer_config.json").read_text())
    assert theirs.encode("") == [] and config["add_bos_token"] is False
    assert config["bos_token"] == "<|bos|>"


def test_a_tokenizer_json_that_says_it_all_is_kept_to_the_byte(tmp_path: Path) -> None:
    """Nothing is rewritten without need."""
    source = make_tiny_llama(tmp_path / "source")
    path = source / "tokenizer.json"
    described = json.loads(path.read_text())
    described["post_processor"] = described["pre_tokenizer"]  # ByteLevel is both
    path.write_text(json.dumps(described, indent=3))
    export_model(source, tmp_path / "package", QUIET)
    assert (tmp_path / "package" / "tokenizer.json").read_bytes() == path.read_bytes()


def test_goldens_spell_the_tokens_that_have_flags(tmp_path: Path) -> None:
    """So that verify finds a reader that does not heed them."""
    _, _, golden = exported(tmp_path, FAST | {"added_tokens_decoder": DECODER})
    assert any("a<call>b" in entry["text"] for entry in golden["tokenizer"])


def test_a_tokenizer_that_its_file_cannot_describe_is_never_called_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that changes ids in Python would make goldens that nothing else answers."""
    from quire_export import tokenizer_files

    right = tokenizer_files._auto_tokenizer

    class Shifted:
        def __init__(self, folder: Path) -> None:
            self.inner = right(folder)
            self.backend_tokenizer = self.inner.backend_tokenizer

        def encode(self, text: str, **options: bool) -> list[int]:
            return [*self.inner.encode(text, **options), 7]

    monkeypatch.setattr(tokenizer_files, "_auto_tokenizer", Shifted)
    with pytest.raises(ExportError, match="AutoTokenizer makes .* please report it"):
        exported(tmp_path, FAST)
    assert not (tmp_path / "package").exists()


def test_code_that_a_folder_brings_along_is_not_run(tmp_path: Path) -> None:
    """Its class is passed over; what the files say counts."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')\nclass T: pass\n")
    settings = FAST | {"auto_map": {"AutoTokenizer": ["evil.T", "evil.T"]}}
    settings |= {"tokenizer_class": "T", "added_tokens_decoder": DECODER}
    make_tiny_llama(source)
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<call>"])
    tokenizer.save(str(source / "tokenizer.json"))
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    export_model(source, tmp_path / "package", QUIET)
    assert not (tmp_path / "pwned").exists()
    ours = Tokenizer.from_file(str(tmp_path / "package" / "tokenizer.json"))
    assert ours.get_added_tokens_decoder()[269].rstrip


@pytest.mark.parametrize("special", [True, False])
def test_added_tokens_beyond_the_logits_are_no_reason_to_refuse(
    special: bool, tmp_path: Path
) -> None:
    """Gemma 3's text models come with a token for pictures that they have no row for."""
    source = make_tiny_llama(tmp_path / "source", vocab_size=269)
    tokenizer = make_tokenizer()
    (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(["<image_soft_token>"])
    tokenizer.save(str(source / "tokenizer.json"))
    export_model(source, tmp_path / "package", QUIET)
    info = json.loads((tmp_path / "package" / "model_info.json").read_text())
    assert info["vocab_size"] == 269 and max(info["control_token_ids"]) < 269


def test_a_vocabulary_beyond_the_logits_is_refused_still(tmp_path: Path) -> None:
    """Such a tokenizer is another model's; the message says what to do."""
    source = make_tiny_llama(tmp_path / "source", vocab_size=268)
    with pytest.raises(ExportError, match="knows id 268, but the model has only 268.*take both"):
        export_model(source, tmp_path / "package", QUIET)


def with_template(tmp_path: Path, template: str, **sizes: int) -> dict[str, object]:
    """model_info.json of a model whose <call>, <turn> and é are added tokens, but not special."""
    source = make_tiny_llama(tmp_path / "source", **sizes)
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<call>", "<turn>", "\u00e9"])  # ids 269 to 271
    tokenizer.save(str(source / "tokenizer.json"))
    (source / "chat_template.jinja").write_text(template)
    export_model(source, tmp_path / "package", QUIET)
    return json.loads((tmp_path / "package" / "model_info.json").read_text())


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% for m in messages %}\u00e9{{ m.content }}{% endfor %}", set()),
        ("{% for m in messages %}<turn>{{ m.content }}{% endfor %}", {270}),
        ("{% for m in messages %}{{ '\\x3cturn>' + m.content }}{% endfor %}", {270}),
        ("{% if tools %}<call>{% endif %}{{ messages[0].content }}", {269}),
        ("{% for m in messages %}{{ '<' ~ 'turn>' ~ m.content }}{% endfor %}", {270}),
    ],
)
def test_s3_markers_that_the_template_writes_are_control_tokens(
    template: str, expected: set[int], tmp_path: Path
) -> None:
    """Special or not, in a branch or put together; a single character stays text."""
    info = with_template(tmp_path, template, vocab_size=280)
    assert {269, 270, 271} & set(info["control_token_ids"]) == expected


def test_a_template_may_write_a_token_that_the_model_has_no_row_for(tmp_path: Path) -> None:
    """Such chats fail alone; the model is exported, and the chats are goldens of text only."""
    with_template(tmp_path, "{% for m in messages %}{{ m.content }}<turn>{% endfor %}", vocab_size=270)
    golden = json.loads((tmp_path / "package" / "golden.json").read_text())
    assert len(golden["chat"]) == 2
    assert all(max(prompt["ids"]) < 270 for prompt in golden["prompts"])
