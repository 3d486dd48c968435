"""Finds and reads one checkpoint of a nanochat directory, trusting none of its files."""

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from quire_export.errors import ExportError, UsageError
from quire_export.files import read_json
from quire_export.nanochat.eras import E2, E3, ROTARY_FACTOR, Era, NanochatSpec, candidate_eras
from quire_export.source import check_tensors, check_values

FOLDERS = {
    "base": "base_checkpoints",
    "mid": "mid_checkpoints",
    "sft": "chatsft_checkpoints",
    "rl": "chatrl_checkpoints",
}
_COMPILED_PREFIX = "_orig_mod."
_PADDING = 64
_CONFIG_KEYS = frozenset(
    {"sequence_len", "vocab_size", "n_layer", "n_head", "n_kv_head", "n_embd", "window_pattern"}
)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read and checked; `tensors` are float32, cropped to the vocabulary.

    `alternative` is the other era that such tensors can belong to, if there is one.
    """

    model_file: Path
    tag: str
    step: int
    spec: NanochatSpec
    tensors: dict[str, torch.Tensor]
    alternative: NanochatSpec | None


def is_nanochat(folder: Path) -> bool:
    """Whether a folder looks like a nanochat base directory."""
    return any((folder / name).is_dir() for name in FOLDERS.values())


def find_model(folder: Path, source: str, tag: str | None, step: int | None) -> tuple[Path, int]:
    """The checkpoint folder and step: those asked for, else upstream's own defaults."""
    checkpoints = folder / FOLDERS[source]
    if not checkpoints.is_dir():
        there = [name for name, sub in FOLDERS.items() if (folder / sub).is_dir()]
        raise ExportError(
            f"{folder} has no {FOLDERS[source]}; "
            + (f"choose --source {' or '.join(there)}" if there else "give nanochat's base folder")
        )
    chosen = checkpoints / (_default_tag(checkpoints) if tag is None else _plain(tag))
    if not chosen.is_dir():
        raise ExportError(f"{checkpoints} has no checkpoint {chosen.name}; check --model-tag")
    steps = sorted(
        int(match[1])
        for path in chosen.iterdir()
        if (match := re.fullmatch(r"model_(\d{1,18})\.pt", path.name))
    )
    if not steps:
        raise ExportError(f"{chosen} holds no model_<step>.pt; copy the checkpoint again")
    if step is not None and step not in steps:
        raise ExportError(
            f"{chosen} has no step {step}; it has "
            + ", ".join(map(str, steps))
            + "; choose one of them"
        )
    return chosen, steps[-1] if step is None else step


def _plain(tag: str) -> str:
    if not tag or "/" in tag or "\0" in tag or tag in (".", ".."):
        raise UsageError(f"--model-tag {tag!r} is no folder name; give a name such as d20")
    return tag


def _default_tag(checkpoints: Path) -> str:
    """The deepest d<number>, else the newest folder, as upstream picks."""
    tags = [path for path in checkpoints.iterdir() if path.is_dir()]
    depths = [
        (int(match[1]), path.name) for path in tags if (match := re.match(r"d(\d{1,9})", path.name))
    ]
    if depths:
        deepest = max(depth for depth, _ in depths)
        return sorted(name for depth, name in depths if depth == deepest)[0]
    if not tags:
        raise ExportError(f"{checkpoints} is empty; give a directory with a trained model")
    return max(tags, key=lambda path: (path.stat().st_mtime, path.name)).name


def load_checkpoint(folder: Path, step: int, softcap: float | None) -> Checkpoint:
    """Reads model and meta file of a step and decides the era, by `softcap` where that decides."""
    model_file = folder / f"model_{step:06d}.pt"
    meta = read_json(folder / f"meta_{step:06d}.json")
    config = meta.get("model_config")
    if not isinstance(config, dict):
        raise ExportError(f"meta_{step:06d}.json has no model_config; copy the file again")
    tensors = _read_tensors(model_file)
    eras = candidate_eras({name: tuple(t.shape) for name, t in tensors.items()})
    specs = [_spec(config, era, tensors) for era in _by_softcap(eras, softcap)]
    spec = _with_rotary_precision(specs[0], meta)
    check_tensors(spec, {name: tuple(t.shape) for name, t in tensors.items()})
    rows = {"transformer.wte.weight", "lm_head.weight"}
    cropped = {
        name: check_values(name, tensor.float())[: spec.vocab_size].contiguous()
        if name in rows or name.startswith("value_embeds.")
        else check_values(name, tensor.float()).contiguous()
        for name, tensor in tensors.items()
    }
    other = _with_rotary_precision(specs[1], meta) if len(specs) > 1 else None
    return Checkpoint(model_file, folder.name, step, spec, cropped, other)


