"""What comes back: vLLM's classes, with the arrays they are made of beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quire.errors import QuireError, error_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Logits = npt.NDArray[np.float32]
    TokenIds = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Logprob:
    """A token's log-probability under the model's raw logits, and its place: 1 is the best.

    `rank` is None for a chosen token that is not among the best ones that were asked for.
    """

    logprob: float
    rank: int | None


@dataclass(frozen=True)
class LogprobArrays:
    """Log-probabilities of n tokens as arrays, made by the engine and not copied.

    Attributes:
        token_ids: int32 [n].
        logprobs: float32 [n]; NaN for a token of a tool's result, which no model chose.
        top_ids: int32 [n, k], best first; -1 where there are fewer than k.
        top_logprobs: float32 [n, k].
    """

    token_ids: TokenIds
    logprobs: Logits
    top_ids: TokenIds
    top_logprobs: Logits

    def dicts(self) -> list[dict[int, Logprob]]:
        """vLLM's form: at each place, the best tokens and the chosen one."""
        places: list[dict[int, Logprob]] = []
        for i, token in enumerate(self.token_ids.tolist()):
            tops = zip(self.top_ids[i].tolist(), self.top_logprobs[i].tolist(), strict=True)
            place = {top: Logprob(value, rank + 1) for rank, (top, value) in enumerate(tops) if top >= 0}
            place.setdefault(token, Logprob(float(self.logprobs[i]), None))
            places.append(place)
        return places


@dataclass(frozen=True)
class ToolCall:
    """A call of one of the request's tools; `arguments` is the text of a JSON object."""

    name: str
    arguments: str


@dataclass
class CompletionOutput:
    """One answer to a prompt.

    Attributes:
        index: which of the n answers.
        text: what was written, without the ending token and without calls of tools.
        token_ids: all of them, with the end-of-sequence id.
        finish_reason: "stop", "length", "cancelled" or "error".
        logprob_arrays: where SamplingParams.logprobs asked for them.
        parts: (kind, text) in order, kind "text", "tool_call" or "tool_result", when a tool was on.
        tool_calls: of the request's tools.
    """

    index: int
    text: str
    token_ids: list[int]
    finish_reason: str | None
    logprob_arrays: LogprobArrays | None = None
    parts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    tool_calls: list[ToolCall] = field(default_factory=list[ToolCall])

    @property
    def logprobs(self) -> list[dict[int, Logprob]] | None:
        """Per token, by token id: vLLM's form of `logprob_arrays`."""
        return None if self.logprob_arrays is None else self.logprob_arrays.dicts()

    @property
    def cumulative_logprob(self) -> float | None:
        """The sum over the tokens, where log-probabilities were asked for."""
        return None if self.logprob_arrays is None else float(self.logprob_arrays.logprobs.sum())

    def finished(self) -> bool:
        """Whether it has come to its end."""
        return self.finish_reason is not None


@dataclass(frozen=True)
class RequestTimings:
    """Milliseconds since the request was submitted, by the clock on the wall."""

    queued_ms: float = 0.0
    first_token_ms: float = 0.0
    total_ms: float = 0.0


@dataclass
class RequestOutput:
    """What became of a prompt.

    Attributes:
        request_id: unique in its engine.
        prompt: as it was given; None where it was given as ids.
        prompt_token_ids: as the model saw it.
        outputs: n answers; none where `error` says why.
        prompt_logprob_arrays: of the prompt from its second token on, where asked for.
        num_cached_tokens: of the prompt that were in the cache.
        error: why it failed, where failures are given back instead of raised.
    """

    request_id: int
    prompt: str | list[dict[str, Any]] | None
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    prompt_logprob_arrays: LogprobArrays | None = None
    num_cached_tokens: int = 0
    timings: RequestTimings = RequestTimings()
    error: QuireError | None = None
    finished: bool = True

    @property
    def prompt_logprobs(self) -> list[dict[int, Logprob] | None] | None:
        """vLLM's form: None for the first token, which nothing precedes."""
        if self.prompt_logprob_arrays is None:
            return None
        places = self.prompt_logprob_arrays.dicts()
        missing = len(self.prompt_token_ids) - len(places)
        return [*[None] * max(missing, 0), *places]


@dataclass(frozen=True)
class TextDelta:
    """A piece of an answer as it comes; its text is whole UTF-8.

    `finish_reason` is set on the last piece of a sample.
    """

    request_id: int
    index: int
    kind: str
    text: str
    token_ids: list[int]
    logprob_arrays: LogprobArrays | None
    finish_reason: str | None


@dataclass(frozen=True)
class StepOutput:
    """What one step brought to requests that were submitted by hand."""

    deltas: list[TextDelta]
    finished: list[RequestOutput]


def logprobs_from(arrays: Sequence[Any] | None) -> LogprobArrays | None:
    """Of the extension module's tuple."""
    return None if arrays is None else LogprobArrays(*arrays)


def delta_from(news: Sequence[Any]) -> TextDelta:
    """Of the extension module's tuple."""
    request_id, index, kind, text, token_ids, logprobs, finish_reason = news
    return TextDelta(
        request_id, index, kind, text, token_ids, logprobs_from(logprobs), finish_reason
    )


def output_from(
    news: Sequence[Any], prompt: str | list[dict[str, Any]] | None, prompt_token_ids: list[int]
) -> RequestOutput:
    """Of the extension module's tuple and what was asked."""
    request_id, error, samples, prompt_logprobs, _num_prompt, num_cached, timings = news
    return RequestOutput(
        request_id=request_id,
        prompt=prompt,
        prompt_token_ids=prompt_token_ids,
        outputs=[] if error is not None else [_sample_from(sample) for sample in samples],
        prompt_logprob_arrays=logprobs_from(prompt_logprobs),
        num_cached_tokens=num_cached,
        timings=RequestTimings(*timings),
        error=None if error is None else error_of(*error),
    )


def _sample_from(sample: Sequence[Any]) -> CompletionOutput:
    index, text, token_ids, finish_reason, logprobs, parts, calls = sample
    return CompletionOutput(
        index,
        text,
        token_ids,
        finish_reason,
        logprobs_from(logprobs),
        list(parts),
        [ToolCall(*call) for call in calls],
    )
