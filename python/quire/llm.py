"""LLM: a model that answers many prompts at once."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import quire._core as _core
from quire._progress import Bar
from quire._requests import (
    Asked,
    Message,
    PromptType,
    RequestOptions,
    any_prompt,
    conversations,
    plain_prompts,
    token_ids_of,
    with_params,
)
from quire.errors import QuireError
from quire.options import EngineOptions, engine_options, model_path
from quire.outputs import RequestOutput, StepOutput, TextDelta, delta_from, output_from
from quire.sampling_params import SamplingParams, request_json
from quire.tokenizer import Tokenizer

if TYPE_CHECKING:
    from quire.outputs import Logits


class _Pending:
    """A request that runs: what was asked, for its answer."""

    __slots__ = ("asked", "by_hand", "token_ids")

    def __init__(self, asked: Asked, token_ids: list[int], by_hand: bool) -> None:
        self.asked = asked
        self.token_ids = token_ids
        self.by_hand = by_hand


class LLM:
    """A language model and the engine that batches its requests.

        llm = LLM("models/smollm2-135m-instruct", max_num_seqs=64)
        for output in llm.generate(["Once upon a time"], SamplingParams(max_tokens=32)):
            print(output.outputs[0].text)

    Any thread may use it; those that generate at the same time share the engine's steps. Python runs
    on during a step. Ctrl-C ends generate() and chat() after the step under way, and the engine goes
    on being usable. A process forked after this was opened must open its own.

    Args:
        model: a model package (docs/model_package.md), a folder; or an .onnx file of one.
        engine_options: see EngineOptions.

    Raises:
        BadModelError: the package cannot be used.
        InvalidArgumentError: an option that is not known or out of bounds.
    """

    def __init__(
        self, model: str | os.PathLike[str], **engine_options_: Unpack[EngineOptions]
    ) -> None:
        self._core = _core.Engine(model_path(model), engine_options(engine_options_))
        self._step_lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._num_by_hand = 0
        # Ended, for whoever waits for them; and what came to requests submitted by hand.
        self._ended: dict[int, RequestOutput] = {}
        self._raw_deltas: deque[tuple[Any, ...]] = deque()
        self._raw_finished: deque[tuple[Any, ...]] = deque()
        self._deltas: list[TextDelta] = []
        self._finished: list[RequestOutput] = []
        self._tokenizer: Tokenizer | None = None

    def generate(
        self,
        prompts: PromptType | Sequence[PromptType],
        sampling_params: SamplingParams | Sequence[SamplingParams] | None = None,
        use_tqdm: bool = True,
        *,
        return_errors: bool = False,
        **options: Unpack[RequestOptions],
    ) -> list[RequestOutput]:
        """Continues every prompt as it is, batched; answers in the order of the prompts.

        A prompt is a text, which no chat template is put around (the command line's --raw), a list of
        token ids, {"prompt": text} or {"prompt_token_ids": ids}.

        Args:
            prompts: one prompt, or a list of them.
            sampling_params: for all, or one each; greedy and 256 tokens unless given.
            use_tqdm: whether a bar is drawn on stderr, where that is a terminal.
            return_errors: give a prompt that fails back with its `error`, instead of raising it and
                taking the others back.
            options: see RequestOptions.

        Raises:
            InvalidArgumentError: a prompt or parameter that cannot be; nothing runs any more.
        """
        asked = with_params(plain_prompts(prompts), sampling_params, options)
        return self._answer(asked, use_tqdm, return_errors)

    def chat(
        self,
        messages: Sequence[Message] | Sequence[Sequence[Message]],
        sampling_params: SamplingParams | Sequence[SamplingParams] | None = None,
        use_tqdm: bool = True,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        return_errors: bool = False,
        **options: Unpack[RequestOptions],
    ) -> list[RequestOutput]:
        """Answers one conversation, or several, written down by the package's chat template.

        Otherwise as generate(). `tools` and `tool_choice` are OpenAI's; the calls of an answer are in
        its `tool_calls`.
        """
        template: dict[str, Any] = {
            "tools": list(tools) if tools else None,
            "tool_choice": tool_choice,
            "chat_template_kwargs": chat_template_kwargs or None,
            "add_generation_prompt": None if add_generation_prompt else False,
            "continue_final_message": continue_final_message or None,
        }
        asked = with_params(conversations(messages, **template), sampling_params, options)
        return self._answer(asked, use_tqdm, return_errors)

    def submit(
        self,
        prompt: PromptType | Sequence[Message],
        sampling_params: SamplingParams | None = None,
        **options: Unpack[RequestOptions],
    ) -> int:
        """Queues a prompt for step(); returns its number. Messages go through the chat template."""
        asked = with_params([any_prompt(prompt)], sampling_params, options)[0]
        return self._submit(asked, by_hand=True)

    def step(self) -> StepOutput:
        """Computes one step of all requests; hands over what it brought to those of submit()."""
        self._core.has_unfinished()  # refuses in a forked process, where the lock may never open
        with self._step_lock:
            self._step()
            deltas, self._deltas = self._deltas, []
            finished, self._finished = self._finished, []
        return StepOutput(deltas, finished)

    def cancel(self, request_id: int) -> bool:
        """Takes a request back; it ends as "cancelled" in the next step. False: it had ended."""
        return self._core.cancel(request_id)

    def has_unfinished(self) -> bool:
        """Whether step() has anything left to do or to hand over."""
        return bool(self._finished or self._deltas) or self._core.has_unfinished()

    def forward(self, token_ids: Sequence[int]) -> Logits:
        """One plain forward pass: logits of every position, float32 [ids, vocab], not copied.

        Raises:
            InvalidArgumentError: requests are running, or there are more ids than the context holds.
        """
        return self._core.forward(token_ids_of(token_ids))

    def get_tokenizer(self) -> Tokenizer:
        """The package's tokenizer. InvalidArgumentError: it has none."""
        if self._tokenizer is None:
            self._tokenizer = Tokenizer(self._core.tokenizer())
        return self._tokenizer

    def get_default_sampling_params(self) -> SamplingParams:
        """What the package's generation_config.json recommends; greedy where it says nothing."""
        return SamplingParams(**self._core.recommended())

    def stats(self) -> dict[str, int]:
        """What the engine holds and has done: counts by the names of EngineStats (docs/guide.md)."""
        return self._core.stats()

    def model_spec(self) -> dict[str, int]:
        """vocab_size, max_seq_len, num_kv_blocks and block_size."""
        return self._core.spec()

    def close(self) -> None:
        """Gives the model's memory back now; whatever is called afterwards raises."""
        self._core.close()

    def __enter__(self) -> LLM:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _submit(self, asked: Asked, by_hand: bool) -> int:
        request = request_json(asked.fields)
        self._core.has_unfinished()  # refuses in a forked process, where the lock may never open
        with self._step_lock:  # or another thread's step could end it before it is known here
            number, token_ids = self._core.submit(request)
            self._pending[number] = _Pending(asked, token_ids, by_hand)
            self._num_by_hand += by_hand
        return number

    def _answer(
        self, asked: list[Asked], use_tqdm: bool, return_errors: bool
    ) -> list[RequestOutput]:
        numbers: dict[int, int] = {}  # the place of each request, by its number
        answers: list[RequestOutput | None] = [None] * len(asked)
        try:
            for place, request in enumerate(asked):
                try:
                    numbers[self._submit(request, by_hand=False)] = place
                except QuireError as error:
                    if not return_errors:
                        raise type(error)(_place(place, len(asked), error.message)) from None
                    answers[place] = RequestOutput(-1, request.prompt, [], [], error=error)
            self._wait(numbers, answers, use_tqdm)
        except BaseException:
            self._take_back(numbers)
            raise
        found = [answer for answer in answers if answer is not None]
        for place, answer in enumerate(found):
            if answer.error is not None and not return_errors:
                raise type(answer.error)(_place(place, len(asked), answer.error.message))
        return found

    def _wait(
        self, numbers: dict[int, int], answers: list[RequestOutput | None], use_tqdm: bool
    ) -> None:
        """Steps until every one of `numbers` has its answer; takes what other threads' steps found."""
        begin = self.stats()["num_generated_tokens"] if use_tqdm else 0
        total = len(numbers)
        with Bar(total, use_tqdm) as bar:
            while numbers:
                with self._step_lock:
                    if self._ended.keys().isdisjoint(numbers):
                        self._step()
                    for number in self._ended.keys() & numbers.keys():
                        answers[numbers.pop(number)] = self._ended.pop(number)
                if bar.enabled:
                    bar.update(
                        total - len(numbers), self.stats()["num_generated_tokens"] - begin
                    )

    def _step(self) -> None:
        """One step, under the lock. What it brought lies in two lists until it is sorted, so that a
        Ctrl-C, which strikes between any two lines, loses nothing of others' requests.
        """
        self._core.step(self._num_by_hand > 0, self._raw_deltas, self._raw_finished)
        while self._raw_deltas:
            pending = self._pending.get(self._raw_deltas[0][0])
            if pending is not None and pending.by_hand:
                self._deltas.append(delta_from(self._raw_deltas[0]))
            self._raw_deltas.popleft()
        while self._raw_finished:
            self._end(self._raw_finished[0])
            self._raw_finished.popleft()

    def _end(self, news: tuple[Any, ...]) -> None:
        number = news[0]
        pending = self._pending.get(number)
        if pending is None:  # taken back
            return
        answer = output_from(news, pending.asked.prompt, pending.token_ids)
        if pending.by_hand:
            self._finished.append(answer)
            self._num_by_hand -= 1
        else:
            self._ended[number] = answer
        self._pending.pop(number, None)

    def _take_back(self, numbers: Mapping[int, int]) -> None:
        """Cancels what a caller that was interrupted had asked for."""
        with self._step_lock:
            for number in numbers:
                self._pending.pop(number, None)
                if self._ended.pop(number, None) is None:
                    self._core.cancel(number)
            if not self._pending:
                self._step()  # hands over the ends of what was cancelled, and computes nothing


def _place(place: int, count: int, message: str) -> str:
    """Which of several prompts a failure is of."""
    return message if count == 1 else f"prompt {place + 1} of {count}: {message}"
