"""Graphs that would take all time or memory while they are opened (S12, S16, S17)."""

import json
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import (
    AttributeProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    TrainingInfoProto,
    helper,
    numpy_helper,
    save,
)
from program import Program

CONFIG = {
    "model_type": "llama",
    "vocab_size": 8,
    "max_position_embeddings": 64,
    "num_attention_heads": 1,
    "hidden_size": 8,
    "eos_token_id": 1,
}
Nodes = list[NodeProto]
node = helper.make_node
BIG = 3_000_000_000


def literal(name: str, value: object) -> NodeProto:
    """A node that gives a constant: ints are int64."""
    return node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))


def model(nodes: Nodes, result: str = "big") -> ModelProto:
    """input_ids to logits, which take `result` in so that it is not cut away."""
    info = helper.make_tensor_value_info
    tail = [
        node("ReduceMax", [result], ["top"], keepdims=0),
        node("Cast", ["top"], ["top_f"], to=TensorProto.FLOAT),
        node("Mul", ["top_f", "nothing"], ["no_top"]),
        node("Cast", ["input_ids"], ["f"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["f", "two"], ["u"]),
        node("Mul", ["u", "row"], ["y"]),
        node("Add", ["y", "no_top"], ["logits"]),
    ]
    weights = {
        "nothing": np.float32(0),
        "two": np.array([2]),
        "row": np.ones(8, np.float32),
    }
    graph = helper.make_graph(
        nodes + tail,
        "g",
        [info("input_ids", TensorProto.INT64, ["b", "s"])],
        [info("logits", TensorProto.FLOAT, ["b", "s", 8])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


def range_of(limit: Nodes, kind: str = "limit") -> Nodes:
    """0 to what `limit` computes."""
    return [*limit, literal("zero", 0), literal("one", 1), node("Range", ["zero", kind, "one"], ["big"])]


def body(kind: str) -> Nodes:
    """A Loop or a Scan as often as a constant says."""
    info = helper.make_tensor_value_info
    inner = helper.make_graph(
        [node("Identity", ["go"], ["go_on"]), node("Add", ["x", "x"], ["x_out"])],
        "inner",
        [info("i", 7, []), info("go", 9, []), info("x", 7, [])],
        [info("go_on", 9, []), info("x_out", 7, [])],
    )
    start = [literal("count", 2**62), literal("yes", True), literal("x0", 1)]
    return [*start, node(kind, ["count", "yes", "x0"], ["big"], body=inner)]


def in_a_branch() -> Nodes:
    """The same inside an If, over constants outside."""
    info = helper.make_tensor_value_info("b", 7, None)
    graph = helper.make_graph([node("Range", ["zero", "limit", "one"], ["b"])], "then", [], [info])
    other = helper.make_graph([node("Range", ["zero", "one", "one"], ["b"])], "else", [], [info])
    start = [literal("zero", 0), literal("one", 1), literal("limit", BIG), literal("yes", True)]
    return [*start, node("If", ["yes"], ["big"], then_branch=graph, else_branch=other)]


def doubled(times: int) -> Nodes:
    """A vector beside itself, again and again."""
    nodes = [literal("x0", [1, 2])]
    nodes += [node("Concat", [f"x{i}", f"x{i}"], [f"x{i + 1}"], axis=0) for i in range(times)]
    return [*nodes, node("Identity", [f"x{times}"], ["big"])]


def outer(count: int, turn: str) -> Nodes:
    """A column times a row."""
    make = {
        "unsqueeze": node("Unsqueeze", ["x", "axis"], ["column"]),
        "reshape": node("Reshape", ["x", "shape"], ["column"]),
    }[turn]
    x = [literal("x", np.ones(count, np.float32)), literal("axis", [1]), literal("shape", [-1, 1])]
    if turn == "unsqueeze":
        return [*x, make, node("Mul", ["column", "x"], ["big"])]
    return [*x, make, node("Transpose", ["column"], ["back"]), node("MatMul", ["column", "back"], ["big"])]


def chain(count: int) -> Nodes:
    """Nodes one behind another."""
    nodes = [literal("c0", np.ones(8, np.float32))]
    nodes += [node("Add", [f"c{i}", "c0"], [f"c{i + 1}"]) for i in range(count)]
    return [*nodes, node("Identity", [f"c{count}"], ["big"])]


EXCESSIVE: dict[str, tuple[Callable[[], Nodes], str]] = {
    "Loop": (lambda: body("Loop"), "Loop"),
    "Scan": (lambda: body("Scan"), "Scan"),
    "Range": (lambda: range_of([literal("limit", BIG)]), "Range"),
    "Range of floats": (
        lambda: [
            literal("a", np.float32(0)), literal("b", np.float32(1)), literal("c", np.float32(1e-10)),
            node("Range", ["a", "b", "c"], ["big"]),
        ],
        "Range",
    ),
    "Range backwards": (
        lambda: [
            literal("a", BIG), literal("b", 0), literal("c", -1), node("Range", ["a", "b", "c"], ["big"])
        ],
        "Range",
    ),
    "Range of a product": (
        lambda: range_of([literal("k", 65536), node("Mul", ["k", "k"], ["limit"])]), "Range"
    ),
    "Range of nobody knows what": (
        lambda: range_of([
            literal("k", np.float32(22)), node("Exp", ["k"], ["e"]), node("Cast", ["e"], ["limit"], to=7)
        ]),
        "Range",
    ),
    "Range before its limit": (lambda: range_of([literal("limit", BIG)])[::-1], "Range"),
    "Range in a branch": (in_a_branch, "Range"),
    "many ranges": (
        lambda: [
            literal("zero", 0), literal("one", 1), literal("limit", 30_000_000),
            *[node("Range", ["zero", "limit", "one"], [f"r{i}"]) for i in range(9)],
            node("Identity", ["r8"], ["big"]),
        ],
        "Range",
    ),
    "ConstantOfShape": (
        lambda: [literal("shape", [70000, 70000]), node("ConstantOfShape", ["shape"], ["big"])],
        "ConstantOfShape",
    ),
    "Expand": (
        lambda: [
            literal("x", [1]), literal("shape", [50000, 50000]), node("Expand", ["x", "shape"], ["big"])
        ],
        "Expand",
    ),
    "Tile": (
        lambda: [literal("x", [1, 2]), literal("n", [BIG]), node("Tile", ["x", "n"], ["big"])], "Tile"
    ),
    "Pad": (
        lambda: [literal("x", [1, 2]), literal("n", [0, BIG]), node("Pad", ["x", "n"], ["big"])], "Pad"
    ),
    "doubling": (lambda: doubled(40), "Concat"),
    "column times row": (lambda: outer(20000, "unsqueeze"), "Mul"),
    "column times row as matrices": (lambda: outer(20000, "reshape"), "MatMul"),
    "RandomNormal": (lambda: [node("RandomNormal", [], ["big"], shape=[60000, 60000])], "RandomNormal"),
    "a long chain": (lambda: chain(199_000), "nodes"),
}  # fmt: skip


def opened(quire: Program, folder: Path) -> subprocess.CompletedProcess[str]:
    """Opens it for one token with a third of the memory such a result would take."""
    return subprocess.run(
        [quire.binary, "generate", "-m", folder, "--token-ids", "-n", "1", "2,3"],
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 20)),
    )  # fmt: skip


def write(folder: Path, made: ModelProto) -> Path:
    folder.mkdir()
    save(made, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.mark.parametrize("name", EXCESSIVE)
def test_s12_s17_what_grows_or_runs_without_bound_is_refused_unopened(
    name: str, quire: Program, tmp_path: Path
) -> None:
    """One line with the operator, before the runtime computes anything."""
    nodes, word = EXCESSIVE[name]
    run = opened(quire, write(tmp_path / "m", model(nodes())))
    assert run.returncode == 3 and run.stderr.count("\n") == 1 and word in run.stderr, run.stderr


FACTOR = 30_000_000_000
GROWING = {
    "Range": [
        literal("zero", 0), literal("one", 1), node("Range", ["zero", "limit", "one"], ["big"])
    ],
    "Expand": [
        literal("x", [1]), literal("axis", [0]), node("Unsqueeze", ["limit", "axis"], ["shape"]),
        node("Expand", ["x", "shape"], ["big"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", GROWING)
def test_s17_a_step_that_grows_by_its_ids_fails_alone(
    name: str, quire: Program, tmp_path: Path
) -> None:
    """Only what a prompt's ids say makes it large, so the graph opens and other prompts run."""
    limit = [
        node("ReduceMax", ["input_ids"], ["largest"], keepdims=0),
        literal("factor", FACTOR),
        node("Mul", ["largest", "factor"], ["limit"]),
    ]
    folder = write(tmp_path / "m", model(limit + GROWING[name]))
    run = quire("generate", "-m", folder, "--token-ids", "-n", "1", "--json", "6,3", "0,0")
    large, small = run.json_lines()
    assert run.code == 1 and large["error"]["type"] == "resource_exhausted", run
    assert small["token_ids"] == [0]


def expanded() -> Nodes:
    """What torch.expand becomes: -1 keeps a size."""
    return [
        literal("shape", [-1, 4]), literal("minus", [-1, -1]), literal("x", [[1], [2], [3]]),
        literal("two", [2]),
        node("Equal", ["shape", "minus"], ["keeps"]),
        node("ConstantOfShape", ["two"], ["ones"], value=numpy_helper.from_array(np.array([1]))),
        node("Where", ["keeps", "ones", "shape"], ["target"]),
        node("Expand", ["x", "target"], ["big"]),
    ]  # fmt: skip


USUAL: dict[str, Callable[[], Nodes]] = {
    "positions": lambda: range_of([literal("limit", 131072)]),
    "a mask": lambda: [literal("shape", [4096, 4096]), node("ConstantOfShape", ["shape"], ["big"])],
    "torch.expand": expanded,
    "a frequency table": lambda: outer(4000, "unsqueeze"),
    "many nodes": lambda: chain(9_000),
}


@pytest.mark.parametrize("name", USUAL)
def test_what_exporters_write_over_constants_still_opens(
    name: str, quire: Program, tmp_path: Path
) -> None:
    """Tables and masks of a model's size, and its number of nodes."""
    run = opened(quire, write(tmp_path / "m", model(USUAL[name]())))
    assert run.returncode == 0 and run.stderr == "", run.stderr


def test_s16_sparse_attributes_and_training_graphs_are_refused(
    quire: Program, tmp_path: Path
) -> None:
    """Like sparse initializers: their places would not be looked at."""
    sparse = SparseTensorProto(dims=[4])
    sparse.values.CopyFrom(helper.make_tensor("v", TensorProto.INT64, [1], [1]))
    sparse.values.data_location = TensorProto.EXTERNAL
    sparse.values.external_data.add(key="location", value="../../etc/passwd")
    for field in ("sparse_tensor", "sparse_tensors"):
        made = node("Constant", [], ["big"])
        if field == "sparse_tensor":
            attribute = AttributeProto(name="sparse_value", type=AttributeProto.SPARSE_TENSOR)
            attribute.sparse_tensor.CopyFrom(sparse)
        else:
            attribute = AttributeProto(name="x", type=AttributeProto.SPARSE_TENSORS)
            attribute.sparse_tensors.add().CopyFrom(sparse)
        made.attribute.append(attribute)
        run = opened(quire, write(tmp_path / field, model([made])))
        assert run.returncode == 3 and "sparse" in run.stderr, run.stderr
    training = model([literal("big", [1])])
    training.training_info.append(TrainingInfoProto())
    run = opened(quire, write(tmp_path / "training", training))
    assert run.returncode == 3 and "training" in run.stderr, run.stderr
