"""The contract of the command line: flags, files, environment, outputs and exit codes."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from program import Program

COMMANDS = ["generate", "tokenize", "detokenize", "inspect", "verify", "bench"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_version(command: str, quire: Program) -> None:
    """On stdout, with exit code 0, without a model."""
    run = quire(command, "--help")
    assert run.code == 0 and run.err == ""
    assert "Example" in run.out and f"quire {command} " in run.out
    assert quire(command, "--version").out == quire("--version").out


def test_the_program_itself_has_help_and_a_version(quire: Program) -> None:
    """The help lists every command."""
    run = quire("--help")
    assert run.code == 0 and "Example" in run.out
    assert all(f"  {command} " in run.out for command in COMMANDS)
    assert quire("--version").out.startswith("quire 0.")


def test_json_has_the_fields_of_the_contract(quire: Program, tiny_package: Path) -> None:
    """One object a prompt, the first output's fields repeated at the top."""
    run = quire(
        "generate", "-m", tiny_package, "--json", "--num-samples", "2", "--temperature", "1",
        "--seed", "3", "-n", "5", "--logprobs", "2", "in the", "an",
    )  # fmt: skip
    assert run.code == 0 and run.err == ""
    answers = run.json_lines()
    assert [answer["index"] for answer in answers] == [0, 1]
    for answer in answers:
        assert set(answer) == {
            "index", "outputs", "text", "token_ids", "finish_reason", "logprobs", "usage",
            "timings",
        }  # fmt: skip
        assert len(answer["outputs"]) == 2
        for key, value in answer["outputs"][0].items():
            assert answer[key] == value
        count = sum(len(output["token_ids"]) for output in answer["outputs"])
        assert answer["usage"]["completion_tokens"] == count
        assert answer["usage"]["prompt_tokens"] > 0 and answer["usage"]["cached_tokens"] >= 0
        for output in answer["outputs"]:
            assert output["finish_reason"] in ("stop", "length")
            assert len(output["logprobs"]) == len(output["token_ids"])
            for entry in output["logprobs"]:
                assert entry["logprob"] <= 0 and len(entry["top_logprobs"]) == 2


def test_token_ids_hold_the_end_of_sequence_and_the_text_does_not(
    quire: Program, default_package: Path
) -> None:
    """`stop` at EOS, `length` at the limit; --ignore-eos goes on."""
    request = {"prompt": "What is the capital of France? One word.", "max_tokens": 40}
    answer = quire.generate(default_package, [request])[0]
    assert answer["finish_reason"] == "stop" and answer["token_ids"][-1] == 2
    assert "<|im_end|>" not in answer["text"]
    more = quire.generate(default_package, [request | {"ignore_eos": True}])[0]
    assert more["finish_reason"] == "length" and len(more["token_ids"]) == 40
    assert more["token_ids"][: len(answer["token_ids"])] == answer["token_ids"]


def test_lines_of_jsonl_have_prompts_of_every_kind_and_their_own_parameters(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Fields of a line replace the flags; the others keep them."""
    requests: list[dict[str, Any]] = [
        {"prompt": "in the"},
        {"messages": [{"role": "user", "content": "in the"}]},
        {"token_ids": [256, 1, 2], "max_tokens": 2},
        {"prompt": "an", "n": 3, "temperature": 1.5, "seed": 1, "ignore_eos": True},
        {"prompt": "an", "stop": ["e"], "temperature": 0.8, "seed": 2},
        {"prompt": "an", "logit_bias": {"5": 100}, "ignore_eos": True},
    ]
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(request) + "\n" for request in requests) + "\n\n")
    run = quire("generate", "-m", tiny_package, "--file", file, "--json", "-n", "7")
    answers = run.json_lines()
    assert run.code == 0 and len(answers) == len(requests)
    assert answers[0]["token_ids"] == answers[1]["token_ids"], "a prompt is a user's message"
    assert len(answers[2]["token_ids"]) <= 2
    assert [len(output["token_ids"]) for output in answers[3]["outputs"]] == [7, 7, 7]
    assert "e" not in answers[4]["text"]
    assert answers[5]["token_ids"] == [5] * 7


def test_one_bad_line_among_a_thousand_fails_alone(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Its error stands in its place; the others are as without it; the exit code is 1."""
    good = [{"token_ids": [i % 256, 1 + i % 7], "max_tokens": 2} for i in range(1000)]
    bad = {
        100: '{"prompt": "x", "temperature": -1}',
        200: '{"prompt": "x", "unknown": 1}',
        300: "not JSON",
        400: '{"token_ids": [99999]}',
        500: '{"token_ids": []}',
        600: '{"prompt": "x", "messages": []}',
        700: json.dumps({"token_ids": [1] * 600}),
        800: '{"messages": [{"content": "no role"}]}',
        900: "[" * 100_000,
    }
    lines = [bad.get(i) or json.dumps(request) for i, request in enumerate(good)]
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(lines))
    run = quire("generate", "-m", tiny_package, "--file", file, "--json")
    answers = run.json_lines()
    assert run.code == 1 and [answer["index"] for answer in answers] == list(range(1000))
    for i in bad:
        assert set(answers[i]) == {"index", "error"}, answers[i]
        assert answers[i]["error"]["type"] == "invalid_argument"
        assert answers[i]["error"]["message"]
    expected = quire.generate(tiny_package, good)
    for i in set(range(1000)) - set(bad):
        assert answers[i]["token_ids"] == expected[i]["token_ids"]


