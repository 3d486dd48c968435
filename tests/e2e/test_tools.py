"""Tools inside the decode loop: upstream's transcripts, and who decides whether there is a tool."""

from pathlib import Path
from typing import Any

import pytest
from nanochat_runs import DATA, golden
from packages import PackageStore, edit_json
from program import Program

MARKERS = {"call_begin": 3, "call_end": 4, "result_begin": None, "result_end": None}


def set_tool(package: Path, tool: str | None) -> None:
    def edit(info: dict[str, object]) -> None:
        info["tool_markers"] = MARKERS | {"tool": tool}

    edit_json(package / "model_info.json", edit)


def test_a_tool_needs_a_package_that_says_where_calls_are(quire: Program, package: Path) -> None:
    run = quire("generate", "-m", package, "--tools", "calculator", "hi")
    run.assert_refused(2, "tool_markers", "leave out --tools")
    run = quire("generate", "-m", package, "--tools", "abacus", "hi")
    run.assert_refused(2, "--tools", "calculator")


@pytest.mark.parametrize("flags", [("--tools", "none"), ("--tools", "arithmetic")])
def test_a_tool_nobody_knows_is_refused_unless_another_is_given(
    flags: tuple[str, ...], quire: Program, package: Path
) -> None:
    set_tool(package, "abacus")
    quire("generate", "-m", package, "hi").assert_refused(3, "abacus", "--tools none")
    assert quire("generate", "-m", package, *flags, "-n", "2", "hi").code == 0


def test_a_package_without_a_tool_of_its_own_gets_one_when_asked(
    quire: Program, package: Path
) -> None:
    set_tool(package, None)
    for tools in ("auto", "none", "calculator"):
        assert quire("chat", "-m", package, "--tools", tools, stdin="hi\n").code == 0


@pytest.fixture(scope="module")
def nanochat(store: PackageStore) -> Path:
    """The trained chat model of the fixtures."""
    return store.from_source("nanochat-A-e5-d4", DATA / "A-e5-d4", source="sft")


@pytest.fixture(scope="module")
def chats() -> list[dict[str, Any]]:
    """What upstream's engine made of conversations, calls and results included."""
    found: list[dict[str, Any]] = golden("A-e5-d4", "tools")["chats"]
    assert len(found) == 39
    return found


def requests_of(chats: list[dict[str, Any]], field: str, key: str) -> list[dict[str, Any]]:
    return [{field: c[key], "max_tokens": c["max_tokens"], "temperature": 0} for c in chats]


def test_transcripts_are_upstreams_token_for_token_in_any_company(
    quire: Program, nanochat: Path, chats: list[dict[str, Any]]
) -> None:
    """From ids and from messages; all at once, preempted, from the prefix cache, some alone."""
    by_ids = requests_of(chats, "token_ids", "prompt_ids")
    expected = [chat["tokens"] for chat in chats]
    squeeze = ("--kv-blocks", "40", "--max-batch-tokens", "48", "--block-size", "16")
    for requests, flags in (
        (by_ids, ()),
        (requests_of(chats, "messages", "messages"), ()),
        (by_ids, squeeze),
        (by_ids, ("--no-prefix-cache",)),
    ):
        answers = quire.generate(nanochat, requests, *flags)
        assert [answer["token_ids"] for answer in answers] == expected
    for request, ids in list(zip(by_ids, expected, strict=True))[:3]:
        assert quire.generate(nanochat, [request])[0]["token_ids"] == ids


def test_parts_say_what_was_called_and_answered(
    quire: Program, nanochat: Path, chats: list[dict[str, Any]]
) -> None:
    answers = quire.generate(nanochat, requests_of(chats, "messages", "messages"))
    num_results = 0
    for chat, answer in zip(chats, answers, strict=True):
        parts = answer.get("parts", [])
        results = [part["text"] for part in parts if part["type"] == "tool_result"]
        wanted = [call["result"] for call in chat["tool_calls"] if call["result"] is not None]
        # The last result may be cut by max_tokens.
        assert len(results) <= len(wanted)
        assert all(w.startswith(r) for r, w in zip(results, wanted, strict=False)), chat["name"]
        num_results += len(results)
        assert answer["text"] == "".join(p["text"] for p in parts if p["type"] == "text") or not parts
    assert num_results >= 25


def test_generate_is_greedy_and_samples_as_upstream_does_when_asked(
    quire: Program, nanochat: Path
) -> None:
    question = ("generate", "-m", nanochat, "--seed", "5", "--num-samples", "8", "def f(x):")
    recommended = quire(*question, "--recommended")
    same = ("--temperature", "0.6", "--top-k", "50", "--max-tokens", "256")
    assert recommended.out == quire(*question, *same).out
    assert recommended.out != quire(*question).out
    assert quire(*question).out == quire(*question, "--temperature", "0").out


def test_a_chat_remembers_calls_as_calls(quire: Program, nanochat: Path) -> None:
    lines = "What is 12*7?\nWhat is 5+5?\n/stats\n"
    run = quire("chat", "-m", nanochat, "--temperature", "0", stdin=lines)
    assert run.code == 0
    first, second, stats, _ = run.out.splitlines()
    assert first == "[12*7 = 84] The answer is 84."
    assert second == "[5+5 = 10] The answer is 10."
    # The second prompt begins with the first and its answer, markers and all.
    assert int(stats.split(" of them cached")[0].split()[-1]) >= 32
    plain = quire("chat", "-m", nanochat, "--temperature", "0", "--tools", "none", stdin=lines)
    assert "84" not in plain.out.splitlines()[0]
