"""Folders that must not become packages: each is refused by name, with the right exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from quire_export import ExportError, ExportOptions, UsageError, export_model
from quire_export.cli import main
from safetensors.torch import load_file, save_file
from tiny_models import make_tiny_llama

QUIET = ExportOptions(progress=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh source folder a test may damage."""
    return make_tiny_llama(tmp_path / "source")


def edit_config(folder: Path, **changes: object) -> None:
    """Overwrites keys of config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    """Overwrites tensors by name (dots as double underscores); None removes one."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name, value in changes.items():
        name = name.replace("__", ".")
        tensors.pop(name, None)
        if value is not None:
            tensors[name] = value
    save_file(tensors, path)


def refused(folder: Path, message: str) -> None:
    """Exporting fails with exit code 3, one line that matches, and no package."""
    package = folder.parent / "package"
    with pytest.raises(ExportError, match=message) as caught:
        export_model(folder, package, QUIET)
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)
    assert not package.exists() and not list(folder.parent.glob(".package*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sliding_window": 512}, "unknown key 'sliding_window'"),
        ({"num_experts": 8}, "unknown key 'num_experts'"),
        ({"quantization_config": {"bits": 4}}, "unknown key 'quantization_config'"),
        ({"hidden_act": "mish"}, "hidden_act = 'mish' is not supported"),
        ({"pretraining_tp": 2}, "pretraining_tp = 2 is not supported"),
        ({"rope_interleaved": True}, "rope_interleaved"),
        ({"rope_parameters": {"rope_type": "mrope", "factor": 2.0}}, "rope type 'mrope'"),
        ({"rope_parameters": {"rope_type": "yarn", "mrope_section": [1]}}, "mrope_section"),
        ({"rope_parameters": {"rope_type": "longrope"}}, "short_factor is not 5 positive"),
        ({"rope_theta": 0.5, "rope_parameters": None}, "rope_theta 0.5"),
        ({"partial_rotary_factor": 0.5}, "5 rotary dimensions of a head of 10"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "beta_fast": 32}}, "beta_fast"),
        ({"rope_parameters": {"rope_type": "linear"}}, "factor is None"),
        ({"architectures": ["MambaForCausalLM"]}, "MambaForCausalLM is not supported"),
        ({"architectures": "LlamaForCausalLM"}, "not a list of names"),
        ({"num_hidden_layers": 0}, "num_layers is 0"),
        ({"num_hidden_layers": 10**9}, "num_layers is 1000000000"),
        ({"hidden_size": "60"}, "hidden_size is '60'"),
        ({"num_key_value_heads": 4}, "6 heads cannot share 4"),
        ({"head_dim": 9}, "head_dim 9 is odd"),
        ({"tie_word_embeddings": "yes"}, "not true or false"),
        ({"vocab_size": 300}, "embed_tokens.weight has shape"),
        ({"eos_token_id": 5000}, "eos_token_id|eos token id"),
    ],
)
def test_configuration_keys_are_never_ignored(
    changes: dict[str, object], message: str, folder: Path
) -> None:
    """A key that changes the numbers and has no place in the decoder is an error."""
    (folder / "generation_config.json").unlink()
    edit_config(folder, **changes)
    refused(folder, message)


def test_harmless_keys_and_nulls_pass(folder: Path) -> None:
    """What changes nothing is accepted."""
    edit_config(
        folder,
        sliding_window=None,
        rope_scaling=None,
        is_llama_config=True,
        rope_interleaved=False,
        temperature=0.7,
        torch_dtype="bfloat16",
    )
    export_model(folder, folder.parent / "package", QUIET)


HISTORY = {
    "_attn_implementation_autoset": True,
    "_attn_implementation_internal": "sdpa",
    "_commit_hash": "0" * 40,
    "_flash_attn_2_enabled": True,
    "bad_words_ids": [[1]],
    "finetuning_task": "chat",
    "forced_eos_token_id": 3,
    "gradient_checkpointing": True,
    "guidance_scale": 2.0,
    "max_new_tokens": 5,
    "num_labels": 3,
    "output_past": True,
    "prefix": "x",
    "sep_token_id": 1,
    "suppress_tokens": [4],
    "tf_legacy_loss": True,
    "xla_device": True,
    "pruned_heads": {},
    "add_cross_attention": False,
    "num_experts": 0,
    "use_qk_norm": False,
    "hf_device_map": {"": 0},
    "layer_types": ["full_attention", "full_attention"],
    "logit_scale": 1.0,
    "max_sequence_length": 2048,
    "max_window_layers": 28,
    "padding_side": "left",
}


