"""AsyncLLM: many tasks on one engine thread, and nothing left of them."""

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from quire import AsyncLLM, InvalidArgumentError, LLM, SamplingParams, TextStream, UnavailableError


@pytest.fixture(scope="module")
def engine(package: Path) -> Any:
    """One for the tests that leave it as they found it."""
    llm = AsyncLLM(package, max_num_seqs=16, num_kv_blocks=2048)
    yield llm
    llm.close()


def engine_threads() -> int:
    """Of all AsyncLLMs of this process."""
    return [thread.name for thread in threading.enumerate()].count("quire-engine")


async def text_of(stream: TextStream) -> str:
    return "".join([delta.text async for delta in stream])


def test_a_stream_is_the_answer_of_generate_in_pieces(engine: AsyncLLM, llm: LLM) -> None:
    """Text, ids and the whole answer at its end; messages go through the template."""
    params = SamplingParams(max_tokens=12)
    expected = llm.generate("Once upon a time", params)[0].outputs[0]
    chat = llm.chat([{"role": "user", "content": "Name a colour."}], params)[0].outputs[0]

    async def run() -> None:
        stream = engine.stream("Once upon a time", params)
        deltas = [delta async for delta in stream]
        assert len(deltas) > 5 and deltas[-1].finish_reason == expected.finish_reason
        assert "".join(delta.text for delta in deltas) == expected.text
        assert [i for delta in deltas for i in delta.token_ids] == expected.token_ids
        assert stream.output is not None and stream.output.outputs[0] == expected
        asked = [{"role": "user", "content": "Name a colour."}]
        assert await text_of(engine.stream(asked, params)) == chat.text
        assert (await engine.chat(asked, params).result()).outputs[0] == chat

    asyncio.run(run())


def test_sixty_four_tasks_with_cancels_and_failures_leave_nothing_behind(package: Path) -> None:
    """No block, no thread, no stream; in a process of its own, whose threads are all its own."""
    script = Path(__file__).with_name("sixty_four_tasks.py")
    done = subprocess.run([sys.executable, script, package], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_an_engine_lives_as_long_as_its_streams_and_no_longer(package: Path) -> None:
    """The contract's one line, with an AsyncLLM that nobody else holds."""

    async def run() -> list[str]:
        stream = AsyncLLM(package, num_kv_blocks=1024).stream("Hello", SamplingParams(max_tokens=8))
        return [delta.text async for delta in stream]

    engines = engine_threads()
    assert asyncio.run(run())
    gc.collect()
    assert engine_threads() == engines


def test_what_the_engine_refuses_is_raised_by_the_first_delta(engine: AsyncLLM) -> None:
    """And the next request is answered."""

    async def run() -> None:
        with pytest.raises(InvalidArgumentError, match="empty"):
            await text_of(engine.stream(""))
        with pytest.raises(TimeoutError):
            await text_of(engine.stream("x", SamplingParams(max_tokens=400), timeout_ms=1))
        assert await text_of(engine.stream("Hello", SamplingParams(max_tokens=4)))

    asyncio.run(run())


def test_two_loops_in_two_threads_share_the_engine(engine: AsyncLLM) -> None:
    """Each hears of its own requests only."""
    params = SamplingParams(max_tokens=6)
    expected = asyncio.run(text_of(engine.stream("Once upon a time", params)))
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(asyncio.run(text_of(engine.stream("Once upon a time", params))))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 2


def test_closing_ends_the_streams_that_run(package: Path) -> None:
    """They raise; a stream asked for later does as well."""

    async def run() -> None:
        async with AsyncLLM(package, num_kv_blocks=1024) as llm:
            stream = llm.stream("x", SamplingParams(max_tokens=4000, ignore_eos=True))
            await anext(stream)
            await asyncio.to_thread(llm.close)
            with pytest.raises(UnavailableError):
                await text_of(stream)
            with pytest.raises(UnavailableError):
                await text_of(llm.stream("x"))

    asyncio.run(run())
