"""Keys of GGUF files: those that say nothing pass, those that change the arithmetic are read."""

from pathlib import Path

import pytest
import torch
from gguf import GGUFWriter
from quire_export import ExportError
from quire_export.families.llama import LLAMA
from quire_export.families.phi3 import PHI3
from quire_export.gguf_source import load_gguf
from quire_export.gguf_tokenizer import tokenizer_json
from quire_export.progress import Progress
from quire_export.spec import DecoderSpec
from tiny_gguf import make_tiny_gguf

SILENT = Progress(enabled=False)
_SIZES: dict[str, object] = {
    "attention.head_count": 4,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "block_count": 2,
    "context_length": 4096,
    "embedding_length": 64,
    "feed_forward_length": 96,
    "vocab_size": 50,
}


def spec_of(keys: dict[str, object], architecture: str = "llama") -> DecoderSpec:
    """The decoder that metadata of `keys` stands for."""
    family = {"llama": LLAMA, "phi3": PHI3}[architecture]
    meta = {f"{architecture}.{key}": value for key, value in (_SIZES | keys).items()}
    family.gguf.check(meta)
    return family.build_spec(family.gguf.config(meta, frozenset({"output.weight"})))


@pytest.mark.parametrize(
    "keys",
    [
        {"rope.scaling.type": "none"},
        {"rope.scaling.type": "none", "rope.scaling.factor": 1.0},
        {"rope.scaling.type": "linear", "rope.scaling.factor": 1.0},
        {"rope.scale_linear": 1.0},
        {"rope.scaling.finetuned": True},
        {"rope.scaling.attn_factor": 1.0},
        {"rope.scaling.yarn_log_multiplier": 0.0},
        {"rope.dimension_sections": [0, 0, 0, 0]},
        {"attention.causal": True},
        {"attention.scale": 0.0},
        {"attention.clamp_kqv": 0.0},
        {"attention.max_alibi_bias": 0.0},
        {"attention.sliding_window": 0},
        {"attention.sliding_window": 4096},
        {"expert_count": 0, "expert_used_count": 0},
        {"leading_dense_block_count": 0},
        {"logit_scale": 1.0, "residual_scale": 1.0, "embedding_scale": 1.0},
        {"final_logit_softcapping": 0.0, "attn_logit_softcapping": 0.0},
        {"pooling_type": 0},
        {"use_parallel_residual": False},
        {"attention.head_count_kv": [2, 2]},
        {"feed_forward_length": [96, 96]},
    ],
    ids=str,
)
def test_keys_of_a_neutral_value_change_nothing(keys: dict[str, object]) -> None:
    """The decoder is the one without them; lists of one number a layer are that number."""
    plain = spec_of({"attention.head_count_kv": 2} if "attention.head_count_kv" in keys else {})
    assert repr(spec_of(keys)) == repr(plain)


@pytest.mark.parametrize(
    "keys",
    [
        {"attention.causal": False},
        {"attention.scale": 0.5},
        {"attention.clamp_kqv": 8.0},
        {"attention.max_alibi_bias": 8.0},
        {"attention.sliding_window": 512},
        {"expert_count": 8},
        {"logit_scale": 0.5},
        {"embedding_scale": 12.0},
        {"final_logit_softcapping": 30.0},
        {"rope.dimension_sections": [16, 24, 24, 0]},
        {"rope.scaling.attn_factor": 1.2},
        {"pooling_type": 1},
        {"use_parallel_residual": True},
        {"never_heard_of": 0},
    ],
    ids=str,
)
def test_keys_that_change_the_arithmetic_are_refused(keys: dict[str, object]) -> None:
    """By name, with what to do."""
    with pytest.raises(
        ExportError, match=rf"'llama\.{next(iter(keys))}' may change .*Hugging Face"
    ):
        spec_of(keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rope.scaling.type": "dynamic2"}, "'dynamic2' is not supported"),
        ({"rope.scaling.type": "yarn", "rope.scaling.factor": 0.0}, "factor is 0.0, not positive"),
        ({"feed_forward_length": [96, 64]}, "feed_forward_length is"),
        ({"attention.value_length": 8}, "value_length differs"),
        ({"rope.dimension_count": 8}, "dimension_count differs"),
    ],
    ids=str,
)
def test_values_that_the_decoder_has_not_are_refused(keys: dict[str, object], message: str) -> None:
    """A value, not a key, is the matter."""
    with pytest.raises(ExportError, match=message):
        spec_of(keys)


def test_yarn_keys_are_what_transformers_calls_yarn() -> None:
    """With llama.cpp's defaults where the file is silent."""
    keys = {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": 4.0,
        "rope.scaling.original_context_length": 1024,
        "rope.scaling.yarn_ext_factor": 1.0,
        "rope.scaling.yarn_attn_factor": 1.0,
        "rope.scaling.yarn_beta_slow": 2.0,
    }
    rope = spec_of(keys).ropes[0]
    assert (rope.kind, rope.factor, rope.original_max_seq_len) == ("yarn", 4.0, 1024)
    assert (rope.beta_fast, rope.beta_slow) == (32.0, 2.0)


def test_longrope_without_its_factors_is_refused() -> None:
    """An early conversion lost them."""
    with pytest.raises(ExportError, match=r"no rope_factors_long.weight; download"):
        spec_of({"rope.scaling.type": "longrope"}, "phi3")


def test_one_of_two_sets_of_factors_is_refused(tmp_path: Path) -> None:
    """The other would be made up."""
    writer = GGUFWriter(str(tmp_path / "phi.gguf"), "phi3")
    for key, value in (_SIZES | {"rope.dimension_count": 16}).items():
        add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
        add(f"phi3.{key}", value)
    writer.add_tensor("rope_factors_long.weight", torch.ones(8).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ExportError, match=r"rope_factors_short.weight is missing; download"):
        load_gguf(tmp_path / "phi.gguf", True, SILENT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("escape_whitespaces", True),
        ("remove_extra_whitespaces", False),
        ("normalizer.lowercase", False),
        ("prefix_token_id", 0),
        ("eog_token_ids_unknown_token_id", 0),
    ],
)
def test_neutral_tokenizer_keys_pass(key: str, value: object) -> None:
    """They switch nothing on."""
    meta = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": ["a", "b", "ab"],
        "tokenizer.ggml.merges": ["a b"],
    }
    assert tokenizer_json(meta | {f"tokenizer.ggml.{key}": value}) == tokenizer_json(meta)


@pytest.mark.parametrize(
    ("key", "value"),
    [("escape_whitespaces", False), ("remove_extra_whitespaces", True), ("odd", 1)],
)
def test_tokenizer_keys_that_change_ids_are_refused(key: str, value: object) -> None:
    """By name, with what to do."""
    meta = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": ["a", "b", "ab"],
        "tokenizer.ggml.merges": ["a b"],
        f"tokenizer.ggml.{key}": value,
    }
    with pytest.raises(ExportError, match=rf"{key}' may change the tokenizer; export from"):
        tokenizer_json(meta)


def test_whole_file_keys_pass_through_the_loader(tmp_path: Path) -> None:
    """From bytes to a model, not only the tables."""
    path = tmp_path / "tiny.gguf"
    make_tiny_gguf(path, extra={"llama.expert_count": 0, "llama.attention.sliding_window": 0})
    assert load_gguf(path, True, SILENT).spec.layers == ()
