"""The quire operators in numpy: an oracle for graph and weights, independent of torch.

They follow docs/model_package.md only. `evaluate` runs a graph from disk with them. Linear comes
in two arithmetics: "exact" dequantizes and multiplies in floating point, as the source model does;
"canonical" quantizes activations to the node's `activation_bits`, as the engine does.
"""

import math
from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from quire_export.errors import ExportError

_BLOCK = 32
# The largest quantized activation: for 16 bits what two signed bytes hold, 127 * 256 + 127.
_MOST = {8: 127, 16: 32639}


def unpack(weight: np.ndarray, bits: int, has_min: bool) -> np.ndarray:
    """Integers a packed weight stands for, before scale and minimum; int8 [N, Kb, 32]."""
    if bits == 8:
        return weight
    low, high = (weight & 15).astype(np.int8), (weight >> 4).astype(np.int8)
    q = np.concatenate([low, high], axis=-1)
    return q if has_min else q - np.int8(8)


def dequantize(
    weight: np.ndarray,
    scale: np.ndarray | None,
    minimum: np.ndarray | None,
    bits: int,
    columns: int,
) -> np.ndarray:
    """A stored matrix as float32 [N, K]."""
    if bits >= 16:
        return np.asarray(weight, dtype=np.float32)
    q = unpack(weight, bits, minimum is not None).astype(np.float32)
    values = q * scale.astype(np.float32)[..., None]
    if minimum is not None:
        values = values + minimum.astype(np.float32)[..., None]
    return values.reshape(len(weight), -1)[:, :columns]


def quantize_rows(x: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """x [T, K] to integers as float32 [T, Kb, 32], and scales float32 [T, Kb].

    A block with a NaN or an infinity is all zero, and its scale NaN.
    """
    padded = np.pad(x.astype(np.float32), ((0, 0), (0, -x.shape[1] % _BLOCK)))
    blocks = padded.reshape(len(x), -1, _BLOCK)
    most = np.float32(_MOST[bits])
    scale = np.abs(blocks).max(axis=-1) / most
    usable = np.isfinite(scale) & (scale > 0)
    divisor = np.where(usable, scale, np.float32(1))[..., None]
    values = np.where(usable[..., None], blocks, np.float32(0))
    quants = np.clip(np.rint(values / divisor), -most, most)
    return quants, np.where(np.isfinite(scale), scale, np.float32(np.nan))


class _QuireOp(OpRun):
    """An operator of domain quire; onnx must not lend it the schema of a namesake of its own."""

    op_domain = "quire"
    op_schema = None


class Linear(_QuireOp):
    """y = x * W^T + bias; the matrix is unpacked once and kept."""

    arithmetic = "exact"

    def _run(
        self, x: np.ndarray, *stored: np.ndarray | None, **attributes: int
    ) -> tuple[np.ndarray]:
        weight, scale, minimum, bias = (*stored, None, None, None)[:4]
        bits, columns = attributes["bits"], attributes["K"]
        if self.arithmetic == "exact" or bits >= 16:
            if not hasattr(self, "_matrix"):
                self._matrix = dequantize(weight, scale, minimum, bits, columns).T
            y = x @ self._matrix
        else:
            q = unpack(weight, bits, minimum is not None)
            y = self._canonical(x, q, scale, minimum, attributes.get("activation_bits", 8))
        return (y.astype(np.float32) if bias is None else (y + bias).astype(np.float32),)

    @staticmethod
    def _canonical(
        x: np.ndarray,
        q: np.ndarray,
        scale: np.ndarray,
        minimum: np.ndarray | None,
        activation_bits: int,
    ) -> np.ndarray:
        """The documented sum over blocks; a block's products are exact in the type chosen."""
        xq, sx = quantize_rows(x, activation_bits)
        exact = np.float32 if activation_bits == 8 else np.float64
        xq = xq.astype(exact)
        y = np.zeros((len(x), len(q)), np.float32)
        for block in range(q.shape[1]):
            dot = (xq[:, block] @ q[:, block].T.astype(exact)).astype(np.float32)
            y += scale[:, block].astype(np.float32) * sx[:, block, None] * dot
            if minimum is not None:
                total = xq[:, block].sum(axis=-1, keepdims=True).astype(np.float32)
                y += minimum[:, block].astype(np.float32) * (sx[:, block, None] * total)
        return y


class Embedding(_QuireOp):
    """Rows of a stored matrix."""

    def _run(
        self, ids: np.ndarray, *stored: np.ndarray | None, **attributes: int
    ) -> tuple[np.ndarray]:
        parts = (*stored, None, None)[:3]
        picked = [None if part is None else part[ids] for part in parts]
        return (dequantize(*picked, attributes["bits"], attributes["K"]),)


class RMSNorm(_QuireOp):
    """Each group of a row over its root mean square, times the weight."""

    def _run(self, x: np.ndarray, weight: np.ndarray, epsilon: float) -> tuple[np.ndarray]:
        groups = x.astype(np.float64).reshape(*x.shape[:-1], -1, len(weight))
        mean = np.mean(np.square(groups), axis=-1, keepdims=True)
        return ((groups / np.sqrt(mean + epsilon) * weight).reshape(x.shape).astype(np.float32),)


class LayerNorm(_QuireOp):
    """x less its mean, over its deviation, times the weight, plus the bias."""

    def _run(
        self, x: np.ndarray, weight: np.ndarray, *bias: np.ndarray | None, epsilon: float
    ) -> tuple[np.ndarray]:
        centred = x.astype(np.float64) - x.astype(np.float64).mean(axis=-1, keepdims=True)
        y = centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + epsilon) * weight
        return ((y + bias[0] if bias and bias[0] is not None else y).astype(np.float32),)


