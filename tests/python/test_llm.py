"""LLM: vLLM's names, the command line's bits."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quire import (
    LLM,
    BadModelError,
    InvalidArgumentError,
    QuireError,
    SamplingParams,
    StructuredOutputsParams,
    UnavailableError,
)

Command = Callable[..., list[dict[str, Any]]]
CHAT = [{"role": "user", "content": "What is the capital of France?"}]


def test_answers_equal_the_command_lines_bit_for_bit(llm: LLM, command: Command) -> None:
    """Texts, ids, reasons and every float of the log-probabilities; greedy, drawn, many samples."""
    cases: list[tuple[dict[str, Any], SamplingParams]] = [
        ({}, SamplingParams(max_tokens=12)),
        ({"logprobs": 3}, SamplingParams(max_tokens=12, logprobs=3)),
        (
            {"temperature": 0.9, "top_p": 0.9, "top_k": 40, "seed": 7, "n": 3, "logprobs": 1},
            SamplingParams(
                temperature=0.9, top_p=0.9, top_k=40, seed=7, n=3, logprobs=1, max_tokens=12
            ),
        ),
        (
            {"repetition_penalty": 1.3, "stop": [" the"], "logit_bias": {"260": -5}},
            SamplingParams(
                repetition_penalty=1.3, stop=" the", logit_bias={260: -5}, max_tokens=12
            ),
        ),
        (
            {"structured_outputs": {"choice": ["north", "south"]}},
            SamplingParams(
                structured_outputs=StructuredOutputsParams(choice=["north", "south"]), max_tokens=12
            ),
        ),
    ]
    prompt = "Once upon a time in the far"
    lines = [{"prompt": prompt, "max_tokens": 12, **fields} for fields, _ in cases]
    expected = command([*lines, {"messages": CHAT}, {"token_ids": [504, 3575, 282]}], "--raw")
    ours = llm.generate([prompt] * len(cases), [params for _, params in cases], use_tqdm=False)
    ours += llm.chat(CHAT) + llm.generate({"prompt_token_ids": [504, 3575, 282]})
    assert len(ours) == len(expected)
    for answer, line in zip(ours, expected, strict=True):
        assert len(answer.prompt_token_ids) == line["usage"]["prompt_tokens"]
        for sample, theirs in zip(answer.outputs, line["outputs"], strict=True):
            assert sample.text == theirs["text"]
            assert sample.token_ids == theirs["token_ids"]
            assert sample.finish_reason == theirs["finish_reason"]
            assert (sample.logprob_arrays is None) == ("logprobs" not in theirs)
            if sample.logprob_arrays is not None:
                found = sample.logprob_arrays
                assert found.logprobs.tolist() == [np.float32(t["logprob"]) for t in theirs["logprobs"]]
                assert found.top_ids.tolist() == [
                    [top["token_id"] for top in t["top_logprobs"]] for t in theirs["logprobs"]
                ]


def test_a_prompt_is_a_text_as_it_is_and_a_conversation_goes_through_the_template(llm: LLM) -> None:
    """As in vLLM: generate() is --raw, chat() is not; a marker spelled in a message stays text."""
    tokenizer = llm.get_tokenizer()
    plain = llm.generate("Hello", SamplingParams(max_tokens=1))[0]
    assert plain.prompt == "Hello" and plain.prompt_token_ids == tokenizer.encode("Hello")
    asked = [{"role": "user", "content": "<|im_end|>"}]
    chat = llm.chat(asked, SamplingParams(max_tokens=1))[0]
    assert chat.prompt_token_ids == tokenizer.apply_chat_template(asked, add_generation_prompt=True)
    assert chat.prompt_token_ids.count(2) == 2, "the template's own two ends of a turn"
    both = llm.chat([CHAT, asked], SamplingParams(max_tokens=1))
    assert both[1].prompt_token_ids == chat.prompt_token_ids


def test_log_probabilities_have_vllms_form_and_are_arrays(llm: LLM) -> None:
    """The same numbers twice; the chosen token is among its alternatives or beside them."""
    params = SamplingParams(max_tokens=4, logprobs=2, prompt_logprobs=1)
    answer = llm.generate("The sky is", params)[0]
    sample = answer.outputs[0]
    assert sample.logprob_arrays is not None and sample.logprobs is not None
    assert sample.logprob_arrays.top_logprobs.shape == (4, 2)
    assert sample.logprob_arrays.logprobs.dtype == np.float32
    for place, token in zip(sample.logprobs, sample.token_ids, strict=True):
        assert place[token].rank == 1 and len(place) == 2
    assert answer.prompt_logprobs is not None and answer.prompt_logprobs[0] is None
    assert len(answer.prompt_logprobs) == len(answer.prompt_token_ids)


def test_forward_gives_the_logits_that_the_engine_chooses_by(llm: LLM) -> None:
    """Not copied; the greedy token is their maximum; later answers do not see what it overwrote."""
    prompt = "The quick brown fox jumps over the lazy dog, and then it runs away into the woods"
    params = SamplingParams(max_tokens=6, logprobs=0)
    before = llm.generate(prompt, params)[0]
    ids = before.prompt_token_ids
    logits = llm.forward(ids)
    assert logits.shape == (len(ids), llm.model_spec()["vocab_size"]) and logits.dtype == np.float32
    assert not logits.flags.owndata, "the engine's own memory"
    assert int(logits[-1].argmax()) == before.outputs[0].token_ids[0]
    llm.forward(ids[::-1])  # into the very blocks that a prompt just published
    after = llm.generate(prompt, params)[0]
    assert after.outputs[0].token_ids == before.outputs[0].token_ids
    assert after.num_cached_tokens == 0


def test_step_by_step_brings_the_same_as_generate(llm: LLM) -> None:
    """submit() and step() beside another thread's generate(): each gets its own."""
    params = SamplingParams(max_tokens=10)
    expected = llm.generate("In the beginning", params)[0].outputs[0]
    other: list[Any] = []
    number = llm.submit("In the beginning", params)
    thread = threading.Thread(
        target=lambda: other.append(llm.generate("Once upon a time", params, use_tqdm=False)[0])
    )
    thread.start()
    text, ids, finished = "", [], []
    while not finished:
        step = llm.step()
        text += "".join(delta.text for delta in step.deltas)
        ids += [i for delta in step.deltas for i in delta.token_ids]
        finished += step.finished
        assert {delta.request_id for delta in step.deltas} <= {number}
    thread.join()
    assert (text, ids) == (expected.text, expected.token_ids)
    assert finished[0].outputs[0] == expected
    assert other[0].outputs[0].token_ids == llm.generate("Once upon a time", params)[0].outputs[0].token_ids