def test_keys_of_every_version_that_compute_nothing_pass(folder: Path, tiny_package: Path) -> None:
    """The graph is the same to the byte."""
    edit_config(folder, **HISTORY)
    package = folder.parent / "package"
    export_model(folder, package, QUIET)
    for name in ("model.onnx", "model.onnx.data"):
        assert (package / name).read_bytes() == (tiny_package / name).read_bytes()


@pytest.mark.parametrize("kind", ["llama", "gemma3", "phi3", "gpt2"])
def test_all_that_transformers_writes_of_its_own_accord_passes_in_every_family(kind: str) -> None:
    """Each key of its two general configurations, with whatever value where none counts."""
    from quire_export.families import FAMILIES
    from quire_export.families.harmless import NEUTRAL_CONFIG_VALUES
    from transformers import GenerationConfig, PretrainedConfig

    family = next(f for f in FAMILIES if f.model_type.startswith(kind))
    general = {**vars(PretrainedConfig()), **vars(GenerationConfig())} | HISTORY
    general.pop("_post_init_done", None)
    kept = HISTORY.keys() | NEUTRAL_CONFIG_VALUES.keys()
    family.check_config({key: general[key] if key in kept else "x" for key in general})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_experts": 0.5}, "unknown key 'num_experts'"),
        ({"num_experts": False}, "unknown key 'num_experts'"),
        ({"pruned_heads": {"1": [0]}}, "pruned_heads"),
        ({"use_qk_norm": True}, "unknown key 'use_qk_norm'"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"is_encoder_decoder": True}, "unknown key 'is_encoder_decoder'"),
        ({"tie_encoder_decoder": True}, "unknown key 'tie_encoder_decoder'"),
        ({"num_nextn_predict_layers": 1}, "num_nextn_predict_layers"),
        ({"_attn_scale": 2.0}, "unknown key '_attn_scale'.*remove it if it does not"),
        ({"logit_scale": 0.5}, "unknown key 'logit_scale'"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "unknown key 'layer_types'"),
        ({"layer_types": "full_attention"}, "unknown key 'layer_types'"),
        ({"output_router_logits": True}, "unknown key 'output_router_logits'"),
        ({"embedding_multiplier": 12.0}, "unknown key 'embedding_multiplier'"),
    ],
)
def test_keys_that_compute_something_are_refused_by_name(
    changes: dict[str, object], message: str, folder: Path
) -> None:
    """With what to do next."""
    edit_config(folder, **changes)
    refused(folder, message)


def test_a_missing_tensor_is_named(folder: Path) -> None:
    """The model's files are incomplete."""
    edit_tensors(folder, model__layers__1__mlp__up_proj__weight=None)
    refused(folder, r"tensor model.layers.1.mlp.up_proj.weight is missing")


def test_an_unknown_tensor_is_named(folder: Path) -> None:
    """A tensor that would be ignored is an error."""
    edit_tensors(folder, model__layers__0__self_attn__q_norm__weight=torch.ones(10))
    refused(folder, r"tensor model.layers.0.self_attn.q_norm.weight is unknown")


def test_a_misshapen_tensor_is_named(folder: Path) -> None:
    """Expected and found shapes are shown."""
    edit_tensors(folder, model__norm__weight=torch.ones(61))
    refused(folder, r"model.norm.weight has shape \[61\], expected \[60\]")


def test_values_that_are_not_finite_are_refused(folder: Path) -> None:
    """A NaN would poison every answer."""
    edit_tensors(folder, model__norm__weight=torch.full((60,), float("nan")))
    refused(folder, "model.norm.weight holds values that are not finite")


def test_an_untied_head_under_a_tied_configuration_is_refused(folder: Path) -> None:
    """Silently dropping it would give another model."""
    edit_tensors(folder, lm_head__weight=torch.ones(301, 60))
    refused(folder, "lm_head.weight differs")


def test_corrupt_safetensors_are_refused(folder: Path) -> None:
    """Cut off, and with a damaged header."""
    path = folder / "model.safetensors"
    data = path.read_bytes()
    for bad in (data[:-100], data[:4], b"", b"\xff" * 64 + data[64:]):
        path.write_bytes(bad)
        refused(folder, "cannot read model.safetensors")


def test_a_pickle_that_runs_code_is_refused(folder: Path) -> None:
    """weights_only: the command in it never runs."""
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {folder}/pwned",)

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"model.norm.weight": Evil()}))
    refused(folder, "cannot read pytorch_model.bin")
    torch.save({"model.norm.weight": Evil()}, folder / "pytorch_model.bin")
    refused(folder, "cannot read pytorch_model.bin")
    assert not (folder / "pwned").exists()


