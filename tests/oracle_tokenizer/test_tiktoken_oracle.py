"""nanochat's tokenizers against tiktoken itself, on random texts."""

import pathlib
import sys

import pytest
import texts
import tiktoken

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from quire_export.nanochat.tokenizer_files import make_tokenizer  # noqa: E402
from quire_export.nanochat.tokenizer_pickle import read_ranks  # noqa: E402

DATA = ROOT / "tests" / "data" / "nanochat"
NUM_TEXTS = 5000


@pytest.mark.parametrize("name", ["A-e5-d4", "B-e0-d3", "C-e2-d4"])
def test_random_texts_have_the_ids_of_tiktoken(name, driver, ask_driver, tmp_path):
    """Merges derived from ranks must never merge otherwise than ranks do."""
    ranks = read_ranks(DATA / name / "tokenizer" / "tokenizer.pkl")
    make_tokenizer(ranks).save(str(tmp_path / "tokenizer.json"))
    reference = tiktoken.Encoding(
        name, pat_str=ranks.pattern, mergeable_ranks=ranks.ranks, special_tokens=ranks.specials
    )
    samples = texts.random_texts(31, NUM_TEXTS, list(ranks.specials))
    # Long words without a space are where the order of merges shows.
    samples += ["".join(sample.split()) for sample in samples[:1000]]
    ours = ask_driver(driver, tmp_path, samples)
    wrong = [
        (sample, got, want)
        for sample, got in zip(samples, ours, strict=True)
        if got != (want := reference.encode_ordinary(sample))
    ]
    assert not wrong, f"{len(wrong)} of {len(samples)} texts differ, first: {wrong[0]!r}"