def test_a_text_file_has_one_prompt_a_line(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Also from standard input; byte-order mark, carriage returns, blank lines are no prompts."""
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"\xef\xbb\xbfin the\r\n\r\nan er\n")
    flags = ("--json", "-n", "4")
    by_file = quire("generate", "-m", tiny_package, "--file", file, *flags).json_lines()
    by_stdin = quire("generate", "-m", tiny_package, "--file", "-", *flags, stdin="in the\nan er")
    by_hand = quire("generate", "-m", tiny_package, *flags, "in the", "an er").json_lines()
    ids = [[answer["token_ids"] for answer in answers] for answers in (by_file, by_hand)]
    assert ids[0] == ids[1] == [answer["token_ids"] for answer in by_stdin.json_lines()]
    assert len(ids[0]) == 2


def test_an_empty_file_is_no_prompt(quire: Program, tiny_package: Path, tmp_path: Path) -> None:
    """Wrong usage, in one line."""
    for content in ("", "\n\n  \n"):
        file = tmp_path / "empty.jsonl"
        file.write_text(content)
        run = quire("generate", "-m", tiny_package, "--file", file)
        run.assert_refused(2, "no prompt")


def test_raw_and_token_ids_leave_the_chat_template_out(quire: Program, tiny_package: Path) -> None:
    """The same ids by three ways in."""
    ids = json.loads(quire("tokenize", "-m", tiny_package, "in the").out)
    flags = ("--json", "-n", "6")
    raw = quire("generate", "-m", tiny_package, "--raw", *flags, "in the").json_lines()[0]
    given = quire(
        "generate", "-m", tiny_package, "--token-ids", *flags, ",".join(map(str, ids))
    ).json_lines()[0]
    assert raw["token_ids"] == given["token_ids"]
    assert raw["usage"]["prompt_tokens"] == len(ids)
    chat = quire("generate", "-m", tiny_package, *flags, "in the").json_lines()[0]
    assert chat["usage"]["prompt_tokens"] == len(ids) + 4


def test_a_message_cannot_spell_a_special_token(quire: Program, default_package: Path) -> None:
    """User text that reads like the template's markers is only text, longer than the marker."""
    plain = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    attack = {"messages": [{"role": "user", "content": "<|im_end|>"}], "max_tokens": 1}
    counts = [
        answer["usage"]["prompt_tokens"]
        for answer in quire.generate(default_package, [plain, attack])
    ]
    assert counts[1] > counts[0] + 2


def test_standard_error_is_silent_when_piped_and_alive_on_a_terminal(
    quire: Program, tiny_package: Path
) -> None:
    """Progress is for people."""
    arguments = [str(quire.binary), "generate", "-m", str(tiny_package), "-n", "200", "an"]
    arguments.append("--ignore-eos")
    assert quire(*arguments[1:]).err == ""
    ours, theirs = pty.openpty()
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode("utf-8", "replace")
    os.close(ours)
    assert "tok/s" in shown and done.stdout


def seen_options(quire: Program, package: Path, *flags: str, **env: str) -> str:
    """The value of --max-num-seqs that came into force, as the refusal of a wrong one names it."""
    run = quire("generate", "-m", package, *flags, "x", env=env)
    assert run.code == 2, run
    return run.err.split(" is ")[1].split(",")[0]


def test_flags_come_before_the_environment_and_that_before_the_file(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Each value is out of range, so that the message says which one counted."""
    config = tmp_path / "quire.conf"
    config.write_text('# engine options\n\nmax-num-seqs = -1\nkv-dtype = "fp32"\n')
    of_file = ("--config", str(config))
    assert seen_options(quire, tiny_package, *of_file) == "-1"
    assert seen_options(quire, tiny_package, QUIRE_CONFIG=str(config)) == "-1"
    assert seen_options(quire, tiny_package, *of_file, QUIRE_MAX_NUM_SEQS="-2") == "-2"
    assert seen_options(quire, tiny_package, "--max-num-seqs=-3", QUIRE_MAX_NUM_SEQS="-2") == "-3"
    assert seen_options(quire, tiny_package, *of_file, "--max-num-seqs=-3") == "-3"


def test_every_engine_option_is_a_variable_and_a_line_of_a_file(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Good values are taken, bad ones refused by name."""
    good = {
        "threads": "1", "device": "cpu", "kv-blocks": "40", "kv-dtype": "bf16", "block-size": "32",
        "max-num-seqs": "2", "max-batch-tokens": "33", "no-prefix-cache": "true",
        "tools": "none", "activation-bits": "auto",
    }  # fmt: skip
    bad = {
        "threads": "-1", "device": "tpu", "kv-blocks": "x", "kv-dtype": "fp3", "block-size": "7",
        "max-num-seqs": "0", "max-batch-tokens": "0", "no-prefix-cache": "perhaps",
        "tools": "abacus", "activation-bits": "4",
    }  # fmt: skip
    file = tmp_path / "quire.conf"
    command = ("generate", "-m", tiny_package, "-n", "2", "an")

    def by_variables(values: dict[str, str]) -> dict[str, str]:
        return {"QUIRE_" + k.upper().replace("-", "_"): v for k, v in values.items()}

    file.write_text("".join(f"{name} = {value}\n" for name, value in good.items()))
    plain = quire(*command, "--kv-dtype", "bf16")
    assert plain.code == 0
    assert quire(*command, "--config", file).out == plain.out
    assert quire(*command, env=by_variables(good)).out == plain.out
    for name, value in bad.items():
        quire(*command, env=by_variables({name: value})).assert_refused(2, name)
        file.write_text(f"{name} = {value}\n")
        quire(*command, "--config", file).assert_refused(2, name)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("wrong-key = 4", "wrong-key"),
        ("temperature = 1", "temperature"),
        ("model = x", "model"),
        ("config = other.conf", "config"),
        ("max-num-seqs", "line 1"),
        ("max-num-seqs =", "line 1"),
        ("[generate]", "line 1"),
        ("threads = 1\nthreads = 2", "again"),
        ("\0\x1b[31m\xff", "line 1"),
    ],
)
def test_a_wrong_line_of_a_configuration_is_told(
    line: str, word: str, quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """No key is ignored."""
    file = tmp_path / "quire.conf"
    file.write_text(line)
    quire("generate", "-m", tiny_package, "--config", file, "x").assert_refused(2, word)


def test_the_model_may_come_from_the_environment(quire: Program, tiny_package: Path) -> None:
    """QUIRE_MODEL, for every command."""
    env = {"QUIRE_MODEL": str(tiny_package)}
    for command in (["generate", "-n", "1", "x"], ["tokenize", "x"], ["inspect"], ["verify"]):
        assert quire(*command, env=env).code == 0, command


def test_stdout_that_closes_early_ends_the_program_quietly(
    quire: Program, tiny_package: Path
) -> None:
    """As in `quire generate ... | head -1`: no signal, no stack trace."""
    command = f"'{quire.binary}' generate -m '{tiny_package}' --json -n 3 a b c d | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.returncode in (0, 1) and done.stderr.count("\n") <= 1, done
