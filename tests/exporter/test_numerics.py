"""The parts the numbers rest on: storage, rotary tables, the decoder in eager torch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, dequantize, quantize
from quire_export import reference_ops
from quire_export.decoder import Decoder
from quire_export.hf_source import load_folder
from quire_export.operators import StepInputs
from quire_export.plain import PlainOperators
from quire_export.progress import Progress
from quire_export.rope import rope_tables
from quire_export.store import Storage, store_all
from quire_export.weights import StoredMatrix, stack_rows, store_int4, store_int8, store_plain
from test_folder_export import SHAPES
from tiny_models import make_tiny_llama, random_llama


def random_matrix(rows: int, columns: int, seed: int = 1) -> torch.Tensor:
    """Normal values [rows, columns]."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("columns", [1, 6, 31, 32, 33, 50, 64, 100])
@pytest.mark.parametrize(("store", "levels"), [(store_int8, 254), (store_int4, 15)])
def test_quantizing_errs_by_half_a_step_at_most(
    store: Callable[[torch.Tensor], StoredMatrix], levels: int, columns: int
) -> None:
    """A step is the block's range over the levels, plus the rounding of float16."""
    values = random_matrix(7, columns)
    stored = store(values)
    error = (stored.dequantize() - values).abs()
    for begin in range(0, columns, 32):
        block = values[:, begin : begin + 32]
        symmetric = store is store_int8
        reach = 2 * block.abs().amax(1) if symmetric else block.amax(1) - block.amin(1)
        limit = 0.5 * reach / levels + block.abs().amax(1) * 2e-3
        assert (error[:, begin : begin + 32].amax(1) <= limit).all()


@pytest.mark.parametrize("store", [store_int8, store_int4])
def test_constant_and_zero_rows_survive(store: Callable[[torch.Tensor], StoredMatrix]) -> None:
    """No division by a zero scale."""
    values = torch.tensor([[0.0] * 40, [0.5] * 40, [-0.25] * 40])
    torch.testing.assert_close(store(values).dequantize(), values, atol=2e-3, rtol=0)


def test_padding_of_packed_matrices_is_zero() -> None:
    """Values past K are stored as zeros."""
    eight, four = store_int8(random_matrix(3, 40)), store_int4(random_matrix(3, 40))
    assert (eight.weight[:, 1, 8:] == 0).all()
    nibbles = torch.cat([four.weight & 15, four.weight >> 4], dim=-1)
    assert (nibbles[:, 1, 8:] == 0).all()


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0"])
def test_both_dequantizers_equal_gguf_s(kind: str) -> None:
    """Torch's and numpy's, bit for bit, on blocks as GGUF lays them out."""
    raw = quantize(random_matrix(5, 96).numpy(), GGMLQuantizationType[kind])
    expected = dequantize(raw, GGMLQuantizationType[kind])
    head = {"Q4_0": 2, "Q4_1": 4, "Q8_0": 2}[kind]
    blocks = raw.reshape(5, 3, -1)
    halves = blocks[..., :head].copy().view(np.float16)
    packed = blocks[..., head:].copy()
    weight = packed.view(np.int8) if kind == "Q8_0" else packed
    minimum = halves[..., 1].copy() if head == 4 else None
    ours = StoredMatrix(
        kind,
        96,
        torch.from_numpy(weight),
        torch.from_numpy(halves[..., 0].copy()),
        None if minimum is None else torch.from_numpy(minimum),
    )
    np.testing.assert_array_equal(ours.dequantize().numpy(), expected)
    bits = 8 if kind == "Q8_0" else 4
    numpys = reference_ops.dequantize(weight, halves[..., 0], minimum, bits, 96)
    np.testing.assert_array_equal(numpys, expected)


