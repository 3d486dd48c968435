"""Compares a package on disk with its source model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.golden import Prompt, gaps
from quire_export.reference_ops import ReferenceGraph

# The margin rule for float32: see "tolerance" in docs/model_package.md.
MAX_LOGIT_DIFF, MIN_GAP, MIN_AGREEMENT = 2e-4, 1e-3, 0.99
# The engine may differ from the measurement in its attention and cache type: a factor of safety,
# and a few positions in a hundred.
_SAFETY, _AGREEMENT_SLACK = 2.0, 0.02


@dataclass(frozen=True)
class Difference:
    """How far apart two sets of logits are, over all rows of all prompts."""

    max_abs: float
    agreement: float
    # The largest gap of the first side at which the best ids still differ.
    worst_gap: float


def difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> Difference:
    """Compares lists of logits [T, vocab]; gaps are those of `theirs`."""
    max_abs, equal, rows, worst_gap = 0.0, 0, 0, 0.0
    for mine, other in zip(ours, theirs, strict=True):
        delta = np.abs(mine - other)
        if not np.isfinite(delta).all():
            raise ExportError("the exported graph gives values that are not finite", EXIT_OTHER)
        max_abs = max(max_abs, float(delta.max()))
        same = mine.argmax(axis=-1) == other.argmax(axis=-1)
        equal, rows = equal + int(same.sum()), rows + len(same)
        worst_gap = max([worst_gap, *gaps(other)[~same].tolist()])
    return Difference(max_abs, equal / rows, worst_gap)


def check_graph(graph: Path, answers: list[Prompt]) -> Difference:
    """Runs the graph in exact arithmetic; fails when it is not the source model."""
    ours = ReferenceGraph(graph).logits([a.sequence for a in answers])
    found = difference(ours, [a.logits for a in answers])
    if found.max_abs > MAX_LOGIT_DIFF or found.worst_gap > MIN_GAP:
        raise ExportError(
            f"the exported graph differs from the source model: logits by {found.max_abs:.3g} "
            f"(allowed {MAX_LOGIT_DIFF:g}), best ids at a gap of {found.worst_gap:.3g} "
            f"(allowed {MIN_GAP:g}); nothing was written, please report it", EXIT_OTHER)
    return found


def measure_tolerance(graph: Path, answers: list[Prompt], quantized: bool) -> dict[str, float]:
    """golden.json's `tolerance`: the margin rule, or what 8-bit activations cost this model."""
    if not quantized:
        return {"max_abs_logit_diff": MAX_LOGIT_DIFF, "min_gap": MIN_GAP,
                "min_top1_agreement": MIN_AGREEMENT}
    ours = ReferenceGraph(graph, "canonical").logits([a.sequence for a in answers], split=False)
    found = difference(ours, [a.logits for a in answers])
    limit = _SAFETY * max(found.max_abs, MAX_LOGIT_DIFF)
    return {"max_abs_logit_diff": round(limit, 6), "min_gap": round(limit, 6),
            "min_top1_agreement": round(max(0.0, found.agreement - _AGREEMENT_SLACK), 4)}
