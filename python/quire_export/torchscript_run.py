"""Runs a model.pt on whole sequences, as the engine would, to compare it with its source."""

from pathlib import Path

import numpy as np
import torch

from quire_export.reference_ops import ReferenceGraph
from quire_export.stock_run import StockGraph
from quire_export.torchscript_ops import ARITHMETIC

CacheLayers = tuple[tuple[int, int], ...]
_FLAT = (
    "input_ids",
    "cumulative_sequence_lengths",
    "past_sequence_lengths",
    "block_table",
    "logits_indices",
)


class _NamedScript:
    """A model.pt under the input names of the ONNX graph of its kind; see torchscript.py."""

    def __init__(self, path: Path, cache: str, layers: CacheLayers) -> None:
        self._module = torch.jit.load(str(path), map_location="cpu").eval()
        self._kind, self._layers = cache, layers
        arguments = len(self._module.forward.schema.arguments) - 1  # without self
        optional = arguments == {"paged": 8, "explicit": 5, "none": 3}[cache]
        self.inputs: dict[str, list[object]] = dict.fromkeys(self._names(), [])
        if cache == "explicit":
            for layer, (heads, size) in enumerate(layers):
                for kind in ("key", "value"):
                    self.inputs[f"past_key_values.{layer}.{kind}"] = ["B", heads, "P", size]
        if optional:
            self.inputs["previous_ids"] = []

    def _names(self) -> tuple[str, ...]:
        if self._kind == "paged":
            return _FLAT
        other = "position_ids" if self._kind == "explicit" else "position_offset"
        return ("input_ids", other)

    @torch.inference_mode()
    def run(self, _outputs: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Logits, and for an explicit model the cache as the graph's outputs have it."""
        given = {name: torch.from_numpy(value) for name, value in feeds.items()}
        plain = [given[name] for name in self._names()]
        last = [given["previous_ids"]] if "previous_ids" in self.inputs else []
        if self._kind == "none":
            return [self._module(*plain).numpy()]
        pattern = "{1}_cache.{0}" if self._kind == "paged" else "past_key_values.{0}.{1}"
        caches = [
            [given[pattern.format(layer, kind)] for layer in range(len(self._layers))]
            for kind in ("key", "value")
        ]
        if self._kind == "paged":
            return [self._module(*plain, *caches, *last).numpy()]
        logits, keys, values = self._module(plain[0], *caches, plain[1], *last)
        both = [part for pair in zip(keys, values, strict=True) for part in pair]
        return [part.numpy() for part in (logits, *both)]


class PagedScriptGraph(ReferenceGraph):
    """A paged model.pt, its operators computed by the NumPy oracle."""

    def __init__(self, path: Path, layers: CacheLayers, arithmetic: str = "exact") -> None:
        self._session = _NamedScript(path, "paged", layers)
        self._inputs = self._session.inputs
        self._arithmetic = arithmetic
        self._block_bytes = {
            f"{kind}_cache.{layer}": 16 * heads * size * 4
            for layer, (heads, size) in enumerate(layers)
            for kind in ("key", "value")
        }

    def logits(self, sequences: list[list[int]], split: bool = True) -> list[np.ndarray]:
        """See ReferenceGraph."""
        token = ARITHMETIC.set(self._arithmetic)
        try:
            return super().logits(sequences, split)
        finally:
            ARITHMETIC.reset(token)


class PlainScriptGraph(StockGraph):
    """An explicit or none model.pt."""

    def __init__(self, path: Path, cache: str, layers: CacheLayers) -> None:
        self._session = _NamedScript(path, cache, layers)
        self._inputs = self._session.inputs
