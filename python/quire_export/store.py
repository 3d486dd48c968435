"""Decides how each tensor of a source is stored in the package."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import torch

from quire_export.errors import UsageError
from quire_export.operators import Tensors
from quire_export.progress import Progress
from quire_export.source import Source
from quire_export.weights import StoredMatrix, store_int4, store_int8, store_plain

# What int4 stores in 8 bits all the same: tables with a row a token, and the matrices that gave
# back most perplexity for their size (docs/adr/0009-quantization.md has the figures).
WIDE = (
    "model.embed_tokens.weight",
    "transformer.wte.weight",
    "lm_head.weight",
    "*.self_attn.v_proj.weight",
    "*.mlp.down_proj.weight",
    "value_embeds.*.weight",
    "*.attn.c_v.weight",
    "*.mlp.c_proj.weight",
)
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


@dataclass(frozen=True)
class Storage:
    """How matrices are stored: `quantize` none, int8 or int4, `dtype` where it is none.

    int4 stores tensors that match a pattern of `wide` in 8 bits, and rounds as `rounding` says.
    """

    quantize: str = "none"
    dtype: str = "fp32"
    rounding: str = "search"
    wide: tuple[str, ...] = WIDE


def store_all(source: Source, storage: Storage, progress: Progress) -> Tensors:
    """Every tensor as it goes into the package: matrices stored, norms and biases float32.

    Matrices that came quantized are kept as they are.
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
            tensors[name] = store_plain(tensor, "fp32") if plain else _store(name, tensor, storage)
    return tensors


def _store(name: str, values: torch.Tensor, storage: Storage) -> StoredMatrix:
    if name == _NEVER_QUANTIZED or storage.quantize == "none":
        return store_plain(values, storage.dtype)
    if storage.quantize == "int8" or any(fnmatchcase(name, pattern) for pattern in storage.wide):
        return store_int8(values)
    return store_int4(values, storage.rounding == "search")
