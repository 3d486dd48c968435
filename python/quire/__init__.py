"""Quire: language models you exported yourself, many prompts at once, on a CPU.

    from quire import LLM, SamplingParams

    llm = LLM("models/smollm2-135m-instruct")
    for output in llm.generate(["Once upon a time"], SamplingParams(max_tokens=32)):
        print(output.outputs[0].text)

docs/python.md is the guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from quire._core import version as __version__
    from quire._export import export
    from quire.async_llm import AsyncLLM, TextStream
    from quire.errors import (
        BadModelError,
        DeadlineExceededError,
        InternalError,
        InvalidArgumentError,
        NotFoundError,
        QuireError,
        RequestCancelledError,
        ResourceExhaustedError,
        UnavailableError,
        UnimplementedError,
    )
    from quire.llm import LLM
    from quire.options import EngineOptions
    from quire.outputs import (
        CompletionOutput,
        Logprob,
        LogprobArrays,
        RequestOutput,
        RequestTimings,
        StepOutput,
        TextDelta,
        ToolCall,
    )
    from quire.sampling_params import SamplingParams, StructuredOutputsParams
    from quire.tokenizer import StreamDecoder, Tokenizer

__all__ = [
    "LLM",
    "AsyncLLM",
    "BadModelError",
    "CompletionOutput",
    "DeadlineExceededError",
    "EngineOptions",
    "InternalError",
    "InvalidArgumentError",
    "Logprob",
    "LogprobArrays",
    "NotFoundError",
    "QuireError",
    "RequestCancelledError",
    "RequestOutput",
    "RequestTimings",
    "ResourceExhaustedError",
    "SamplingParams",
    "StepOutput",
    "StreamDecoder",
    "StructuredOutputsParams",
    "TextDelta",
    "TextStream",
    "Tokenizer",
    "ToolCall",
    "UnavailableError",
    "UnimplementedError",
    "__version__",
    "export",
]

# Where each name lives: loaded on first use, so that the command starts at once.
_ERRORS = [name for name in __all__ if name.endswith("Error")]
_HOMES = {
    "LLM": "llm",
    "AsyncLLM": "async_llm",
    "TextStream": "async_llm",
    "EngineOptions": "options",
    "SamplingParams": "sampling_params",
    "StructuredOutputsParams": "sampling_params",
    "StreamDecoder": "tokenizer",
    "Tokenizer": "tokenizer",
    "export": "_export",
    **dict.fromkeys(_ERRORS, "errors"),
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _load("_core").version
    if name not in __all__:
        raise AttributeError(f"module 'quire' has no attribute {name!r}")
    found = globals()[name] = getattr(_load(_HOMES.get(name, "outputs")), name)
    return found


def _load(module: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(f"quire.{module}")
    except ModuleNotFoundError as error:
        if error.name != "quire._core":
            raise
        raise ImportError(
            f"the native part of quire is not in {__path__[0]}; install quire-llm (in its repository: "
            "scripts/build.sh release), and have no PYTHONPATH that leads to its sources"
        ) from error


def __dir__() -> list[str]:
    return sorted(__all__)