def activate(kind: str, x: np.ndarray) -> np.ndarray:
    """f(x) in float64 for a kind of docs/model_package.md."""
    x = x.astype(np.float64)
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-x))
    if kind == "gelu":
        return 0.5 * x * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))
    if kind == "gelu_tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    positive = np.maximum(x, 0)
    return {
        "silu": x * sigmoid,
        "relu": positive,
        "relu2": positive**2,
        "sigmoid": sigmoid,
        "tanh": np.tanh(x),
    }[kind]


class Activation(_QuireOp):
    """f(x)."""

    def _run(self, x: np.ndarray, kind: str) -> tuple[np.ndarray]:
        return (activate(kind, x).astype(np.float32),)


class GatedActivation(_QuireOp):
    """f(gate) * up of gate and up side by side."""

    def _run(self, x: np.ndarray, kind: str) -> tuple[np.ndarray]:
        gate, up = np.split(x, 2, axis=-1)
        return ((activate(kind, gate) * up).astype(np.float32),)


class SwiGLU(_QuireOp):
    """silu(gate) * up of gate and up side by side."""

    def _run(self, x: np.ndarray) -> tuple[np.ndarray]:
        gate, up = np.split(x, 2, axis=-1)
        return ((activate("silu", gate) * up).astype(np.float32),)


class SoftCap(_QuireOp):
    """cap * tanh(x / cap)."""

    def _run(self, x: np.ndarray, cap: float) -> tuple[np.ndarray]:
        return ((cap * np.tanh(x.astype(np.float64) / cap)).astype(np.float32),)


