"""Folders as a hub and its tools leave them: links into a cache, many precisions, other inputs."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper, save
from program import Program
from tokenizers import AddedToken, Tokenizer, decoders, models, processors
from transformers import AutoTokenizer

VOCAB, HEADS, HEAD_DIM = 40, 2, 4
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
node, info = helper.make_node, helper.make_tensor_value_info


def counter(
    step: int = 1, ids: int = TensorProto.INT64, cache: int = 0, keep: str = "", rank: int = 0
) -> ModelProto:
    """A model that counts up by `step`; with a cache of an element type, and an input that says of
    how many positions the logits are wanted."""
    table = np.zeros((VOCAB, VOCAB), np.float32)
    table[np.arange(VOCAB), (np.arange(VOCAB) + step) % VOCAB] = 1
    weights = [numpy_helper.from_array(table, "table")]
    inputs = [info("input_ids", ids, ["b", "s"])]
    outputs = [info("logits", TensorProto.FLOAT, ["b", "n", VOCAB])]
    nodes = [node("Gather", ["table", "input_ids"], ["all" if keep else "logits"])]
    if keep:
        inputs.append(info(keep, TensorProto.INT64, [1] * rank))
        weights += [numpy_helper.from_array(np.array([value]), name)
                    for value, name in ((1, "one"), (2**31, "end"), (-1, "minus"))]  # fmt: skip
        nodes += [
            node("Reshape", [keep, "one"], ["count"]),
            node("Mul", ["count", "minus"], ["start"]),
            node("Slice", ["all", "start", "end", "one"], ["logits"]),
        ]
    if cache:
        weights += [numpy_helper.from_array(np.array(value), name)
                    for value, name in (([HEADS], "h"), ([HEAD_DIM], "d"))]
        nodes += [
            node("Shape", ["input_ids"], ["b_s"]),
            node("Split", ["b_s"], ["batch", "length"], num_outputs=2),
            node("Concat", ["batch", "h", "length", "d"], ["shape"], axis=0),
            node("ConstantOfShape", ["shape"], ["fresh"],
                 value=helper.make_tensor("v", cache, [1], [0])),
        ]  # fmt: skip
        for kind in ("key", "value"):
            past = f"past_key_values.0.{kind}"
            inputs.append(info(past, cache, ["b", HEADS, "p", HEAD_DIM]))
            outputs.append(info(f"present.0.{kind}", cache, ["b", HEADS, "t", HEAD_DIM]))
            nodes.append(node("Concat", [past, "fresh"], [f"present.0.{kind}"], axis=2))
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


def folder_of(folder: Path, graphs: dict[str, ModelProto], **config: Any) -> Path:
    """A folder with graphs and a config.json."""
    for name, graph in graphs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save(graph, folder / name)
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    return folder


def counted(quire: Program, path: Path, *flags: str) -> list[int]:
    """The ids that follow 5."""
    run = quire("generate", "-m", path, "--token-ids", "-n", "3", "--json", *flags, "4,5")
    assert run.code == 0, run
    return run.json_lines()[0]["token_ids"]


def into_cache(folder: Path, cache: Path) -> Path:
    """What huggingface_hub makes of it: files named by their hash, and links to them."""
    snapshot = cache / "models--somebody--model" / "snapshots" / "0123abcd"
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir(parents=True)
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        blob = blobs / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copy(path, blob)
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        up = Path(*[".."] * (len(link.relative_to(snapshot).parts) + 1))
        link.symlink_to(up / "blobs" / blob.name)
    return snapshot


@pytest.mark.parametrize("place", ["model.onnx", "onnx/model.onnx"])
def test_a_folder_of_links_into_the_hubs_cache_runs(
    place: str, quire: Program, tmp_path: Path
) -> None:
    """The graph and its weights outside are links to files beside each other."""
    folder = tmp_path / "plain"
    (folder / place).parent.mkdir(parents=True)
    name = Path(place).name + "_data"
    save(counter(), folder / place, save_as_external_data=True, location=name, size_threshold=0)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    assert counted(quire, folder) == [6, 7, 8]
    snapshot = into_cache(folder, tmp_path / "cache")
    assert counted(quire, snapshot) == [6, 7, 8]
    assert counted(quire, snapshot / place) == [6, 7, 8]
    # A link within the folder stays with it, too.
    inner = folder / Path(place).parent / "weights"
    inner.mkdir()
    data = folder / Path(place).with_name(name)
    data.rename(inner / "data")
    data.symlink_to("weights/data")
    assert counted(quire, folder) == [6, 7, 8]


@pytest.mark.parametrize("target", ["beside", "absolute", "nothing", "folder", "blobs of another"])
def test_links_that_leave_the_folder_are_refused(
    target: str, quire: Program, tmp_path: Path
) -> None:
    """The graph itself may be a link; where it really lies decides what is beside it."""
    folder = tmp_path / "plain"
    folder.mkdir()
    save(counter(), folder / "model.onnx", save_as_external_data=True, location="w", size_threshold=0)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    snapshot = into_cache(folder, tmp_path / "cache")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(folder / "w", elsewhere / "w")
    other = snapshot.parents[2] / "models--other" / "blobs"
    other.mkdir(parents=True)
    shutil.copy(folder / "w", other / "w")
    (snapshot / "w").unlink()
    (snapshot / "w").symlink_to({
        "beside": Path("../../../../elsewhere/w"),
        "absolute": elsewhere / "w",
        "nothing": Path("../../blobs/none"),
        "folder": elsewhere,
        "blobs of another": other / "w",
    }[target])  # fmt: skip
    run = quire("generate", "-m", snapshot, "--token-ids", "1")
    run.assert_refused(3, "not a plain file")


def test_a_package_in_the_hubs_cache_opens_and_links_elsewhere_do_not(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """One of ours, with hashes; only the layout of the cache makes its links trusted."""
    snapshot = into_cache(tiny_package, tmp_path / "cache")
    run = quire("generate", "-m", snapshot, "-n", "3", "x")
    assert run.code == 0 and run.out == quire("generate", "-m", tiny_package, "-n", "3", "x").out
    assert quire("inspect", snapshot).code == 0
    for name in ("model.onnx", "tokenizer.json"):
        linked = Path(shutil.copytree(tiny_package, tmp_path / f"linked-{name}"))
        (linked / name).unlink()
        (linked / name).symlink_to(tiny_package / name)
        quire("generate", "-m", linked, "x").assert_refused(3, name, "not a plain file")


def test_one_of_several_precisions_is_named_by_its_file(quire: Program, tmp_path: Path) -> None:
    """And the message lists what there is, with a command that works."""
    graphs = {"onnx/model_q4.onnx": counter(1), "onnx/model_quantized.onnx": counter(2)}
    folder = folder_of(tmp_path / "m", graphs)
    run = quire("generate", "-m", folder, "--token-ids", "1")
    run.assert_refused(3, "onnx/model_q4.onnx, onnx/model_quantized.onnx", "-m ")
    assert counted(quire, Path(run.err.split(" -m ")[1].strip())) == [6, 7, 8]
    assert counted(quire, folder / "onnx" / "model_q4.onnx") == [6, 7, 8]
    assert counted(quire, folder / "onnx" / "model_quantized.onnx") == [7, 9, 11]
    assert "foreign" in quire("inspect", folder / "onnx" / "model_q4.onnx").out
    # The usual one counts where there is one, and the others can be named all the same.
    save(counter(3), folder / "onnx" / "model.onnx")
    assert counted(quire, folder) == [8, 11, 14]
    assert counted(quire, folder / "onnx" / "model_quantized.onnx") == [7, 9, 11]


def test_a_precision_that_is_not_there_lists_those_that_are(quire: Program, tmp_path: Path) -> None:
    """Wherever the name leads: into a folder of graphs, or beside one graph alone."""
    folder = folder_of(tmp_path / "m", {"onnx/model_q4.onnx": counter(), "onnx/model_int8.onnx": counter()})
    for name in ("onnx/model_q8.onnx", "model.onnx"):
        run = quire("generate", "-m", folder / name, "--token-ids", "1")
        run.assert_refused(3, f"there is no {folder / name}", "model_int8.onnx", "name one")
    quire("generate", "-m", tmp_path / "none.gguf", "x").assert_refused(3, "quire-export")


def test_graphs_in_deeper_folders_are_listed_and_can_be_named(
    quire: Program, tmp_path: Path
) -> None:
    """As onnxruntime-genai's models lie on the hub, each with a configuration of its own."""
    genai = {"model": {"vocab_size": VOCAB, "context_length": 64, "eos_token_id": 1,
                       "decoder": {"filename": "model.onnx"}}}  # fmt: skip
    for i, name in enumerate(("cpu-int4", "cuda-fp16")):
        inner = folder_of(tmp_path / "m" / "deep" / name, {"model.onnx": counter(i + 1)})
        (inner / "config.json").unlink()
        (inner / "genai_config.json").write_text(json.dumps(genai))
    run = quire("generate", "-m", tmp_path / "m", "--token-ids", "1")
    run.assert_refused(3, "deep/cpu-int4/model.onnx, deep/cuda-fp16/model.onnx")
    assert counted(quire, tmp_path / "m" / "deep" / "cuda-fp16") == [7, 9, 11]
    assert counted(quire, tmp_path / "m" / "deep" / "cuda-fp16" / "model.onnx") == [7, 9, 11]


