"""The own executor's operators of ONNX against ONNX Runtime: random graphs, equal bits."""

import json
import os
import pathlib
import random
import subprocess

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = 60
TYPES = {
    "float": (np.float32, TensorProto.FLOAT),
    "int64": (np.int64, TensorProto.INT64),
    "int32": (np.int32, TensorProto.INT32),
    "bool": (np.bool_, TensorProto.BOOL),
}
onnxruntime.set_default_logger_severity(4)


class Driver:
    """The own executor behind a pipe."""

    def __init__(self, binary):
        self._process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, model, inputs):
        request = {"model": str(model), "inputs": [to_json(value) for value in inputs]}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer.get("error") or [from_json(item) for item in answer["outputs"]]

    def close(self):
        self._process.stdin.close()
        assert self._process.wait() == 0


@pytest.fixture(scope="module")
def driver():
    build = pathlib.Path(os.environ.get("QUIRE_BUILD", ROOT / "build" / "release"))
    binary = build / "tests" / "oracle_graph" / "graph_driver"
    assert binary.is_file(), f"{binary} is not built; run scripts/build.sh release graph_driver"
    made = Driver(binary)
    yield made
    made.close()


def to_json(value):
    name = next(n for n, (dtype, _) in TYPES.items() if value.dtype == dtype)
    bits = value.view(np.uint32) if value.dtype == np.float32 else value
    return {"type": name, "shape": list(value.shape), "data": bits.astype(np.int64).ravel().tolist()}


def from_json(item):
    dtype = TYPES[item["type"]][0]
    data = np.array(item["data"], dtype=np.int64)
    if dtype == np.float32:
        data = data.astype(np.uint32).view(np.float32)
    return data.astype(dtype).reshape(item["shape"])


def random_value(rng, shape, kind="float"):
    if kind == "float":
        special = rng.random(shape) < 0.05
        values = (rng.standard_normal(shape) * 3).astype(np.float32)
        choices = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 3e38], np.float32)
        return np.where(special, rng.choice(choices, shape), values).astype(np.float32)
    if kind == "bool":
        return rng.random(shape) < 0.5
    return rng.integers(-9, 9, shape).astype(TYPES[kind][0])


def random_shape(rng, most_rank=4):
    return [int(rng.integers(1, 6)) for _ in range(rng.integers(0, most_rank + 1))]


def broadcastable(rng, shape):
    """A shape that goes together with `shape`."""
    kept = shape[int(rng.integers(0, len(shape) + 1)) :]
    return [1 if rng.random() < 0.3 else dim for dim in kept]


def constant(name, values):
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


class Case:
    """One node, its inputs, and its constants."""

    def __init__(self, op, inputs, constants=(), outputs=1, extra_inputs=(), **attributes):
        self.inputs = inputs
        names = [f"x{i}" for i in range(len(inputs))] + [c.name if c else "" for c in constants]
        self.names = [f"y{i}" for i in range(outputs)]
        node = helper.make_node(op, names, self.names, name="n", **attributes)
        graph = helper.make_graph(
            [node],
            "g",
            [
                helper.make_tensor_value_info(f"x{i}", onnx_type(value), list(value.shape))
                for i, value in enumerate(inputs)
            ],
            [helper.make_empty_tensor_value_info(name) for name in self.names],
            [c for c in constants if c],
        )
        self.model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
        )


def onnx_type(value):
    return next(t for dtype, t in TYPES.values() if value.dtype == dtype)


def binary(op, kinds):
    def make(rng):
        kind = str(rng.choice(kinds))
        shape = random_shape(rng)
        a, b = random_value(rng, shape, kind), random_value(rng, broadcastable(rng, shape), kind)
        if op == "Div" and kind != "float":
            b = np.where(b == 0, 1, b).astype(b.dtype)
        return Case(op, [a, b] if rng.random() < 0.5 or op == "Div" else [b, a])

    return make


def unary(op, kinds, **attributes):
    return lambda rng: Case(op, [random_value(rng, random_shape(rng), str(rng.choice(kinds)))], **attributes)


def where(rng):
    shape = random_shape(rng)
    kind = str(rng.choice(["float", "int64"]))
    values = [random_value(rng, broadcastable(rng, shape), kind) for _ in range(2)]
    return Case("Where", [random_value(rng, shape, "bool"), *values])


def clip(rng):
    x = random_value(rng, random_shape(rng), "float")
    limits = [numpy_helper.from_array(np.float32(v), n) for v, n in ((-1, "low"), (2, "high"))]
    if rng.random() < 0.3:
        limits[0] = None
    return Case("Clip", [x], limits)


def cast(rng):
    kind, to = str(rng.choice(list(TYPES))), str(rng.choice(list(TYPES)))
    x = random_value(rng, random_shape(rng), kind)
    if kind == "float":
        x = np.nan_to_num(x, nan=1.0, posinf=5.0, neginf=-5.0).clip(-1e6, 1e6).astype(np.float32)
    return Case("Cast", [x], to=TYPES[to][1])


def concat(rng):
    shape = random_shape(rng) or [3]
    axis = int(rng.integers(-len(shape), len(shape)))
    parts = []
    for _ in range(rng.integers(1, 4)):
        dims = list(shape)
        dims[axis] = int(rng.integers(0, 4))
        parts.append(random_value(rng, dims))
    return Case("Concat", parts, axis=axis)


