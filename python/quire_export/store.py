"""Decides how each tensor of a source is stored in the package."""

from dataclasses import replace

import torch

from quire_export.decoder import Tensors
from quire_export.errors import UsageError
from quire_export.progress import Progress
from quire_export.source import Source
from quire_export.weights import StoredMatrix, store_int4, store_int8, store_plain

# Tables with a row a token: too sensitive for 4 bits, and read by row.
_VOCABULARY_TABLES = ("model.embed_tokens.weight", "lm_head.weight")


def crop(source: Source, max_seq_len: int | None) -> Source:
    """The source with its context cut to `max_seq_len` tokens."""
    if max_seq_len is None:
        return source
    longest = source.spec.max_seq_len
    if max_seq_len > longest:
        raise UsageError(
            f"--max-seq-len {max_seq_len} is more than the model's {longest}; "
            "give a smaller number or leave it out"
        )
    return replace(source, spec=replace(source.spec, max_seq_len=max_seq_len))


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
            tensors[name] = _store(name, tensor, quantize, dtype)
    return tensors


def _store(name: str, values: torch.Tensor, quantize: str, dtype: str) -> StoredMatrix:
    if quantize == "int8" or (quantize == "int4" and name in _VOCABULARY_TABLES):
        return store_int8(values)
    if quantize == "int4":
        return store_int4(values)
    return store_plain(values, dtype)