def test_an_index_cannot_name_files_elsewhere(folder: Path) -> None:
    """A path in weight_map is refused."""
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    index = {"weight_map": {"model.norm.weight": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(folder, "file outside its folder")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 200_000, '{"a": 1', "\ud800"])
def test_broken_config_json_is_refused(text: str, folder: Path) -> None:
    """Not JSON, not an object, or nested too deeply."""
    (folder / "config.json").write_text(text, errors="surrogatepass")
    refused(folder, "config.json is not")


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    """It may know fewer ids than there are logits, never more."""
    make_tiny_llama(folder, tokenizer=False, vocab_size=200, bos_token_id=1, eos_token_id=2)
    (folder / "generation_config.json").unlink()
    refused(folder, "tokenizer knows id 268, but the model has only 200")


def test_broken_tokenizer_files_are_refused(folder: Path) -> None:
    """With a hint where to look."""
    (folder / "tokenizer.json").write_text('{"model": 5}')
    refused(folder, "tokenizer.json cannot be read")


def test_a_template_that_fails_is_refused(folder: Path) -> None:
    """A chat template must render an ordinary chat."""
    (folder / "chat_template.jinja").write_text("{{ messages[0].x.y.z }}")
    refused(folder, "chat template fails")


def test_templates_inside_tokenizer_config_become_a_file(folder: Path) -> None:
    """Older folders keep them there."""
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = [{"name": "default", "template": template}]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    export_model(folder, folder.parent / "package", QUIET)
    assert (folder.parent / "package" / "chat_template.jinja").read_text() == template


@pytest.mark.parametrize(
    "arguments",
    [
        {"format": "gguf"},
        {"cache": "static"},
        {"opset": 12},
        {"opset": 99},
        {"max_seq_len": 0},
        {"dtype": "fp8"},
        {"quantize": "int2"},
        {"activation_bits": 12},
        {"source": "pretrained"},
        {"step": -1},
    ],
)
def test_unavailable_options_are_wrong_usage(arguments: dict[str, object]) -> None:
    """Refused before any file is read."""
    with pytest.raises(UsageError) as caught:
        ExportOptions(**arguments)
    assert caught.value.exit_code == 2


def test_a_longer_context_than_the_model_s_is_wrong_usage(folder: Path) -> None:
    """--max-seq-len only crops."""
    with pytest.raises(UsageError, match="more than the model's 256"):
        export_model(folder, folder.parent / "package", ExportOptions(max_seq_len=257))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "the following arguments are required"),
        (["x"], 2, "-o/--output"),
        (["x", "-o", "y", "--dtype", "fp8"], 2, "invalid choice"),
        (["x", "-o", "y", "--format", "gguf"], 2, "invalid choice"),
        (["x", "-o", "y", "--activation-bits", "4"], 2, "invalid choice"),
        (["x", "-o", "y", "--opset", "many"], 2, "invalid int value"),
        (["no-such-file", "-o", "{out}"], 3, "no-such-file does not exist"),
        (["{folder}", "-o", "{folder}"], 2, "is not empty"),
        (["{folder}/config.json", "-o", "{out}"], 3, "is not a readable GGUF file"),
    ],
)
def test_the_command_answers_in_one_line(
    arguments: list[str],
    status: int,
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status, the cause on stderr, nothing on stdout."""
    filled = [a.format(folder=folder, out=folder.parent / "out") for a in arguments]
    try:
        assert main(filled) == status
    except SystemExit as stop:
        assert stop.code == status
    captured = capsys.readouterr()
    assert captured.out == "" and message in captured.err
    assert captured.err.startswith("quire-export: ") and captured.err.count("\n") == 1


def test_a_hub_id_without_network_fails_in_two_lines(tmp_path: Path) -> None:
    """It says that it needs the network, then why that failed; exit status 1."""
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hub"),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "python"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "quire_export", "nobody/nothing", "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and "needs network" in lines[0] and "cannot fetch" in lines[1]


def test_help_and_version_answer_without_loading_torch(capsys: pytest.CaptureFixture[str]) -> None:
    """--help shows examples and exit codes."""
    for flag, expected in (("--help", "examples:"), ("--version", "quire-export 0.1.0")):
        with pytest.raises(SystemExit) as stop:
            main([flag])
        assert stop.value.code == 0 and expected in capsys.readouterr().out


def test_the_command_exports_and_prints_what_it_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results on stdout; exit status 0."""
    package = folder.parent / "package"
    assert main([str(folder), "-o", str(package), "--quantize", "int8"]) == 0
    out = capsys.readouterr().out
    assert "graph against source: logits within" in out
    assert "storage against unquantized source" in out and "top-1 agreement" in out
    assert (package / "model_info.json").is_file()