def test_a_file_that_is_no_graph_says_what_to_do(
    quire: Program, tiny_package: Path, tmp_path: Path
) -> None:
    """Neither a GGUF file nor another graph beside a package of ours."""
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    quire("generate", "-m", tmp_path / "model.gguf", "x").assert_refused(3, "quire-export")
    package = Path(shutil.copytree(tiny_package, tmp_path / "package"))
    assert quire("generate", "-m", package / "model.onnx", "-n", "1", "x").code == 0
    shutil.copy(package / "model.onnx", package / "other.onnx")
    quire("generate", "-m", package / "other.onnx", "x").assert_refused(3, "name the folder")


@pytest.mark.parametrize("name", ["num_logits_to_keep", "logits_to_keep"])
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("cache", [0, TensorProto.FLOAT])
def test_an_input_that_counts_logits_gets_what_is_wanted(
    cache: int, rank: int, name: str, quire: Program, tmp_path: Path
) -> None:
    """One while tokens are drawn, all where log-probabilities of the prompt are wanted."""
    graph = counter(keep=name, rank=rank, cache=cache)
    folder = folder_of(tmp_path / "m", {"model.onnx": graph})
    assert counted(quire, folder) == [6, 7, 8]
    requests = [{"token_ids": [4, 5, 6], "max_tokens": 2, "prompt_logprobs": 1},
                {"token_ids": [9], "max_tokens": 2}]  # fmt: skip
    answers = quire.generate(folder, requests)
    assert [answer["token_ids"] for answer in answers] == [[7, 8], [10, 11]]
    logprobs = answers[0]["prompt_logprobs"]
    assert [entry["top_logprobs"][0]["token_id"] for entry in logprobs if entry["top_logprobs"]] == [5, 6]


