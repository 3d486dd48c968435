"""What the exporter needs from a model's files, whatever their form."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
import transformers

from quire_export.decoder import Decoder
from quire_export.errors import ExportError
from quire_export.operators import CausalModel, Tensors
from quire_export.spec import DecoderSpec

# Ids of a text; the flag is whether the tokens that belong around it are added.
Encode = Callable[[str, bool], list[int]]


class Reference(Protocol):
    """A source model in float32, as transformers' models are called."""

    def __call__(
        self, input_ids: torch.Tensor, use_cache: bool = ..., past_key_values: object = ...
    ) -> Any:
        """An answer with `logits` [1, T, vocab] and `past_key_values`."""

    def named_parameters(self) -> Iterable[tuple[str, torch.Tensor]]:
        """Tensors under the names of Source.tensors."""


@dataclass(frozen=True)
class Source:
    """A model that was read and checked.

    `tensors` has every tensor of spec.tensor_shapes() under its canonical name. `reference` makes
    the model again in float32 by the source framework's own loader, independent of `tensors`; it is
    told the spec, whose context may have been cut since (see store.crop).
    `write_tokenizer` puts the tokenizer's files into a folder and returns how the source framework
    cuts a text, None where those files are all there is to know. `restore` turns matrices under
    canonical names into the reference model's parameters. `exact` is false where `tensors` are not
    quite the source's values (K-quants in a package's blocks). `build` makes the model to serialise
    of the stored tensors. `plain_tensors` are never stored in less than float32. `golden_lengths`
    are prompts worth recording beside the usual ones, in tokens. `eos_sources` says which key each
    of special_ids' end ids comes from.
    """

    name: str
    spec: DecoderSpec
    tensors: Tensors
    reference: Callable[[DecoderSpec], Reference]
    write_tokenizer: Callable[[Path], Encode | None]
    info: dict[str, object]
    special_ids: dict[str, object]
    exact: bool = True
    restore: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]] = field(
        default=lambda matrices: matrices
    )
    build: Callable[[DecoderSpec, Tensors], CausalModel] = Decoder
    reference_name: str = f"transformers {transformers.__version__}"
    tool_markers: dict[str, object] | None = None
    plain_tensors: frozenset[str] = field(default_factory=frozenset)
    golden_lengths: tuple[int, ...] = ()
    eos_sources: dict[int, str] = field(default_factory=dict)


def check_tensors(
    spec: DecoderSpec, shapes: dict[str, tuple[int, ...]], harmless: Iterable[str] = ()
) -> None:
    """Refuses missing, misshapen and unknown tensors, by canonical name."""
    expected = spec.tensor_shapes()
    for name, shape in expected.items():
        if name not in shapes:
            raise ExportError(
                f"tensor {name} is missing, the model's files are incomplete; download them again"
            )
        if tuple(shapes[name]) != shape:
            raise ExportError(
                f"tensor {name} has shape {list(shapes[name])}, expected "
                f"{list(shape)}; files and configuration do not belong together; "
                "download both from the same place"
            )
    allowed = set(harmless)
    for name in shapes:
        if name not in expected and name not in allowed:
            raise ExportError(
                f"tensor {name} is unknown and would be ignored; choose another model of its family"
            )


def check_values(name: str, values: torch.Tensor) -> torch.Tensor:
    """`values` as they are, once known to be finite."""
    if not torch.isfinite(values).all():
        raise ExportError(
            f"tensor {name} holds values that are not finite; check the source's files"
        )
    return values


def eos_list(value: object) -> list[int]:
    """End-of-sequence ids as a list, from a number, a list or nothing."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, int) and not isinstance(item, bool)]
