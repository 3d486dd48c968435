"""Guesses save steps and change no bit."""

import re
from pathlib import Path

from program import Program

PARAGRAPH = (
    "The harbour of the old town was built in 1687 by a captain from the north. "
    "It has three piers, a lighthouse of grey stone, and a small market where fish is sold. "
    "In winter the boats lie on the shore, and children climb over the nets. "
    "The mayor says that the harbour will be made wider next year, but nobody believes it."
)
AGAIN = "\n\nThe text again:\n"
EDIT = "Copy this text, word for word:\n" + PARAGRAPH + AGAIN + PARAGRAPH + AGAIN
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "n": {"type": "integer"}},
    "required": ["name", "n"],
    "additionalProperties": False,
}
REQUESTS = [
    {"prompt": EDIT, "max_tokens": 60, "logprobs": 2},
    {"prompt": EDIT, "max_tokens": 60, "temperature": 0.7, "seed": 3, "n": 2},
    {"prompt": "a b c d a b c d a b c d a", "max_tokens": 40, "stop": ["d a b c d e"]},
    {"prompt": "What is the capital of France?", "max_tokens": 30},
    {
        "prompt": "Give a person as JSON.",
        "max_tokens": 60,
        "structured_outputs": {"json": PERSON},
    },
]


def test_a_text_that_repeats_itself_takes_fewer_steps_and_has_the_same_bits(
    quire: Program, default_package: Path
) -> None:
    """Alone and in a crowd: greedy, drawn with a seed, with stop strings, under a schema."""
    plain = quire.generate(default_package, REQUESTS, "--raw")
    crowd = quire.generate(default_package, REQUESTS, "--raw", "--speculate", "8")
    assert [a["outputs"] for a in crowd] == [a["outputs"] for a in plain]
    for request, expected in zip(REQUESTS, plain, strict=True):
        alone = quire.generate(default_package, [request], "--raw", "--speculate", "8")
        assert alone[0]["outputs"] == expected["outputs"], request


def test_stats_tell_how_many_guesses_were_right(quire: Program, default_package: Path) -> None:
    """An edit of a given text: most tokens come as right guesses."""
    flags = ("--raw", "-n", "60", "--speculate", "8", "--stats")
    run = quire("generate", "-m", default_package, *flags, EDIT)
    assert run.code == 0
    found = re.search(r"speculation: (\d+) of (\d+) guesses right, (\d+) steps", run.err)
    assert found, run.err
    right, checked, steps = map(int, found.groups())
    assert 30 <= right <= checked
    assert steps + right == 60


def test_a_number_of_guesses_out_of_range_is_refused(quire: Program, default_package: Path) -> None:
    """One line that names the flag and its bounds."""
    run = quire("generate", "-m", default_package, "--speculate", "33", "Hi")
    run.assert_refused(2, "--speculate", "33", "32")
