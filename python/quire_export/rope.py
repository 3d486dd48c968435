"""Rotary tables. Float32 step by step, because the source models compute them so.

At position 8000 the float32 rounding of an angle is worth 5e-4 radians: a more exact table would
be further from the source model than this one. Cosine and sine of such an angle are taken in float64
and rounded once: the same bits on every machine, and in a recipe of the zoo, which has no PyTorch;
a float32 cosine differs in its last bit from one instruction set to the next.
"""

import math

import torch

from quire_export.spec import RopeSpec


def inverse_frequencies(rope: RopeSpec) -> torch.Tensor:
    """Angle a position adds to each of the R/2 pairs; float32 [R/2]."""
    exponents = torch.arange(0, rope.dim, 2, dtype=torch.int64).float() / rope.dim
    periods = rope.theta**exponents
    if rope.kind == "longrope" and rope.factors is not None:
        return 1.0 / (rope.factors.float() * periods)
    if rope.kind == "yarn":
        return _yarn(periods, rope)
    inv_freq = 1.0 / periods
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


def _yarn(periods: torch.Tensor, rope: RopeSpec) -> torch.Tensor:
    """Blends slowed frequencies into kept ones between two pairs; float32 [R/2].

    The two are where the original context holds beta_fast and beta_slow turns of a pair.
    """

    def pair_of(turns: float) -> float:
        share = math.log(rope.original_max_seq_len / (turns * 2 * math.pi))
        return rope.dim * share / (2 * math.log(rope.theta))

    low, high = pair_of(rope.beta_fast), pair_of(rope.beta_slow)
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, rope.dim - 1)
    if low == high:
        high += 0.001  # the ramp is then a step
    ramp = ((torch.arange(rope.dim // 2, dtype=torch.float32) - low) / (high - low)).clamp(0, 1)
    kept = 1 - ramp
    return 1.0 / (rope.factor * periods) * (1 - kept) + 1.0 / periods * kept


def rope_tables(rope: RopeSpec, max_seq_len: int) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin of position times frequency, times attention_factor; two float32 [P, R/2]."""
    positions = torch.arange(max_seq_len, dtype=torch.float32)
    angles = torch.outer(positions, inverse_frequencies(rope)).double()
    return angles.cos().float() * rope.attention_factor, angles.sin().float() * rope.attention_factor
