"""What the answers of the server look like: thoughts, nanochat's events, other people's endpoints."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packages import edit_json, rehash
from program import Program
from server_process import Server, serving

CHAT = "/v1/chat/completions"
MARKERS = {"plain": ("<think>", "</think>"), "special": ("[THINK]", "[/THINK]")}


def messages(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def server(quire: Program, tiny_package: Path) -> Iterator[Server]:
    with serving(quire.binary, tiny_package) as running:
        yield running
        running.assert_idle()
        assert running.stop() == 0


@pytest.fixture(scope="module", params=MARKERS)
def thinker(
    request: pytest.FixtureRequest, tiny_package: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, str]:
    """A model whose tokenizer has markers of thoughts, and whose template may begin them."""
    opening, closing = MARKERS[request.param]
    package = Path(shutil.copytree(tiny_package, tmp_path_factory.mktemp("thinks") / "thinker"))

    def add_markers(tokenizer: dict[str, Any]) -> None:
        for place, content in ((280, opening), (281, closing)):
            tokenizer["added_tokens"].append(
                {"id": place, "content": content, "single_word": False, "lstrip": False,
                 "rstrip": False, "normalized": False, "special": request.param == "special"})

    edit_json(package / "tokenizer.json", add_markers)
    template = package / "chat_template.jinja"
    template.write_text(
        template.read_text() + "{% if begin is defined %}" + opening + "\n{% endif %}")
    rehash(package)
    return package, opening, closing


def split(text: str, inside: bool, opening: str, closing: str) -> tuple[str, str]:
    """Thoughts and answer of a whole text, told apart by one regular expression."""
    found = re.fullmatch(
        ("" if inside else rf"\s*{re.escape(opening)}") + rf"(.*?)(?:{re.escape(closing)}\s*(.*))?",
        text, re.DOTALL)
    return ("", text) if not found else (found[1].strip(" \t\r\n"), found[2] or "")


def streamed_blocks(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks that the events of a message of Anthropic's add up to."""
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            assert event["index"] == len(blocks) - 1
            key = event["delta"]["type"].removesuffix("_delta")
            blocks[-1][key] += event["delta"][key]
    stops = [event["index"] for event in events if event["type"] == "content_block_stop"]
    assert stops == list(range(len(blocks)))
    return blocks


@pytest.mark.parametrize("begun", [False, True])
def test_thoughts_are_told_from_the_answer_in_every_form(
    quire: Program, thinker: tuple[Path, str, str], begun: bool
) -> None:
    package, opening, closing = thinker
    seen = set()
    with serving(quire.binary, package) as server:
        kwargs = {"chat_template_kwargs": {"begin": True}} if begun else {}
        prompt = server.post("/tokenize", {"messages": messages("Hi"), **kwargs})["tokens"]
        for seed in range(40):
            # A model of four words: two markers, a letter and a blank.
            bias = seed % 8
            body = {"max_tokens": 8, "temperature": 1.0, "seed": seed, "ignore_eos": True,
                    "allowed_token_ids": [280, 281, 64, 220], "logit_bias": {"280": bias}}
            raw = server.post(
                "/v1/completions", {"prompt": prompt, "skip_special_tokens": False, **body})
            thoughts, answer = split(raw["choices"][0]["text"], begun, opening, closing)
            seen.add((bool(thoughts), bool(answer)))
            asked = {"messages": messages("Hi"), **kwargs, **body}
            whole = server.post(CHAT, asked)
            message = whole["choices"][0]["message"]
            assert (message["reasoning_content"] or "", message["content"]) == (thoughts, answer)
            deltas = [e["choices"][0]["delta"] for e in server.events(CHAT, asked)[:-1]]
            assert "".join(d.get("reasoning_content", "") for d in deltas) == thoughts
            assert "".join(d.get("content", "") for d in deltas) == answer
            renamed = {k: v for k, v in body.items() if k != "max_tokens"}
            response = server.post(
                "/v1/responses", {"input": "Hi", "max_output_tokens": 8, **kwargs, **renamed})
            assert response["output"][-1]["content"][0]["text"] == answer
            said = [i["content"][0]["text"] for i in response["output"] if i["type"] == "reasoning"]
            assert said == ([thoughts] if thoughts else [])
            if seed == 0:  # neither bias nor seed here: the forms alone
                asked = {"messages": messages("Hi"), "max_tokens": 8, **kwargs}
                blocks = server.post("/v1/messages", asked)["content"]
                assert streamed_blocks(server.events("/v1/messages", asked)) == blocks
            counted = whole["usage"]["completion_tokens_details"]["reasoning_tokens"]
            assert counted == response["usage"]["output_tokens_details"]["reasoning_tokens"]
    assert len(seen) > 1 and any(thoughts for thoughts, _ in seen), seen


