"""Rotary tables. Float32 step by step, because the source models compute them so.

At position 8000 the float32 rounding of an angle is worth 5e-4 radians: a more exact table would
be further from the source model than this one.
"""

import math

import torch

from quire_export.spec import RopeSpec


def inverse_frequencies(rope: RopeSpec) -> torch.Tensor:
    """Angle a position adds to each of the R/2 pairs; float32 [R/2]."""
    exponents = torch.arange(0, rope.dim, 2, dtype=torch.int64).float() / rope.dim
    inv_freq = 1.0 / (rope.theta**exponents)
    if rope.kind == "linear":
        inv_freq = inv_freq / rope.factor
    elif rope.kind == "llama3":
        inv_freq = _llama3(inv_freq, rope)
    if rope.factors is not None:
        inv_freq = inv_freq / rope.factors.float()
    return inv_freq


def _llama3(inv_freq: torch.Tensor, rope: RopeSpec) -> torch.Tensor:
    """Slows low frequencies by `factor`, keeps high ones, and blends between; float32 [R/2]."""
    old_length = rope.original_max_seq_len
    low_wavelength = old_length / rope.low_freq_factor
    high_wavelength = old_length / rope.high_freq_factor
    wavelength = 2 * math.pi / inv_freq
    slowed = torch.where(wavelength > low_wavelength, inv_freq / rope.factor, inv_freq)
    blend = (old_length / wavelength - rope.low_freq_factor) / (
        rope.high_freq_factor - rope.low_freq_factor
    )
    blended = (1 - blend) * slowed / rope.factor + blend * slowed
    between = (wavelength >= high_wavelength) & (wavelength <= low_wavelength)
    return torch.where(between, blended, slowed)


def rope_tables(rope: RopeSpec, max_seq_len: int) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin of position times frequency; two float32 [P, R/2]."""
    positions = torch.arange(max_seq_len, dtype=torch.float32)
    angles = torch.outer(positions, inverse_frequencies(rope))
    return angles.cos(), angles.sin()
