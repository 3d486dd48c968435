"""Wrong arguments: one line that names the cause, exit code 2, soon."""

import json
from pathlib import Path

import pytest
from program import Program

WRONG = {
    "no command": ([], "subcommand"),
    "unknown command": (["generat"], "generat"),
    "unknown flag": (["generate", "-m", "PKG", "--frobnicate", "x"], "--frobnicate"),
    "no model": (["generate", "x"], "--model"),
    "no prompt": (["generate", "-m", "PKG"], "no prompt"),
    "empty prompt": (["generate", "-m", "PKG", "--raw", ""], "empty"),
    "temperature nan": (["generate", "-m", "PKG", "--temperature", "nan", "x"], "temperature"),
    "temperature inf": (["generate", "-m", "PKG", "--temperature", "inf", "x"], "temperature"),
    "temperature -1": (["generate", "-m", "PKG", "--temperature", "-1", "x"], "temperature"),
    "temperature text": (["generate", "-m", "PKG", "--temperature", "hot", "x"], "--temperature"),
    "temperature 1e999": (["generate", "-m", "PKG", "--temperature", "1e999", "x"], "temperature"),
    "top-p 0": (["generate", "-m", "PKG", "--top-p", "0", "x"], "top_p"),
    "top-p 1.1": (["generate", "-m", "PKG", "--top-p", "1.1", "x"], "top_p"),
    "top-p nan": (["generate", "-m", "PKG", "--top-p", "nan", "x"], "top_p"),
    "top-k -2": (["generate", "-m", "PKG", "--top-k", "-2", "x"], "top_k"),
    "min-p 2": (["generate", "-m", "PKG", "--min-p", "2", "x"], "min_p"),
    "penalty nan": (["generate", "-m", "PKG", "--repetition-penalty", "nan", "x"], "repetition"),
    "penalty 0": (["generate", "-m", "PKG", "--repetition-penalty", "0", "x"], "repetition"),
    "presence 9": (["generate", "-m", "PKG", "--presence-penalty", "9", "x"], "presence"),
    "max-tokens 0": (["generate", "-m", "PKG", "-n", "0", "x"], "max_tokens"),
    "max-tokens -5": (["generate", "-m", "PKG", "-n", "-5", "x"], "max_tokens"),
    "max-tokens 2^40": (["generate", "-m", "PKG", "-n", "1099511627776", "x"], "--max-tokens"),
    "max-tokens 1.5": (["generate", "-m", "PKG", "-n", "1.5", "x"], "--max-tokens"),
    "samples 0": (["generate", "-m", "PKG", "--num-samples", "0", "x"], "n is 0"),
    "samples 1e6": (["generate", "-m", "PKG", "--num-samples", "1000000", "x"], "n is 1000000"),
    "seed 1.5": (["generate", "-m", "PKG", "--seed", "1.5", "x"], "--seed"),
    "seed 2^64": (["generate", "-m", "PKG", "--seed", "18446744073709551616", "x"], "--seed"),
    "logprobs 99": (["generate", "-m", "PKG", "--logprobs", "99", "x"], "logprobs"),
    "empty stop": (["generate", "-m", "PKG", "--stop", "", "x"], "stop"),
    "ids are words": (["generate", "-m", "PKG", "--token-ids", "one,two"], "one"),
    "id past the vocabulary": (["generate", "-m", "PKG", "--token-ids", "301"], "301"),
    "negative id": (["generate", "-m", "PKG", "--token-ids", "1,-1"], "token id -1"),
    "id past int32": (["generate", "-m", "PKG", "--token-ids", "99999999999"], "99999999999"),
    "prompt past the context": (["generate", "-m", "PKG", "--token-ids", "7" + ",7" * 600], "601"),
    "prompt past the cache": (
        ["generate", "-m", "PKG", "--kv-blocks", "1", "--token-ids", "7" + ",7" * 40],
        "--kv-blocks",
    ),
    "device": (["generate", "-m", "PKG", "--device", "quantum", "x"], "quantum"),
    "kv dtype": (["generate", "-m", "PKG", "--kv-dtype", "int1", "x"], "int1"),
    "threads -1": (["generate", "-m", "PKG", "--threads", "-1", "x"], "--threads"),
    "threads 10^6": (["generate", "-m", "PKG", "--threads", "1000000", "x"], "--threads"),
    "block size 5": (["generate", "-m", "PKG", "--block-size", "5", "x"], "--block-size"),
    "kv blocks -1": (["generate", "-m", "PKG", "--kv-blocks", "-1", "x"], "--kv-blocks"),
    "sequences 0": (["generate", "-m", "PKG", "--max-num-seqs", "0", "x"], "--max-num-seqs"),
    "batch tokens 0": (["generate", "-m", "PKG", "--max-batch-tokens", "0", "x"], "batch-tokens"),
    "ids for detokenize": (["detokenize", "-m", "PKG", "[1, 2"], "no list of ids"),
    "an id it lacks": (["detokenize", "-m", "PKG", "[300000]"], "300000"),
    "a float id": (["detokenize", "-m", "PKG", "[1.5]"], "no list of ids"),
    "two packages": (["inspect", "PKG", "PKG"], "PKG"),
    "bench with a prompt": (["bench", "-m", "PKG", "x"], "x"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_wrong_usage(name: str, quire: Program, tiny_package: Path) -> None:
    """Exit code 2 within seconds."""
    arguments, word = WRONG[name]
    run = quire(*(str(tiny_package) if a == "PKG" else a for a in arguments))
    run.assert_refused(2, str(tiny_package) if word == "PKG" else word)
    assert run.out == "" and run.seconds < 5


@pytest.mark.parametrize(
    "text",
    [b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"ok \xe2\x82"],
)
def test_invalid_utf8_is_refused_wherever_it_comes_in(
    text: bytes, quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """As an argument, on standard input, and in one line of a file, which alone fails."""
    for raw in ([], ["--raw"]):
        quire("generate", "-m", tiny_package, *raw, text).assert_refused(2, "UTF-8")
    quire("tokenize", "-m", tiny_package, text).assert_refused(2, "UTF-8")
    quire("tokenize", "-m", tiny_package, stdin=text).assert_refused(2, "UTF-8")
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"good\n" + text + b"\nalso good\n")
    run = quire("generate", "-m", tiny_package, "--file", file, "--json", "-n", "2")
    assert run.code == 1 and ["error" in answer for answer in run.json_lines()] == [0, 1, 0]
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(b'{"prompt": "good"}\n{"prompt": "' + text + b'"}\n')
    run = quire("generate", "-m", tiny_package, "--file", file, "--json", "-n", "2")
    assert run.code == 1 and ["error" in answer for answer in run.json_lines()] == [0, 1]


def test_input_files_that_cannot_be_read_are_named(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """A file that is not there, and a folder: exit code 3."""
    for path in (tmp_path / "none.txt", tmp_path):
        quire("generate", "-m", tiny_package, "--file", path).assert_refused(3, path.name)


@pytest.mark.parametrize(
    "line",
    ['{"prompt"', "17", '"text"', "[]", "", '{"prompt": 5}', '{"prompt": "a", "n": 1e400}',
     '{"prompt": "a", "seed": "x"}', '{"prompt": "a", "prompt": "b"}', '{"token_ids": [1.5]}',
     '{"token_ids": "1"}', '{"messages": [1]}', '{"messages": []}',
     '{"prompt": "a", "top_p": null}',
     '{"prompt": "a", "logit_bias": {"x": 1}}', '{"prompt": "a", "bad_words": [[]]}',
     '{"prompt": "a", "max_tokens": 0}', '{"prompt": "a", "n": 999999}', "{}"],
)  # fmt: skip
def test_a_bad_line_has_an_error_of_its_own(line: str, quire: Program, tiny_package: Path) -> None:
    """Between two good ones; a null field and a blank line are none."""
    good = json.dumps({"prompt": "a", "max_tokens": 1})
    run = quire("generate", "-m", tiny_package, "--file", "-", "--json", "-n", "1",
                stdin=f"{good}\n{line}\n{good}\n")  # fmt: skip
    fine = line == "" or "null" in line
    answers = run.json_lines()
    assert run.code == (0 if fine else 1)
    assert run.err == ("" if fine else "quire: 1 of 3 prompts failed; their lines say why\n")
    assert ["error" in answer for answer in answers] == (
        [False] * len(answers) if fine else [False, True, False]
    )


def test_a_long_prompt_in_a_file_fails_alone_and_says_why(
    quire: Program, tiny_package: Path
) -> None:
    """The message has the length and the limit."""
    long = json.dumps({"token_ids": [1] * 512})
    edge = json.dumps({"token_ids": [1] * 511, "max_tokens": 50, "ignore_eos": True})
    run = quire("generate", "-m", tiny_package, "--file", "-", "--json", stdin=f"{long}\n{edge}\n")
    assert run.code == 1
    error, answer = run.json_lines()
    assert "512" in error["error"]["message"]
    assert len(answer["token_ids"]) == 1 and answer["finish_reason"] == "length"


def test_lines_of_tokenize_and_detokenize_name_the_line(quire: Program, tiny_package: Path) -> None:
    """They are filters: the first bad line ends them."""
    for command, lines in (("tokenize", '"a"\nb\n'), ("detokenize", "[1]\n[-1]\n")):
        run = quire(command, "-m", tiny_package, "--lines", stdin=lines)
        assert run.code == 2 and "line 2" in run.err and run.err.count("\n") == 1
