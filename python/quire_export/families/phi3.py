"""Phi-3, 3.5 and 4: Llama with fused matrices, partial rotation and two sets of rotary factors."""

import torch

from quire_export.errors import ExportError
from quire_export.families import gguf_names
from quire_export.families.base import Family, GgufMapping, Matrices, integer
from quire_export.families.common import ROPE_KEYS, SIZE_KEYS, SLIDING, llama_like, window_of
from quire_export.families.common import windowed_layers
from quire_export.spec import DecoderSpec

_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_GATE_UP = ("mlp.gate_proj", "mlp.up_proj")


def _fused(spec: DecoderSpec) -> dict[str, tuple[tuple[str, ...], list[int]]]:
    """Each fused matrix: the canonical names of its parts, and their rows."""
    return {
        "self_attn.qkv_proj": (_QKV, [spec.q_rows, spec.kv_rows, spec.kv_rows]),
        "mlp.gate_up_proj": (_GATE_UP, [spec.intermediate_size] * 2),
    }


def _canonical(tensors: Matrices, spec: DecoderSpec) -> Matrices:
    found = dict(tensors)
    for layer in range(spec.num_layers):
        prefix = f"model.layers.{layer}."
        for name, (parts, rows) in _fused(spec).items():
            fused = found.pop(f"{prefix}{name}.weight", None)
            if fused is None:
                raise ExportError(f"tensor {prefix}{name}.weight is missing; download it again")
            if fused.ndim != 2 or fused.shape[0] != sum(rows):
                raise ExportError(
                    f"tensor {prefix}{name}.weight has shape {list(fused.shape)}, expected "
                    f"{sum(rows)} rows; files and configuration do not belong together; "
                    "download both from the same place"
                )
            for part, values in zip(parts, fused.split(rows), strict=True):
                found[f"{prefix}{part}.weight"] = values
    return found


def _restore(matrices: Matrices, spec: DecoderSpec) -> Matrices:
    made = dict(matrices)
    for layer in range(spec.num_layers):
        prefix = f"model.layers.{layer}."
        for name, (parts, _) in _fused(spec).items():
            rows = [made.pop(f"{prefix}{part}.weight") for part in parts]
            made[f"{prefix}{name}.weight"] = torch.cat(rows)
    return made


def _spec(config: dict[str, object]) -> DecoderSpec:
    window = window_of(config)
    layers = max(integer(config, "num_hidden_layers"), 0)
    windows = windowed_layers([SLIDING] * layers, window) if window > 0 else ()
    return llama_like({"rms_norm_eps": 1e-5} | config, "phi3", layers=windows)


def _gguf_config(meta: dict[str, object], tensors: frozenset[str]) -> dict[str, object]:
    free = frozenset({"rope.dimension_count"})
    config = gguf_names.shared_config(meta, "phi3", tensors, free)
    head_dim = config.pop("head_dim")
    rotary = integer(meta, "phi3.rope.dimension_count", head_dim)
    original = meta.get("phi3.rope.scaling.original_context_length")
    has_factors = gguf_names.LONG_FACTORS in tensors
    if not has_factors and config.get("rope_scaling", {}).get("rope_type") == "longrope":
        raise ExportError(
            f"GGUF: rope scaling is longrope, but the file has no {gguf_names.LONG_FACTORS}; "
            "download a newer conversion"
        )
    if has_factors:
        attention = meta.get("phi3.rope.scaling.attn_factor")
        config["rope_scaling"] = {"rope_type": "longrope", "attention_factor": attention}
        config["original_max_position_embeddings"] = original or config["max_position_embeddings"]
    return config | {
        "architectures": ["Phi3ForCausalLM"],
        "model_type": "phi3",
        "sliding_window": integer(meta, "phi3.attention.sliding_window", 0) or None,
        "partial_rotary_factor": rotary / head_dim,
    }


def _gguf_fused(spec: DecoderSpec) -> dict[str, tuple[tuple[str, ...], list[int]]]:
    fused = _fused(spec)
    return {"attn_qkv": fused["self_attn.qkv_proj"], "ffn_up": fused["mlp.gate_up_proj"]}


PHI3 = Family(
    model_type="phi3",
    architectures=("Phi3ForCausalLM",),
    used_config=SIZE_KEYS | ROPE_KEYS | {"sliding_window"},
    fixed_config={
        "attention_bias": (False,),
        "full_attn_mod": (1,),
        "interpolate_factor": (1,),
        "lm_head_bias": (False,),
        "mlp_bias": (False,),
    },
    build_spec=_spec,
    canonical=_canonical,
    restore=_restore,
    gguf=GgufMapping(
        architecture="phi3",
        used=gguf_names.USED | {"attention.sliding_window", "rope.scaling.attn_factor"},
        tensors=gguf_names.TENSORS,
        layer_tensors={
            ours: theirs
            for ours, theirs in gguf_names.LAYER_TENSORS.items()
            if ours not in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up")
        },
        config=_gguf_config,
        fused=_gguf_fused,
    ),
)
