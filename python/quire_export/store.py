"""Decides how each tensor of a source is stored in the package."""

from collections.abc import Callable
from dataclasses import replace

import torch

from quire_export.operators import Tensors
from quire_export.errors import UsageError
from quire_export.progress import Progress
from quire_export.source import Source
from quire_export.weights import StoredMatrix, store_int4, store_int8, store_plain

# Tables with a row a token: too sensitive for 4 bits, and read by row.
_VOCABULARY_TABLES = ("model.embed_tokens.weight", "lm_head.weight", "transformer.wte.weight")
# Read by row and small: not worth a single bit.
_NEVER_QUANTIZED = "model.embed_positions.weight"


def crop(source: Source, max_seq_len: int | None, notice: Callable[[str], None]) -> Source:
    """The source with its context cut to `max_seq_len` tokens.

    Models with two sets of rotary factors (longrope) get the one of that context. Unless told they
    keep to the original context, where their answers equal the source's whatever the length.
    """
    longest = source.spec.max_seq_len
    originals = [r.original_max_seq_len for r in source.spec.ropes if r.long_factors is not None]
    if max_seq_len is None and originals and min(originals) < longest:
        max_seq_len = min(originals)
        notice(
            f"the context is {max_seq_len} tokens, with the rotary factors for short ones; "
            f"--max-seq-len {longest} gives the longer context with the factors for long ones"
        )
    if max_seq_len is None:
        return source
    if max_seq_len > longest:
        raise UsageError(
            f"--max-seq-len {max_seq_len} is more than the model's {longest}; "
            "give a smaller number or leave it out"
        )
    ropes = tuple(
        replace(rope, factors=rope.long_factors)
        if rope.long_factors is not None and max_seq_len > rope.original_max_seq_len
        else rope
        for rope in source.spec.ropes
    )
    return replace(source, spec=replace(source.spec, max_seq_len=max_seq_len, ropes=ropes))


def store_all(source: Source, quantize: str, dtype: str, progress: Progress) -> Tensors:
    """Every tensor as it goes into the package: matrices stored, norms and biases float32.

    `quantize` is none, int8 or int4; matrices that came quantized are kept under none.
    """
    tensors: Tensors = {}
    items = source.tensors.items()
    for name, tensor in progress.each(items, "storing tensors", len(items)):
        if isinstance(tensor, torch.Tensor) and tensor.ndim == 1:
            tensors[name] = tensor.float().contiguous()
        elif isinstance(tensor, StoredMatrix):
            tensors[name] = tensor
        else:
            plain = name in source.plain_tensors
            tensors[name] = (
                store_plain(tensor, "fp32") if plain else _store(name, tensor, quantize, dtype)
            )
    return tensors


def _store(name: str, values: torch.Tensor, quantize: str, dtype: str) -> StoredMatrix:
    if name == _NEVER_QUANTIZED:
        return store_plain(values, dtype)
    if quantize == "int8" or (quantize == "int4" and name in _VOCABULARY_TABLES):
        return store_int8(values)
    if quantize == "int4":
        return store_int4(values)
    return store_plain(values, dtype)
