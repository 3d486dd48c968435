"""Reads a GGUF file: blocks that a package can hold as they are, every other type dequantized."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import torch

from quire_export.errors import ExportError
from quire_export.families import GgufMapping, family_of_gguf
from quire_export.families.gguf_names import LONG_FACTORS, SHORT_FACTORS
from quire_export.gguf_parts import GgufParts
from quire_export.gguf_reference import gguf_reference
from quire_export.gguf_tokenizer import eos_sources, special_ids, write_tokenizer
from quire_export.operators import Tensors
from quire_export.progress import Progress
from quire_export.source import Source, check_tensors, check_values
from quire_export.spec import DecoderSpec
from quire_export.weights import StoredMatrix

_ROPE_FACTORS = "rope_freqs.weight"
_QUANT_SUFFIX = re.compile(r"[.-](?:I?Q\d\w*|F16|BF16|F32|FP16|FP32)$", re.IGNORECASE)


def load_gguf(path: Path, keep: bool, progress: Progress) -> Source:
    """The model of a GGUF file; with `keep`, blocks a package can hold stay as they are."""
    try:
        return _load_gguf(path, keep, progress)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        # Metadata of a wrong type where a number or a list belongs.
        raise ExportError(
            f"{path.name} is damaged: {type(error).__name__} {error}; download it again"
        ) from error


def _load_gguf(path: Path, keep: bool, progress: Progress) -> Source:
    file = GgufParts(path)
    family, mapping = family_of_gguf(file.metadata.get("general.architecture"))
    mapping.check(file.metadata)
    config = mapping.config(file.metadata, frozenset(file.tensors))
    apart = {_ROPE_FACTORS, *_add_long_factors(config, file)}
    spec = _with_rope_factors(family.build_spec(config), file)
    pieces = _pieces(mapping, spec, file)
    check_tensors(spec, _shapes(pieces, file), apart)
    tensors: Tensors = {}
    for name, parts in progress.each(pieces.items(), "reading tensors", len(pieces)):
        order = _row_order(mapping, spec, name)
        for canonical, rows in parts.items():
            chosen = order if rows is None else torch.arange(rows.start, rows.stop)
            tensors[canonical] = _load(file, name, keep, chosen)
    info = {
        "kind": "gguf",
        "file": path.name,
        "sha256": file.sha256(),
        "license": file.metadata.get("general.license"),
    }
    return Source(
        name=_QUANT_SUFFIX.sub("", file.name),
        spec=spec,
        tensors=tensors,
        reference=lambda used: gguf_reference(file.paths, mapping.architecture, config, used),
        write_tokenizer=lambda folder: write_tokenizer(file.metadata, spec, folder),
        info=info,
        special_ids=special_ids(file.metadata, spec),
        eos_sources=eos_sources(file.metadata),
        exact=not keep or all(file.keeps_exactly(n) for n in pieces if file.keeps(n)),
        restore=lambda matrices: family.restore(matrices, spec),
    )


def _add_long_factors(config: dict[str, object], file: GgufParts) -> tuple[str, ...]:
    """Puts the two sets of rotary divisors that a file has as tensors where config.json has them.

    Returns the names of those tensors.
    """
    scaling = config.get("rope_scaling")
    if not isinstance(scaling, dict) or scaling.get("rope_type") != "longrope":
        return ()
    for key, name in (("short_factor", SHORT_FACTORS), ("long_factor", LONG_FACTORS)):
        if name not in file.tensors:
            raise ExportError(f"tensor {name} is missing; download the file again")
        scaling[key] = check_values(name, file.values(name)).flatten().tolist()
    return SHORT_FACTORS, LONG_FACTORS


def _with_rope_factors(spec: DecoderSpec, file: GgufParts) -> DecoderSpec:
    """Llama 3 files carry their frequency scaling as a tensor of divisors."""
    if _ROPE_FACTORS not in file.tensors:
        return spec
    factors = file.values(_ROPE_FACTORS)
    rope = spec.ropes[0]
    if tuple(factors.shape) != (rope.dim // 2,) or not (factors > 0).all():
        raise ExportError(
            f"tensor {_ROPE_FACTORS} is not {rope.dim // 2} positive numbers; "
            "download the file again"
        )
    rope = replace(rope, factors=check_values(_ROPE_FACTORS, factors))
    return replace(spec, ropes=(rope, *spec.ropes[1:]))


# The canonical tensors that one of the file makes, each with its rows; None: as it is.
_Pieces = dict[str, dict[str, slice | None]]


def _pieces(mapping: GgufMapping, spec: DecoderSpec, file: GgufParts) -> _Pieces:
    """What the decoder knows of the file's tensors, by their GGUF names."""
    known: _Pieces = {name: {canonical: None} for name, canonical in mapping.tensors.items()}
    for layer in range(spec.num_layers):
        prefix = f"model.layers.{layer}."
        for suffix in ("weight", "bias"):
            for ours, theirs in mapping.layer_tensors.items():
                known[f"blk.{layer}.{ours}.{suffix}"] = {f"{prefix}{theirs}.{suffix}": None}
            for ours, (parts, rows) in mapping.fused(spec).items():
                ends = list(itertools.accumulate(rows))
                known[f"blk.{layer}.{ours}.{suffix}"] = {
                    f"{prefix}{part}.{suffix}": slice(end - count, end)
                    for part, count, end in zip(parts, rows, ends, strict=True)
                }
    return {name: parts for name, parts in known.items() if name in file.tensors}


def _shapes(pieces: _Pieces, file: GgufParts) -> dict[str, tuple[int, ...]]:
    """The shape of everything the file has, by canonical name where there is one."""
    shapes = {}
    for name, tensor in file.tensors.items():
        for canonical, rows in pieces.get(name, {name: None}).items():
            shapes[canonical] = tensor.shape
            if rows is not None:
                _check_rows(name, tensor.shape, pieces[name])
                shapes[canonical] = (rows.stop - rows.start, *tensor.shape[1:])
    return shapes


def _check_rows(name: str, shape: tuple[int, ...], parts: dict[str, slice | None]) -> None:
    expected = max(rows.stop for rows in parts.values() if rows is not None)
    if shape[0] != expected:
        raise ExportError(
            f"tensor {name} has shape {list(shape)}, expected {expected} rows; download the file "
            "again"
        )


def _row_order(mapping: GgufMapping, spec: DecoderSpec, name: str) -> torch.Tensor | None:
    """Where each row of the original lies in the file, int64 [N]; None when nothing moved.

    llama.cpp's converter turns the two halves of each head into even and odd rows, because its
    Llama rotary embedding works on neighbours.
    """
    parts = name.split(".")
    if len(parts) < 3 or parts[2] not in mapping.permuted:
        return None
    rows = spec.q_rows if parts[2] == "attn_q" else spec.kv_rows
    return torch.arange(rows).reshape(-1, spec.head_dim // 2, 2).transpose(1, 2).reshape(-1)


def _load(
    file: GgufParts, name: str, keep: bool, order: torch.Tensor | None
) -> StoredMatrix | torch.Tensor:
    if keep and file.keeps(name):
        stored = file.stored(name)
        return stored if order is None else stored.take_rows(order)
    values = check_values(name, file.values(name))
    return values if order is None else values[order]
