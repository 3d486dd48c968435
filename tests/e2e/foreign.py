"""Exports of a Hugging Face model as others make them, with plain torch.onnx.export."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache, PreTrainedModel

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")


class WithoutCache(nn.Module):
    """input_ids [B, S] to logits, nothing else."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits [B, S, vocab]."""
        return self.model(input_ids=input_ids, use_cache=False).logits


class WithCache(nn.Module):
    """Hugging Face's decoder with past: the names and shapes that optimum gives it."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        past: list[torch.Tensor],
    ) -> tuple[torch.Tensor, ...]:
        """Logits [B, S, vocab], then key and value of each layer [B, heads, past + S, head]."""
        cache = DynamicCache()
        for layer in range(len(past) // 2):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        out = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        layers = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
        return (out.logits, *(tensor for pair in layers for tensor in pair))


def _copy_side_files(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("config.json", *TOKENIZER_FILES):
        if (source / name).is_file():
            shutil.copy(source / name, folder / name)


def export_without_cache(model: PreTrainedModel, source: Path, folder: Path) -> Path:
    """A folder whose model.onnx recomputes the whole sequence."""
    _copy_side_files(source, folder)
    dim = torch.export.Dim
    torch.onnx.export(
        WithoutCache(model).eval(),
        (torch.ones(2, 7, dtype=torch.int64),),
        folder / "model.onnx",
        input_names=["input_ids"],
        output_names=["logits"],
        dynamic_shapes={"input_ids": {0: dim("batch"), 1: dim("sequence")}},
        dynamo=True,
        verbose=False,
    )
    return folder


def export_with_cache(model: PreTrainedModel, source: Path, folder: Path) -> Path:
    """A folder with onnx/model.onnx, as on the hub, with past_key_values.N and present.N."""
    _copy_side_files(source, folder)
    (folder / "onnx").mkdir()
    config = model.config
    heads, size = config.num_key_value_heads, config.hidden_size // config.num_attention_heads
    past = [torch.zeros(2, heads, 3, size) for _ in range(2 * config.num_hidden_layers)]
    names = [f"{i}.{kind}" for i in range(config.num_hidden_layers) for kind in ("key", "value")]
    dim = torch.export.Dim
    batch, seq, before = dim("batch"), dim("sequence"), dim("past")
    free: dict[str, Any] = {
        "input_ids": {0: batch, 1: seq},
        "attention_mask": {0: batch, 1: dim.AUTO},
        "position_ids": {0: batch, 1: seq},
        "past": [{0: batch, 2: before}] * len(past),
    }
    torch.onnx.export(
        WithCache(model).eval(),
        (
            torch.ones(2, 5, dtype=torch.int64),
            torch.ones(2, 8, dtype=torch.int64),
            torch.arange(3, 8).repeat(2, 1),
            past,
        ),
        folder / "onnx" / "model.onnx",
        input_names=["input_ids", "attention_mask", "position_ids"]
        + [f"past_key_values.{name}" for name in names],
        output_names=["logits"] + [f"present.{name}" for name in names],
        dynamic_shapes=free,
        dynamo=True,
        verbose=False,
    )
    return folder
