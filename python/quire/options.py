"""How an engine is run: the options of LLM and AsyncLLM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypedDict

from quire.errors import InvalidArgumentError


class EngineOptions(TypedDict, total=False):
    """Options by name; the engine chooses where one is left out.

    num_threads: threads of a step; 0: what affinity and quota allow.
    pin_threads: tie them to processors.
    device: "cpu".
    backend: "auto", "graph" (Quire's own executor, for paged packages), "onnx" (needs the extra
        [onnx]) or "torch".
    trust_torchscript: run a model.pt that model_info.json does not vouch for.
    num_kv_blocks: cache blocks; 0: a quarter of the free memory.
    kv_dtype: "auto", "fp32", "fp16", "bf16" or "int8".
    activation_bits: "auto", "8" or "16".
    block_size: tokens a cache block.
    max_num_seqs: sequences that run at once.
    max_batch_tokens: tokens a step computes at most.
    prefix_cache: share the blocks of equal beginnings.
    speculate: tokens of a sequence that a step may guess and check; the same answers. 0: none.
    tools: "auto", "none", "calculator" or "arithmetic".
    tool_format: "auto", or a format of docs/tools.md.
    seed: for requests without one; 0: from the system.

    vLLM's names for three of them are known too: kv_cache_dtype, max_num_batched_tokens and
    enable_prefix_caching.
    """

    num_threads: int
    pin_threads: bool
    device: str
    backend: str
    trust_torchscript: bool
    num_kv_blocks: int
    kv_dtype: str
    activation_bits: str
    block_size: int
    max_num_seqs: int
    max_batch_tokens: int
    prefix_cache: bool
    speculate: int
    tools: str
    tool_format: str
    seed: int
    kv_cache_dtype: str
    max_num_batched_tokens: int
    enable_prefix_caching: bool


_OF_VLLM = {
    "kv_cache_dtype": "kv_dtype",
    "max_num_batched_tokens": "max_batch_tokens",
    "enable_prefix_caching": "prefix_cache",
}


def engine_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options under the engine's own names. InvalidArgumentError: one that is not known."""
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name not in EngineOptions.__annotations__:
            known = ", ".join(sorted(EngineOptions.__annotations__))
            raise InvalidArgumentError(
                f"there is no engine option {name[:60]}; leave it out (known: {known})"
            )
        options[_OF_VLLM.get(name, name)] = value
    if isinstance(options.get("activation_bits"), int):
        options["activation_bits"] = str(options["activation_bits"])
    return options


def model_path(model: str | os.PathLike[str]) -> str:
    """The package's folder as text, `~` meaning the user's home."""
    find_onnxruntime()
    return os.path.expanduser(os.fspath(model))


def find_onnxruntime() -> None:
    """Tells the engine where the extra [onnx] has ONNX Runtime; nothing is loaded here."""
    if os.environ.get("QUIRE_ONNXRUNTIME"):
        return
    import importlib.util

    spec = importlib.util.find_spec("onnxruntime")
    for folder in (spec.submodule_search_locations if spec else None) or []:
        capi = os.path.join(folder, "capi")
        if not os.path.isdir(capi):
            continue
        for name in sorted(os.listdir(capi)):
            if name.startswith("libonnxruntime.so"):
                os.environ["QUIRE_ONNXRUNTIME"] = os.path.join(capi, name)
                return
