"""Writes a decoder as model.onnx with its weights in model.onnx.data beside it."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx_ir as ir
import torch

from quire_export import version
from quire_export.decoder import Decoder
from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.paged import PagedGraph, example_inputs, input_names

GRAPH_FILE, DATA_FILE = "model.onnx", "model.onnx.data"
ALIGNMENT = 64
_PREFIX = "decoder."


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


def build_paged_graph(decoder: Decoder, opset: int, activation_bits: int) -> ir.Model:
    """The paged graph of `decoder`, its initializers still in memory."""
    num_layers = decoder.spec.num_layers
    inputs, free = example_inputs(num_layers)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            PagedGraph(decoder, activation_bits).eval(),
            inputs,
            dynamo=True,
            dynamic_shapes=free,
            input_names=input_names(num_layers),
            output_names=["logits"],
            opset_version=opset,
            verbose=False,
        )
    model = program.model
    _tidy(model)
    return model


def _tidy(model: ir.Model) -> None:
    """Readable names, no traces of this machine; refuses a graph that is not the expected one."""
    model.producer_name, model.producer_version = "quire-export", version.__version__
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.graph.name = "paged_decoder"
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
        if node.domain != "quire" and node.op_type not in ("Add", "Gather", "Concat"):
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
        if not node.outputs[0].is_graph_output():
            node.outputs[0].name = f"{unique}.out"


def write_model(model: ir.Model, folder: Path) -> None:
    """Writes both files; every tensor begins at a multiple of 64 bytes."""
    model.ir_version = 10
    with (folder / DATA_FILE).open("wb") as data:
        for value in model.graph.initializers.values():
            tensor = value.const_value
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
