"""AsyncLLM: many tasks of an event loop on one engine thread."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import quire._core as _core
from quire._requests import (
    Asked,
    Message,
    PromptType,
    RequestOptions,
    any_prompt,
    conversation,
    with_params,
)
from quire.errors import InternalError, QuireError, UnavailableError
from quire.options import EngineOptions, engine_options, model_path
from quire.outputs import RequestOutput, TextDelta, delta_from, output_from
from quire.sampling_params import SamplingParams, request_json
from quire.tokenizer import Tokenizer

# What a stream hears, in order: deltas, then its answer or why there is none.
_News = TextDelta | RequestOutput | QuireError


class _Channel:
    """A request between its task and the engine's thread."""

    __slots__ = ("asked", "left", "loop", "news", "number", "token_ids", "waiter")

    def __init__(self, asked: Asked, loop: asyncio.AbstractEventLoop) -> None:
        self.asked = asked
        self.loop = loop
        self.left = False  # its task does not listen any more; set by the task, read by the thread
        # Of the engine's thread alone:
        self.number = -1
        self.token_ids: list[int] = []
        # Of the loop's thread alone:
        self.news: deque[_News] = deque()
        self.waiter: asyncio.Future[None] | None = None

    def hear(self, news: _News) -> None:
        """On the loop's thread."""
        if self.left:
            return
        self.news.append(news)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


def _deliver(batch: list[tuple[_Channel, _News]]) -> None:
    for channel, news in batch:
        channel.hear(news)


