"""Folders in Hugging Face layout against AutoTokenizer: what the files beside tokenizer.json change."""

import json
import random

import pytest
import texts
from conftest import BY_CHARACTERS, build, build_by_characters
from transformers import AutoTokenizer

MARKED = {"lstrip": True, "rstrip": True, "single_word": False, "normalized": False}
PLAIN = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}


def entry(content, special=True, **flags):
    return {"content": content, "special": special, **PLAIN, **flags}


def config(tokenizer, **settings):
    """tokenizer_config.json with the added tokens that the tokenizer has, and what a case changes."""
    decoder = {
        str(i): {
            "content": t.content,
            "special": t.special,
            "lstrip": t.lstrip,
            "rstrip": t.rstrip,
            "single_word": t.single_word,
            "normalized": t.normalized,
        }
        for i, t in tokenizer.get_added_tokens_decoder().items()
    }
    decoder.update(settings.pop("decoder", {}))
    return {"added_tokens_decoder": decoder, **settings}


def class_cases(tokenizer):
    names = (
        "GPT2Tokenizer",
        "GPT2TokenizerFast",
        "Qwen2Tokenizer",
        "LlamaTokenizer",
        "LlamaTokenizerFast",
        "GemmaTokenizer",
        "GPTNeoXTokenizer",
        "CohereTokenizer",
    )
    prefixes = {
        "none": {"legacy": True},
        "with": {"add_prefix_space": True},
        "without": {"add_prefix_space": False, "unk_token": "<unk>"},
    }
    return {
        f"class_{name}_{prefix}": {"tokenizer_config.json": config(tokenizer, tokenizer_class=name, **settings)}
        for name in names
        for prefix, settings in prefixes.items()
    }


def cases(tokenizer):
    size = tokenizer.get_vocab_size()
    first = min(tokenizer.get_added_tokens_decoder())
    return {
        "as_it_is": {"tokenizer_config.json": config(tokenizer, tokenizer_class="PreTrainedTokenizerFast")},
        "no_class": {"tokenizer_config.json": config(tokenizer)},
        "flags": {
            "tokenizer_config.json": config(
                tokenizer, tokenizer_class="PreTrainedTokenizerFast", decoder={str(first): entry("<|bos|>", **MARKED)}
            )
        },
        "only_there": {
            "tokenizer_config.json": config(
                tokenizer,
                decoder={
                    str(size): entry("<new>"),
                    str(size + 1): entry("<call>", special=False, rstrip=True),
                    str(size + 7): entry("wo rd", special=False, single_word=True),
                },
            )
        },
        "named": {
            "tokenizer_config.json": config(
                tokenizer,
                pad_token="<pad2>",
                eos_token={"__type": "AddedToken", "content": "<|end|>", "lstrip": True, "rstrip": True},
                image_token="<image>",
                bos_token=None,
                add_bos_token=True,
            )
        },
        # What the files call plain is special once it has a name.
        "named_plain": {
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "pad_token": "<think>",
                "unk_token": "    ",
            }
        },
        "named_plain_and_listed": {
            "tokenizer_config.json": config(tokenizer, pad_token="<think>", image_token="    ")
        },
        "extra_list": {"tokenizer_config.json": config(tokenizer, extra_special_tokens=["<e1>", "ab"])},
        "additional": {"tokenizer_config.json": config(tokenizer, additional_special_tokens=["<e2>", "<|endx|>"])},
        "extra_object": {"tokenizer_config.json": config(tokenizer, extra_special_tokens={"x_token": "<e3>"})},
        "added_tokens": {
            "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<n1>"},
            "added_tokens.json": {"<n1>": size, "<n2>": size + 1},
        },
        "special_map": {
            "tokenizer_config.json": {},
            "special_tokens_map.json": {"pad_token": "<pad3>", "eos_token": entry("<|end|>", rstrip=True)},
        },
        "model_kind": {"tokenizer_config.json": config(tokenizer), "config.json": {"model_type": "qwen3"}},
        "wrongly_named": {
            "tokenizer_config.json": config(tokenizer, tokenizer_class="LlamaTokenizer"),
            "config.json": {"model_type": "phi3"},
        },
        **class_cases(tokenizer),
    }


def skipped(kind, case):
    """Classes that spell words in bytes cannot read a vocabulary of characters, and the other way round."""
    by_characters = case.startswith(("class_Gemma", "class_Llama"))
    if case == "model_kind":
        return kind in BY_CHARACTERS
    return case.startswith("class_") and by_characters != (kind in BY_CHARACTERS)


KINDS = ["qwen2", "added_flags", "llama2", "gemma3", "mistral"]
CASES = [(k, c) for k in KINDS for c in cases(build("gpt2_split")) if not skipped(k, c)]


@pytest.fixture(scope="module")
def made():
    known = {}

    def make(kind):
        if kind not in known:
            known[kind] = build_by_characters(kind) if kind in BY_CHARACTERS else build(kind)
        return known[kind]

    return make


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_a_folder_reads_as_autotokenizer_reads_it(kind, case, made, driver, ask_driver, tmp_path):
    tokenizer = made(kind)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for name, content in cases(tokenizer)[case].items():
        (tmp_path / name).write_text(json.dumps(content))
    reference = AutoTokenizer.from_pretrained(str(tmp_path))
    added = sorted(reference.get_added_vocab())
    samples = texts.random_texts(5, 120, added) + ["hello there", " a", "x<call> \n y", "a  <|bos|>  b"]
    assert ask_driver(driver, tmp_path, samples, "--special") == [reference.encode(s) for s in samples]
    rng = random.Random(3)
    known = [i for i in range(len(reference)) if reference.convert_ids_to_tokens(i) is not None]
    batches = [rng.choices(known[-40:] + known[:200], k=8) for _ in range(60)]
    for skip in (True, False):
        answers = ask_driver(driver, tmp_path, [{"ids": i, "skip_special": skip} for i in batches], "--decode")
        want = [reference.decode(i, skip_special_tokens=skip, clean_up_tokenization_spaces=False) for i in batches]
        assert [a.get("text", a) for a in answers] == want


def test_a_package_is_read_as_its_tokenizer_json_says(made, driver, ask_driver, tmp_path):
    tokenizer = made("qwen2")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "model_info.json").write_text("{}")
    settings = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert ask_driver(driver, tmp_path, ["hello"], "--special") == [tokenizer.encode("hello").ids]
