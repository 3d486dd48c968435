"""Reads rotary embedding from a configuration: rope_parameters, or the older rope_scaling."""

import math
from collections.abc import Mapping

import torch

from quire_export.errors import ExportError
from quire_export.families.base import flag, integer, number
from quire_export.spec import RopeSpec

_ORIGINAL = "original_max_position_embeddings"
_KEYS = {
    "default": frozenset({"factor"}),
    "linear": frozenset({"factor"}),
    "dynamic": frozenset({"factor", _ORIGINAL}),
    "llama3": frozenset({"factor", "low_freq_factor", "high_freq_factor", _ORIGINAL}),
    "yarn": frozenset(
        {
            "factor",
            "attention_factor",
            "beta_fast",
            "beta_slow",
            "mscale",
            "mscale_all_dim",
            "truncate",
            _ORIGINAL,
        }
    ),
    "longrope": frozenset({"factor", "attention_factor", "short_factor", "long_factor", _ORIGINAL}),
}
_ALWAYS = frozenset({"rope_theta", "rope_type", "type", "partial_rotary_factor"})


def scaling_of(config: Mapping[str, object]) -> dict[str, object]:
    """The object that describes rotary scaling; empty when there is none."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(scaling, dict):
        raise ExportError("config: rope_scaling is not an object; check the file")
    return scaling


def read_rope(
    config: Mapping[str, object],
    head_dim: int,
    scaling: Mapping[str, object] | None = None,
    default_theta: float = 10000.0,
) -> RopeSpec:
    """The rotary embedding of heads of `head_dim`; `scaling` instead of the configuration's own."""
    scaling = scaling_of(config) if scaling is None else scaling
    theta = number(scaling, "rope_theta", number(config, "rope_theta", default_theta))
    share = number(scaling, "partial_rotary_factor", number(config, "partial_rotary_factor", 1.0))
    kind = scaling.get("rope_type", scaling.get("type")) or "default"
    if kind == "su":  # what longrope was called at first
        kind = "longrope"
    if not isinstance(kind, str) or kind not in _KEYS:
        raise ExportError(
            f"config: rope type {kind!r} is not supported; choose a model with one of "
            + ", ".join(_KEYS)
        )
    if not 0 < share <= 1 or theta <= 1:
        raise ExportError(
            f"config: rope_theta {theta} or partial_rotary_factor {share} is out of range; "
            "check the file"
        )
    extra = {key for key, value in scaling.items() if value is not None} - _KEYS[kind] - _ALWAYS
    if extra:
        raise ExportError(
            f"config: rope_scaling has the unknown key {sorted(extra)[0]!r} for "
            f"type {kind}; choose another model of its family"
        )
    dim = int(head_dim * share)
    # Within max_position_embeddings, beyond which no package goes, dynamic scaling does nothing.
    if kind in ("default", "dynamic"):
        return RopeSpec(dim, theta)
    if kind == "linear":
        return RopeSpec(dim, theta, "linear", _positive(scaling, "factor"))
    if kind == "llama3":
        return RopeSpec(
            dim,
            theta,
            "llama3",
            _positive(scaling, "factor"),
            _positive(scaling, "low_freq_factor"),
            _positive(scaling, "high_freq_factor"),
            _original_length(config, scaling),
        )
    reader = _yarn if kind == "yarn" else _longrope
    return reader(config, scaling, dim, theta)


def _positive(scaling: Mapping[str, object], key: str, default: float | None = None) -> float:
    value = number(scaling, key, default)
    if value <= 0:
        raise ExportError(f"config: rope_scaling.{key} is {value}, not positive; check the file")
    return value


def _original_length(config: Mapping[str, object], scaling: Mapping[str, object]) -> int:
    longest = integer(config, "max_position_embeddings", 0) or None
    length = integer(config, _ORIGINAL, integer(scaling, _ORIGINAL, longest))
    if length < 2:
        raise ExportError(f"config: {_ORIGINAL} is {length}, too small; check the file")
    return length


def _factor(config: Mapping[str, object], scaling: Mapping[str, object], original: int) -> float:
    """`factor`, or how much longer the context is than the original one."""
    return _positive(scaling, "factor", integer(config, "max_position_embeddings", 1) / original)


def _yarn(
    config: Mapping[str, object], scaling: Mapping[str, object], dim: int, theta: float
) -> RopeSpec:
    original = _original_length(config, scaling)
    factor = _factor(config, scaling, original)

    def magnitude(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    attention = magnitude(1.0)
    if scaling.get("mscale") and scaling.get("mscale_all_dim"):
        attention = magnitude(number(scaling, "mscale")) / magnitude(
            number(scaling, "mscale_all_dim")
        )
    return RopeSpec(
        dim,
        theta,
        "yarn",
        factor=factor,
        original_max_seq_len=original,
        beta_fast=_positive(scaling, "beta_fast", 32.0),
        beta_slow=_positive(scaling, "beta_slow", 1.0),
        truncate=flag(scaling, "truncate", True),
        attention_factor=_positive(scaling, "attention_factor", attention),
    )


def _longrope(
    config: Mapping[str, object], scaling: Mapping[str, object], dim: int, theta: float
) -> RopeSpec:
    original = _original_length(config, scaling)
    factor = _factor(config, scaling, original)
    attention = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
    return RopeSpec(
        dim,
        theta,
        "longrope",
        factor=factor,
        original_max_seq_len=original,
        attention_factor=_positive(scaling, "attention_factor", attention),
        factors=_divisors(scaling, "short_factor", dim),
        long_factors=_divisors(scaling, "long_factor", dim),
    )


def _divisors(scaling: Mapping[str, object], key: str, dim: int) -> torch.Tensor:
    """A list of dim/2 positive numbers; float32."""
    values = scaling.get(key)
    numbers = isinstance(values, list) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and 0 < v < 1e30 for v in values
    )
    if not numbers or len(values) != dim // 2:
        raise ExportError(
            f"config: rope_scaling.{key} is not {dim // 2} positive numbers; check the file"
        )
    return torch.tensor(values, dtype=torch.float32)
