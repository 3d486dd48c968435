"""How a GGUF file's text is cut before merging: every name cuts, the known ones as transformers."""

import json
import random

import pytest
from quire_export import ExportError
from quire_export.gguf_pre import PRE_TOKENIZER_NAMES, pre_tokenizer_of
from quire_export.gguf_tokenizer import tokenizer_json
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

_SEED = random.randrange(1 << 32)
_WORDS = [
    "Hello", "HELLO", "helloWorld", "I'm", "I'M", "they've", "na\u00efve", "12", "123", "2024567",
    "3.14", "\u4e2d\u6587", "\u304b\u306a", "\u30ab\u30ca", "\ud55c\uad6d\uc5b4", "\u0939\u093f",
    "e\u0301", "\u0663", "\u2164", "x=1;", "a/b/", "!?", "...", "$5", "\U0001f600", "_", "``",
    "\uff01", "\u01c5", "\u2028",
]  # fmt: skip
_GAPS = ["", " ", "  ", "   ", "\n", "\r\n", "\n\n", " \n ", "\t", "\u00a0", "\u3000"]


def texts(count: int) -> list[str]:
    """Words of many scripts, glued by spaces of many kinds."""
    print(f"seed {_SEED}")
    rng = random.Random(_SEED)

    def one() -> str:
        return "".join(rng.choice(_GAPS) + rng.choice(_WORDS) for _ in range(rng.randint(1, 12)))

    return [one() + rng.choice(_GAPS) for _ in range(count)]


def tokenizer_of(name: str) -> Tokenizer:
    """A tokenizer of next to no merges whose file says `name`."""
    meta = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": name,
        "tokenizer.ggml.tokens": ["a", "b", "ab"],
        "tokenizer.ggml.merges": ["a b"],
    }
    return Tokenizer.from_str(json.dumps(tokenizer_json(meta)))


@pytest.mark.parametrize("name", sorted(GGUF_PRE_TOKENIZER_SPLITS))
def test_names_that_transformers_knows_cut_as_it_cuts(name: str) -> None:
    """Its patterns were written by others."""
    theirs = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GGUF_PRE_TOKENIZER_SPLITS[name]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    ours = tokenizer_of(name).pre_tokenizer
    for text in texts(300):
        assert ours.pre_tokenize_str(text) == theirs.pre_tokenize_str(text), repr(text)


@pytest.mark.parametrize("name", PRE_TOKENIZER_NAMES)
def test_no_name_loses_or_invents_text(name: str) -> None:
    """Whatever the pattern, the pieces are the text."""
    tokenizer = tokenizer_of(name)
    normalizer = tokenizer.normalizer or normalizers.Sequence([])
    for text in texts(60):
        given = normalizer.normalize_str(text)
        cut = tokenizer.pre_tokenizer.pre_tokenize_str(given)
        assert "".join(given[begin:end] for _, (begin, end) in cut) == given, repr(text)


@pytest.mark.parametrize(
    ("name", "text", "pieces"),
    [
        ("deepseek-v3", "abc 12345!\n\nx", ["abc", " ", "123", "45", "!\n\n", "x"]),
        ("deepseek-coder", "abc 123\n", ["abc", " ", "1", "2", "3", "\n"]),
        ("deepseek-llm", "abc 123!\n", ["abc", " ", "123", "!", "\n"]),
        ("seed-coder", "ab !\n\nx", ["ab", " !", "\n\n", "x"]),
        ("bailingmoe", "I'm\n\nx 42", ["I", "'m", "\n\n", "x", " ", "4", "2"]),
        ("exaone-moe", "one two 42", ["one two", " ", "4", "2"]),
        ("minicpm5", "ab 12345", ["ab", " ", "123", "45"]),
        ("falcon", "ab12345`x", ["ab", "123", "45", "`", "x"]),
        ("viking", "ab 123, x", ["ab", " ", "1", "2", "3", ",", " x"]),
        ("poro-chat", "ab 123, x", ["ab", " 123", ",", " x"]),
        ("kimi-k2", "ab\u4e2d\u6587c", ["ab", "\u4e2d\u6587", "c"]),
        ("youtu", "ab\u4e2dcD 12", ["ab", "\u4e2d", "c", "D", " ", "1", "2"]),
        ("ufakzeka", "I'm 42", ["I", "'m", " ", "4", "2"]),
        ("command-r", "ab 42", ["ab", " ", "4", "2"]),
        ("olmo", "ab 42", ["ab", " 42"]),
    ],
)
def test_other_names_cut_as_their_rule_says(name: str, text: str, pieces: list[str]) -> None:
    """Worked out by hand from llama.cpp's rules."""
    cut = tokenizer_of(name).pre_tokenizer.pre_tokenize_str(text)
    assert [text[begin:end] for _, (begin, end) in cut] == pieces


@pytest.mark.parametrize(
    ("name", "adds"), [("llama-bpe", True), ("falcon3", True), ("tekken", True), ("qwen2", False)]
)
def test_a_beginning_is_added_for_the_kinds_that_have_one(name: str, adds: bool) -> None:
    """All names of a kind, not one of them; a file's own key goes first."""
    meta = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": name,
        "tokenizer.ggml.tokens": ["a", "b", "<s>"],
        "tokenizer.ggml.token_type": [1, 1, 3],
        "tokenizer.ggml.merges": [],
        "tokenizer.ggml.bos_token_id": 2,
    }
    for extra, expected in (
        ({}, adds),
        ({"add_bos_token": False}, False),
        ({"add_bos_token": True}, True),
    ):
        keys = {f"tokenizer.ggml.{key}": value for key, value in extra.items()}
        tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(meta | keys)))
        assert tokenizer.encode("ab").ids == ([2, 0, 1] if expected else [0, 1])


def test_an_unknown_name_is_refused_with_what_to_do() -> None:
    """Guessing would give wrong ids silently."""
    with pytest.raises(
        ExportError, match="'xyz' is not supported; export from the model's Hugging"
    ):
        pre_tokenizer_of("xyz")
