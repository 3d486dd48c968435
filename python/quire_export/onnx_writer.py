"""Writes a model as model.onnx with its weights in model.onnx.data beside it."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir
import torch
from torch import nn

from quire_export import paged, stock, version
from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.operators import CausalModel

GRAPH_FILE, DATA_FILE = "model.onnx", "model.onnx.data"
ALIGNMENT = 64
_PREFIX = "decoder."
# What a paged graph may hold beside our own operators: each moves values or computes one element
# from one element of each input, so no row depends on how a runtime divides the work.
_EXACT = frozenset(
    """Add And Cast Clip Concat Constant Div Equal Expand Gather Greater GreaterOrEqual Identity
    Less LessOrEqual Max Min Mul Neg Not Or Reshape Shape Slice Split Squeeze Sub Unsqueeze
    Where""".split()
)


@dataclass(frozen=True)
class _Trace:
    """Everything torch's exporter is told about one kind of graph."""

    module: nn.Module
    inputs: tuple[object, ...]
    free: tuple[object, ...]
    input_names: list[str]
    output_names: list[str]
    shapes: dict[str, list[object]]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hushes torch's exporter, whose remarks are about itself and not about the model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _paged(model: CausalModel, activation_bits: int) -> _Trace:
    inputs, free = paged.example_inputs(model)
    module = paged.PagedGraph(model, activation_bits)
    return _Trace(module, inputs, free, paged.input_names(model), ["logits"], {})


def _explicit(model: CausalModel, activation_bits: int) -> _Trace:
    inputs, free = stock.explicit_example(model)
    names, outputs = stock.explicit_names(model)
    shapes: dict[str, list[object]] = dict.fromkeys(names[:-2], ["batch_size", "sequence_length"])
    shapes["attention_mask"] = ["batch_size", "total_sequence_length"]
    shapes["logits"] = ["batch_size", "sequence_length", model.vocab_size]
    for layer, (heads, size) in enumerate(model.cache_layers):
        for kind in ("key", "value"):
            past = ["batch_size", heads, "past_sequence_length", size]
            present = ["batch_size", heads, "total_sequence_length", size]
            shapes[f"past_key_values.{layer}.{kind}"] = past
            shapes[f"present.{layer}.{kind}"] = present
    module = stock.ExplicitGraph(model, activation_bits)
    return _Trace(module, inputs, free, names, outputs, shapes)


def _none(model: CausalModel, activation_bits: int) -> _Trace:
    inputs, free = stock.none_example()
    shapes: dict[str, list[object]] = {
        "input_ids": ["batch_size", "sequence_length"],
        "logits": ["batch_size", "sequence_length", model.vocab_size],
    }
    names = ["input_ids", "position_offset"]
    module = stock.NoneGraph(model, activation_bits)
    return _Trace(module, inputs, free, names, ["logits"], shapes)


_TRACES = {"paged": _paged, "explicit": _explicit, "none": _none}


def build_graph(model: CausalModel, cache: str, opset: int, activation_bits: int) -> ir.Model:
    """The graph of `model` of kind `cache`, its initializers still in memory.

    A graph of stock operators (explicit, none) changes the model: its packed matrices become
    stock.StockMatrix.
    """
    if cache != "paged":
        stock.use_stock_matrices(model)
    trace = _TRACES[cache](model, activation_bits)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            trace.module.eval(),
            trace.inputs,
            dynamo=True,
            dynamic_shapes=trace.free,
            input_names=trace.input_names,
            output_names=trace.output_names,
            opset_version=opset,
            verbose=False,
        )
    made = program.model
    _tidy(made, cache)
    for value in (*made.graph.inputs, *made.graph.outputs):
        if value.name in trace.shapes:
            value.shape = ir.Shape(trace.shapes[value.name])
    return made


def _tidy(model: ir.Model, cache: str) -> None:
    """Readable names, no traces of this machine; refuses a graph that is not the expected one."""
    model.producer_name, model.producer_version = "quire-export", version.__version__
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.graph.name = f"{cache}_decoder"
    for value in list(model.graph.initializers.values()):
        value.name = value.name.removeprefix(_PREFIX)
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    _name_nodes(model.graph)
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
        if cache == "paged":
            expected = node.domain == "quire" or (node.domain == "" and node.op_type in _EXACT)
        else:
            expected = node.domain in ("", "com.microsoft")
        if not expected:
            raise ExportError(
                f"internal: the exporter emitted an unexpected {node.op_type} node; "
                "install the torch version of requirements.txt",
                EXIT_OTHER,
            )


def _name_nodes(graph: ir.Graph) -> None:
    """Names nodes, and the values they make, after the module whose weight they use."""
    used: set[str] = set()
    place = "model"
    for node in graph:
        weights = [v.name for v in node.inputs if v is not None and v.name.endswith(".weight")]
        if weights:
            name = weights[0].removesuffix(".weight")
            place = ".".join(name.split(".")[:3])
        else:
            name = f"{place}.{node.op_type}"
        count = 1
        unique = name
        while unique in used:
            count += 1
            unique = f"{name}.{count}"
        used.add(unique)
        node.name = unique
        for i, output in enumerate(node.outputs):
            if not output.is_graph_output():
                output.name = f"{unique}.out{f'.{i}' if i else ''}"


def write_model(model: ir.Model, folder: Path) -> None:
    """Writes both files; every tensor begins at a multiple of 64 bytes.

    Axes, shapes and the like stay in the graph: runtimes infer shapes from them.
    """
    model.ir_version = 10
    with (folder / DATA_FILE).open("wb") as data:
        for value in model.graph.initializers.values():
            tensor = value.const_value
            if tensor.size <= 1 or (tensor.dtype == ir.DataType.INT64 and tensor.size <= 64):
                continue
            data.write(b"\0" * (-data.tell() % ALIGNMENT))
            offset = data.tell()
            data.write(tensor.tobytes())
            value.const_value = ir.ExternalTensor(
                DATA_FILE,
                offset,
                data.tell() - offset,
                tensor.dtype,
                shape=tensor.shape,
                name=value.name,
                base_dir=str(folder),
            )
    (folder / GRAPH_FILE).write_bytes(ir.to_proto(model).SerializeToString(deterministic=True))
