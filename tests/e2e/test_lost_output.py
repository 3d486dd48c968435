"""Results that cannot be written are never lost in silence (S4 of the security review, case 02)."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from program import Program

TEXT = "What is it?"
COMMANDS = {
    "generate": ["generate", "-m", "PKG", "-n", "4", TEXT],
    "generate json": ["generate", "-m", "PKG", "-n", "4", "--json", TEXT],
    "chat": ["chat", "-m", "PKG", "-n", "4"],
    "tokenize": ["tokenize", "-m", "PKG", TEXT],
    "tokenize lines": ["tokenize", "-m", "PKG", "--lines"],
    "detokenize": ["detokenize", "-m", "PKG", "[5, 6]"],
    "inspect": ["inspect", "PKG"],
    "verify": ["verify", "PKG"],
    "eval": ["eval", "-m", "PKG", "--file", "PKG/model_info.json", "--limit", "32"],
    "eval json": ["eval", "-m", "PKG", "--file", "PKG/model_info.json", "--limit", "32", "--json"],
    "bench": ["bench", "-m", "PKG"],
    "bench json": ["bench", "-m", "PKG", "--json"],
    "list": ["list"],
    "version": ["--version"],
    "version of a command": ["generate", "--version"],
    "help": ["--help"],
    "help of a command": ["chat", "--help"],
    "show-config": ["bench", "-m", "PKG", "--show-config"],
}
STDIN = {"chat": "hello\n", "tokenize lines": '"a"\n"b"\n'}


def shell(quire: Program, command: str, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Runs the program with `command` around it, where "$@" stands for it; exit code and stderr."""
    done = subprocess.run(
        ["bash", "-c", command, "bash", str(quire.binary), *arguments],
        input=stdin, capture_output=True, text=True, timeout=300, check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")},
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("target", "cause"), [("> /dev/full", "No space left on device"), (">&-", "it is closed")]
)
def test_s4_output_that_cannot_be_written_is_a_failure(
    target: str, cause: str, name: str, quire: Program, tiny_package: Path
) -> None:
    """Exit code 1 and one line with the cause, from every command."""
    arguments = [part.replace("PKG", str(tiny_package)) for part in COMMANDS[name]]
    code, err = shell(quire, f'"$@" {target}', *arguments, stdin=STDIN.get(name, ""))
    assert code == 1, err
    assert err == f"quire: cannot write to standard output: {cause}\n"


def test_s4_a_disk_that_fills_up_on_the_way_is_told_with_the_line_it_cut(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands in for the disk; it must not kill by a signal either."""
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(json.dumps({"token_ids": [5], "max_tokens": 2}) + "\n")
    prompts.write_text(prompts.read_text() * 60)
    answers = tmp_path / "answers.jsonl"
    code, err = shell(
        quire, f'ulimit -f 4; "$@" > "{answers}"',
        "generate", "-m", str(tiny_package), "--json", "--file", str(prompts),
    )  # fmt: skip
    assert code == 1 and err.count("\n") == 1 and "File too large" in err, err
    assert answers.stat().st_size == 4096
    cut = not answers.read_text().endswith("\n")
    assert cut == ("the last line that was written is cut" in err), err


def test_s4_a_reader_that_had_enough_ends_the_program_without_a_word(
    quire: Program, tiny_package: Path
) -> None:
    """From every command that ends by itself; `yes` would feed the last one for ever."""
    for arguments in (["list"], ["inspect", str(tiny_package)], ["--help"]):
        code, err = shell(quire, '"$@" | true; exit "${PIPESTATUS[0]}"', *arguments)
        assert code in (0, 1) and err == "", (arguments, err)
    arguments = ["tokenize", "-m", str(tiny_package), "--lines"]
    code, err = shell(quire, """yes '"a"' | "$@" | head -n 2 > /dev/null""", *arguments)
    assert code == 0 and err == ""


def test_s4_a_pipe_that_is_not_ready_gets_all_of_it(quire: Program) -> None:
    """Node and ssh make pipes that answer a write with "try again"."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    while True:
        try:
            os.write(write_end, b"x" * 4096)
        except BlockingIOError:
            break
    with subprocess.Popen([quire.binary, "list"], stdout=write_end) as process:
        os.close(write_end)
        with os.fdopen(read_end, "rb") as reader:
            text = reader.read().lstrip(b"x").decode()
        assert process.wait(60) == 0
    assert text == quire("list").out


def test_s4_a_closed_standard_stream_never_becomes_a_file_of_ours(
    quire: Program, tiny_package: Path
) -> None:
    """Without stdin and stderr the answer still arrives whole on stdout."""
    arguments = ["tokenize", "-m", str(tiny_package), TEXT]
    done = subprocess.run(
        ["bash", "-c", '"$@" <&- 2>&-', "bash", str(quire.binary), *arguments],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout == quire(*arguments).out