class PagedAttention(_QuireOp):
    """Causal attention over a block table. Caches are read as float32 [blocks, 16, Hkv, D]."""

    def _run(self, *inputs: np.ndarray | None, **attributes: float) -> tuple[np.ndarray]:
        query, key, value, *caches, cumulative, past, table = inputs[:8]
        cos, sin = (*inputs[8:], None, None)[:2]
        _check_attributes(attributes, inputs[10:])
        heads, kv_heads = attributes["num_heads"], attributes["kv_num_heads"]
        if key is None:
            size = query.shape[1] // (heads + 2 * kv_heads)
            cuts = [heads * size, (heads + kv_heads) * size]
            query, key, value = np.split(query, cuts, axis=1)
        size = query.shape[1] // heads
        caches = [c.view(np.float32).reshape(len(c), -1, kv_heads, size) for c in caches]
        out = np.empty((len(query), heads, size), np.float32)
        for b, begin in enumerate(past):
            rows = slice(cumulative[b], cumulative[b + 1])
            if rows.start == rows.stop:
                continue
            positions = begin + np.arange(rows.stop - rows.start)
            q = query[rows].reshape(-1, heads, size)
            k = key[rows].reshape(-1, kv_heads, size)
            if attributes["do_rotary"]:
                q, k = (_rotate(x, cos[positions], sin[positions]) for x in (q, k))
            for cache, new in zip(caches, (k, value[rows].reshape(k.shape)), strict=True):
                block = cache.shape[1]
                cache[table[b][positions // block], positions % block] = new
            out[rows] = _attend(
                q,
                [_gather(c, table[b], begin + len(q)) for c in caches],
                positions,
                attributes,
            )
        return (out.reshape(len(query), -1),)


def _check_attributes(attributes: dict[str, float], head_sink: tuple[object, ...]) -> None:
    """Refuses what this oracle does not compute."""
    if attributes["rotary_interleaved"]:
        raise ExportError("the check of the graph does not cover interleaved rotation; report it")
    if any(sink is not None for sink in head_sink):
        raise ExportError("the check of the graph does not cover attention sinks; report it")


def _rotate(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """x [T, heads, D] turned by cos and sin [T, R/2], halves convention."""
    half = cos.shape[1]
    low, high = x[..., :half], x[..., half : 2 * half]
    c, s = cos[:, None], sin[:, None]
    return np.concatenate([low * c - high * s, high * c + low * s, x[..., 2 * half :]], axis=-1)


def _gather(cache: np.ndarray, table: np.ndarray, length: int) -> np.ndarray:
    """The first `length` tokens of a sequence; [length, Hkv, D]."""
    positions = np.arange(length)
    return cache[table[positions // cache.shape[1]], positions % cache.shape[1]]


def _attend(
    q: np.ndarray, kv: list[np.ndarray], positions: np.ndarray, attributes: dict[str, float]
) -> np.ndarray:
    """Softmax attention of q [T, H, D] at `positions` over keys and values [S, Hkv, D]."""
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1).transpose(1, 0, 2) for x in kv)
    scores = (q.transpose(1, 0, 2) @ k.transpose(0, 2, 1)).astype(np.float64)
    scores *= attributes["scale"] or 1 / np.sqrt(q.shape[2])
    if attributes["softcap"]:
        scores = np.tanh(scores / attributes["softcap"]) * attributes["softcap"]
    keys, window = np.arange(k.shape[1]), attributes["local_window_size"]
    scores[:, keys > positions[:, None]] = -np.inf
    if window >= 0:
        scores[:, keys <= positions[:, None] - window] = -np.inf
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return (weights.astype(np.float32) @ v).transpose(1, 0, 2)


class CanonicalLinear(Linear):
    """Linear as the engine computes it."""

    arithmetic = "canonical"


CanonicalLinear.__name__ = "Linear"


class ReferenceGraph:
    """A paged graph from disk, ready to run on whole sequences."""

    def __init__(self, path: Path, arithmetic: str = "exact") -> None:
        self._model = onnx.load(path)
        linear = Linear if arithmetic == "exact" else CanonicalLinear
        ops = [linear, Embedding, RMSNorm, LayerNorm, Activation, GatedActivation, SwiGLU, SoftCap]
        self._session = ReferenceEvaluator(self._model, new_ops=[*ops, PagedAttention])
        self._inputs = {i.name for i in self._model.graph.input}
        shapes = {v.name: v.type.tensor_type.shape.dim for v in self._model.graph.value_info}
        self._block_bytes = {}
        for node in self._model.graph.node:
            if node.op_type == "PagedAttention":
                attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                head_dim = shapes[node.output[0]][1].dim_value // attributes["num_heads"]
                for cache in node.input[3:5]:
                    self._block_bytes[cache] = 16 * attributes["kv_num_heads"] * head_dim * 4

    def logits(self, sequences: list[list[int]], split: bool = True) -> list[np.ndarray]:
        """Logits [len, vocab] of each sequence, all in one batch over one scattered block table.

        With `split` each sequence comes in two steps, so that the second reads the cache.
        """
        counts = [-(-len(s) // 16) for s in sequences]
        free = np.random.default_rng(7).permutation(sum(counts)).astype(np.int32)
        table = np.full((len(sequences), max(counts)), -1, np.int32)
        for b, count in enumerate(counts):
            table[b, :count], free = free[:count], free[count:]
        caches = {
            name: np.zeros((sum(counts), size), np.uint8)
            for name, size in self._block_bytes.items()
        }
        firsts = [len(s) // 2 if split else 0 for s in sequences]
        steps = [(s, 0, f) for s, f in zip(sequences, firsts, strict=True)]
        rests = [(s, f, len(s)) for s, f in zip(sequences, firsts, strict=True)]
        parts = [self._step(steps, table, caches)] if split else []
        parts.append(self._step(rests, table, caches))
        return [np.concatenate(rows) for rows in zip(*parts, strict=True)]

    def _step(
        self,
        batch: list[tuple[list[int], int, int]],
        table: np.ndarray,
        caches: dict[str, np.ndarray],
    ) -> list[np.ndarray]:
        """One step of (sequence, first, end) triples; logits of every token between."""
        ids = np.array([i for s, first, end in batch for i in s[first:end]], np.int64)
        ends = np.cumsum([end - first for _, first, end in batch])
        feeds = {
            "input_ids": ids,
            "cumulative_sequence_lengths": np.concatenate([[0], ends]).astype(np.int32),
            "past_sequence_lengths": np.array([first for _, first, _ in batch], np.int32),
            "block_table": table,
            "logits_indices": np.arange(len(ids), dtype=np.int64),
        }
        places = [i for _, first, end in batch for i in range(first, end)]
        before = [i for s, first, end in batch for i in [-1, *s][first:end]]
        feeds["position_ids"] = np.array(places, np.int64)
        feeds["previous_ids"] = np.array(before, np.int64)
        known = {name: value for name, value in feeds.items() if name in self._inputs}
        logits = self._session.run(None, known | caches)[0]
        return np.split(logits, ends[:-1])
