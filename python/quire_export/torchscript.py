"""A model as TorchScript, in the three cache kinds; TorchScript has no names, so order counts.

paged: (input_ids, cumulative_sequence_lengths, past_sequence_lengths, block_table,
logits_indices, key_caches, value_caches[, previous_ids]) -> logits;
explicit: (input_ids, past_keys, past_values, position_ids[, previous_ids]) -> (logits, keys,
values); none: (input_ids, position_offset) -> logits.
"""

import contextlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from quire_export.operators import CausalModel, Heads, Matrix, Norm, StepInputs
from quire_export.plain import PlainOperators
from quire_export.torchscript_ops import LIBRARY

SCRIPT_FILE = "model.pt"
# Bytes of a zip archive's record ahead of its name, and of an extra field ahead of its content.
_ZIP_HEADER, _ZIP_EXTRA = 30, 4
_ALIGNMENT = 64
_ops = getattr(torch.ops, LIBRARY.ns)


class ScriptOperators:
    """Calls quire::... operators, one for one those of the paged ONNX graph."""

    def __init__(
        self,
        batch: tuple[torch.Tensor, ...],
        caches: tuple[list[torch.Tensor], list[torch.Tensor]],
        activation_bits: int,
    ) -> None:
        self._batch = batch  # cumulative_sequence_lengths, past_sequence_lengths, block_table
        self._keys, self._values = caches
        self._activation_bits = activation_bits

    def embedding(self, table: Matrix, ids: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return _ops.embedding(ids, table.weight, table.scale, table.min, table.in_features)

    def linear(self, matrix: Matrix, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        stored = (matrix.weight, matrix.scale, matrix.min, matrix.bias)
        return _ops.linear(x, *stored, matrix.in_features, self._activation_bits)

    def rms_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """See Operators."""
        return _ops.rms_norm(x, norm.weight, epsilon)

    def layer_norm(self, norm: Norm, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        """See Operators."""
        return _ops.layer_norm(x, norm.weight, norm.bias, epsilon)

    def activation(self, kind: str, x: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return _ops.activation(x, kind)

    def gated(self, kind: str, gate_up: torch.Tensor) -> torch.Tensor:
        """See Operators."""
        return _ops.gated_activation(gate_up, kind)

    def soft_cap(self, x: torch.Tensor, cap: float) -> torch.Tensor:
        """See Operators."""
        return _ops.soft_cap(x, cap)

    def attention(self, heads: Heads, qkv: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """See Operators."""
        query, key, value = qkv if len(qkv) == 3 else (qkv[0], None, None)
        return _ops.paged_attention(
            query,
            key,
            value,
            self._keys[heads.layer],
            self._values[heads.layer],
            *self._batch,
            heads.cos,
            heads.sin,
            None,
            heads.num_heads,
            heads.num_kv_heads,
            float(heads.scale),
            float(heads.softcap),
            heads.window,
            heads.cos is not None,
            False,
        )


class _Script(nn.Module):
    def __init__(self, model: CausalModel, activation_bits: int) -> None:
        super().__init__()
        self.decoder = model
        self._activation_bits = activation_bits

    def _step(
        self, ids: torch.Tensor, positions: torch.Tensor, previous: tuple[torch.Tensor, ...]
    ) -> StepInputs:
        """The optional inputs that the model reads, beside its ids."""
        given = {"position_ids": positions, "previous_ids": previous[0] if previous else None}
        named = {name: given[name] for name in self.decoder.optional_inputs}
        return StepInputs(input_ids=ids, **named)


def _positions(
    ids: torch.Tensor, cumulative: torch.Tensor, past: torch.Tensor
) -> torch.Tensor:
    """Each token's place in its sequence; int64 [T]."""
    rows = torch.arange(ids.shape[0])
    owner = torch.searchsorted(cumulative[1:], rows, right=True)
    return rows - cumulative[owner] + past[owner]


class PagedScript(_Script):
    """The engine's own kind: all sequences of a step on one flat token axis."""

    def forward(
        self,
        input_ids: torch.Tensor,
        cumulative_sequence_lengths: torch.Tensor,
        past_sequence_lengths: torch.Tensor,
        block_table: torch.Tensor,
        logits_indices: torch.Tensor,
        key_caches: list[torch.Tensor],
        value_caches: list[torch.Tensor],
        *previous_ids: torch.Tensor,
    ) -> torch.Tensor:
        """Logits [L, vocab]; previous_ids only where the model names it."""
        batch = (cumulative_sequence_lengths, past_sequence_lengths, block_table)
        ops = ScriptOperators(batch, (key_caches, value_caches), self._activation_bits)
        positions = _positions(input_ids, cumulative_sequence_lengths, past_sequence_lengths)
        step = self._step(input_ids, positions, previous_ids)
        return self.decoder(replace(step, logits_indices=logits_indices), ops)


class ExplicitScript(_Script):
    """The cache as arguments and results, [B, Hkv, P, D] a layer."""

    def forward(
        self,
        input_ids: torch.Tensor,
        past_keys: list[torch.Tensor],
        past_values: list[torch.Tensor],
        position_ids: torch.Tensor,
        *previous_ids: torch.Tensor,
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """Logits [B, S, vocab], and keys and values with this step's behind the past ones."""
        past = [part for pair in zip(past_keys, past_values, strict=True) for part in pair]
        ops = PlainOperators(position_ids, past)
        logits = self.decoder(self._step(input_ids, position_ids, previous_ids), ops)
        return logits, ops.present[0::2], ops.present[1::2]


class NoneScript(_Script):
    """The whole sequence each time, the first token at `position_offset`."""

    def forward(self, input_ids: torch.Tensor, position_offset: torch.Tensor) -> torch.Tensor:
        """Logits [B, S, vocab] of input_ids int64 [B, S]; position_offset int64 []."""
        positions = position_offset + torch.arange(input_ids.shape[1]).unsqueeze(0)
        previous = nn.functional.pad(input_ids[:, :-1], (1, 0), value=-1)
        step = self._step(input_ids, positions.expand_as(input_ids), (previous,))
        return self.decoder(step, PlainOperators(positions))


def _example(model: CausalModel, cache: str) -> tuple[nn.Module, tuple[object, ...]]:
    """The class for a cache kind, and small inputs to trace it with."""

    def ids(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.int64)

    wants_previous = "previous_ids" in model.optional_inputs
    if cache == "none":
        return NoneScript, (ids(2, 3), ids())
    if cache == "explicit":
        past = [torch.zeros(2, heads, 2, size) for heads, size in model.cache_layers]
        positions = torch.arange(2, 5).expand(2, 3)
        more = (ids(2, 3),) * wants_previous
        return ExplicitScript, (ids(2, 3), past, [p.clone() for p in past], positions, *more)
    lengths = [torch.tensor(v, dtype=torch.int32) for v in ([0, 3, 5], [0, 1], [[0, -1], [1, -1]])]
    blocks = [
        torch.zeros(2, 16 * heads * size * 4, dtype=torch.uint8)
        for heads, size in model.cache_layers
    ]
    caches = (blocks, [block.clone() for block in blocks])
    more = (ids(5),) * wants_previous
    return PagedScript, (ids(5), *lengths, torch.tensor([2, 4]), *caches, *more)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hushes the tracer, which warns of every shape that a constant depends on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write_script(model: CausalModel, cache: str, activation_bits: int, folder: Path) -> None:
    """Writes model.pt of kind `cache`, the model's buffers inside."""
    kind, inputs = _example(model, cache)
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(
            kind(model, activation_bits).eval(), inputs, check_trace=False, strict=False
        )
        traced_file = io.BytesIO()
        torch.jit.save(traced, traced_file)
    _write_without_traces(traced_file, folder / SCRIPT_FILE)


def _write_without_traces(saved: io.BytesIO, path: Path) -> None:
    """Copies an archive but for its debug records, which name files of this machine.

    Every record begins at a multiple of 64 bytes, as LibTorch writes them.
    """
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for record in old.infolist():
            if record.filename.endswith(".debug_pkl"):
                continue
            entry = zipfile.ZipInfo(record.filename)
            begin = new.fp.tell() + _ZIP_HEADER + len(record.filename) + _ZIP_EXTRA
            padding = -begin % _ALIGNMENT
            entry.extra = b"FB" + padding.to_bytes(2, "little") + b"\0" * padding
            new.writestr(entry, old.read(record))
