"""Unigram tokenizers of GGUF files: ids equal to the sentencepiece library's."""

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from quire_export import ExportError
from quire_export.gguf_tokenizer import tokenizer_json
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

PROSE = Path(__file__).resolve().parents[2] / "benchmarks" / "data" / "alice.txt"
KINDS = {
    "t5": {"normalization_rule_name": "nmt_nfkc"},
    "folded": {"normalization_rule_name": "nmt_nfkc_cf", "byte_fallback": True},
    "plain": {"normalization_rule_name": "identity", "remove_extra_whitespaces": False},
    "no_prefix": {"add_dummy_prefix": False, "byte_fallback": True},
    "phrases": {"split_by_whitespace": False, "byte_fallback": True},
}


@pytest.fixture(scope="module", params=KINDS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on Alice, with a user's token."""
    prefix = tmp_path_factory.mktemp("sentencepiece") / "tiny"
    sentencepiece.SentencePieceTrainer.train(
        input=str(PROSE),
        model_prefix=str(prefix),
        model_type="unigram",
        vocab_size=900,
        user_defined_symbols=["<sep>"],
        minloglevel=2,
        num_threads=1,
        **KINDS[request.param],
    )
    return Path(f"{prefix}.model")


def metadata_of(model: Path) -> dict[str, object]:
    """What the converter writes of such a model."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.read_bytes())
    rules = proto.normalizer_spec
    meta: dict[str, object] = {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.tokens": [p.piece for p in proto.pieces],
        "tokenizer.ggml.scores": [p.score for p in proto.pieces],
        "tokenizer.ggml.token_type": [p.type for p in proto.pieces],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_space_prefix": rules.add_dummy_prefix,
        "tokenizer.ggml.remove_extra_whitespaces": rules.remove_extra_whitespaces,
    }
    if rules.precompiled_charsmap:
        table = np.frombuffer(rules.precompiled_charsmap, np.int8)
        meta["tokenizer.ggml.precompiled_charsmap"] = table.tolist()
    return meta


def texts() -> list[str]:
    """Prose cut anywhere, runs of spaces, digits, other scripts, full-width and composed signs."""
    rng = random.Random(11)
    prose = PROSE.read_text(encoding="utf-8")
    found = [prose[i : i + rng.randint(1, 200)] for i in rng.sample(range(len(prose)), 300)]
    alphabet = "abcAB 019  \t\n.,!?\u00e9\u4e2d\uff21\u00bd\ufb01\u2460\u3000\U0001f600"
    found += ["".join(rng.choices(alphabet, k=rng.randint(1, 30))) for _ in range(500)]
    return [*found, " ", "   ", " a", "a ", "\n\n", "3.14159", "caf\u00e9 e\u0301 \u4e2d\u6587"]


def test_ids_equal_sentencepiece_s(trained: Path) -> None:
    """Whole texts, and back to text."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(trained))
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(metadata_of(trained))))
    for text in texts():
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert ids == processor.encode(text), repr(text)
        if 0 not in ids:  # sentencepiece writes a sign of its own for what it does not know
            assert tokenizer.decode(ids) == processor.decode(ids), repr(text)


def test_a_users_token_is_one_wherever_it_stands(trained: Path) -> None:
    """It has an id of its own, inside words too."""
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(metadata_of(trained))))
    assert tokenizer.encode("ab<sep>cd").tokens.count("<sep>") == 1


@pytest.mark.parametrize(("bos", "eos"), itertools.product([None, False, True], repeat=2))
def test_an_end_is_added_unless_the_file_says_no(
    bos: bool | None, eos: bool | None, trained: Path
) -> None:
    """As llama.cpp does for these, and no beginning."""
    meta = metadata_of(trained)
    said = {"tokenizer.ggml.add_bos_token": bos, "tokenizer.ggml.add_eos_token": eos}
    meta |= {key: value for key, value in said.items() if value is not None}
    ids = Tokenizer.from_str(json.dumps(tokenizer_json(meta))).encode("Alice").ids
    assert (ids[0] == 1) is bool(bos)
    assert (ids[-1] == 2) is (eos is not False)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scores", [1.0], "scores does not match"),
        ("scores", [float("nan")] * 900, "scores does not match"),
        ("tokens", ["a"] * 900, "same text"),
        ("precompiled_charsmap", "text", "no list of bytes"),
        ("precompiled_charsmap", [300], "no list of bytes"),
    ],
)
def test_damaged_vocabularies_are_refused(
    key: str, value: object, message: str, trained: Path
) -> None:
    """By name, in one line."""
    meta = metadata_of(trained) | {f"tokenizer.ggml.{key}": value}
    with pytest.raises(ExportError, match=message):
        tokenizer_json(meta)


def test_other_tokenizers_have_no_rules_of_this_kind(trained: Path) -> None:
    """A table that nobody would read is refused."""
    meta = metadata_of(trained) | {"tokenizer.ggml.model": "llama"}
    meta |= {"tokenizer.ggml.remove_extra_whitespaces": False}
    meta |= {"tokenizer.ggml.precompiled_charsmap": [1, 2, 3]}
    with pytest.raises(ExportError, match="unknown key .*precompiled_charsmap"):
        tokenizer_json(meta)
