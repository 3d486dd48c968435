"""Compares a package on disk with its source model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.golden import TOP_IDS, Prompt, gaps
from quire_export.reference_ops import ReferenceGraph
from quire_export.stock_run import StockGraph
from quire_export.torchscript_run import PagedScriptGraph, PlainScriptGraph

# The margin rule for float32: see "tolerance" in docs/model_package.md.
MAX_LOGIT_DIFF, MIN_GAP, MIN_AGREEMENT = 2e-4, 1e-3, 0.99
# Logits up to this size get MAX_LOGIT_DIFF; above, float32 rounding grows with them.
_PLAIN_LOGIT = 10.0
# The engine may differ from the measurement in its attention and cache type: a factor of safety,
# and a few positions in a hundred.
_SAFETY, _AGREEMENT_SLACK = 2.0, 0.02


@dataclass(frozen=True)
class Difference:
    """How far apart two sets of logits are, over all rows of all prompts."""

    max_abs: float
    mean_abs: float
    agreement: float
    # The largest gap of the reference side at which the best ids still differ.
    worst_gap: float


def difference(
    ours: list[np.ndarray], theirs: list[np.ndarray], top: int | None = None
) -> Difference:
    """Compares lists of logits [T, vocab]; `theirs` is the reference side.

    With `top`, only the reference's `top` best ids of each row count for the distances.
    """
    deltas, same, distances = [], [], []
    for mine, other in zip(ours, theirs, strict=True):
        if not np.isfinite(mine).all():
            raise ExportError(
                "the exported graph gives values that are not finite; use --dtype fp32, or check "
                "the source",
                EXIT_OTHER,
            )
        delta = np.abs(mine - other)
        if top is not None:
            delta = np.take_along_axis(delta, np.argsort(-other, axis=-1)[:, :top], axis=-1)
        deltas.append(delta.ravel())
        same.append(mine.argmax(axis=-1) == other.argmax(axis=-1))
        distances.append(gaps(other))
    all_deltas, all_same = np.concatenate(deltas), np.concatenate(same)
    differing = np.concatenate(distances)[~all_same]
    return Difference(
        float(all_deltas.max()),
        float(all_deltas.mean()),
        float(all_same.mean()),
        float(differing.max(initial=0.0)),
    )


def float_limit(answers: list[Prompt]) -> float:
    """The logit difference float32 rounding may cause between two right implementations."""
    largest = max(float(np.abs(a.logits).max()) for a in answers)
    return MAX_LOGIT_DIFF * max(1.0, largest / _PLAIN_LOGIT)


@dataclass(frozen=True)
class Written:
    """A graph on disk: its file, its cache kind and the (heads, head size) of its caches."""

    path: Path
    cache: str
    cache_layers: tuple[tuple[int, int], ...]

    def open(self, arithmetic: str) -> ReferenceGraph | StockGraph:
        """Ready to run: by our operators in NumPy or, if of stock operators, by its runtime."""
        if self.path.suffix == ".pt":
            if self.cache == "paged":
                return PagedScriptGraph(self.path, self.cache_layers, arithmetic)
            return PlainScriptGraph(self.path, self.cache, self.cache_layers)
        if self.cache == "paged":
            return ReferenceGraph(self.path, arithmetic)
        return StockGraph(self.path, arithmetic)


def check_graph(graph: Written, answers: list[Prompt]) -> Difference:
    """Runs the graph in exact arithmetic; fails when it is not the source model."""
    ours = graph.open("exact").logits([a.sequence for a in answers])
    found = difference(ours, [a.logits for a in answers])
    limit = float_limit(answers)
    if found.max_abs > limit or found.worst_gap > max(MIN_GAP, 2 * limit):
        raise ExportError(
            f"the exported {graph.path.name} differs from the source model: logits by "
            f"{found.max_abs:.3g} (allowed {limit:.3g}), best ids at a gap of {found.worst_gap:.3g}; "
            "nothing was written; please report it, with the model's name",
            EXIT_OTHER,
        )
    return found


def measure_tolerance(graph: Written, answers: list[Prompt], quantized: bool) -> dict[str, float]:
    """golden.json's `tolerance`: the margin rule, or what quantized activations cost this model."""
    limit = float_limit(answers)
    if not quantized:
        return {
            "max_abs_logit_diff": limit,
            "min_gap": max(MIN_GAP, 2 * limit),
            "min_top1_agreement": MIN_AGREEMENT,
        }
    ours = graph.open("canonical").logits([a.sequence for a in answers], split=False)
    found = difference(ours, [a.logits for a in answers], TOP_IDS)
    widest = round(_SAFETY * max(found.max_abs, limit), 6)
    return {
        "max_abs_logit_diff": widest,
        "min_gap": widest,
        "min_top1_agreement": round(max(0.0, found.agreement - _AGREEMENT_SLACK), 4),
        "mean_abs_logit_diff": round(_SAFETY * max(found.mean_abs, limit), 6),
    }