def test_a_model_without_markers_has_no_thoughts(server: Server) -> None:
    message = server.post(CHAT, {"messages": messages("Hi"), "max_tokens": 4})["choices"][0]["message"]
    assert "reasoning_content" not in message


def test_nanochats_old_clients_get_its_events(server: Server) -> None:
    body = {"messages": messages("Hi"), "temperature": 0.0, "max_tokens": 12}
    status, headers, text = server.request("POST", "/chat/completions", body)
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    events = server.events("/chat/completions", body)
    assert events[-1] == {"done": True}
    assert all(event["gpu"] == 0 for event in events[:-1])
    plain = server.post(CHAT, body)["choices"][0]["message"]["content"]
    assert "".join(event["token"] for event in events[:-1]) == plain


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 2.1), ("top_k", 201), ("top_k", -1), ("max_tokens", 0), ("max_tokens", 4097),
     ("messages", []), ("messages", [{"role": "system", "content": "x"}]),
     ("messages", [{"role": "user", "content": "x" * 8001}]),
     ("messages", [{"role": "user", "content": "x" * 8000}] * 5), ("stream", False), ("n", 2)])
def test_what_nanochat_would_not_take_is_refused_by_name(
    server: Server, field: str, value: Any
) -> None:
    error = server.post("/chat/completions", {"messages": messages("Hi")} | {field: value}, status=400)
    assert error["error"]["param"] == field, error


def test_endpoints_of_others_are_refused_with_what_to_use(server: Server) -> None:
    described = json.loads(server.request("GET", "/openapi.json")[2])["paths"]
    for path in ("/v1/embeddings", "/v1/audio/speech", "/v1/images/generations", "/v1/batches",
                 "/v1/threads/x/runs", "/v1/conversations", "/v1/realtime", "/v1/complete",
                 "/v1/messages/batches", "/v1/responses/resp_1/cancel", "/api/chat", "/api/ps",
                 "/completion", "/slots", "/generate", "/models", "/rerank", "/v1/moderations"):
        error = server.post(path, {}, status=404)["error"]
        assert error["code"] == "not_supported" and path in error["message"], error
        for method, named in re.findall(r"(GET|POST) (/\S+)", error["message"]):
            assert method.lower() in described[named], error
    for path in ("/v1/embeddingsx", "/apix", "/v1/nowhere"):
        assert server.post(path, {}, status=404)["error"]["code"] is None


def test_a_stop_sequence_is_named_as_the_end_of_a_message(server: Server) -> None:
    body = {"messages": messages("Hi"), "max_tokens": 24}
    text = server.post("/v1/messages", body)["content"][0]["text"]
    stop = text[10:13]
    begin = text.index(stop)
    asked = body | {"stop_sequences": ["not there", stop, stop[0] + "not there"]}
    whole = server.post("/v1/messages", asked)
    assert whole["content"][0]["text"] == text[:begin]
    assert (whole["stop_reason"], whole["stop_sequence"]) == ("stop_sequence", stop)
    delta = next(e["delta"] for e in server.events("/v1/messages", asked) if e["type"] == "message_delta")
    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": stop}
    unmatched = server.post("/v1/messages", body | {"stop_sequences": ["not there"]})
    assert unmatched["stop_sequence"] is None and unmatched["stop_reason"] != "stop_sequence"


@pytest.mark.parametrize("form", ["a first line", "a block of its own"])
def test_a_billing_header_that_changes_does_not_defeat_the_prefix_cache(
    server: Server, form: str
) -> None:
    system = f"{form}: you help with code. " * 4

    def ask(number: int) -> dict[str, Any]:
        header = f"x-anthropic-billing-header: cc_version={number}; cch={number * 7919};"
        joined = header + "\n" + system
        blocks = [{"type": "text", "text": header}, {"type": "text", "text": system}]
        return server.post(
            "/v1/messages",
            {"system": joined if form == "a first line" else blocks, "messages": messages("Hi"),
             "max_tokens": 2})["usage"]

    first, second = ask(1), ask(2)
    assert first["cache_read_input_tokens"] == 0
    total = second["input_tokens"] + second["cache_read_input_tokens"]
    assert total == first["input_tokens"]  # nothing of the system prompt itself is lost
    assert second["cache_read_input_tokens"] >= total - 17


def test_a_system_prompt_loses_nothing_but_its_billing_header(server: Server) -> None:
    def count(system: Any) -> int:
        return server.post(
            "/v1/messages/count_tokens", {"system": system, "messages": messages("Hi")})["input_tokens"]

    header = {"type": "text", "text": "x-anthropic-billing-header: a"}
    text = "First line.\nSecond line."
    assert count([header, {"type": "text", "text": text}]) == count(text)
    assert count(header["text"] + "\n" + text) == count(text)
