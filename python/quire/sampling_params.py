"""How an answer is chosen."""

from __future__ import annotations

import dataclasses
import json as json_module
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quire.errors import InvalidArgumentError

_ANY_NUMBER = 2**31 - 1


@dataclass(kw_only=True)
class StructuredOutputsParams:
    """A rule that the whole answer must follow; exactly one is given. vLLM's fields.

    Attributes:
        json: a JSON Schema, as a dict or as its text.
        regex: a regular expression.
        choice: texts, of which the answer is one.
        grammar: a grammar in GBNF with a rule named root.
        json_object: any JSON object.
    """

    json: str | Mapping[str, Any] | None = None
    regex: str | None = None
    choice: Sequence[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None

    def fields(self) -> dict[str, Any]:
        """The rule as a request has it."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(kw_only=True)
class SamplingParams:
    """How the continuation of one prompt is chosen. Names and meaning are vLLM's.

    The defaults are those of `quire generate`: greedy, at most 256 tokens. Values are checked where
    a request is made: InvalidArgumentError names the field.

    Attributes:
        n: answers a prompt.
        temperature: 0 is greedy.
        top_k: 0 or -1 is off.
        max_tokens: new tokens at most; None: as many as the context leaves.
        min_tokens: no end of the text before so many.
        seed: the same seed draws the same tokens; None: the engine draws one.
        stop: a string, or several, that end the text and are cut off it.
        bad_words: token ids, or texts' ids, that must not be completed, as lists of ids.
        logprobs: log-probabilities of so many best tokens at each step, 0 for the chosen one alone.
        prompt_logprobs: the same for the prompt.
        max_reasoning_tokens: of thoughts, for a model that has markers for them.
        structured_outputs: what the text must follow.
    """

    n: int = 1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    stop: str | Sequence[str] | None = None
    stop_token_ids: Sequence[int] | None = None
    bad_words: Sequence[Sequence[int]] | None = None
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    max_tokens: int | None = 256
    min_tokens: int = 0
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    skip_special_tokens: bool = True
    logit_bias: Mapping[int, float] | None = None
    allowed_token_ids: Sequence[int] | None = None
    max_reasoning_tokens: int | None = None
    structured_outputs: StructuredOutputsParams | Mapping[str, Any] | None = None

    def clone(self) -> SamplingParams:
        """A copy to change."""
        return dataclasses.replace(self)

    def fields(self) -> dict[str, Any]:
        """The fields of a request (docs/guide.md); None is left out."""
        found = {name: value for name, value in vars(self).items() if value is not None}
        found["max_tokens"] = _ANY_NUMBER if self.max_tokens is None else self.max_tokens
        rule = self.structured_outputs
        if isinstance(rule, StructuredOutputsParams):
            found["structured_outputs"] = rule.fields()
        return found


def request_json(fields: Mapping[str, Any]) -> str:
    """A request as the engine reads it, JSON: what the command line takes as a line of a file."""
    try:
        return json_module.dumps(fields, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"a prompt or a parameter cannot be written as JSON ({error}); give plain numbers, "
            "texts and lists"
        ) from error


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever json does not know
    """numpy's numbers and arrays, tuples of mappings and the like."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    if isinstance(value, Sequence):
        return list(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    raise TypeError(f"{type(value).__name__} is no number, text, list or mapping")
