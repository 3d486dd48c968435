"""The official SDKs as a program would use them, against the default model."""

import json
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from program import Program
from server_process import Server, serving

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def server(quire: Program, default_package: Path) -> Iterator[Server]:
    with serving(quire.binary, default_package) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none")


@pytest.fixture(scope="module")
def model(client: openai.OpenAI) -> str:
    [only] = client.models.list().data
    assert client.models.retrieve(only.id) == only
    return only.id


def test_openais_sdk_reads_a_chat_whole_and_as_a_stream(client: openai.OpenAI, model: str) -> None:
    whole = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_completion_tokens=20)
    text = whole.choices[0].message.content
    assert "Paris" in text
    assert whole.choices[0].finish_reason == "stop"
    chunks = list(client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, max_completion_tokens=20, stream=True,
        stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens > 0


def test_openais_sdk_reads_logprobs_choices_and_seeds(client: openai.OpenAI, model: str) -> None:
    def ask() -> openai.types.chat.ChatCompletion:
        return client.chat.completions.create(
            model=model, messages=QUESTION, max_completion_tokens=8, n=3, seed=5, temperature=1,
            logprobs=True, top_logprobs=2)

    answer, again = ask(), ask()
    assert [c.message.content for c in answer.choices] == [c.message.content for c in again.choices]
    for choice in answer.choices:
        said = b"".join(bytes(token.bytes) for token in choice.logprobs.content)
        assert said.decode(errors="replace").startswith(choice.message.content)
        assert all(len(token.top_logprobs) == 2 for token in choice.logprobs.content)


def test_openais_sdk_completes_batches_of_text_and_of_ids(
    client: openai.OpenAI, model: str, server: Server
) -> None:
    text = "The capital of France is"
    ids = server.post("/tokenize", {"prompt": text})["tokens"]
    wanted = {"model": model, "temperature": 0, "max_tokens": 4}
    by_text = client.completions.create(prompt=[text, "1, 2, 3,"], **wanted)
    by_ids = client.completions.create(prompt=ids, **wanted)
    assert [c.index for c in by_text.choices] == [0, 1]
    assert by_text.choices[0].text == by_ids.choices[0].text


def test_openais_sdk_raises_the_error_of_its_kind(
    client: openai.OpenAI, model: str, server: Server
) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature") as refused:
        client.chat.completions.create(model=model, messages=QUESTION, temperature=-1)
    assert refused.value.param == "temperature"
    with pytest.raises(openai.NotFoundError, match="gpt-4o"):
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    with pytest.raises(openai.BadRequestError, match="strange"):
        client.chat.completions.create(model=model, messages=QUESTION, extra_body={"strange": 1})
    server.assert_idle()


def test_anthropics_sdk_reads_a_message_whole_and_as_a_stream(server: Server, model: str) -> None:
    client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.port}", api_key="none")
    counted = client.messages.count_tokens(model=model, messages=QUESTION)
    # The SDK has no temperature of its own any more; the field is still the interface's.
    wanted = {"model": model, "messages": QUESTION, "max_tokens": 20,
              "extra_body": {"temperature": 0}}
    whole = client.messages.create(**wanted)
    assert "Paris" in whole.content[0].text
    assert whole.stop_reason == "end_turn"
    usage = whole.usage
    assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == counted.input_tokens
    with client.messages.stream(**wanted) as stream:
        assert "".join(stream.text_stream) == whole.content[0].text
        assert stream.get_final_message().stop_reason == "end_turn"


def test_a_batch_file_of_openai_gives_results_that_the_sdk_parses(
    quire: Program, default_package: Path, tmp_path: Path
) -> None:
    batch = tmp_path / "batch.jsonl"
    batch.write_text("".join(
        json.dumps({
            "custom_id": f"line-{i}", "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": "any", "max_tokens": 2, "temperature": 0,
                     "messages": [{"role": "user", "content": f"Say {i}"}]}}) + "\n"
        for i in range(200)))
    run = quire("generate", "-m", default_package, "--json", "--file", batch)
    assert run.code == 0, run.err
    lines = run.json_lines()
    assert sorted(line["custom_id"] for line in lines) == sorted(f"line-{i}" for i in range(200))
    for line in lines:
        assert line["error"] is None
        body = line["response"]["body"]
        answer = openai.types.chat.ChatCompletion.model_validate(body, strict=True)
        assert answer.usage.completion_tokens <= 2
        assert answer.choices[0].finish_reason in ("stop", "length")
