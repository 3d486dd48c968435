"""OpenAI's Responses: state between requests, and streams of events."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import Program
from server_process import Server, serving

RESPONSES = "/v1/responses"


@pytest.fixture(scope="module")
def server(quire: Program, tiny_package: Path) -> Iterator[Server]:
    with serving(quire.binary, tiny_package) as running:
        yield running
        running.assert_idle()
        assert running.stop() == 0


def ask(text: str, **fields: Any) -> dict[str, Any]:
    return {"input": text, "max_output_tokens": 24, **fields}


def said(response: dict[str, Any]) -> str:
    return response["output"][-1]["content"][0]["text"]


def test_a_response_says_what_the_chat_says(server: Server) -> None:
    conversation = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    chat = server.post("/v1/chat/completions", {"messages": conversation, "max_tokens": 24})
    by_text = server.post(RESPONSES, ask("Hi", instructions="Be kind."))
    by_items = server.post(RESPONSES, {"input": conversation, "max_output_tokens": 24})
    assert said(by_text) == said(by_items) == chat["choices"][0]["message"]["content"]
    usage = by_items["usage"]
    assert usage["input_tokens"] == chat["usage"]["prompt_tokens"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert by_text["status"] == {"length": "incomplete", "stop": "completed"}[
        chat["choices"][0]["finish_reason"]]


def test_a_chained_response_computes_only_its_new_tokens(server: Server) -> None:
    """Sampled wildly, so that the model writes words in tokens that no tokenizer would choose."""
    block = int(re.search(r'block_size="(\d+)"', server.request("GET", "/metrics")[2])[1])
    prompt = server.post("/tokenize", {"messages": [{"role": "user", "content": "Hi"}]})["tokens"]
    controls = sorted(set(prompt) - set(server.post("/tokenize", {"prompt": "Hi"})["tokens"]))
    for seed in range(5):
        first = server.post(
            RESPONSES,
            ask(f"Tell me of the sea, {seed}.", temperature=2.0, seed=seed, max_output_tokens=100,
                min_tokens=100, bad_words=[[control] for control in controls]))
        known = first["usage"]["total_tokens"] - 1  # the last was not computed
        second = server.post(RESPONSES, ask("And then?", previous_response_id=first["id"]))
        cached = second["usage"]["input_tokens_details"]["cached_tokens"]
        assert cached == known // block * block, (seed, first["usage"], second["usage"])
        assert second["previous_response_id"] == first["id"]
        # The end of the answer stands where a conversation of its own would begin.
        turn = server.post("/tokenize", {"messages": [{"role": "user", "content": "And then?"}]})
        assert second["usage"]["input_tokens"] == first["usage"]["total_tokens"] + turn["count"]


def test_events_of_a_stream_are_the_response_in_pieces(server: Server) -> None:
    body = ask("Tell me of the sea.", temperature=0.9, seed=3, top_logprobs=2)
    whole = server.post(RESPONSES, body)
    events = server.events(RESPONSES, body)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    assert kinds[-4:-1] == ["output_text.done", "content_part.done", "output_item.done"]
    assert kinds[-1] in ("completed", "incomplete")
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(event["delta"] for event in deltas) == said(whole)
    logprobs = [entry for event in deltas for entry in event["logprobs"]]
    assert logprobs == whole["output"][0]["content"][0]["logprobs"]
    assert len(logprobs) == whole["usage"]["output_tokens"]
    last = events[-1]["response"]
    assert said(last) == said(whole) and last["status"] == whole["status"]
    assert json.loads(server.request("GET", f"{RESPONSES}/{last['id']}")[2]) == last


def test_a_response_can_be_fetched_and_deleted_unless_it_was_not_to_be_stored(
    server: Server,
) -> None:
    kept = server.post(RESPONSES, ask("Hi", metadata={"k": "v"}))
    path = f"{RESPONSES}/{kept['id']}"
    assert json.loads(server.request("GET", path)[2]) == kept
    items = json.loads(server.request("GET", path + "/input_items?limit=1")[2])
    assert items["data"][0]["content"] == [{"type": "input_text", "text": "Hi"}]
    assert server.request("GET", path + "?stream=true")[0] == 400
    assert json.loads(server.request("DELETE", path)[2])["deleted"] is True
    for method in ("GET", "DELETE"):
        assert server.request(method, path)[0] == 404
    gone = server.post(RESPONSES, ask("Hi", previous_response_id=kept["id"]), status=404)
    assert gone["error"]["param"] == "previous_response_id"
    unkept = server.post(RESPONSES, ask("Hi", store=False))
    assert server.request("GET", f"{RESPONSES}/{unkept['id']}")[0] == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [("tools", [{"type": "web_search"}]), ("background", True), ("conversation", "c"),
     ("truncation", "auto"), ("temperature", 99), ("top_p", 0), ("max_output_tokens", 0),
     ("input", [{"type": "item_reference", "id": "x"}]), ("unknown", 1), ("stream", 1)])
def test_what_a_response_cannot_do_is_refused_by_name(
    server: Server, field: str, value: Any
) -> None:
    error = server.post(RESPONSES, ask("Hi") | {field: value}, status=400)["error"]
    assert error["param"] == field, error


def test_a_response_belongs_to_the_key_that_made_it(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("first\nsecond\n")
    with serving(quire.binary, tiny_package, flags=("--api-key-file", str(keys))) as server:
        made = server.post(RESPONSES, ask("Hi"), authorization="Bearer first")
        path = f"{RESPONSES}/{made['id']}"
        for method, suffix in (("GET", ""), ("GET", "/input_items"), ("DELETE", "")):
            assert server.request(method, path + suffix, authorization="Bearer second")[0] == 404
        chained = ask("Hi", previous_response_id=made["id"])
        server.post(RESPONSES, chained, status=404, x_api_key="second")
        server.post(RESPONSES, chained, x_api_key="first")
