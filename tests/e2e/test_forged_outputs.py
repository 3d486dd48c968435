"""Graphs whose outputs at run time are not what they declare (S2 of the security review)."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from nanochat_runs import DATA
from onnx import ModelProto, TensorProto, helper, save
from packages import rehash
from program import Program

VOCAB = 40
HEADS, HEAD_DIM = 2, 4
CONFIG = {
    "model_type": "llama",
    "vocab_size": VOCAB,
    "max_position_embeddings": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "head_dim": HEAD_DIM,
    "hidden_size": HEADS * HEAD_DIM,
    "eos_token_id": 1,
}
# What a prompt without and with the id 7 gets; the second shape is computed for it alone.
GOOD_IDS, BAD_IDS = "2,3,4", "2,7,4"
B, S, P = "b", "s", "p"  # batch, new tokens, tokens of the past
LOGITS = [B, S, VOCAB]
PRESENT = [B, HEADS, P, HEAD_DIM]
WRONG_LOGITS = {
    "rank 0": [],
    "rank 1": [VOCAB],
    "rank 2": [S, VOCAB],
    "rank 4": [1, B, S, VOCAB],
    "no sequences": [0, S, VOCAB],
    "no positions": [B, 0, VOCAB],
    "no vocabulary": [B, S, 0],
    "an id less": [B, S, VOCAB - 1],
    "an id more": [B, S, VOCAB + 1],
    "a sequence more": [2, S, VOCAB],
    "positions fewer": [B, 2, VOCAB],
}
WRONG_PRESENT = {
    "rank 0": [],
    "rank 3": [HEADS, P, HEAD_DIM],
    "rank 5": [1, B, HEADS, P, HEAD_DIM],
    "no sequences": [0, HEADS, P, HEAD_DIM],
    "one head": [B, 1, P, HEAD_DIM],
    "one token": [B, HEADS, 1, HEAD_DIM],
    "smaller heads": [B, HEADS, P, 1],
    "no elements": [B, HEADS, P, 0],
}


def shape_nodes(name: str, dims: list[int | str]) -> list:
    """Nodes that compute a shape of the step's sizes and numbers, as int64[rank] in `name`."""
    if not dims:
        value = helper.make_tensor(name, TensorProto.INT64, [0], [])
        return [helper.make_node("Constant", [], [name], value=value)]
    nodes, parts = [], []
    for i, dim in enumerate(dims):
        parts.append(dim if isinstance(dim, str) else f"{name}.{i}")
        if not isinstance(dim, str):
            value = helper.make_tensor(parts[-1], TensorProto.INT64, [1], [dim])
            nodes.append(helper.make_node("Constant", [], [parts[-1]], value=value))
    return [*nodes, helper.make_node("Concat", parts, [name], axis=0)]


def branch(name: str, dims: list[int | str], kind: int) -> object:
    """A graph that gives zeros of a shape."""
    zero = helper.make_tensor("zero", kind, [1], [0])
    nodes = shape_nodes(f"{name}.shape", dims)
    nodes.append(helper.make_node("ConstantOfShape", [f"{name}.shape"], [name], value=zero))
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, kind, None)])


def output(name: str, good: list[int | str], bad: list[int | str]) -> object:
    """A node whose output has the bad shape where the step has the id 7."""
    return helper.make_node(
        "If", ["has7"], [name],
        then_branch=branch(f"{name}.bad", bad, TensorProto.FLOAT),
        else_branch=branch(f"{name}.good", good, TensorProto.FLOAT),
    )  # fmt: skip


