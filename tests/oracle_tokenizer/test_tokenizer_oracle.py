"""Our tokenizer against Python `tokenizers`, id for id."""

import random
import time
import unicodedata

import pytest
import texts

SEEDS = (11, 12)
NUM_TEXTS = 1500
# Between them these ask for every character class; for the others a sample of code points will do.
ASKED_FOR_ALL = ("o200k", "deepseek3", "smollm2", "added_flags")
CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def assert_equal_ids(texts_of, ours, expected):
    wrong = [(t, o, e) for t, o, e in zip(texts_of, ours, expected, strict=True) if o != e]
    assert not wrong, f"{len(wrong)} of {len(texts_of)} texts differ, first: {min(wrong, key=lambda w: len(w[0]))!r}"


@pytest.mark.parametrize("seed", SEEDS)
def test_plain_text_has_the_ids_of_the_reference(pair, seed):
    """Without special tokens, also where a text spells one.

    The unknown token is not spelled: the reference's pieces take it for one of them, ours never do.
    """
    spelled = [s for s in pair.specials[:20] if s != "<unk>"]
    samples = texts.random_texts(seed, NUM_TEXTS, spelled)
    pair.reference.encode_special_tokens = True
    expected = [e.ids for e in pair.reference.encode_batch(samples, add_special_tokens=False)]
    pair.reference.encode_special_tokens = False
    ours = pair.ask(samples)
    assert_equal_ids(samples, ours, expected)
    assert not any(pair.special_ids.intersection(ids) for ids in ours)


@pytest.mark.parametrize("seed", SEEDS)
def test_special_text_has_the_ids_of_the_reference(pair, seed):
    samples = texts.random_texts(seed, NUM_TEXTS, [t["content"] for t in pair.added[:40]])
    expected = [e.ids for e in pair.reference.encode_batch(samples)]
    assert_equal_ids(samples, pair.ask(samples, "--special"), expected)


def test_every_code_point_is_split_like_the_reference(pair):
    """Each one between letters, digits, spaces and marks, so that its character classes show."""
    asked = CODE_POINTS
    if pair.name not in ASKED_FOR_ALL:
        changes = [
            i
            for i in range(1, len(CODE_POINTS))
            if unicodedata.category(CODE_POINTS[i]) != unicodedata.category(CODE_POINTS[i - 1])
        ]
        asked = [CODE_POINTS[i + d] for i in changes for d in (-1, 0)]
        asked += random.Random(9).choices(CODE_POINTS, k=20000)
    samples = []
    for first in range(0, len(asked), 64):
        samples.append("".join(f" a{c}B1{c}2.{c}\n" for c in asked[first : first + 64]))
    expected = [e.ids for e in pair.reference.encode_batch(samples, add_special_tokens=False)]
    assert_equal_ids(samples, pair.ask(samples), expected)


def test_normalization_of_every_decomposition_is_that_of_the_reference(pair):
    canonical = [c for c in CODE_POINTS if unicodedata.decomposition(c)[:1] not in ("", "<")]
    marks = [c for c in CODE_POINTS if unicodedata.combining(c)]
    rng = random.Random(5)
    samples = [c for c in canonical] + [unicodedata.normalize("NFD", c) for c in canonical]
    samples += ["a" + "".join(rng.choices(marks, k=rng.randint(1, 6))) for _ in range(3000)]
    samples += [rng.choice(canonical) + rng.choice(marks) + rng.choice(canonical) for _ in range(3000)]
    expected = [e.ids for e in pair.reference.encode_batch(samples, add_special_tokens=False)]
    assert_equal_ids(samples, pair.ask(samples), expected)


@pytest.mark.parametrize("skip_special", [False, True])
def test_decoding_and_streaming_equal_the_reference(pair, skip_special, rng):
    size = pair.reference.get_vocab_size()
    known = [i for i in range(size) if pair.reference.id_to_token(i) is not None]
    batches = [rng.choices(known, k=rng.randint(0, 40)) for _ in range(1500)]
    batches += [e.ids for e in pair.reference.encode_batch(texts.random_texts(3, 500, pair.specials[:9]))]
    expected = [pair.reference.decode(ids, skip_special_tokens=skip_special) for ids in batches]
    answers = pair.ask([{"ids": ids, "skip_special": skip_special} for ids in batches], "--decode")
    for ids, want, got in zip(batches, expected, answers, strict=True):
        assert got == {"text": want, "stream": want}, ids


def test_spans_equal_the_reference_when_all_are_trusted(pair, rng):
    """However the text is cut, and whether or not a cut goes through a special token."""
    samples = texts.random_texts(21, 600, pair.specials[:10])
    requests = []
    for sample in samples:
        cuts = sorted(rng.choices(range(len(sample) + 1), k=rng.randint(0, 5)))
        edges = [0, *cuts, len(sample)]
        requests.append([[sample[a:b], True] for a, b in zip(edges, edges[1:])])
    expected = [e.ids for e in pair.reference.encode_batch(samples, add_special_tokens=False)]
    assert_equal_ids(samples, pair.ask(requests, "--spans"), expected)


def test_untrusted_spans_never_become_special_tokens(pair, rng):
    """Not alone, and not together with what stands beside them."""
    requests = []
    for special in pair.specials[:30]:
        for cut in range(len(special) + 1):
            left, right = special[:cut], special[cut:]
            requests += [[[left, True], [right, False]], [[left, False], [right, True]]]
            requests.append([["a ", True], [left, False], [right, False], [" b", True]])
    for ids in pair.ask([r for r in requests if any(t and not k for t, k in r)], "--spans"):
        assert not pair.special_ids.intersection(ids)


def test_trusted_tokens_survive_untrusted_neighbours(pair):
    """A user who writes the beginning of a token cannot swallow the template's."""
    token = next(s for s in pair.specials if s != "<unk>")
    token_id = next(t["id"] for t in pair.added if t["content"] == token)
    hostile = [token[:n] for n in range(len(token))] + [token, "<" * 50, " ", "\n", "é\u0301"]
    afters = (token[1:], token, "x", "")
    requests = [[[b, False], [token, True], [a, False]] for b in hostile for a in afters]
    for request, ids in zip(requests, pair.ask(requests, "--spans"), strict=True):
        assert ids.count(token_id) == 1, request


def test_long_runs_take_linear_time(pair):
    """Megabytes of one thing; the limit is far above what is needed and far below quadratic."""
    runs = ["a", "^", " ", "1", "\n", "é", "🙂", "aB", "\u0301", " \n", "'s", "ªA"]
    for unit in runs:
        text = unit * (2**20 // len(unit.encode()))
        begin = time.monotonic()
        ids = pair.ask([text])[0]
        assert time.monotonic() - begin < 20, unit
        assert ids or not text.strip()
