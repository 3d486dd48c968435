"""GPT-2: learned positions, LayerNorm, biases everywhere, matrices stored input by output."""

import re

import torch

from quire_export.errors import ExportError
from quire_export.families.base import Family, Matrices, flag, integer, number
from quire_export.families.common import activation_of
from quire_export.spec import DecoderSpec

_WHOLE = {
    "wte.weight": "model.embed_tokens.weight",
    "wpe.weight": "model.embed_positions.weight",
    "ln_f.weight": "model.norm.weight",
    "ln_f.bias": "model.norm.bias",
}
_NORMS = {"ln_1": "input_layernorm", "ln_2": "post_attention_layernorm"}
_MATRICES = {
    "attn.c_proj": "self_attn.o_proj",
    "mlp.c_fc": "mlp.up_proj",
    "mlp.c_proj": "mlp.down_proj",
}
_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


def _names(spec: DecoderSpec) -> dict[str, str]:
    """The family's name of everything but the fused query, key and value; canonical ones."""
    names = dict(_WHOLE)
    for layer in range(spec.num_layers):
        for theirs, ours in (_NORMS | _MATRICES).items():
            for part in ("weight", "bias"):
                names[f"h.{layer}.{theirs}.{part}"] = f"model.layers.{layer}.{ours}.{part}"
    return names


def _is_transposed(name: str) -> bool:
    return name.endswith(".weight") and ".c_" in name


def _canonical(tensors: Matrices, spec: DecoderSpec) -> Matrices:
    names, made = _names(spec), {}
    for full, tensor in tensors.items():
        name = full.removeprefix("transformer.")
        values = tensor.t() if _is_transposed(name) and tensor.ndim == 2 else tensor
        layer = re.fullmatch(r"h\.(\d+)\.attn\.c_attn\.(weight|bias)", name)
        if layer is None:
            made[names.get(name, full)] = values
            continue
        if values.shape[0] != 3 * spec.hidden_size:
            raise ExportError(
                f"tensor {full} has shape {list(tensor.shape)}, which is not three times "
                f"{spec.hidden_size}; files and configuration do not belong together; "
                "download both from the same place"
            )
        for part, rows in zip(_QKV, values.split(spec.hidden_size), strict=True):
            made[f"model.layers.{layer[1]}.{part}.{layer[2]}"] = rows
    return made


def _restore(matrices: Matrices, spec: DecoderSpec) -> Matrices:
    made = {}
    for theirs, ours in _names(spec).items():
        if ours in matrices:
            values = matrices[ours]
            made[f"transformer.{theirs}"] = values.t() if _is_transposed(theirs) else values
    for layer in range(spec.num_layers):
        rows = [matrices[f"model.layers.{layer}.{part}.weight"] for part in _QKV]
        made[f"transformer.h.{layer}.attn.c_attn.weight"] = torch.cat(rows).t()
    if "lm_head.weight" in matrices:
        made["lm_head.weight"] = matrices["lm_head.weight"]
    return made


def _spec(config: dict[str, object]) -> DecoderSpec:
    hidden, heads = integer(config, "n_embd"), integer(config, "n_head")
    if heads < 1 or hidden % heads:
        raise ExportError(
            f"config: n_embd {hidden} is no multiple of {heads} heads; check the file"
        )
    length = integer(config, "n_positions", 1024)
    return DecoderSpec(
        architecture="gpt2",
        num_layers=integer(config, "n_layer"),
        hidden_size=hidden,
        intermediate_size=integer(config, "n_inner", 4 * hidden),
        num_heads=heads,
        num_kv_heads=heads,
        head_dim=hidden // heads,
        vocab_size=integer(config, "vocab_size"),
        max_seq_len=length,
        norm_eps=number(config, "layer_norm_epsilon", 1e-5),
        tie_word_embeddings=flag(config, "tie_word_embeddings", True),
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        norm="layer",
        activation=activation_of(config, "activation_function", "gelu_new"),
        gated=False,
        position_rows=length,
    )


GPT2 = Family(
    model_type="gpt2",
    architectures=("GPT2LMHeadModel",),
    used_config=frozenset(
        {
            "activation_function",
            "layer_norm_epsilon",
            "n_embd",
            "n_head",
            "n_inner",
            "n_layer",
            "n_positions",
            "tie_word_embeddings",
            "vocab_size",
        }
    ),
    fixed_config={
        "add_cross_attention": (False,),
        "gradient_checkpointing": (False, True),
        "reorder_and_upcast_attn": (False,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "scale_attn_weights": (True,),
    },
    build_spec=_spec,
    canonical=_canonical,
    restore=_restore,
    derived=re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)"),
)