def graph(bad_logits: list[int | str], bad_present: list[int | str] | None) -> ModelProto:
    """A graph of ids to logits, with a cache if `bad_present` is a shape."""
    cached = bad_present is not None
    value_info = helper.make_tensor_value_info
    inputs = [value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])]
    outputs = [value_info("logits", TensorProto.FLOAT, ["batch", "sequence", VOCAB])]
    constant = [
        helper.make_node("Constant", [], [name], value_ints=[value])
        for name, value in (("seven", 7), ("c0", 0), ("c1", 1), ("c2", 2), ("c3", 3))
    ]
    nodes = [
        *constant,
        helper.make_node("Shape", ["input_ids"], ["sizes"]),
        helper.make_node("Slice", ["sizes", "c0", "c1", "c0"], [B]),
        helper.make_node("Slice", ["sizes", "c1", "c2", "c0"], [S]),
        helper.make_node("Equal", ["input_ids", "seven"], ["sevens"]),
        helper.make_node("Cast", ["sevens"], ["sevens32"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["sevens32"], ["has7i"], keepdims=0),
        helper.make_node("Cast", ["has7i"], ["has7"], to=TensorProto.BOOL),
        output("logits", LOGITS, bad_logits),
    ]
    if cached:
        shape = ["batch", HEADS, "past", HEAD_DIM]
        for kind in ("key", "value"):
            inputs.append(value_info(f"past_key_values.0.{kind}", TensorProto.FLOAT, shape))
            grown = ["batch", HEADS, "all", HEAD_DIM]
            outputs.append(value_info(f"present.0.{kind}", TensorProto.FLOAT, grown))
        nodes += [
            helper.make_node("Shape", ["past_key_values.0.key"], ["past_sizes"]),
            helper.make_node("Slice", ["past_sizes", "c2", "c3", "c0"], ["past"]),
            helper.make_node("Add", ["past", S], [P]),
            output("present.0.key", PRESENT, PRESENT),
            output("present.0.value", PRESENT, bad_present),
        ]
    made = helper.make_graph(nodes, "g", inputs, outputs)
    return helper.make_model(made, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


def foreign(folder: Path, model: ModelProto) -> Path:
    """A folder as somebody else exports one."""
    folder.mkdir()
    save(model, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def assert_caught_at_its_step(quire: Program, folder: Path, *flags: str) -> None:
    """The model opens and answers; the id 7 fails, in one line, and never with other memory."""
    good = quire("generate", "-m", folder, *flags, "--token-ids", "-n", "3", GOOD_IDS)
    assert good.code == 0 and good.err == "", good
    bad = quire("generate", "-m", folder, *flags, "--token-ids", "-n", "3", BAD_IDS)
    bad.assert_refused(1, "the model's")
    # As the second chunk of a prompt, too.
    flags = (*flags, "--max-batch-tokens", "3")
    bad = quire("generate", "-m", folder, *flags, "--token-ids", "-n", "3", "2,3,4,7,7,7")
    bad.assert_refused(1, "the model's")


@pytest.mark.parametrize("cached", [False, True], ids=["none", "explicit"])
@pytest.mark.parametrize("name", WRONG_LOGITS)
def test_s2_logits_of_another_shape_for_some_ids_fail_their_step(
    name: str, cached: bool, quire: Program, tmp_path: Path
) -> None:
    """Rank, emptiness and every size, at every step."""
    model = graph(WRONG_LOGITS[name], PRESENT if cached else None)
    assert_caught_at_its_step(quire, foreign(tmp_path / "m", model))


@pytest.mark.parametrize("name", WRONG_PRESENT)
def test_s2_caches_of_another_shape_for_some_ids_fail_their_step(
    name: str, quire: Program, tmp_path: Path
) -> None:
    """The last cache of the graph, when the logits are right."""
    assert_caught_at_its_step(quire, foreign(tmp_path / "m", graph(LOGITS, WRONG_PRESENT[name])))


@pytest.mark.parametrize("case", ["sec-01"])
def test_s2_logits_that_are_never_as_declared_are_a_bad_model(
    case: str, quire: Program, tmp_path: Path
) -> None:
    """The probe at opening finds it, before a prompt does."""
    model = graph(LOGITS, None)
    shape = next(node for node in model.graph.node if "logits" in node.output)
    always = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    for attribute in shape.attribute:
        if attribute.name == "then_branch":
            attribute.g.CopyFrom(branch("logits.bad", [], TensorProto.FLOAT))
    shape.input[0] = "always"
    model.graph.initializer.append(always)
    run = quire("generate", "-m", foreign(tmp_path / case, model), "--token-ids", "1,2,3")
    run.assert_refused(3, "logits")


class Script(torch.nn.Module):
    """Zeros of the right shapes; what `wrong` names is another thing where a step has the id 7."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong

    def spoil(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        """The tensor, or what a forger makes of it."""
        kind = self.wrong
        if not kind.startswith(name):
            return tensor
        if kind.endswith("rank 0"):
            return torch.zeros([])
        if kind.endswith("empty"):
            return torch.zeros([0])
        if kind.endswith("narrow"):
            return tensor[..., :-1]
        if kind.endswith("double"):
            return tensor.double()
        if kind.endswith("int8"):
            return tensor.to(torch.int8)
        if kind.endswith("meta"):
            return tensor.to("meta")
        if kind.endswith("sparse"):
            return tensor.to_sparse()
        if kind.endswith("efficient zeros"):
            return torch._efficientzerotensor(tensor.size())
        return tensor


class NoneScript(Script):
    """input_ids, position_offset to logits."""

    def forward(self, input_ids: torch.Tensor, position_offset: torch.Tensor) -> torch.Tensor:
        """Logits [B, S, vocab]."""
        logits = torch.zeros([input_ids.size(0), input_ids.size(1), 40])
        return self.spoil(logits, "logits") if bool((input_ids == 7).any()) else logits


class ExplicitScript(Script):
    """input_ids, past keys and values, position_ids and previous_ids to logits and caches."""

    def forward(
        self,
        input_ids: torch.Tensor,
        past_keys: list[torch.Tensor],
        past_values: list[torch.Tensor],
        position_ids: torch.Tensor,
        previous_ids: torch.Tensor,
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """Logits [B, S, vocab], keys and values [B, heads, past + S, head]."""
        logits = torch.zeros([input_ids.size(0), input_ids.size(1), 40])
        keys: list[torch.Tensor] = []
        values: list[torch.Tensor] = []
        bad = bool((input_ids == 7).any())
        for key in past_keys:
            size = [key.size(0), key.size(1), key.size(2) + input_ids.size(1), key.size(3)]
            keys.append(torch.zeros(size))
            values.append(self.spoil(torch.zeros(size), "cache") if bad else torch.zeros(size))
        return (self.spoil(logits, "logits") if bad else logits, keys, values)


KINDS = (
    "rank 0", "empty", "narrow", "double", "int8", "meta", "sparse", "efficient zeros",
)  # fmt: skip


@pytest.mark.parametrize(
    ("graph_kind", "wrong"),
    [("none", f"logits {kind}") for kind in KINDS]
    + [("explicit", f"{what} {kind}") for what in ("logits", "cache") for kind in KINDS],
)
def test_s2_a_scripts_tensors_of_another_kind_fail_their_step(
    graph_kind: str, wrong: str, quire: Program, tmp_path: Path
) -> None:
    """TorchScript, whose tensors may also have no memory behind them."""
    contract = DATA.parent / "contract" / graph_kind
    package = Path(shutil.copytree(contract, tmp_path / "package"))
    script = NoneScript(wrong) if graph_kind == "none" else ExplicitScript(wrong)
    torch.jit.script(script.eval()).save(str(package / "model.pt"))
    rehash(package)
    assert_caught_at_its_step(quire, package, "--backend", "torch")
