"""The model of a GGUF file as transformers computes it: what an export is compared with.

Where transformers has a loader of its own for the file, that one reads the tensors. Else the `gguf`
package does, by its own table of names; nothing here uses the exporter's reader or tables.
"""

import contextlib
import io
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.spec import DecoderSpec

_ROPE_FACTORS = "rope_freqs.weight"
# What transformers' loader reads as llama.cpp does, by general.architecture.
_THEIR_OWN = frozenset({"llama", "phi3", "qwen2", "qwen3", "gemma2", "gemma3"})
# Whose query and key rows the converter turns: see gguf_source.
_TURNED = frozenset({"llama", "smollm3"})


def gguf_reference(
    paths: list[Path], architecture: str, config: dict[str, object], spec: DecoderSpec
) -> PreTrainedModel:
    """The model of the files `paths`; `spec` has the rotary factors that count."""
    from transformers import AutoConfig, AutoModelForCausalLM

    # Of a class's own padding id torch would ask that it lies inside the vocabulary.
    settings = {"pad_token_id": None} | config
    made = AutoConfig.for_model(settings.pop("model_type"), **settings)
    if any(rope.long_factors is not None for rope in spec.ropes):
        # transformers chooses them anew for every length; a package has one set of them.
        for key in ("short_factor", "long_factor"):
            made.rope_parameters[key] = spec.ropes[0].factors.tolist()
    model = AutoModelForCausalLM.from_config(made, dtype=torch.float32).eval()
    if len(paths) == 1 and architecture in _THEIR_OWN:
        state = _by_transformers(paths[0], model)
    else:
        state = _by_gguf(paths, architecture, model, spec)
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise ExportError(
            f"transformers reads {paths[0].name} differently: missing "
            f"{sorted(missing)[:3]}, unexpected {sorted(unexpected)[:3]}; export from the model's "
            "Hugging Face folder",
            EXIT_OTHER,
        )
    model.tie_weights()
    if spec.ropes and spec.ropes[0].factors is not None and spec.ropes[0].kind != "longrope":
        # transformers' GGUF loader leaves this tensor out.
        model.model.rotary_emb.inv_freq /= spec.ropes[0].factors
    return model


def _by_transformers(path: Path, model: PreTrainedModel) -> dict[str, torch.Tensor]:
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar cannot be switched off
        state = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)["tensors"]
    state.pop(_ROPE_FACTORS, None)
    return state


def _by_gguf(
    paths: list[Path], architecture: str, model: PreTrainedModel, spec: DecoderSpec
) -> dict[str, torch.Tensor]:
    import gguf

    arch = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(arch, spec.num_layers)
    found = {t.name: t for path in paths for t in gguf.GGUFReader(str(path)).tensors}
    state = {}
    for name in model.state_dict():
        stem, suffix = name.rsplit(".", 1)
        tensor = found.get(f"{names.get_name(stem)}.{suffix}")
        if tensor is None:
            continue
        values = np.array(gguf.dequantize(tensor.data, tensor.tensor_type), np.float32)
        if architecture in _TURNED and stem.endswith((".q_proj", ".k_proj")):
            values = _turned_back(values, spec.head_dim)
        shift = float(architecture.startswith("gemma") and "norm" in stem)
        state[name] = torch.from_numpy(values - shift)
    return state


def _turned_back(values: np.ndarray, head_dim: int) -> np.ndarray:
    """Rows of each head in the order of two halves, from even and odd ones."""
    heads = values.reshape(-1, head_dim, *values.shape[1:])
    return np.concatenate([heads[:, 0::2], heads[:, 1::2]], axis=1).reshape(values.shape)
