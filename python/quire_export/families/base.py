"""What a model family is: a handful of tables and two functions. See llama.py for the pattern."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from quire_export.errors import ExportError
from quire_export.families.harmless import (
    HARMLESS_CONFIG_KEYS,
    NEUTRAL_CONFIG_VALUES,
    NEUTRAL_GGUF_VALUES,
)
from quire_export.spec import DecoderSpec

# Metadata of any GGUF file that says nothing about what the model computes.
HARMLESS_GGUF_PREFIXES = (
    "general.",
    "imatrix.",
    "mradermacher.",
    "quantize.",
    "split.",
    "tokenizer.",
    "unsloth.",
)

_WINDOW = "attention.sliding_window"

Matrices = dict[str, torch.Tensor]


@dataclass(frozen=True)
class GgufMapping:
    """How a family looks in GGUF files.

    `tensors` and `layer_tensors` map GGUF names (whole, or within "blk.N.") to canonical ones
    (whole, or within "model.layers.N."). `permuted` names the matrices whose rows llama.cpp's
    converter interleaves. `config` makes the config.json that metadata and tensor names stand for.
    `fused` names matrices that hold several, one below the other: their canonical names, with rows.
    """

    architecture: str
    used: frozenset[str]
    tensors: Mapping[str, str]
    layer_tensors: Mapping[str, str]
    config: Callable[[dict[str, object], frozenset[str]], dict[str, object]]
    permuted: frozenset[str] = frozenset()
    fused: Callable[[DecoderSpec], Mapping[str, tuple[tuple[str, ...], list[int]]]] = lambda _spec: {}

    def check(self, metadata: dict[str, object]) -> None:
        """Refuses, by name, every metadata key of a GGUF file that would be ignored."""
        prefix = self.architecture + "."
        for key, value in metadata.items():
            name = key.removeprefix(prefix)
            if key.startswith(HARMLESS_GGUF_PREFIXES) or name in self.used:
                continue
            if name != key and _is_one_of(value, NEUTRAL_GGUF_VALUES.get(name, ())):
                continue
            if name == _WINDOW and _covers(value, metadata.get(prefix + "context_length")):
                continue
            raise ExportError(
                f"GGUF: unknown key {key!r} may change what the model computes; remove it if "
                "it does not (gguf-new-metadata --remove-metadata), or export from the "
                "model's Hugging Face folder"
            )


def _covers(window: object, context: object) -> bool:
    """Whether a window of attention is as long as anything a model may read."""
    return isinstance(window, int) and isinstance(context, int) and window >= context > 0


def _same(tensors: Matrices, _spec: DecoderSpec) -> Matrices:
    return tensors


@dataclass(frozen=True)
class Family:
    """A mapping from one family's files onto the decoder.

    `fixed_config` are keys that must be absent or have one of these values, since the decoder has
    no switch for them. `canonical` renames and cuts what a folder holds into canonical tensors and
    passes on what it does not know, to be refused; `restore` turns canonical matrices back into the
    family's parameters. `derived` matches names of buffers that follow from the configuration.
    """

    model_type: str
    architectures: tuple[str, ...]
    used_config: frozenset[str]
    fixed_config: Mapping[str, tuple[object, ...]]
    build_spec: Callable[[dict[str, object]], DecoderSpec]
    canonical: Callable[[Matrices, DecoderSpec], Matrices] = _same
    restore: Callable[[Matrices, DecoderSpec], Matrices] = _same
    derived: re.Pattern[str] = re.compile(r".*\.rotary_emb\.inv_freq")
    gguf: GgufMapping | None = None

    def check_config(self, config: dict[str, object]) -> None:
        """Refuses, by name, every key of config.json that would be ignored."""
        for key, value in config.items():
            # A null switches nothing on, whatever its key means.
            if value is None or key in self.used_config or key in HARMLESS_CONFIG_KEYS:
                continue
            if key not in self.fixed_config:
                if _is_one_of(value, NEUTRAL_CONFIG_VALUES.get(key, ())) or _is_without_window(
                    key, value
                ):
                    continue
                raise ExportError(
                    f"config.json: unknown key {key!r} may change what the model computes; "
                    "remove it if it does not, or choose another model of the family"
                )
            if not _is_one_of(value, self.fixed_config[key]):
                known = " or ".join(repr(choice) for choice in self.fixed_config[key])
                raise ExportError(
                    f"config.json: {key} = {value!r} is not supported for {self.model_type} "
                    f"(only {known}); choose another model of its family"
                )


def _is_without_window(key: str, value: object) -> bool:
    """Whether a key only says that every layer sees everything, as layers of a family all do."""
    if key == "max_window_layers":  # which of them have a window, if any had one
        return isinstance(value, int)
    is_list = key == "layer_types" and isinstance(value, list)
    return is_list and all(kind == "full_attention" for kind in value)


def _is_one_of(value: object, choices: tuple[object, ...]) -> bool:
    """Equality that does not take 1 for true, nor 0 for false."""
    return any(
        value == choice and isinstance(value, bool) == isinstance(choice, bool)
        for choice in choices
    )


def number(config: Mapping[str, object], key: str, default: float | None = None) -> float:
    """A finite number of a configuration; `default` when it is absent or null."""
    value = config.get(key)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise ExportError(f"config: {key} is {value!r}, which is no number; check the file")
    return value


def integer(config: Mapping[str, object], key: str, default: int | None = None) -> int:
    """A whole number of a configuration; `default` when it is absent or null."""
    value = number(config, key, default)
    if int(value) != value:
        raise ExportError(f"config: {key} is {value!r}, which is no whole number; check the file")
    return int(value)


def flag(config: Mapping[str, object], key: str, default: bool) -> bool:
    """A switch of a configuration; `default` when it is absent or null."""
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ExportError(f"config: {key} is {value!r}, not true or false; check the file")
    return value
