"""`tokenize` and `detokenize` against Python `tokenizers`, through the command line."""

import json
from pathlib import Path

import pytest
import texts
from program import Program
from tokenizers import Tokenizer

NUM_TEXTS = 5000


@pytest.mark.parametrize("special", [False, True])
def test_five_thousand_strings_have_the_ids_of_the_reference(
    special: bool, quire: Program, default_package: Path
) -> None:
    """With --special the reference's encode(text); without it, text that spells a token is text."""
    reference = Tokenizer.from_file(str(default_package / "tokenizer.json"))
    reference.encode_special_tokens = not special
    added = json.loads((default_package / "tokenizer.json").read_text())["added_tokens"]
    samples = texts.random_texts(2024 + special, NUM_TEXTS, [t["content"] for t in added])
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    flags = ["--special"] if special else []
    run = quire("tokenize", "-m", default_package, "--lines", *flags, stdin=lines)
    assert run.code == 0 and run.err == "", run.err
    ours = run.json_lines()
    expected = [e.ids for e in reference.encode_batch(samples, add_special_tokens=special)]
    wrong = [s for s, a, b in zip(samples, ours, expected, strict=True) if a != b]
    assert not wrong, (len(wrong), min(wrong, key=len))


def test_detokenize_gives_texts_back_as_the_reference_does(
    quire: Program, default_package: Path
) -> None:
    """Whole texts, and every second token of them, which breaks characters apart.

    The model's vocabulary lacks some bytes that only rare characters have: those texts lose them.
    """
    samples = texts.random_texts(77, NUM_TEXTS)
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    ids = quire("tokenize", "-m", default_package, "--lines", stdin=lines).json_lines()
    reference = Tokenizer.from_file(str(default_package / "tokenizer.json"))
    for some in (ids, [line[1::2] for line in ids]):
        stdin = "\n".join(map(str, some))
        run = quire("detokenize", "-m", default_package, "--lines", stdin=stdin)
        assert run.code == 0 and run.err == ""
        expected = [reference.decode(line, skip_special_tokens=False) for line in some]
        assert run.json_lines() == expected
    whole = quire("detokenize", "-m", default_package, "--lines", stdin="\n".join(map(str, ids)))
    same = sum(text == back for text, back in zip(samples, whole.json_lines(), strict=True))
    assert same > 0.5 * NUM_TEXTS


def test_one_text_comes_as_an_argument_or_from_standard_input(
    quire: Program, default_package: Path
) -> None:
    """And ids come back as text, with or without brackets."""
    by_argument = quire("tokenize", "-m", default_package, "Hello world\n")
    by_stdin = quire("tokenize", "-m", default_package, "-", stdin="Hello world\n")
    assert by_argument.out == by_stdin.out
    ids = json.loads(by_argument.out)
    for form in (json.dumps(ids), ",".join(map(str, ids)), " ".join(["[", "19556", "]"])):
        assert quire("detokenize", "-m", default_package, form).out.startswith("Hello")
    assert quire("tokenize", "-m", default_package, stdin="").out == "[]\n"


def test_a_folder_with_only_tokenizer_files_is_enough(
    quire: Program, default_package: Path, tmp_path: Path
) -> None:
    """No model is opened to split text."""
    data = (default_package / "tokenizer.json").read_bytes()
    (tmp_path / "tokenizer.json").write_bytes(data)
    assert quire("tokenize", "-m", tmp_path, "Hello").out == "[19556]\n"
    assert quire("detokenize", "-m", tmp_path, "[19556]").out == "Hello\n"


def test_a_mebibyte_of_one_letter_takes_less_than_a_second_more_than_none(
    quire: Program, default_package: Path
) -> None:
    """Merging is linear in practice."""
    empty = quire("tokenize", "-m", default_package, stdin="")
    long = quire("tokenize", "-m", default_package, stdin="a" * 2**20)
    assert len(json.loads(long.out)) > 2**15
    # A second by the contract; the machine may be busy with something else.
    assert long.seconds - empty.seconds < 3
