"""nanochat checkpoints as modules one can call, trace and export, under the names the field knows.

    model = load_decoder("~/.cache/nanochat", source="sft")
    logits = ExportableGPT(model)(input_ids)
    logits, keys, values = ExportableGPTWithCache(model)(input_ids, keys, values, position_ids, ...)
"""

from pathlib import Path

import torch

from quire_export.nanochat.checkpoint import find_model, load_checkpoint
from quire_export.nanochat.decoder import NanochatDecoder
from quire_export.torchscript import ExplicitScript, NoneScript, PagedScript
from quire_export.weights import StoredMatrix, store_plain

_ACTIVATION_BITS = 16


def load_decoder(
    folder: str | Path,
    source: str = "sft",
    model_tag: str | None = None,
    step: int | None = None,
    softcap: float | None = None,
) -> NanochatDecoder:
    """The float32 model of a nanochat base directory; `softcap` tells E3 (20) from E2."""
    found = find_model(Path(folder).expanduser(), source, model_tag, step)
    checkpoint = load_checkpoint(*found, softcap)
    tensors: dict[str, StoredMatrix | torch.Tensor] = {
        name: store_plain(tensor, "fp32") if tensor.ndim == 2 else tensor
        for name, tensor in checkpoint.tensors.items()
    }
    return NanochatDecoder(checkpoint.spec, tensors)


class ExportableGPT(NoneScript):
    """Without cache: the whole sequence each time."""

    def __init__(self, model: NanochatDecoder) -> None:
        super().__init__(model, _ACTIVATION_BITS)

    def forward(
        self, input_ids: torch.Tensor, position_offset: torch.Tensor | int = 0
    ) -> torch.Tensor:
        """Logits [B, S, vocab] of input_ids int64 [B, S], the first at `position_offset`."""
        return super().forward(input_ids, torch.as_tensor(position_offset))


class ExportableGPTWithCache(ExplicitScript):
    """The cache as arguments and results: a list of [B, Hkv, P, D] for keys, one for values."""

    def __init__(self, model: NanochatDecoder) -> None:
        super().__init__(model, _ACTIVATION_BITS)

    def empty_cache(self, batch: int = 1) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Keys and values of no tokens."""
        keys = [torch.zeros(batch, heads, 0, size) for heads, size in self.decoder.cache_layers]
        return keys, [key.clone() for key in keys]


class ExportableGPTPaged(PagedScript):
    """The engine's kind: caches in blocks, written in place by quire::paged_attention."""

    def __init__(self, model: NanochatDecoder) -> None:
        super().__init__(model, _ACTIVATION_BITS)