def test_a_cancelled_request_ends_in_the_next_step(llm: LLM) -> None:
    """Also when nothing else runs; what it had is handed over, its blocks are free."""
    number = llm.submit("Once upon a time", SamplingParams(max_tokens=200))
    llm.step()
    assert llm.cancel(number) and not llm.cancel(number)
    assert llm.has_unfinished()
    (answer,) = llm.step().finished
    assert answer.request_id == number and answer.outputs[0].finish_reason == "cancelled"
    assert not llm.has_unfinished() and llm.stats()["num_used_blocks"] == 0


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda llm: llm.generate(""), "empty"),
        (lambda llm: llm.generate("x", SamplingParams(temperature=-1)), "temperature"),
        (lambda llm: llm.generate("x", SamplingParams(temperature=float("nan"))), "JSON"),
        (lambda llm: llm.generate("\ud800"), "surrogate"),
        (lambda llm: llm.generate([[10**10]]), "2^31"),
        (lambda llm: llm.generate([1.5]), "integers"),
        (lambda llm: llm.generate({"text": "x"}), "prompt_token_ids"),
        (lambda llm: llm.generate(["a", "b"], [SamplingParams()]), "2 prompts have 1"),
        (lambda llm: llm.generate("x", colour="red"), "colour"),
        (lambda llm: llm.chat([]), "messages"),
        (lambda llm: llm.chat([{"content": "x"}]), "role"),
        (lambda llm: llm.forward([]), "forward"),
        (lambda llm: llm.forward([10**6]), "outside"),
        (
            lambda llm: llm.generate("x", SamplingParams(structured_outputs={"regex": "("})),
            "structured_outputs",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(
    llm: LLM, ask: Callable[[LLM], Any], words: str
) -> None:
    """An InvalidArgumentError, which is a ValueError; the engine has nothing left to do."""
    with pytest.raises(InvalidArgumentError, match=words.replace("^", r"\^")) as caught:
        found = ask(llm)
        assert found, "nothing asked, nothing refused"
    assert isinstance(caught.value, ValueError) and caught.value.code == "invalid_argument"
    assert not llm.has_unfinished() and llm.stats()["num_used_blocks"] == 0


def test_one_bad_prompt_of_many_is_named_or_given_back(llm: LLM) -> None:
    """Raised, with its place, unless the caller wants the others' answers."""
    prompts: list[Any] = ["One", "", "Three"]
    params = SamplingParams(max_tokens=2)
    with pytest.raises(InvalidArgumentError, match="prompt 2 of 3"):
        llm.generate(prompts, params)
    assert not llm.has_unfinished()
    first, bad, third = llm.generate(prompts, params, return_errors=True)
    assert isinstance(bad.error, QuireError) and bad.outputs == []
    assert first.error is None and len(third.outputs[0].token_ids) == 2


def test_a_request_that_runs_out_of_time_says_so(llm: LLM) -> None:
    """Its own limit; an exception of Python's kind for it."""
    with pytest.raises(TimeoutError):
        llm.generate("Once upon a time", SamplingParams(max_tokens=400), timeout_ms=1)
    assert not llm.has_unfinished()


def test_a_folder_that_is_no_package_is_a_bad_model(tmp_path: Path) -> None:
    """With the next step taken out of the sentence."""
    with pytest.raises(BadModelError) as caught:
        LLM(tmp_path / "nothing")
    assert caught.value.next_step and caught.value.next_step in str(caught.value)
    with pytest.raises(InvalidArgumentError, match="colour"):
        LLM(tmp_path, colour="red")  # type: ignore[call-arg]
    with pytest.raises(InvalidArgumentError, match="max_num_seqs"):
        LLM(tmp_path, max_num_seqs="many")  # type: ignore[arg-type]


_INTERRUPTED = """
import os, signal, sys, threading
from quire import LLM, SamplingParams
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may ignore it
llm = LLM(sys.argv[1], num_kv_blocks=1024)
llm.submit("Once upon a time", SamplingParams(max_tokens=30))

def interrupt():
    while llm.stats()["num_generated_tokens"] < 20:  # in the midst of both requests
        pass
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    llm.generate(["Once"] * 4, SamplingParams(max_tokens=1000, ignore_eos=True))
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted", llm.stats()["num_generated_tokens"] < 1000)
finished = []
while llm.has_unfinished():
    finished += llm.step().finished
print([len(answer.outputs[0].token_ids) for answer in finished], llm.stats()["num_used_blocks"])
print(llm.generate("Hello", SamplingParams(max_tokens=2))[0].outputs[0].finish_reason)
"""


def test_control_c_ends_generate_within_a_step_and_leaves_the_engine_usable(package: Path) -> None:
    """What was asked for is taken back; another request's answer is not lost with it."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, package], capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["interrupted True", "[30] 0", "length"], done


_FORKED = """
import os, sys
from quire import LLM, AsyncLLM, SamplingParams, UnavailableError
llm = LLM(sys.argv[1], num_kv_blocks=1024)
other = AsyncLLM(sys.argv[1], num_kv_blocks=1024)
child = os.fork()
if child == 0:
    import asyncio
    for ask in (lambda: llm.generate("x"), lambda: llm.step(), lambda: llm.forward([1]),
                lambda: asyncio.run(other.stream("x").result())):
        try:
            ask()
            os._exit(1)
        except UnavailableError as error:
            assert "fork" in str(error) and error.next_step, error
    del llm, other
    sys.exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(len(llm.generate("x", SamplingParams(max_tokens=2))[0].outputs[0].token_ids))
"""


def test_a_fork_may_not_use_the_engine_and_ends_by_itself(package: Path) -> None:
    """Refused with the reason; the parent goes on."""
    done = subprocess.run(
        [sys.executable, "-c", _FORKED, package], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "2"], done


def test_python_runs_on_during_a_step(llm: LLM) -> None:
    """Another thread counts while a long prompt is computed: the lock is not held."""
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    started = counted
    llm.forward(list(range(1000, 1400)))
    seen = counted - started
    done.set()
    thread.join()
    # Without the lock's release it would have been let in once, at the call's end.
    assert seen > 1000, seen


def test_a_closed_engine_says_so(package: Path) -> None:
    """And gives back its threads."""
    before = len(os.listdir("/proc/self/task"))
    llm = LLM(package, num_kv_blocks=1024, num_threads=2)
    llm.close()
    assert len(os.listdir("/proc/self/task")) == before
    with pytest.raises(UnavailableError, match="closed"):
        llm.generate("x")


def test_recommended_parameters_are_those_of_the_package(llm: LLM) -> None:
    """generation_config.json of the default model says nothing of sampling."""
    assert llm.get_default_sampling_params() == SamplingParams(top_k=0)
    assert json.loads(json.dumps(llm.model_spec()))["max_seq_len"] == 8192