def test_rows_are_stacked_and_taken_bit_for_bit() -> None:
    """Merging q, k and v, and undoing GGUF's row order, touch no value."""
    parts = [store_int4(random_matrix(rows, 50, rows)) for rows in (3, 5)]
    whole = stack_rows(parts)
    assert torch.equal(whole.dequantize(), torch.cat([p.dequantize() for p in parts]))
    order = torch.tensor([7, 0, 3, 3])
    assert torch.equal(whole.take_rows(order).dequantize(), whole.dequantize()[order])


@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
def test_plain_storage_rounds_once(dtype: str) -> None:
    """To nearest, in torch's own conversion."""
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[dtype]
    values = random_matrix(3, 5)
    assert torch.equal(store_plain(values, dtype).dequantize(), values.to(kind).float())


def naive_linear(x: np.ndarray, stored: StoredMatrix, most: int) -> np.ndarray:
    """The documented arithmetic, one scalar at a time, sums in float64."""
    q = reference_ops.unpack(stored.weight.numpy(), stored.bits, stored.minimum is not None)
    y = np.zeros((len(x), stored.rows))
    for t, n in np.ndindex(y.shape):
        for block in range(q.shape[1]):
            part = x[t, 32 * block : 32 * block + 32]
            sx = np.abs(part).max() / np.float32(most)
            xq = [min(max(round(float(v / sx)), -most), most) if sx else 0 for v in part]
            scale = float(stored.scale[n, block]) * float(sx)
            y[t, n] += scale * sum(int(a) * b for a, b in zip(q[n, block], xq, strict=False))
            if stored.minimum is not None:
                y[t, n] += float(stored.minimum[n, block]) * float(sx) * sum(xq)
    return y


@pytest.mark.parametrize(("bits", "most"), [(8, 127), (16, 32639)])
@pytest.mark.parametrize("store", [store_int8, store_int4])
def test_canonical_linear_is_the_documented_sum(
    store: Callable[[torch.Tensor], StoredMatrix], bits: int, most: int
) -> None:
    """Against a scalar transcription of docs/model_package.md."""
    stored = store(random_matrix(4, 50))
    x = random_matrix(3, 50, 9).numpy()
    x[1] = 0
    q = reference_ops.unpack(stored.weight.numpy(), stored.bits, stored.minimum is not None)
    minimum = None if stored.minimum is None else stored.minimum.numpy()
    y = reference_ops.Linear._canonical(x, q, stored.scale.numpy(), minimum, bits)
    np.testing.assert_allclose(y, naive_linear(x, stored, most), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_eager_decoder_equals_transformers(shape: str, tmp_path: Path) -> None:
    """The one definition of the decoder, run in plain torch."""
    folder = make_tiny_llama(tmp_path / "source", **SHAPES[shape])
    source = load_folder(folder, Progress(enabled=False))
    decoder = Decoder(source.spec, store_all(source, Storage(), Progress(enabled=False)))
    ids = torch.arange(90) * 7 % 301
    with torch.no_grad():
        ours = decoder(StepInputs(ids[None]), PlainOperators(torch.arange(90)[None]))[0]
        theirs = random_llama(**SHAPES[shape])(ids[None]).logits[0]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "shape", ["tied_gqa3", "rope_llama3", "rope_linear", "one_layer_big_theta"]
)
def test_rotary_tables_equal_transformers_at_far_positions(shape: str, tmp_path: Path) -> None:
    """Within 1e-6 at every position of a long context."""
    settings = SHAPES[shape] | {"max_position_embeddings": 8192}
    source = load_folder(make_tiny_llama(tmp_path / "source", **settings), Progress(enabled=False))
    cos, sin = rope_tables(source.spec.ropes[0], 8192)
    theirs = random_llama(**settings).model.rotary_emb(torch.zeros(1), torch.arange(8192)[None])
    half = source.spec.head_dim // 2
    for ours, expected in zip((cos, sin), theirs, strict=True):
        torch.testing.assert_close(ours, expected[0, :, :half], atol=1e-6, rtol=0)
