"""Where answers end: every id that a package has a reason to end one at, and the reasons."""

import json
from pathlib import Path

import pytest
from quire_export import ExportOptions, export_model
from tiny_gguf import make_tiny_gguf
from tiny_models import make_tiny_llama, make_tokenizer
from tokenizers import AddedToken

QUIET = ExportOptions(progress=False)
TURNS = "{%% for m in messages %%}<|%%s|>{{ m['content'] }}%s{%% endfor %%}"


def ends(source: Path, package: Path) -> dict[str, str]:
    """eos_sources of the export of `source`, whose ids are special_ids' as well."""
    export_model(source, package, QUIET)
    info = json.loads((package / "model_info.json").read_text())
    assert [int(i) for i in info["eos_sources"]] == info["special_ids"]["eos"]
    return info["eos_sources"]


def folder(
    tmp_path: Path, tokens: list[AddedToken], template: str | None = None, eos: object = None
) -> Path:
    """A tiny model whose tokenizer has `tokens` from id 269 on, and whose own end is `eos`."""
    source = make_tiny_llama(tmp_path / "source", eos_token_id=eos)
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(tokens)
    tokenizer.save(str(source / "tokenizer.json"))
    (source / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    (source / "chat_template.jinja").unlink()
    (source / "generation_config.json").write_text("{}")
    if template is not None:
        (source / "chat_template.jinja").write_text(template)
    return source


def special(text: str) -> AddedToken:
    """A control token."""
    return AddedToken(text, special=True, normalized=False)


@pytest.mark.parametrize(
    "text",
    ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>", "_<EOT>", "[EOT]",
     "<|eom_id|>", "<\uff5cend\u2581of\u2581sentence\uff5c>"],
)  # fmt: skip
def test_a_control_token_that_spells_an_end_of_turn_ends_an_answer(
    text: str, tmp_path: Path
) -> None:
    """Beside the id that the configuration names, which comes first."""
    source = folder(tmp_path, [special("<|other|>"), special(text)], eos=257)
    assert ends(source, tmp_path / "package") == {
        "257": "eos_token_id of config.json",
        "270": f"control token {text}",
    }


def test_a_plain_token_of_that_spelling_ends_nothing(tmp_path: Path) -> None:
    """Text may well contain it."""
    source = folder(tmp_path, [AddedToken("<|end|>", special=False)])
    assert ends(source, tmp_path / "package") == {}


@pytest.mark.parametrize(
    "behind", ["<|fin|>", "<|fin|>\n", " <|fin|>", "\n<|fin|><|bos|>", "{{ '<|fin|>' }}"]
)
@pytest.mark.parametrize("is_special", [True, False])
def test_what_the_template_writes_behind_an_assistant_s_turn_ends_an_answer(
    behind: str, is_special: bool, tmp_path: Path
) -> None:
    """Whatever it is called, control token or not."""
    token = AddedToken("<|fin|>", special=is_special, normalized=False)
    template = (
        "{% for m in messages %}<|user|>{{ m['content'] }}"
        "{% if m['role'] == 'assistant' %}BEHIND{% endif %}{% endfor %}"
    ).replace("BEHIND", behind)
    source = folder(tmp_path, [token], template)
    assert ends(source, tmp_path / "package") == {"269": "chat template"}


def test_a_template_without_ends_is_ended_by_the_next_turn_s_marker(tmp_path: Path) -> None:
    """The model goes on with it when it has said all."""
    template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}<|user|>{% else %}<|assistant|>"
        "{% endif %}{{ m['content'] }}{% endfor %}"
    )
    assert ends(folder(tmp_path, [], template), tmp_path / "package") == {"258": "chat template"}


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}",
        "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}<|user|>{% endfor %}",
        "{% if messages|length == 2 or not add_generation_prompt %}{{ raise_exception('no') }}"
        "{% endif %}{{ messages[0]['content'] }}",
    ],
)
def test_a_template_that_shows_no_marker_adds_no_end(template: str, tmp_path: Path) -> None:
    """No marker, no answer in it, or a refusal of such a chat."""
    assert ends(folder(tmp_path, [], template), tmp_path / "package") == {}


def test_an_end_beyond_the_logits_is_left_out(tmp_path: Path) -> None:
    """The model cannot say it."""
    source = folder(tmp_path, [special(f"<|{i}|>") for i in range(40)] + [special("<|im_end|>")])
    assert ends(source, tmp_path / "package") == {}


def test_generation_config_and_the_tokenizer_s_end_both_count(tmp_path: Path) -> None:
    """As transformers generates, and as the chat was trained."""
    source = folder(tmp_path, [], eos=1)
    (source / "generation_config.json").write_text('{"eos_token_id": [5, 257]}')
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": None}
    settings["eos_token"] = {"__type": "AddedToken", "content": "<|eos|>", "special": True}
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    assert ends(source, tmp_path / "package") == {
        "5": "eos_token_id of generation_config.json",
        "257": "eos_token_id of generation_config.json, eos_token of tokenizer_config.json",
    }


def test_each_end_key_of_a_gguf_file_counts(tmp_path: Path) -> None:
    """eos, eot and eom; the first names the file's end."""
    source = tmp_path / "tiny.gguf"
    extra = {"tokenizer.ggml.eot_token_id": 259, "tokenizer.ggml.eom_token_id": 258}
    make_tiny_gguf(source, tokenizer=True, extra=extra)
    found = ends(source, tmp_path / "package")
    assert list(found) == ["257", "259", "258"]
    assert found["257"].startswith("tokenizer.ggml.eos_token_id")
    assert found["258"] == "tokenizer.ggml.eom_token_id"


def test_a_gguf_token_that_spells_an_end_of_turn_is_a_control_token(tmp_path: Path) -> None:
    """As llama.cpp has it, whatever type an old converter gave it."""
    from quire_export.gguf_tokenizer import tokenizer_json

    meta = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": ["a", "<|im_end|>", "<|plain|>"],
        "tokenizer.ggml.token_type": [1, 1, 1],
        "tokenizer.ggml.merges": [],
    }
    added = tokenizer_json(meta)["added_tokens"]
    assert [(t["id"], t["special"]) for t in added] == [(1, True)]
