"""Answers held to a rule, by every way in, against the default model."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema
import openai
import pytest
from program import Program
from pydantic import BaseModel
from server_process import Server, serving

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
                   "mood": {"enum": ["good", "bad"]}},
    "required": ["name", "age", "mood"],
    "additionalProperties": False,
}
USER = {"role": "user", "content": "Ann is 31 and feels good. Tell me about her as JSON."}
# By field; what the text must match.
FIELDS: list[tuple[str, Any, str]] = [
    ("response_format", {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": SCHEMA}}, "{"),
    ("response_format", {"type": "json_object", "schema": SCHEMA}, "{"),
    ("structured_outputs", {"json": SCHEMA}, "{"),
    ("guided_json", json.dumps(SCHEMA), "{"),
    ("json_schema", SCHEMA, "{"),
    ("structured_outputs", {"regex": "[a-z]{3} [0-9]{2}"}, "[a-z]{3} [0-9]{2}"),
    ("guided_regex", "x{2,3}y", "x{2,3}y"),
    ("structured_outputs", {"choice": ["red", "green"]}, "red|green"),
    ("guided_choice", ["red", "green"], "red|green"),
    ("grammar", 'root ::= "[" [0-9]{1,3} "]"', r"\[[0-9]{1,3}\]"),
    ("guided_grammar", 'root ::= "a"{3}', "aaa"),
    ("structured_outputs", {"grammar": 'root ::= "b"', "json": None}, "b"),
]


def follows(text: str, wanted: str) -> None:
    if wanted == "{":
        jsonschema.validate(json.loads(text), SCHEMA)
    else:
        assert re.fullmatch(wanted, text), text


@pytest.fixture(scope="module")
def server(quire: Program, default_package: Path) -> Iterator[Server]:
    with serving(quire.binary, default_package) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none")


@pytest.mark.parametrize(("field", "value", "wanted"), FIELDS, ids=lambda v: str(v)[:24])
def test_a_request_is_held_to_what_it_asks_for(server: Server, field: str, value: Any, wanted: str) -> None:
    body = {"messages": [USER], "max_tokens": 150, "seed": 4, "temperature": 1, field: value}
    choice = server.post("/v1/chat/completions", body)["choices"][0]
    assert choice["finish_reason"] == "stop"
    follows(choice["message"]["content"], wanted)


def test_a_refused_schema_names_the_field_the_keyword_and_its_place(server: Server) -> None:
    body = {"messages": [USER], "guided_json": {"properties": {"a": {"not": {}}}}}
    error = server.post("/v1/chat/completions", body, status=400)["error"]
    assert error["param"] == "guided_json"
    assert '"not" at #/properties/a is not enforced' in error["message"]
    two = {"messages": [USER], "grammar": 'root ::= "a"', "guided_regex": "a"}
    assert "beside" in server.post("/v1/chat/completions", two, status=400)["error"]["message"]


def test_a_cut_answer_says_so_and_samples_go_their_own_ways(server: Server) -> None:
    body = {"messages": [USER], "json_schema": SCHEMA, "n": 3, "temperature": 1.5, "seed": 1, "max_tokens": 4}
    cut = server.post("/v1/chat/completions", body)["choices"]
    assert [c["finish_reason"] for c in cut] == ["length"] * 3
    whole = server.post("/v1/chat/completions", body | {"max_tokens": 200, "logit_bias": {"28": 1}})["choices"]
    assert len({c["message"]["content"] for c in whole}) > 1
    for choice in whole:
        follows(choice["message"]["content"], "{")


class Person(BaseModel):
    name: str
    age: int
    mood: Literal["good", "bad"]


def test_openais_sdk_parses_models_of_pydantic_whole_and_as_a_stream(client: openai.OpenAI) -> None:
    asked = {"model": client.models.list().data[0].id, "messages": [USER], "temperature": 0, "max_tokens": 200}
    whole = client.chat.completions.parse(response_format=Person, **asked).choices[0].message.parsed
    assert isinstance(whole, Person)
    with client.chat.completions.stream(response_format=Person, **asked) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == whole
    response = client.responses.parse(model=asked["model"], input=USER["content"], text_format=Person,
                                      temperature=0, max_output_tokens=200)
    assert isinstance(response.output_parsed, Person)


def test_free_and_constrained_answers_are_the_same_alone_and_in_a_crowd(
    quire: Program, default_package: Path
) -> None:
    lines = [{"messages": [USER], "max_tokens": 60, "seed": i, "temperature": 1} for i in range(12)]
    for i, (field, value, _) in enumerate(FIELDS):
        if i % 2 == 0:
            lines[i][field] = value

    def answers(some: list[dict[str, Any]], *flags: str) -> list[list[int]]:
        return [answer["token_ids"] for answer in quire.generate(default_package, some, *flags)]

    crowd = answers(lines)
    assert answers(lines, "--kv-blocks", "24") == crowd  # and with preemption
    assert answers(lines, "--max-num-seqs", "1") == crowd


def test_the_command_line_takes_one_constraint_and_says_what_is_wrong_with_it(
    quire: Program, default_package: Path, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(SCHEMA))
    done = quire("generate", "-m", default_package, "-n", "150", "--json-schema", schema, USER["content"])
    follows(done.out, "{")
    for flags, code, words in [(["--regex", "("], 2, "--regex"),
                               (["--regex", "a", "--choice", "b"], 2, "excludes"),
                               (["--grammar", tmp_path / "none"], 3, "none"),
                               (["--json-schema", "{"], 2, "not JSON"),
                               (["--json-schema", '{"not": {}}'], 2, '"not" at #')]:
        refused = quire("generate", "-m", default_package, *flags, "Hi")
        refused.assert_refused(code, words)