@pytest.mark.parametrize("ids", [TensorProto.INT64, TensorProto.INT32])
@pytest.mark.parametrize("cache", [0, TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_ids_and_caches_may_be_of_other_types(
    cache: int, ids: int, quire: Program, tmp_path: Path
) -> None:
    """int32 ids; caches of half floats, whose sizes the graph knows better than config.json."""
    folder = folder_of(tmp_path / "m", {"model.onnx": counter(ids=ids, cache=cache)}, head_dim=64)
    assert counted(quire, folder) == [6, 7, 8]


def test_a_foreign_model_ends_at_every_id_it_is_known_by(quire: Program, tmp_path: Path) -> None:
    """eos of either file, eos_token, control tokens that end turns, and what the template writes."""
    folder = folder_of(tmp_path / "m", {"model.onnx": counter()}, eos_token_id=[1])
    words = Tokenizer(models.BPE({chr(97 + i): i for i in range(20)}, []))
    words.add_special_tokens([
        AddedToken(text, special=True)
        for text in ("<eos>", "<|im_end|>", "<turn>", "<other>")
    ])  # fmt: skip
    words.decoder = decoders.Fuse()
    words.save(str(folder / "tokenizer.json"))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 2}))
    template = "{% for m in messages %}{{ m['content'] + '<turn>' }}{% endfor %}"
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "<eos>", "chat_template": template})
    )
    run = quire("inspect", folder)
    assert run.code == 0, run
    rows = [line.split("ends at id")[1].strip() for line in run.out.split("\n") if "ends at" in line]
    assert rows == [
        "1 b (eos_token_id of config.json)",
        "2 c (eos_token_id of generation_config.json)",
        "20 <eos> (eos_token of tokenizer_config.json)",
        "21 <|im_end|> (control token <|im_end|>)",
        "22 <turn> (chat template)",
    ]
    for end in (2, 20, 21, 22):
        run = quire("generate", "-m", folder, "--token-ids", "--json", "-n", "5", str(end - 1))
        assert run.json_lines()[0]["token_ids"] == [end], run
    run = quire("generate", "-m", folder, "--token-ids", "--json", "-n", "3", "22")
    assert run.json_lines()[0]["token_ids"] == [23, 24, 25], "an ordinary control token ends nothing"


@pytest.mark.parametrize("in_file", [True, False])
def test_what_goes_around_a_text_stands_in_tokenizer_json(
    in_file: bool, quire: Program, tmp_path: Path
) -> None:
    """AutoTokenizer of transformers 5 passes over add_bos_token beside one, so we do as well."""
    folder = folder_of(tmp_path / "m", {"model.onnx": counter()})
    words = Tokenizer(models.BPE({chr(97 + i): i for i in range(20)}, []))
    words.add_special_tokens([AddedToken("<s>", special=True)])
    words.decoder = decoders.Fuse()
    if in_file:
        words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 20)])
    words.save(str(folder / "tokenizer.json"))
    settings = {"bos_token": "<s>", "add_bos_token": not in_file, "add_eos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    expected = AutoTokenizer.from_pretrained(folder).encode("abc")
    run = quire("generate", "-m", folder, "--raw", "--json", "-n", "1", "abc")
    assert run.json_lines()[0]["usage"]["prompt_tokens"] == len(expected) == 3 + in_file