def split(rng):
    shape = random_shape(rng) or [4]
    axis = int(rng.integers(-len(shape), len(shape)))
    parts = [int(rng.integers(0, 4)) for _ in range(rng.integers(1, 4))]
    shape[axis] = sum(parts)
    return Case("Split", [random_value(rng, shape)], [constant("p", parts)], len(parts), axis=axis)


def slice_(rng):
    shape = random_shape(rng) or [4]
    axes = sorted(rng.choice(len(shape), rng.integers(1, len(shape) + 1), replace=False).tolist())
    starts = [int(rng.integers(-7, 7)) for _ in axes]
    steps = [int(rng.choice([-2, -1, 1, 1, 1, 3])) for _ in axes]
    # The reference takes the largest integer as "to the beginning" when it walks backwards.
    ends = [int(rng.choice([-(2**63), -3, 0, 2, 5, 2**63 - 1 if step > 0 else 5])) for step in steps]
    named = [constant(n, v) for n, v in zip("sead", (starts, ends, axes, steps), strict=True)]
    return Case("Slice", [random_value(rng, shape)], named)


def gather(rng):
    shape = random_shape(rng) or [4]
    axis = int(rng.integers(-len(shape), len(shape)))
    dim = shape[axis]
    indices = rng.integers(-dim, dim, random_shape(rng, 2)).astype(np.int64)
    return Case("Gather", [random_value(rng, shape), indices], axis=axis)


def reshape(rng):
    x = random_value(rng, random_shape(rng))
    wanted = [x.size, 1] if rng.random() < 0.5 else [1, -1]
    if x.ndim and rng.random() < 0.3:
        wanted = [0, -1]
    return Case("Reshape", [x], [constant("s", wanted)])


def squeeze(rng):
    x = random_value(rng, [1, *random_shape(rng, 2), 1])
    return Case("Squeeze", [x], [constant("a", [0, -1])] if rng.random() < 0.5 else [])


def unsqueeze(rng):
    return Case("Unsqueeze", [random_value(rng, random_shape(rng, 3))], [constant("a", [0, -1])])


def expand(rng):
    shape = random_shape(rng)
    x = random_value(rng, broadcastable(rng, shape))
    return Case("Expand", [x], [constant("s", shape)])


NUMBERS = ["float", "int64", "int32"]
MAKERS = {
    **{op: binary(op, NUMBERS) for op in ("Add", "Sub", "Mul", "Div")},
    **{op: binary(op, NUMBERS) for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")},
    **{op: binary(op, ["float", "int64"]) for op in ("Max", "Min")},
    **{op: binary(op, ["bool"]) for op in ("And", "Or")},
    "Not": unary("Not", ["bool"]),
    "Neg": unary("Neg", ["float", "int64"]),
    "Identity": unary("Identity", NUMBERS),
    "Shape": unary("Shape", NUMBERS),
    "Shape of some": unary("Shape", NUMBERS, start=-2, end=3),
    "Where": where,
    "Clip": clip,
    "Cast": cast,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Gather": gather,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Expand": expand,
}


def chosen(inputs, theirs):
    """What ONNX says of Where: the element itself. ONNX Runtime merges the two sides, which loses the
    sign of a zero; in all else it must say the same."""
    exact = np.where(inputs[0], inputs[1], inputs[2])
    np.testing.assert_array_equal(exact, theirs)
    return exact


@pytest.mark.parametrize("name", list(MAKERS))
def test_random_nodes_give_onnx_runtimes_bits(driver, tmp_path, name):
    seed = int(os.environ.get("QUIRE_SEED", random.SystemRandom().randrange(2**32)))
    print(f"QUIRE_SEED={seed}")
    rng = np.random.default_rng(seed)
    compared = 0
    for i in range(CASES):
        case = MAKERS[name](rng)
        path = tmp_path / f"{i}.onnx"
        path.write_bytes(case.model.SerializeToString())
        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            wanted = session.run(None, {f"x{k}": v for k, v in enumerate(case.inputs)})
        except Exception as error:  # the reference takes no such node: neither need we
            print(f"case {i}: {str(error)[:200]}")
            continue
        if name == "Where":
            wanted = [chosen(case.inputs, wanted[0])]
        got = driver(path, case.inputs)
        assert not isinstance(got, str), f"case {i}: {got}"
        assert len(got) == len(wanted)
        for ours, theirs in zip(got, wanted, strict=True):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, f"case {i}"
            if ours.dtype == np.float32:
                same = (ours.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(ours) & np.isnan(theirs))
                assert same.all(), f"case {i}: {ours} and {theirs}"
            else:
                assert (ours == theirs).all(), f"case {i}: {ours} and {theirs}"
        compared += 1
    assert compared > CASES // 3, "the reference took too few of the cases"


@pytest.mark.parametrize(
    ("op", "domain", "words"),
    [
        ("Softmax", "", "the operator Softmax is none that a paged graph may hold"),
        ("MatMul", "", "the operator MatMul is none"),
        ("RotaryEmbedding", "com.microsoft", "com.microsoft::RotaryEmbedding is none"),
        ("Secret", "quire", "there is no operator quire::Secret"),
    ],
)
def test_an_operator_that_is_not_known_is_refused_by_its_name(driver, tmp_path, op, domain, words):
    x = np.zeros((2, 2), np.float32)
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], name="layer.7", domain=domain)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    error = driver(path, [x])
    assert isinstance(error, str) and words in error and "layer.7" in error, error
