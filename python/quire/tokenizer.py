"""A package's tokenizer and chat template."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

import quire._core as _core
from quire._requests import Message, text_of, token_ids_of
from quire.sampling_params import request_json


class StreamDecoder:
    """One text that comes token by token; every piece is whole UTF-8. Not for two threads."""

    def __init__(self, core: _core.StreamDecoder) -> None:
        self._core = core

    def push(self, token_id: int) -> str:
        """The text that is certain now; empty while a character is unfinished."""
        return self._core.push(token_id)

    def flush(self) -> str:
        """The rest; ready for a new text afterwards."""
        return self._core.flush()


class Tokenizer:
    """Text to token ids and back, equal to the model's own tokenizer id for id. Any thread.

        tokenizer = Tokenizer("models/smollm2-135m-instruct")
        tokenizer.encode("Hello world")     # [19556, 905]

    Args:
        model: a package, or a folder in Hugging Face layout that has a tokenizer.json.
    """

    def __init__(self, model: str | os.PathLike[str] | _core.Tokenizer) -> None:
        if isinstance(model, _core.Tokenizer):
            self._core = model
        else:
            self._core = _core.Tokenizer(os.path.expanduser(os.fspath(model)))

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Ids of a text.

        Text is only text: special tokens spelled in it are not recognised, and nothing is added. With
        `special` they are, and what the model expects around a text is added, as transformers does.
        """
        return self._core.encode(text_of(text), special)

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """The text of ids; ill-formed UTF-8 becomes U+FFFD."""
        return self._core.decode(token_ids_of(token_ids), skip_special_tokens)

    @overload
    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        add_generation_prompt: bool = False,
        tokenize: Literal[True] = True,
        **template_kwargs: Any,
    ) -> list[int]: ...
    @overload
    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        add_generation_prompt: bool = False,
        tokenize: Literal[False],
        **template_kwargs: Any,
    ) -> str: ...
    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        add_generation_prompt: bool = False,
        tokenize: bool = True,
        **template_kwargs: Any,
    ) -> list[int] | str:
        """A conversation as the model sees it: ids, or its text without `tokenize`.

        Nobody can spell a control token in a message: the ids keep what came from the template apart
        from what came from messages; the text alone does not.
        """
        fields: dict[str, Any] = {
            "messages": list(conversation),
            "add_generation_prompt": add_generation_prompt,
        }
        if tools:
            fields["tools"] = list(tools)
        if template_kwargs:
            fields["chat_template_kwargs"] = template_kwargs
        request = request_json(fields)
        if tokenize:
            return self._core.encode_request(request)
        return self._core.render_request(request)

    def stream_decoder(self, *, skip_special_tokens: bool = True) -> StreamDecoder:
        """For a text that comes token by token."""
        return StreamDecoder(_core.StreamDecoder(self._core, skip_special_tokens))

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self._core.vocab_size()

    @property
    def has_chat_template(self) -> bool:
        """Whether the package says how conversations are written."""
        return self._core.has_chat_template()

    def convert_tokens_to_ids(self, token: str) -> int | None:
        """The id of a token by its text; None where there is no such token."""
        return self._core.token_to_id(token)

    def is_special(self, token_id: int) -> bool:
        """Whether decode() leaves the token out on demand."""
        return self._core.is_special(token_id)

    def token_bytes(self, token_id: int) -> bytes:
        """What the token adds to a text; empty for an unknown id."""
        return self._core.token_bytes(token_id)

    def __len__(self) -> int:
        return self.vocab_size
