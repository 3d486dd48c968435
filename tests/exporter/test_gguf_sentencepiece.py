"""Sentencepiece tokenizers of GGUF files: ids equal to the sentencepiece library's."""

import json
import random
from pathlib import Path

import pytest
import sentencepiece
from quire_export import ExportError
from quire_export.gguf_spm import merges_of, pieces_of
from quire_export.gguf_tokenizer import tokenizer_json
from tokenizers import Tokenizer

PROSE = Path(__file__).resolve().parents[2] / "benchmarks" / "data" / "alice.txt"


@pytest.fixture(scope="module", params=[True, False], ids=["prefix", "no_prefix"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> sentencepiece.SentencePieceProcessor:
    """A BPE with byte fallback, trained on Alice; with and without a space before the text."""
    prefix = tmp_path_factory.mktemp("sentencepiece") / "tiny"
    sentencepiece.SentencePieceTrainer.train(
        input=str(PROSE),
        model_prefix=str(prefix),
        model_type="bpe",
        vocab_size=900,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=request.param,
        split_digits=True,
        minloglevel=2,
        num_threads=1,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    processor.has_prefix = request.param
    return processor


def metadata_of(processor: sentencepiece.SentencePieceProcessor) -> dict[str, object]:
    """What the converter writes of such a model."""
    ids = range(processor.get_piece_size())

    def kind(i: int) -> int:
        if processor.is_unknown(i):
            return 2
        return 3 if processor.is_control(i) else 6 if processor.is_byte(i) else 1

    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [processor.id_to_piece(i) for i in ids],
        "tokenizer.ggml.scores": [float(processor.get_score(i)) for i in ids],
        "tokenizer.ggml.token_type": [kind(i) for i in ids],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_space_prefix": processor.has_prefix,
    }


def texts() -> list[str]:
    """Prose cut anywhere, spaces, digits, other scripts, bytes."""
    rng = random.Random(11)
    prose = PROSE.read_text(encoding="utf-8")
    found = [prose[i : i + rng.randint(1, 200)] for i in rng.sample(range(len(prose)), 300)]
    alphabet = "abcAB 019  \t\n.,!?\u00e9\u4e2d\U0001f600\u0300"
    found += ["".join(rng.choices(alphabet, k=rng.randint(1, 30))) for _ in range(500)]
    return [*found, " ", "   ", " a", "a ", "\n\n", "3.14159", "caf\u00e9 \u4e2d\u6587"]


def test_ids_equal_sentencepiece_s(trained: sentencepiece.SentencePieceProcessor) -> None:
    """Whole texts, and back to text."""
    made = tokenizer_json(metadata_of(trained))
    tokenizer = Tokenizer.from_str(json.dumps(made))
    for text in texts():
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert ids == trained.encode(text), repr(text)
        assert tokenizer.decode(ids) == trained.decode(ids), repr(text)


def test_a_beginning_is_added_unless_the_file_says_no(
    trained: sentencepiece.SentencePieceProcessor,
) -> None:
    """As llama.cpp does for sentencepiece."""
    meta = metadata_of(trained)
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(meta)))
    assert tokenizer.encode("Alice").ids == [1, *trained.encode("Alice")]
    meta["tokenizer.ggml.add_bos_token"] = False
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(meta)))
    assert tokenizer.encode("Alice").ids == trained.encode("Alice")


def test_runs_of_spaces_are_spelled_as_the_normalizer_spells_them() -> None:
    """Gemma's files store them as spaces, which no normalized text has."""
    assert pieces_of(["  ", " ", "a b", "\n", ""]) == ["\u2581\u2581", "\u2581", "a b", "\n", ""]


def test_merges_come_best_first_and_longest_left_part_first() -> None:
    """Of a hand-made vocabulary."""
    pieces, scores = ["a", "b", "ab", "ba", "aba"], [0.0, 0.0, -2.0, -1.0, -1.5]
    assert merges_of(pieces, scores) == [["b", "a"], ["ab", "a"], ["a", "ba"], ["a", "b"]]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scores", [1.0], "scores does not match"),
        ("scores", None, "scores does not match"),
        ("tokens", ["a" * 5000, *map(str, range(899))], "longer than 4096"),
        ("tokens", ["a"] * 900, "same text"),
        ("model", "rwkv", "'rwkv' is not supported"),
    ],
)
def test_damaged_vocabularies_are_refused(
    key: str,
    value: object,
    message: str,
    trained: sentencepiece.SentencePieceProcessor,
) -> None:
    """By name, in one line."""
    meta = metadata_of(trained) | {f"tokenizer.ggml.{key}": value}
    with pytest.raises(ExportError, match=message):
        tokenizer_json(meta)
