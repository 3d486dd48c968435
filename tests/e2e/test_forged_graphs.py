"""Graphs that were never exported: refused before a token is computed, never a crash."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from packages import edit_json, rehash
from program import Program
from refusal import Damage, assert_refused


def edit_graph(edit: Callable[[onnx.ModelProto], None]) -> Damage:
    """Rewrites model.onnx, the weights untouched."""

    def damage(package: Path) -> None:
        model = onnx.load(package / "model.onnx", load_external_data=False)
        edit(model)
        (package / "model.onnx").write_bytes(model.SerializeToString())
        rehash(package)

    return damage


def first_external(model: onnx.ModelProto) -> onnx.TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.external_data)


def set_external(key: str, value: str) -> Damage:
    """Changes where the first weight outside the graph is."""

    def edit(model: onnx.ModelProto) -> None:
        next(e for e in first_external(model).external_data if e.key == key).value = value

    return edit_graph(edit)


def rename_input(old: str, new: str) -> Damage:
    def edit(model: onnx.ModelProto) -> None:
        next(value for value in model.graph.input if value.name == old).name = new
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                node.input[i] = new if name == old else name

    return edit_graph(edit)


def drop_last_input(model: onnx.ModelProto) -> None:
    del model.graph.input[-1]


def add_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("extra", 1, [1]))


def retype_ids(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def set_node(kind: str, **fields: Any) -> Damage:
    """Changes the first node of a kind."""

    def edit(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == kind)
        for name, value in fields.items():
            setattr(node, name, value)

    return edit_graph(edit)


def set_attribute(kind: str, name: str, value: int) -> Damage:
    """Changes an integer attribute of the first node of a kind."""

    def edit(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == kind)
        next(attribute for attribute in node.attribute if attribute.name == name).i = value

    return edit_graph(edit)


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "scores"
    for node in model.graph.node:
        for i, name in enumerate(node.output):
            node.output[i] = "scores" if name == "logits" else name


def second_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(onnx.helper.make_tensor_value_info("input_ids", 7, ["T"]))


def huge_dims(model: onnx.ModelProto) -> None:
    first_external(model).dims[:] = [1 << 40, 1 << 40]


def negative_dims(model: onnx.ModelProto) -> None:
    first_external(model).dims[:] = [-1, 5]


def drop_weight(model: onnx.ModelProto) -> None:
    del model.graph.initializer[0]


def self_loop(model: onnx.ModelProto) -> None:
    node = model.graph.node[5]
    node.input[0] = node.output[0]


def function(model: onnx.ModelProto) -> None:
    model.functions.append(onnx.FunctionProto(name="f", domain="quire"))


def nested(model: onnx.ModelProto) -> None:
    graph = onnx.GraphProto(name="inner")
    for _ in range(20):
        node = onnx.NodeProto(op_type="If")
        node.attribute.append(onnx.helper.make_attribute("then_branch", graph))
        graph = onnx.GraphProto(name="outer", node=[node])
    model.graph.node.append(graph.node[0])


WRONG_GRAPHS = {
    "weights above": (set_external("location", "../model.onnx.data"), "../"),
    "weights at an absolute path": (set_external("location", "/etc/passwd"), "/etc/passwd"),
    "weights in a device": (set_external("location", "/dev/zero"), "/dev/zero"),
    "weights nowhere": (set_external("location", "none.data"), "none.data"),
    "weights in the folder itself": (set_external("location", "."), "weights"),
    "weights with no place": (set_external("location", ""), "weights"),
    "weights past the end": (set_external("offset", "99999999"), "shorter"),
    "weights at -1": (set_external("offset", "-1"), "place"),
    "weights at 2^64 - 1": (set_external("offset", str(2**64 - 1)), "shorter"),
    "weights of another length": (set_external("length", "3"), "place"),
    "weights of a length like words": (set_external("length", "long"), "place"),
    "dimensions 2^80": (edit_graph(huge_dims), "shape"),
    "dimensions below 0": (edit_graph(negative_dims), "model.onnx"),
    "a weight that is gone": (edit_graph(drop_weight), "model.onnx"),
    "an input of another name": (rename_input("block_table", "page_table"), "page_table"),
    "an input less": (edit_graph(drop_last_input), "model.onnx"),
    "an input more": (edit_graph(add_input), "extra"),
    "ids that are floats": (edit_graph(retype_ids), "model.onnx"),
    "logits of another name": (edit_graph(rename_output), "logits"),
    "a second output": (edit_graph(second_output), "one output"),
    "an unknown domain": (set_node("Linear", domain="evil.example"), "evil.example"),
    "an unknown operator": (set_node("Linear", op_type="Nonlinear"), "Nonlinear"),
    "a stock operator that is none": (set_node("Linear", domain="", op_type="Exec"), "Exec"),
    "K another": (set_attribute("Linear", "K", 61), "model.onnx"),
    "K below 0": (set_attribute("Linear", "K", -60), "model.onnx"),
    "K 2^62": (set_attribute("Linear", "K", 1 << 62), "model.onnx"),
    "bits 5": (set_attribute("Linear", "bits", 5), "model.onnx"),
    "heads 0": (set_attribute("PagedAttention", "num_heads", 0), "model.onnx"),
    "heads 5": (set_attribute("PagedAttention", "num_heads", 5), "model.onnx"),
    "key heads 2^40": (set_attribute("PagedAttention", "kv_num_heads", 1 << 40), "model.onnx"),
    "a window of -7": (set_attribute("PagedAttention", "local_window_size", -7), "model.onnx"),
    "a loop": (edit_graph(self_loop), "model.onnx"),
    "a function of its own": (edit_graph(function), "functions"),
    "graphs in graphs": (edit_graph(nested), "deep"),
}


@pytest.mark.parametrize("name", WRONG_GRAPHS)
def test_a_forged_graph_is_refused(name: str, quire: Program, package: Path) -> None:
    """With hashes made to fit, before a single token is computed."""
    damage, word = WRONG_GRAPHS[name]
    damage(package)
    assert_refused(quire, package, word)


def test_weights_behind_a_link_are_refused(quire: Program, package: Path, tmp_path: Path) -> None:
    """Though the link is listed nowhere and its target is the right file."""
    (package / "model.onnx.data").rename(tmp_path / "elsewhere")
    (package / "linked.data").symlink_to(tmp_path / "elsewhere")
    edit_json(
        package / "model_info.json", lambda info: info["files"].pop("model.onnx.data") and None
    )
    model = onnx.load(package / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = "linked.data" if entry.key == "location" else entry.value
    (package / "model.onnx").write_bytes(model.SerializeToString())
    rehash(package)
    assert_refused(quire, package, "linked.data")