class _Worker:
    """The engine and the one thread that steps it."""

    def __init__(self, core: _core.Engine) -> None:
        self.core = core
        self._owner = os.getpid()
        self._changed = threading.Condition()
        self._arrived: list[_Channel] = []
        self._leaving: list[_Channel] = []
        self._stopping = False
        self._running: dict[int, _Channel] = {}  # by number; of the thread alone
        self._thread = threading.Thread(target=self._run, name="quire-engine", daemon=True)
        self._thread.start()

    def start(self, channel: _Channel) -> None:
        """Queues a request; any thread."""
        if os.getpid() != self._owner:
            self.core.stats()  # says why not, and raises
        with self._changed:
            if self._stopping:
                raise UnavailableError("the engine is closed; open the model again")
            self._arrived.append(channel)
            self._changed.notify()

    def leave(self, channel: _Channel) -> None:
        """Takes a request back; any thread."""
        channel.left = True
        if os.getpid() != self._owner:
            return
        with self._changed:
            self._leaving.append(channel)
            self._changed.notify()

    def stop(self) -> None:
        """Ends the thread after its step, then the engine; what runs fails as unavailable."""
        if os.getpid() != self._owner:
            return
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._take_commands():
                self._tell(self._step())
        except BaseException as error:  # a bug; nobody may wait for ever
            self._fail_all(InternalError(f"the engine's thread ended: {error!r}; please report it"))
            raise
        else:
            self._fail_all(UnavailableError("the engine was closed; open the model again"))
        finally:
            self.core.close()

    def _take_commands(self) -> bool:
        """Waits while there is nothing to do. False: the thread is to end."""
        with self._changed:
            while not (self._stopping or self._arrived or self._leaving or self._running):
                self._changed.wait()
            if self._stopping:
                return False
            arrived, self._arrived = self._arrived, []
            leaving, self._leaving = self._leaving, []
        refused: list[tuple[_Channel, _News]] = []
        for channel in arrived:
            if channel.left:
                continue
            try:
                channel.number, channel.token_ids = self.core.submit(
                    request_json(channel.asked.fields)
                )
                self._running[channel.number] = channel
            except QuireError as error:
                refused.append((channel, error))
        for channel in leaving:
            if self._running.pop(channel.number, None) is not None:
                self.core.cancel(channel.number)
        self._tell(refused)
        return True

    def _step(self) -> list[tuple[_Channel, _News]]:
        deltas: list[tuple[Any, ...]] = []
        finished: list[tuple[Any, ...]] = []
        self.core.step(True, deltas, finished)
        heard: list[tuple[_Channel, _News]] = []
        for raw in deltas:
            channel = self._running.get(raw[0])
            if channel is not None:
                heard.append((channel, delta_from(raw)))
        for raw in finished:
            channel = self._running.pop(raw[0], None)
            if channel is None:
                continue
            answer = output_from(raw, channel.asked.prompt, channel.token_ids)
            heard.append((channel, answer if answer.error is None else answer.error))
        return heard

    def _tell(self, heard: list[tuple[_Channel, _News]]) -> None:
        """One message a loop."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[_Channel, _News]]] = {}
        for channel, news in heard:
            loops.setdefault(channel.loop, []).append((channel, news))
        for loop, batch in loops.items():
            try:
                loop.call_soon_threadsafe(_deliver, batch)
            except RuntimeError:  # the loop is closed: nobody listens any more
                for channel, _news in batch:
                    if self._running.pop(channel.number, None) is not None:
                        self.core.cancel(channel.number)

    def _fail_all(self, error: QuireError) -> None:
        with self._changed:
            self._stopping = True
            waiting = [*self._arrived, *self._running.values()]
            self._arrived.clear()
        self._running.clear()
        self._tell([(channel, error) for channel in waiting if not channel.left])


class TextStream:
    """An answer as it comes: `async for delta in stream`. Leaving the loop takes the request back.

    Made by AsyncLLM.stream(); of one task. The request begins with the first delta that is asked
    for. After the end `output` has the whole answer.
    """

    def __init__(self, llm: AsyncLLM, worker: _Worker, asked: Asked) -> None:
        self._llm: AsyncLLM | None = llm  # which lives as long as its streams
        self._worker = worker
        self._asked = asked
        self._channel: _Channel | None = None
        self._ended = False
        self.output: RequestOutput | None = None

    def __aiter__(self) -> TextStream:
        return self

    async def __anext__(self) -> TextDelta:
        """The next piece. Raises what made the request fail; StopAsyncIteration at its end."""
        if self._ended:
            raise StopAsyncIteration
        channel = self._channel
        if channel is None:
            channel = _Channel(self._asked, asyncio.get_running_loop())
            self._worker.start(channel)
            self._channel = channel
        if not channel.news:
            channel.waiter = channel.loop.create_future()
            try:
                await channel.waiter
            except BaseException:  # the task was cancelled
                self._leave()
                raise
            finally:
                channel.waiter = None
        news = channel.news.popleft()
        if isinstance(news, TextDelta):
            return news
        self._ended = True
        self._channel = self._llm = None
        if isinstance(news, QuireError):
            raise news
        self.output = news
        raise StopAsyncIteration

    async def result(self) -> RequestOutput:
        """Waits for the end; the whole answer. Raises what made the request fail."""
        async for _delta in self:
            pass
        if self.output is None:
            raise UnavailableError("the stream was left before its end; ask again")
        return self.output

    async def aclose(self) -> None:
        """Takes the request back, unless it has ended."""
        self._leave()

    async def __aenter__(self) -> TextStream:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._leave()

    def _leave(self) -> None:
        channel, self._channel, self._llm = self._channel, None, None
        self._ended = True
        if channel is not None:
            self._worker.leave(channel)

    def __del__(self) -> None:
        self._leave()


class AsyncLLM:
    """A model for the tasks of event loops: one thread steps it, and all requests share its steps.

        llm = AsyncLLM("models/smollm2-135m-instruct")
        async for delta in llm.stream("Once upon a time", SamplingParams(max_tokens=32)):
            print(delta.text, end="", flush=True)

    Any task of any loop may use it. Opening takes as long as LLM does, on the calling thread. It ends
    with close(), as a context manager, or when nobody refers to it or its streams any more.

    Args and errors are LLM's.
    """

    def __init__(
        self, model: str | os.PathLike[str], **engine_options_: Unpack[EngineOptions]
    ) -> None:
        core = _core.Engine(model_path(model), engine_options(engine_options_))
        self._tokenizer = Tokenizer(core.tokenizer()) if core.has_tokenizer() else None
        self._worker = _Worker(core)
        # The thread refers to the worker alone, so that this object can go.
        self._finalizer = weakref.finalize(self, self._worker.stop)

    def stream(
        self,
        prompt: PromptType | Sequence[Message],
        sampling_params: SamplingParams | None = None,
        **options: Unpack[RequestOptions],
    ) -> TextStream:
        """Streams the continuation of a text or of ids as they are, or the answer to messages.

        Raises:
            InvalidArgumentError: here, for what is no prompt; from the first delta, for what the
                engine refuses.
        """
        asked = with_params([any_prompt(prompt)], sampling_params, options)[0]
        return TextStream(self, self._worker, asked)

    def chat(
        self,
        messages: Sequence[Message],
        sampling_params: SamplingParams | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> TextStream:
        """Streams the answer to a conversation; the arguments are those of LLM.chat()."""
        asked = conversation(
            messages,
            tools=list(tools) if tools else None,
            tool_choice=tool_choice,
            chat_template_kwargs=chat_template_kwargs or None,
        )
        return TextStream(self, self._worker, with_params([asked], sampling_params, options)[0])

    def get_tokenizer(self) -> Tokenizer:
        """The package's tokenizer. UnavailableError: it has none."""
        if self._tokenizer is None:
            raise UnavailableError("this package has no tokenizer; give prompts as token ids")
        return self._tokenizer

    def stats(self) -> dict[str, int]:
        """What the engine holds and has done, as LLM.stats(); waits for the step under way."""
        return self._worker.core.stats()

    def close(self) -> None:
        """Ends the engine after its step; streams that have not ended raise UnavailableError."""
        self._finalizer()

    async def __aenter__(self) -> AsyncLLM:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.to_thread(self.close)
