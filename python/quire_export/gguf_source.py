"""Reads a GGUF file: blocks that a package can hold as they are, every other type dequantized."""

import contextlib
import io
import re
from pathlib import Path

import torch
from transformers import PreTrainedModel

from quire_export.errors import ExportError
from quire_export.families import GgufMapping, family_of_gguf
from quire_export.gguf_file import GgufFile
from quire_export.gguf_tokenizer import eos_sources, special_ids, write_tokenizer
from quire_export.operators import Tensors
from quire_export.progress import Progress
from quire_export.source import Source, check_tensors, check_values, sha256_of
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
    file = GgufFile(path)
    family, mapping = family_of_gguf(file.metadata.get("general.architecture"))
    mapping.check(file.metadata)
    config = mapping.config(file.metadata, frozenset(file.tensors))
    spec = _with_rope_factors(family.build_spec(config), file)
    names = _canonical_names(mapping, spec, file)
    check_tensors(
        spec,
        {
            names.get(name, name): tensor.shape
            for name, tensor in file.tensors.items()
            if name != _ROPE_FACTORS
        },
    )
    tensors: Tensors = {}
    for name, canonical in progress.each(names.items(), "reading tensors", len(names)):
        order = _row_order(mapping, spec, name)
        tensors[canonical] = _load(file, name, keep, order)
    info = {
        "kind": "gguf",
        "file": path.name,
        "sha256": sha256_of(path),
        "license": file.metadata.get("general.license"),
    }
    return Source(
        name=_QUANT_SUFFIX.sub("", path.stem),
        spec=spec,
        tensors=tensors,
        reference=lambda used: _reference(path, config, used),
        write_tokenizer=lambda folder: write_tokenizer(file.metadata, spec, folder),
        info=info,
        special_ids=special_ids(file.metadata, spec),
        eos_sources=eos_sources(file.metadata),
        exact=not keep or all(file.keeps_exactly(n) for n in names if file.keeps(n)),
        restore=lambda matrices: family.restore(matrices, spec),
    )


def _with_rope_factors(spec: DecoderSpec, file: GgufFile) -> DecoderSpec:
    """Llama 3 files carry their frequency scaling as a tensor of divisors."""
    from dataclasses import replace

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


def _canonical_names(mapping: GgufMapping, spec: DecoderSpec, file: GgufFile) -> dict[str, str]:
    """GGUF name to canonical name, for the tensors of the file the decoder knows."""
    names = dict(mapping.tensors)
    for layer in range(spec.num_layers):
        for ours, theirs in mapping.layer_tensors.items():
            for suffix in ("weight", "bias"):
                names[f"blk.{layer}.{ours}.{suffix}"] = f"model.layers.{layer}.{theirs}.{suffix}"
    return {name: canonical for name, canonical in names.items() if name in file.tensors}


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
    file: GgufFile, name: str, keep: bool, order: torch.Tensor | None
) -> StoredMatrix | torch.Tensor:
    if keep and file.keeps(name):
        stored = file.stored(name)
        return stored if order is None else stored.take_rows(order)
    values = check_values(name, file.values(name))
    return values if order is None else values[order]


def _reference(path: Path, config: dict[str, object], spec: DecoderSpec) -> PreTrainedModel:
    """The same file through transformers' own GGUF loader and model."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    settings = {key: value for key, value in config.items() if key != "model_type"}
    made = AutoConfig.for_model(config["model_type"], **settings)
    model = AutoModelForCausalLM.from_config(made, dtype=torch.float32).eval()
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar cannot be switched off
        loaded = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)
    state = loaded["tensors"]
    if _ROPE_FACTORS in state:
        del state[_ROPE_FACTORS]
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise ExportError(
            f"transformers reads {path.name} differently: missing "
            f"{sorted(missing)[:3]}, unexpected {sorted(unexpected)[:3]}"
        )
    model.tie_weights()
    if spec.ropes[0].factors is not None:
        # transformers' GGUF loader leaves this tensor out.
        model.model.rotary_emb.inv_freq /= spec.ropes[0].factors
    return model