def _by_softcap(eras: tuple[Era, ...], softcap: float | None) -> list[Era]:
    if softcap is None:
        return list(eras)
    for era in eras:
        if era.softcap == softcap:
            return [era]
    if not 0 < softcap < math.inf:
        raise UsageError(f"--softcap {softcap:g} is not positive; leave it out")
    raise UsageError(
        f"--softcap {softcap:g} does not fit this checkpoint of era {eras[0].name} "
        f"({' or '.join(f'{era.softcap:g}' for era in eras)}); leave it out"
    )


def _with_rotary_precision(spec: NanochatSpec, meta: Mapping[str, object]) -> NanochatSpec:
    """Late E3 computes float32 rotary tables; its training script had --warmup-steps by then."""
    arguments = meta.get("user_config")
    late = isinstance(arguments, dict) and "warmup_steps" in arguments
    if spec.era.name in (E2.name, E3.name) and late:
        return replace(spec, era=replace(spec.era, bf16_rotary=False))
    return spec


def _spec(config: dict[str, object], era: Era, tensors: dict[str, torch.Tensor]) -> NanochatSpec:
    for key in config:
        if key not in _CONFIG_KEYS:
            raise ExportError(
                f"meta: model_config has the unknown key {key!r}, which may change what the "
                "model computes; use an exporter as new as the checkpoint"
            )
    pattern = config.get("window_pattern", None if era.name == "E0" else "L")
    if pattern is not None and not isinstance(pattern, str):
        raise ExportError("meta: model_config: window_pattern is no text; copy the file again")
    vocab_size, sequence_len = _size(config, "vocab_size"), _size(config, "sequence_len")
    table = tensors.get("transformer.wte.weight")
    rows = table.shape[0] if table is not None and table.ndim == 2 else vocab_size
    # From E0p on the rows are padded; earlier checkpoints have exactly vocab_size of them.
    padded = -(-vocab_size // _PADDING) * _PADDING
    unpadded = era.gate_channels == 0 and rows == vocab_size
    return NanochatSpec(
        era=era,
        num_layers=_size(config, "n_layer"),
        hidden_size=_size(config, "n_embd"),
        num_heads=_size(config, "n_head"),
        num_kv_heads=_size(config, "n_kv_head"),
        vocab_size=vocab_size,
        sequence_len=sequence_len,
        window_pattern=None if pattern is None or era.name == "E0" else pattern.upper(),
        padded_vocab_size=vocab_size if unpadded else padded,
        max_seq_len=ROTARY_FACTOR * sequence_len,
    )


def _size(config: dict[str, object], key: str) -> int:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExportError(f"meta: model_config: {key} is {value!r}, no whole number; check it")
    return value


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The state dict, read without running any code of its; torch.compile's prefix removed."""
    if not path.is_file():
        raise ExportError(f"{path} is missing; copy the checkpoint again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises nearly anything on a damaged or hostile file
        cause = " ".join(str(error).split())[:300]
        raise ExportError(
            f"{path.name} is no plain PyTorch checkpoint (it is damaged, or would run code): "
            f"{cause}; get the file again"
        ) from error
    if not isinstance(loaded, dict):
        raise ExportError(f"{path.name} holds no state dict; get the file again")
    tensors: dict[str, torch.Tensor] = {}
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ExportError(f"{path.name}: entry {key!r} is no tensor; get the file again")
        name = key.removeprefix(_COMPILED_PREFIX)
        if name in tensors:
            raise ExportError(f"{path.name} has tensor {name} twice; get the file again")
        if not value.is_floating_point() or value.layout != torch.strided:
            raise ExportError(f"tensor {name} holds no plain floats; get the file again")
        tensors[name] = value
    return tensors
