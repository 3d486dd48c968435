"""GGUF's blocks as a package stores them: exactly where it can, nearly where it cannot.

Q4_0, Q4_1 and Q8_0 are the package's own forms. Q5_0 and Q5_1 fit its 8 bits without a change of
value. Q4_K and Q5_K multiply two scales; their product is rounded to float16 once. Q6_K has a
scale for 16 elements where a package has one for 32: it is stored anew in 8 bits.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from quire_export.weights import BLOCK, StoredMatrix

_SUPER = 256  # elements of a K-quant's super-block


@dataclass(frozen=True)
class BlockType:
    """How a type of GGUF is kept: its name in a package, and whether every value survives.

    `read` makes scale, minimum (float [..., Kb] or None) and q ([..., Kb, 16] packed nibbles, or
    int8 [..., Kb, 32]) of bytes uint8 [N, blocks, bytes of a block].
    """

    scheme: str
    block: int
    exact: bool
    read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None, np.ndarray]]


def _half(raw: np.ndarray, at: int) -> np.ndarray:
    return raw[..., at : at + 2].copy().view(np.float16)[..., 0]


def _q4_0(raw: np.ndarray) -> tuple[np.ndarray, None, np.ndarray]:
    return _half(raw, 0), None, raw[..., 2:]


def _q4_1(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _half(raw, 0), _half(raw, 2), raw[..., 4:]


def _q8_0(raw: np.ndarray) -> tuple[np.ndarray, None, np.ndarray]:
    return _half(raw, 0), None, raw[..., 2:].copy().view(np.int8)


def _five_bits(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """q of 4 bytes of fifth bits and 16 bytes of nibbles; int8 [..., 32]."""
    nibbles = np.concatenate([low & 15, low >> 4], axis=-1)
    fifth = np.unpackbits(high, axis=-1, bitorder="little")
    return (nibbles | fifth << 4).astype(np.int8)


def _q5_0(raw: np.ndarray) -> tuple[np.ndarray, None, np.ndarray]:
    return _half(raw, 0), None, _five_bits(raw[..., 2:6], raw[..., 6:]) - np.int8(16)


def _q5_1(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _half(raw, 0), _half(raw, 2), _five_bits(raw[..., 4:8], raw[..., 8:])


def _k_scales(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and minimum of the 8 parts of each super-block; float64 [N, 8 * blocks].

    Twelve bytes hold 6-bit numbers: four scales, four minima, then the low nibbles of four more of
    each, whose upper two bits top the first eight bytes.
    """
    packed = raw[..., 4:16]
    first, second, third = packed[..., 0:4], packed[..., 4:8], packed[..., 8:12]
    scales = np.concatenate([first & 63, (third & 15) | (first >> 6) << 4], axis=-1)
    minima = np.concatenate([second & 63, (third >> 4) | (second >> 6) << 4], axis=-1)
    scale = _half(raw, 0).astype(np.float64)[..., None] * scales
    minimum = -_half(raw, 2).astype(np.float64)[..., None] * minima
    return scale.reshape(len(raw), -1), minimum.reshape(len(raw), -1)


def _k_nibbles(low: np.ndarray) -> np.ndarray:
    """Nibbles of 128 bytes in the order of their elements; uint8 [N, blocks, 8, 32]."""
    chunks = low.reshape(*low.shape[:-1], 4, 1, BLOCK)
    return np.concatenate([chunks & 15, chunks >> 4], axis=-2).reshape(*low.shape[:-1], 8, BLOCK)


def _q4_k(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale, minimum = _k_scales(raw)
    q = _k_nibbles(raw[..., 16:]).reshape(len(raw), -1, BLOCK)
    return scale, minimum, q[..., :16] | q[..., 16:] << 4


def _q5_k(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale, minimum = _k_scales(raw)
    # Byte l holds the fifth bits of element l of all eight parts.
    fifth = np.unpackbits(raw[..., 16:48, None], axis=-1, bitorder="little").swapaxes(-1, -2)
    q = _k_nibbles(raw[..., 48:]) | fifth << 4
    return scale, minimum, q.astype(np.int8).reshape(len(raw), -1, BLOCK)


BLOCK_TYPES = {
    "Q4_0": BlockType("q4_0", BLOCK, True, _q4_0),
    "Q4_1": BlockType("q4_1", BLOCK, True, _q4_1),
    "Q8_0": BlockType("q8_0", BLOCK, True, _q8_0),
    "Q5_0": BlockType("q8_0", BLOCK, True, _q5_0),
    "Q5_1": BlockType("int8", BLOCK, True, _q5_1),
    "Q4_K": BlockType("int4", _SUPER, False, _q4_k),
    "Q5_K": BlockType("int8", _SUPER, False, _q5_k),
}
# Stored anew in 8 bits.
REQUANTIZED = frozenset({"Q6_K"})


def read_blocks(kind: BlockType, raw: np.ndarray, columns: int) -> StoredMatrix:
    """The matrix of uint8 [N, blocks, bytes of a block]; scales may come out infinite."""
    scale, minimum, q = kind.read(raw)

    def half(values: np.ndarray | None) -> torch.Tensor | None:
        if values is None:
            return None
        with np.errstate(over="ignore"):
            return torch.from_numpy(values.astype(np.float16))

    weight = torch.from_numpy(np.ascontiguousarray(q))
    return StoredMatrix(kind.scheme, columns, weight, half(scale), half(minimum))
