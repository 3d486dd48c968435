"""Runs 64 tasks on one AsyncLLM, with cancels and failures, and counts what they leave: nothing.

Usage: sixty_four_tasks.py PACKAGE. The answers of those that went on are those they have alone.
"""

import asyncio
import gc
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from quire import AsyncLLM, SamplingParams, TextStream


async def text_of(stream: TextStream) -> str:
    return "".join([delta.text async for delta in stream])


def check(package: Path) -> None:
    threads = len(os.listdir("/proc/self/task"))
    llm = AsyncLLM(package, max_num_seqs=16, num_kv_blocks=2048, num_threads=2)
    params = SamplingParams(max_tokens=10, ignore_eos=True)
    alone = asyncio.run(text_of(llm.stream("Once upon a time", params)))

    async def one(number: int) -> str:
        kind = number % 4
        if kind == 0:
            return await text_of(llm.stream("Once upon a time", params))
        if kind == 1:  # leaves its loop
            async for _ in llm.stream("In the beginning", SamplingParams(max_tokens=4000)):
                return "left"
        if kind == 2:  # is cancelled from outside, below
            return await text_of(llm.stream("It was", SamplingParams(max_tokens=4000, ignore_eos=True)))
        raise ValueError(f"task {number} fails in the midst of {llm.stream('x')}")

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(one(number)) for number in range(64)]
        await asyncio.gather(*[task for i, task in enumerate(tasks) if i % 4 == 0])
        for task in tasks[2::4]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(run())
    assert found[0::4] == [alone] * 16
    assert found[1::4] == ["left"] * 16
    assert all(isinstance(each, asyncio.CancelledError) for each in found[2::4])
    assert all(isinstance(each, ValueError) for each in found[3::4])
    del found
    # A request that ran meanwhile has seen all commands before it carried out.
    asyncio.run(text_of(llm.stream("x", SamplingParams(max_tokens=1))))
    stats = llm.stats()
    assert (stats["num_used_blocks"], stats["num_running"], stats["num_waiting"]) == (0, 0, 0)
    gc.collect()
    assert [each for each in gc.get_objects() if isinstance(each, TextStream)] == []
    llm.close()
    # A thread that was joined is listed by the kernel a moment longer.
    end = time.monotonic() + 10
    while len(os.listdir("/proc/self/task")) != threads:
        assert time.monotonic() < end, "threads were left"
    assert threading.enumerate() == [threading.main_thread()]


if __name__ == "__main__":
    check(Path(sys.argv[1]))
