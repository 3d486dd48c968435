"""What callers write as a prompt, as requests of the engine (the lines of docs/guide.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any, TypeAlias, TypedDict, cast

from quire.errors import InvalidArgumentError
from quire.sampling_params import SamplingParams

Message: TypeAlias = Mapping[str, Any]
# A text as it is, token ids, or vLLM's {"prompt": text} or {"prompt_token_ids": ids}.
PromptType: TypeAlias = "str | Sequence[int] | Mapping[str, Any]"


class RequestOptions(TypedDict, total=False):
    """Of a request beside its sampling.

    priority: lower runs first.
    cache_salt: prompts share cached blocks only under the same salt.
    timeout_ms: from submission to the end, past which the request fails; 0: none.
    """

    priority: int
    cache_salt: str
    timeout_ms: float


class Asked:
    """A request and what is told of its prompt in the answer."""

    __slots__ = ("fields", "prompt")

    def __init__(self, fields: dict[str, Any], prompt: str | list[dict[str, Any]] | None) -> None:
        self.fields = fields
        self.prompt = prompt


def text_of(text: str) -> str:
    """`text`, which must be one that UTF-8 can hold."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(f"a text must be a str, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"a text has a half of a surrogate pair at {error.start}, which is no character; "
            "read its source as UTF-8"
        ) from None
    return text


def token_ids_of(token_ids: Sequence[int]) -> list[int]:
    """Ids as plain integers; numpy's are taken too."""
    try:
        ids = [index(i) for i in token_ids]
    except (TypeError, ValueError):
        raise InvalidArgumentError("token ids must be a sequence of integers") from None
    if any(not -(2**31) <= i < 2**31 for i in ids):
        raise InvalidArgumentError("a token id is past 2^31; ids are below the vocabulary's size")
    return ids


def _is_ids(prompt: object) -> bool:
    return (
        isinstance(prompt, Sequence) or hasattr(prompt, "tolist")
    ) and not isinstance(prompt, str | bytes)


def plain_prompt(prompt: PromptType) -> Asked:
    """A prompt of generate(): a text as it is, or ids."""
    if isinstance(prompt, str):
        return Asked({"prompt": text_of(prompt)}, prompt)
    if isinstance(prompt, Mapping):
        if set(prompt) == {"prompt"}:
            return plain_prompt(prompt["prompt"])
        if set(prompt) <= {"prompt", "prompt_token_ids"} and "prompt_token_ids" in prompt:
            asked = plain_prompt(prompt["prompt_token_ids"])
            return Asked(asked.fields, prompt.get("prompt"))
        raise InvalidArgumentError(
            "a prompt in a dict must have prompt or prompt_token_ids and nothing else; messages are "
            "for chat()"
        )
    if not _is_ids(prompt):
        raise InvalidArgumentError(
            f"a prompt must be a text or token ids, not {type(prompt).__name__}"
        )
    return Asked({"token_ids": token_ids_of(prompt)}, None)


def any_prompt(prompt: PromptType | Sequence[Message]) -> Asked:
    """A prompt of stream(): one of generate()'s, or the messages of a conversation."""
    if isinstance(prompt, Sequence) and prompt and isinstance(prompt[0], Mapping):
        return conversation(cast(Sequence[Message], prompt))
    return plain_prompt(cast(PromptType, prompt))


def conversation(messages: Sequence[Message], **template: Any) -> Asked:
    """A conversation for the package's template; `template`: tools, add_generation_prompt, ..."""
    plain = [dict(message) for message in messages]
    given = {name: value for name, value in template.items() if value is not None}
    return Asked({"messages": plain, **given}, plain)


def plain_prompts(prompts: PromptType | Sequence[PromptType]) -> list[Asked]:
    """The prompts of generate(): one, or a list of them."""
    if isinstance(prompts, str | Mapping):
        return [plain_prompt(prompts)]
    if not _is_ids(prompts):
        raise InvalidArgumentError(
            f"prompts must be a text, token ids or a list of those, not {type(prompts).__name__}"
        )
    if len(prompts) and not isinstance(prompts[0], str | Mapping) and not _is_ids(prompts[0]):
        return [plain_prompt(cast(Sequence[int], prompts))]
    return [plain_prompt(prompt) for prompt in cast(Sequence[PromptType], prompts)]


def conversations(
    messages: Sequence[Message] | Sequence[Sequence[Message]], **template: Any
) -> list[Asked]:
    """The conversations of chat(): one, or a list of them."""
    if not messages:
        raise InvalidArgumentError("messages is empty; give one message at least")
    if isinstance(messages[0], Mapping):
        return [conversation(cast(Sequence[Message], messages), **template)]
    return [
        conversation(each, **template) for each in cast(Sequence[Sequence[Message]], messages)
    ]


def with_params(
    asked: list[Asked],
    params: SamplingParams | Sequence[SamplingParams] | None,
    options: Mapping[str, Any],
) -> list[Asked]:
    """Puts the sampling parameters, one for all or one each, into the requests."""
    if params is None or isinstance(params, SamplingParams):
        each = [(params or SamplingParams()).fields()] * len(asked)
    else:
        each = [one.fields() for one in params]
    if len(each) != len(asked):
        raise InvalidArgumentError(
            f"{len(asked)} prompts have {len(each)} sampling parameters; give one for all or one each"
        )
    for name in options:
        if name not in RequestOptions.__annotations__:
            raise InvalidArgumentError(f"there is no option {name[:60]} of a request; leave it out")
    for request, fields in zip(asked, each, strict=True):
        request.fields |= fields
        request.fields |= options
    return asked
