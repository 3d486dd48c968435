"""Calls of tools through the server, with a model whose answers are known; the SDKs' own loops."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from packages import PackageStore, rehash
from program import Program
from scripted_model import HERMES
from server_process import Server, post_bytes, serving
from tool_scripts import CLOCK, MARKERS, QUESTION, SCRIPTS, WEATHER

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def package(store: PackageStore) -> Path:
    return store.scripted("scripted-hermes", scripts=SCRIPTS, template=HERMES, others=MARKERS)


@pytest.fixture(scope="module")
def server(quire: Program, package: Path) -> Iterator[Server]:
    with serving(quire.binary, package) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none")


def ask(client: openai.OpenAI, script: str | None = None, **more: Any) -> Any:
    extra = {} if script is None else {"chat_template_kwargs": {"script": script}}
    settings = {"messages": QUESTION, "tools": [WEATHER, CLOCK], **more}
    return client.chat.completions.create(model="", extra_body=extra, **settings)


def calls_of(message: Any) -> list[tuple[str, Any]]:
    return [(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []]


def streamed(client: openai.OpenAI, script: str | None = None, **more: Any) -> dict[str, Any]:
    """What the chunks of a stream add up to."""
    answer: dict[str, Any] = {"content": "", "calls": [], "reasoning": "", "chunks": 0}
    for chunk in ask(client, script, stream=True, **more):
        if not chunk.choices:
            continue
        [choice] = chunk.choices
        answer["content"] += choice.delta.content or ""
        answer["reasoning"] += (choice.delta.model_extra or {}).get("reasoning_content") or ""
        for part in choice.delta.tool_calls or []:
            if part.id:
                assert part.index == len(answer["calls"]) and part.type == "function"
                answer["calls"].append([part.id, part.function.name, ""])
            answer["calls"][part.index][2] += part.function.arguments
            answer["chunks"] += 1
        if choice.finish_reason:
            answer["finish_reason"] = choice.finish_reason
    return answer


def test_a_call_comes_whole_and_as_a_stream(client: openai.OpenAI, server: Server) -> None:
    [choice] = ask(client).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "I look."
    assert calls_of(choice.message) == [("get_weather", {"city": "Paris"})]
    assert choice.message.tool_calls[0].id.startswith("call_")
    stream = streamed(client)
    assert stream["content"] == "I look." and stream["finish_reason"] == "tool_calls"
    [[id_, name, arguments]] = stream["calls"]
    assert (name, arguments) == ("get_weather", choice.message.tool_calls[0].function.arguments)
    assert id_ != choice.message.tool_calls[0].id, "no two calls have one id"
    assert stream["chunks"] > 1, "arguments come while they are written"
    with client.chat.completions.stream(
        model="", messages=QUESTION, tools=[WEATHER]
    ) as events:
        assert calls_of(events.get_final_completion().choices[0].message) == [
            ("get_weather", {"city": "Paris"})]
    server.assert_idle()


def test_a_whole_turn_with_a_tool_ends_in_an_answer(client: openai.OpenAI) -> None:
    message = ask(client).choices[0].message
    [call] = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "21"}
    answer = ask(client, messages=[*QUESTION, message, result]).choices[0]
    assert answer.message.content == "It is 21 degrees." and answer.finish_reason == "stop"
    assert answer.message.tool_calls is None
    bare = {"role": "assistant", "content": None,
            "tool_calls": [call.model_dump()]}
    assert ask(client, messages=[*QUESTION, bare, result]).choices[0].message.content == (
        "It is 21 degrees.")


def test_two_calls_come_as_two_unless_one_alone_is_wanted(client: openai.OpenAI) -> None:
    both = [("get_weather", {"city": "Rome"}), ("get_time", {})]
    [choice] = ask(client, "two").choices
    assert calls_of(choice.message) == both and choice.message.content is None
    assert len({call.id for call in choice.message.tool_calls}) == 2
    assert [(c[1], json.loads(c[2])) for c in streamed(client, "two")["calls"]] == both
    [choice] = ask(client, "two", parallel_tool_calls=False).choices
    assert calls_of(choice.message) == both[:1] and choice.finish_reason == "tool_calls"
    assert len(streamed(client, "two", parallel_tool_calls=False)["calls"]) == 1


@pytest.mark.parametrize("script", ["broken", "unknown", "cut"])
def test_what_is_no_call_comes_back_as_it_was_written(client: openai.OpenAI, script: str) -> None:
    text = "".join(SCRIPTS[f"<|{script}|>"])
    [choice] = ask(client, script).choices
    assert choice.message.content == text and choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    stream = streamed(client, script)
    assert stream["content"] == text and stream["finish_reason"] == "stop"
    for _, _, arguments in stream["calls"]:  # begun, and never finished: nobody can run it
        with pytest.raises(json.JSONDecodeError):
            json.loads(arguments)


def test_a_call_that_the_limit_cuts_off_is_none(client: openai.OpenAI) -> None:
    [choice] = ask(client, max_completion_tokens=4).choices
    assert choice.finish_reason == "length" and choice.message.tool_calls is None
    assert choice.message.content == "".join(SCRIPTS["<|call|>"][:4])


def test_thoughts_text_and_calls_are_told_apart(client: openai.OpenAI) -> None:
    [choice] = ask(client, "think").choices
    assert choice.message.model_extra["reasoning_content"] == "Hmm, the weather."
    assert calls_of(choice.message) == [("get_time", {})] and choice.message.content is None
    stream = streamed(client, "think")
    assert stream["reasoning"] == "Hmm, the weather." and stream["content"] == ""


def test_a_choice_that_is_forced_begins_the_call(client: openai.OpenAI) -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice in (named, {"type": "allowed_tools",
                           "allowed_tools": {"mode": "required", "tools": [named]}}):
        message = ask(client, tool_choice=choice).choices[0].message
        assert calls_of(message) == [("get_weather", {"city": "Bern"})] and not message.content
        [[_, name, arguments]] = streamed(client, tool_choice=choice)["calls"]
        assert (name, json.loads(arguments)) == ("get_weather", {"city": "Bern"})
    [choice] = ask(client, tool_choice="required").choices
    assert calls_of(choice.message) == [("get_time", {})]
    assert choice.finish_reason == "tool_calls"


UNITS = {"type": "function", "function": {"name": "set_unit", "parameters": {
    "type": "object", "additionalProperties": False, "required": ["unit", "digits"],
    "properties": {"unit": {"enum": ["celsius", "fahrenheit"]},
                   "digits": {"type": "integer", "minimum": 0, "maximum": 9}}}}}


def test_a_forced_call_follows_the_schema_whatever_the_model_would_say(
    client: openai.OpenAI, server: Server
) -> None:
    seen = set()
    for seed in range(16):
        settings: dict[str, Any] = {
            "tools": [UNITS, CLOCK], "tool_choice": "required" if seed % 2 else {
                "type": "function", "function": {"name": "set_unit"}},
            "temperature": 1.5, "seed": seed, "max_completion_tokens": 200}
        [choice] = ask(client, **settings).choices
        if choice.finish_reason == "length":  # an object without a schema may be long
            assert choice.message.tool_calls is None
            continue
        [(name, arguments)] = calls_of(choice.message)
        assert not choice.message.content
        [[_, streamed_name, streamed_arguments]] = streamed(client, **settings)["calls"]
        assert (name, arguments) == (streamed_name, json.loads(streamed_arguments))
        if name == "set_unit":
            assert set(arguments) == {"unit", "digits"}
            assert arguments["unit"] in ("celsius", "fahrenheit") and 0 <= arguments["digits"] <= 9
            seen.add(tuple(arguments.items()))
    assert len(seen) > 2, seen
    bad = {"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}}}
    body = {"messages": QUESTION, "tools": [bad], "tool_choice": "required"}
    assert server.post("/v1/chat/completions", body, 400)["error"]["param"] == "tools"


def test_a_choice_of_none_leaves_text_as_text(client: openai.OpenAI, server: Server) -> None:
    message = ask(client, "call", tool_choice="none").choices[0].message
    assert message.content == "".join(SCRIPTS["<|call|>"]) and message.tool_calls is None
    prompt = server.post("/apply-template", {
        "messages": QUESTION, "tools": [WEATHER], "tool_choice": "none"})["prompt"]
    assert "get_weather" not in prompt


def test_samples_have_calls_of_their_own(client: openai.OpenAI) -> None:
    choices = ask(client, "two", n=3).choices
    assert len({call.id for c in choices for call in c.message.tool_calls}) == 6


def test_anthropics_sdk_calls_tools_whole_and_as_a_stream(server: Server) -> None:
    client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.port}", api_key="none")
    tools: list[Any] = [{"name": "get_weather", "description": "The weather",
                         "input_schema": WEATHER["function"]["parameters"]}]
    wanted: dict[str, Any] = {"model": "", "max_tokens": 50, "tools": tools}
    message = client.messages.create(messages=QUESTION, **wanted)
    assert message.stop_reason == "tool_use"
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.content[1].input == {"city": "Paris"}
    with client.messages.stream(messages=QUESTION, **wanted) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert "input_json" in kinds
    assert final.stop_reason == "tool_use" and final.content[1].input == {"city": "Paris"}
    turn: list[Any] = [*QUESTION, {"role": "assistant", "content": message.content}, {
        "role": "user", "content": [{"type": "tool_result", "tool_use_id": message.content[1].id,
                                     "content": [{"type": "text", "text": "21"}]}]}]
    assert client.messages.create(messages=turn, **wanted).content[0].text == "It is 21 degrees."
    for choice in ({"type": "tool", "name": "get_weather"}, {"type": "any"}):
        forced = client.messages.create(messages=QUESTION, tool_choice=choice, **wanted)
        assert forced.content[0].input == {"city": "Bern"} and forced.stop_reason == "tool_use"
    none = client.messages.create(messages=QUESTION, tool_choice={"type": "none"}, **wanted)
    assert none.content[0].text == "Hello there."
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[2\].content\[0\].tool_use_id"):
        turn[2]["content"][0]["tool_use_id"] = "other"
        client.messages.create(messages=turn, **wanted)
    broken = client.messages.create(
        messages=QUESTION, extra_body={"chat_template_kwargs": {"script": "broken"}}, **wanted)
    assert broken.content[0].text == "".join(SCRIPTS["<|broken|>"])
    assert broken.stop_reason == "end_turn"


def test_responses_call_functions_whole_and_as_a_stream(
    client: openai.OpenAI, server: Server
) -> None:
    tools: list[Any] = [{"type": "function", **WEATHER["function"], "strict": None}]
    first = client.responses.create(model="", input="Weather?", tools=tools)
    assert [item.type for item in first.output] == ["message", "function_call"]
    call = first.output[1]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    done = {"type": "function_call_output", "call_id": call.call_id, "output": "21"}
    second = client.responses.create(
        model="", previous_response_id=first.id, input=[done], tools=tools)
    assert second.output_text == "It is 21 degrees."
    stateless = client.responses.create(
        model="", tools=tools, store=False, input=[
            {"role": "user", "content": "Weather?"}, *[i.model_dump() for i in first.output], done])
    assert stateless.output_text == "It is 21 degrees."
    with client.responses.stream(model="", input="Weather?", tools=tools) as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    for kind in ("response.function_call_arguments.delta", "response.function_call_arguments.done"):
        assert kind in kinds
    assert [item.type for item in final.output] == ["message", "function_call"]
    added = [e.item for e in events if e.type == "response.output_item.done"]
    assert [item.id for item in added] == [item.id for item in final.output]
    assert [e.sequence_number for e in events] == list(range(len(events)))
    forced = client.responses.create(
        model="", input="Weather?", tools=tools,
        tool_choice={"type": "function", "name": "get_weather"})
    assert [item.type for item in forced.output] == ["function_call"]
    server.post("/v1/responses", {"input": [done]}, 400)


def test_a_response_with_calls_can_be_asked_for_again(client: openai.OpenAI) -> None:
    tools: list[Any] = [{"type": "function", **WEATHER["function"], "strict": None}]
    first = client.responses.create(model="", input="Weather?", tools=tools)
    assert client.responses.retrieve(first.id).output[1] == first.output[1]


def test_langchain_goes_through_a_tool_loop(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_openai import ChatOpenAI

    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    model = ChatOpenAI(
        base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", model="")
    bound = model.bind_tools([WEATHER, CLOCK])
    messages: list[Any] = [HumanMessage("What is the weather in Paris?")]
    for _ in range(3):
        answer = bound.invoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            break
        assert answer.tool_calls[0]["args"] == {"city": "Paris"}
        for call in answer.tool_calls:
            messages.append(ToolMessage("21", tool_call_id=call["id"]))
    assert answer.content == "It is 21 degrees." and len(messages) == 4
    chunks = None
    for chunk in bound.stream(messages[:1]):
        chunks = chunk if chunks is None else chunks + chunk
    assert chunks.tool_calls[0]["args"] == {"city": "Paris"}
    forced = model.bind_tools([WEATHER, CLOCK], tool_choice="get_weather").invoke(messages[:1])
    assert forced.tool_calls[0]["args"] == {"city": "Bern"}


def test_the_format_is_told_and_can_be_set(quire: Program, package: Path, server: Server) -> None:
    assert any("tools hermes" in line for line in server.lines)
    assert "hermes" in quire("inspect", package).out
    with serving(quire.binary, package, flags=("--tool-format", "mistral")) as other:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{other.port}/v1", api_key="none")
        message = ask(client).choices[0].message
        assert message.content == "".join(SCRIPTS["<|call|>"]) and message.tool_calls is None
    quire("serve", "-m", package, "--tool-format", "morse").assert_refused(2, "--tool-format")


@pytest.mark.parametrize(("name", "found"), [
    ("LLAMA3", "llama"), ("QWEN3", "hermes"), ("MISTRAL", "mistral"),
    ("CHATML", "none in the chat template"), ("DEEPSEEK", "none in the chat template")])
def test_published_templates_tell_their_formats(
    quire: Program, tiny_package: Path, tmp_path: Path, name: str, found: str
) -> None:
    sys.path.append(str(ROOT / "tests" / "oracle_chat"))
    import templates

    package = Path(shutil.copytree(tiny_package, tmp_path / "package"))
    (package / "chat_template.jinja").write_text(getattr(templates, name))
    rehash(package)
    assert re.search(rf"^  tools +{found}$", quire("inspect", package).out, re.MULTILINE)


def test_markers_that_are_special_tokens_reach_the_parser(
    quire: Program, store: PackageStore
) -> None:
    scripts = {"<|call|>": ["Yes. ", "[TOOL_CALLS]", "get_weather", "[ARGS]", "{\"city\": ",
                            "\"Nice\"}"],
               "<|done|>": ["Warm", "."], "<|talk|>": ["Hi."]}
    template = HERMES.replace(
        '<tool_call>\n{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | '
        'tojson }}}\n</tool_call>',
        "{% if c.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}"
        "[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}")
    package = store.scripted("scripted-mistral", scripts=scripts, template=template,
                             special=("[TOOL_CALLS]", "[ARGS]"))
    with serving(quire.binary, package) as server:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none")
        message = ask(client).choices[0].message
        assert calls_of(message) == [("get_weather", {"city": "Nice"})]
        assert message.content == "Yes."
        [call] = message.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": "30"}
        assert ask(client, messages=[*QUESTION, message, result]).choices[0].message.content == (
            "Warm.")
        assert ask(client, "talk", tool_choice="none").choices[0].message.content == "Hi."


def test_lines_of_a_file_get_their_calls(quire: Program, package: Path) -> None:
    lines = [{"messages": QUESTION, "tools": [WEATHER]},
             {"messages": QUESTION, "tools": [WEATHER], "tool_choice": "required"},
             {"messages": QUESTION, "tools": [WEATHER], "tool_choice": "none"}]
    auto, forced, none = quire.generate(package, lines)
    assert auto["text"] == "I look." and auto["finish_reason"] == "stop"
    [call] = auto["tool_calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})
    [call] = forced["tool_calls"]
    assert json.loads(call["arguments"]) == {"city": "Bern"}
    assert none["text"] == "Hello there." and "tool_calls" not in none


PAGE = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("language", "block"), BLOCKS, ids=[language for language, _ in BLOCKS])
def test_what_the_page_of_tools_tells_to_run_works(
    server: Server, language: str, block: str
) -> None:
    program = ["bash", "-euo", "pipefail"] if language == "sh" else [sys.executable]
    text = block.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    done = subprocess.run(
        [*program, "-c", text], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]})
    assert done.returncode == 0, done.stderr
    assert "It is 21 degrees." in done.stdout or "Bern" in done.stdout


def test_a_budget_ends_the_thoughts_and_the_answer_goes_on(client: openai.OpenAI) -> None:
    def ponder(**more: Any) -> tuple[str | None, str | None, int]:
        answer = client.chat.completions.create(
            model="", messages=QUESTION, stream=False, **({"extra_body": {
                "chat_template_kwargs": {"script": "ponder"}, **more}}))
        message = answer.choices[0].message
        details = answer.usage.completion_tokens_details
        return message.model_extra["reasoning_content"], message.content, details.reasoning_tokens

    assert ponder() == ("One. Two. Three. Four.", "", 6)  # and the end of the answer
    assert ponder(max_reasoning_tokens=2) == ("One. Two.", "So it is.", 4)
    assert ponder(max_reasoning_tokens=0) == (None, "So it is.", 2)
    assert ponder(reasoning_effort="none") == (None, "So it is.", 2)
    anthropics = anthropic.Anthropic(base_url=str(client.base_url).removesuffix("/v1/"), api_key="x")
    message = anthropics.messages.create(
        model="", max_tokens=50, messages=QUESTION, thinking={"type": "enabled", "budget_tokens": 3},
        extra_body={"chat_template_kwargs": {"script": "ponder", "enable_thinking": False}})
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == "One. Two. Three."
    assert message.content[1].text == "So it is."


def test_an_abandoned_request_counts_what_it_made(quire: Program, tiny_package: Path) -> None:
    with serving(quire.binary, tiny_package) as server:
        body = json.dumps({"prompt": "x", "max_tokens": 400, "ignore_eos": True, "stream": True})
        with server.raw(post_bytes("/v1/completions", body.encode())) as connection:
            while b"data:" not in connection.recv(4096):
                pass
        server.assert_idle()
        assert server.metric("vllm:generation_tokens_total") > 0
