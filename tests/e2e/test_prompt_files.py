"""Prompt files as people have them: JSON by what is in it, OpenAI's batch files as they are."""

import json
import subprocess
from pathlib import Path

import pytest
from packages import rehash
from program import Program

LINE = '{"prompt":"a","max_tokens":3}\n'
BATCH = {"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions"}


@pytest.mark.parametrize("name", ["p.ndjson", "P.JSONL", "P.NDJson", "p.txt", "p.json", "p", "p.x y"])
@pytest.mark.parametrize("text", [LINE, "\n \n" + LINE, "\ufeff" + LINE, "  " + LINE, LINE[:-1]])
def test_json_lines_are_known_by_their_content(
    name: str, text: str, quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Whatever the file is called; blank lines before them count for nothing."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    run = quire("generate", "-m", tiny_package, "--file", tmp_path / name, "--json")
    assert run.code == 0 and run.json_lines()[0]["usage"]["completion_tokens"] <= 3, run


@pytest.mark.parametrize("where", ["-", "<(cat)"])
def test_json_lines_are_known_from_pipes(where: str, quire: Program, tiny_package: Path) -> None:
    """Standard input and process substitution."""
    command = f"'{quire.binary}' generate -m '{tiny_package}' --json --file {where}"
    done = subprocess.run(
        ["bash", "-c", command], input="\n" + LINE, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["usage"]["completion_tokens"] <= 3, done


def test_a_text_that_begins_with_a_brace_stays_a_text(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Unless the file says that it is JSON, where it is an error in its place."""
    text = "{name} is a brace\nsecond\n"
    (tmp_path / "p.txt").write_text(text)
    (tmp_path / "p.jsonl").write_text(text)
    run = quire("generate", "-m", tiny_package, "-n", "1", "--json", "--file", tmp_path / "p.txt")
    assert run.code == 0 and len(run.json_lines()) == 2
    run = quire("generate", "-m", tiny_package, "-n", "1", "--json", "--file", tmp_path / "p.jsonl")
    assert run.code == 1 and all("error" in line for line in run.json_lines())
    assert run.err == "quire: 2 of 2 prompts failed; their lines say why\n"
    broken = '{"prompt": "cut\n' + LINE
    run = quire("generate", "-m", tiny_package, "-n", "1", "--json", "--file", "-", stdin=broken)
    assert run.code == 1 and "error" in run.json_lines()[0] and "error" not in run.json_lines()[1]
    assert run.err == "quire: 1 of 2 prompts failed; their lines say why\n"


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_an_array_of_prompts_is_refused_and_never_taken_for_a_text(
    indent: int | None, quire: Program, tiny_package: Path
) -> None:
    """On one line or on many; a text in brackets stays a text."""
    array = json.dumps([{"prompt": "a"}, {"prompt": "b"}], indent=indent)
    run = quire("generate", "-m", tiny_package, "-n", "1", "--file", "-", stdin=array)
    run.assert_refused(2, "one object a line")
    run = quire("generate", "-m", tiny_package, "-n", "1", "--file", "-", stdin="[a] b\n[\nc\n")
    assert run.code == 0, run


def test_tools_and_variables_reach_the_template(quire: Program, package: Path) -> None:
    """Seen by the number of ids they make of it."""
    template = package / "chat_template.jinja"
    template.write_text("{{ 'x' * (tools or []) | length }}{{ 'y' * (n or 0) }}{{ messages[0].content }}")
    rehash(package)
    base = {"messages": [{"role": "user", "content": "~"}], "max_tokens": 1}
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    requests = [
        base,
        base | {"tools": [tool] * 3},
        base | {"tools": [tool] * 3, "tool_choice": "none"},
        base | {"chat_template_kwargs": {"n": 2}},
    ]
    answers = quire.generate(package, requests, "--no-prefix-cache")
    sizes = [answer["usage"]["prompt_tokens"] for answer in answers]
    assert [size - sizes[0] for size in sizes] == [0, 3, 0, 2]


def test_an_openai_batch_file_runs_as_it_is(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """200 lines; the answers are OpenAI's objects, each with its custom_id, errors in their place."""
    lines = []
    for i in range(200):
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"Hi {i}"}]}
        body |= {"max_tokens": 2, "temperature": 0, "metadata": {"i": str(i)}, "user": "u"}
        if i % 50 == 7:
            body |= {"logprobs": True, "top_logprobs": 2, "n": 2, "seed": 1, "temperature": 1}
        if i % 50 == 9:
            body["messages"] = []
        url = BATCH["url"]
        if i % 50 == 11:
            url, body = "/v1/completions", {"model": "m", "prompt": "a b", "max_tokens": 2, "logprobs": 1}
        lines.append(BATCH | {"custom_id": f"request-{i}", "url": url, "body": body})
    path = tmp_path / "batch.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = quire("generate", "-m", tiny_package, "--file", path, "--json")
    assert run.code == 1 and run.err == "quire: 4 of 200 prompts failed; their lines say why\n"
    answers = run.json_lines()
    assert [a["custom_id"] for a in answers] == [line["custom_id"] for line in lines]
    assert len({a["id"] for a in answers}) == 200
    for i, answer in enumerate(answers):
        assert set(answer) == {"id", "custom_id", "response", "error"} and answer["error"] is None
        response, body = answer["response"], answer["response"]["body"]
        if i % 50 == 9:
            assert response["status_code"] == 400 and "messages" in body["error"]["message"]
            continue
        assert response["status_code"] == 200
        usage = body["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        choice = body["choices"][0]
        assert choice["finish_reason"] in ("stop", "length") and isinstance(body["created"], int)
        if i % 50 == 11:
            assert body["object"] == "text_completion" and isinstance(choice["text"], str)
            assert len(choice["logprobs"]["tokens"]) == usage["completion_tokens"]
            continue
        assert body["object"] == "chat.completion" and body["model"] == "gpt-4o-mini"
        assert choice["message"]["role"] == "assistant"
        assert isinstance(choice["message"]["content"], str)
        assert len(body["choices"]) == (2 if i % 50 == 7 else 1)
        if i % 50 == 7:
            content = choice["logprobs"]["content"]
            assert content and all(len(token["top_logprobs"]) == 2 for token in content)


def test_raw_beside_token_ids_changes_nothing(quire: Program, tiny_package: Path) -> None:
    """Both mean that no template is wanted."""
    runs = [
        quire("generate", "-m", tiny_package, "-n", "4", "--token-ids", *flags, "5,6,7")
        for flags in ([], ["--raw"])
    ]
    assert runs[0].code == runs[1].code == 0 and runs[0].out == runs[1].out


def test_s11_a_line_that_never_ends_is_refused_on_the_way(
    quire: Program, tiny_package: Path
) -> None:
    """Within the memory that the limit takes, from every command that reads lines."""
    for command in ("generate --json --file -", "tokenize --lines", "tokenize", "chat"):
        shell = f"ulimit -v 3000000; '{quire.binary}' {command} -m '{tiny_package}' < /dev/zero"
        done = subprocess.run(
            ["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=100
        )
        assert done.stderr.count("\n") == 1 and "64 MiB" in done.stderr, (command, done.stderr)
        assert done.returncode == 3, command
