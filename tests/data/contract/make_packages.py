"""Makes the packages of tests/contract: a nanochat of random weights in three cache kinds.

Usage: PYTHONPATH=python .venv/bin/python tests/data/contract/make_packages.py
"""

import json
from pathlib import Path

import torch

from quire_export.nanochat.decoder import NanochatDecoder
from quire_export.nanochat.eras import E5, NanochatSpec
from quire_export.nanochat.reference import NanochatReference
from quire_export.onnx_writer import build_graph, write_model
from quire_export.package import file_entries, write_json
from quire_export.torchscript import write_script
from quire_export.weights import store_plain

HERE = Path(__file__).parent
SPEC = NanochatSpec(
    era=E5,
    num_layers=2,
    hidden_size=24,
    num_heads=2,
    num_kv_heads=1,
    vocab_size=40,
    sequence_len=10,
    window_pattern="SL",
    padded_vocab_size=40,
    max_seq_len=100,
)
PROMPT_LENGTH = 45


def random_tensors() -> dict[str, torch.Tensor]:
    """Wide weights, so that every part of the model matters."""
    generator = torch.Generator().manual_seed(20)
    shapes = SPEC.tensor_shapes().items()
    return {name: torch.randn(shape, generator=generator) * 0.4 for name, shape in shapes}


def make(cache: str, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """One package, without what the runners do not read."""
    folder.mkdir(exist_ok=True)
    stored = {
        name: store_plain(tensor, "fp32") if tensor.ndim == 2 else tensor
        for name, tensor in tensors.items()
    }
    model = NanochatDecoder(SPEC, stored)
    write_script(model, cache, 16, folder)
    write_model(build_graph(model, cache, 20, 16), folder)
    (folder / "model_info.json").unlink(missing_ok=True)
    info = {
        "format": "quire-model-package",
        "format_version": 1,
        "min_runtime_version": "0.1.0",
        "created_by": "make_packages.py",
        "name": f"contract-{cache}",
        "architecture": "nanochat",
        "source": {"kind": "random"},
        "graph": cache,
        "backends": ["onnx", "torchscript"],
        "num_layers": SPEC.num_layers,
        "hidden_size": SPEC.hidden_size,
        "intermediate_size": SPEC.intermediate_size,
        "num_heads": SPEC.num_heads,
        "num_kv_heads": SPEC.num_kv_heads,
        "head_dim": SPEC.head_dim,
        "vocab_size": SPEC.vocab_size,
        "max_seq_len": SPEC.max_seq_len,
        "dtype": "fp32",
        "quantization": {"default": "none", "tensors": {}},
        "cache_layers": [{"num_kv_heads": SPEC.num_kv_heads, "head_dim": SPEC.head_dim}],
        "special_ids": {"bos": 0, "eos": [1], "pad": None, "unk": None},
        "control_token_ids": [],
        "tool_markers": None,
        "files": file_entries(folder),
    }
    write_json(folder / "model_info.json", info, indent=2)


def main() -> None:
    """All three, and what the formulas give for one prompt."""
    tensors = random_tensors()
    for cache in ("paged", "explicit", "none"):
        make(cache, tensors, HERE / cache)
    generator = torch.Generator().manual_seed(4)
    ids = torch.randint(0, SPEC.vocab_size, (1, PROMPT_LENGTH), generator=generator)
    logits = NanochatReference(SPEC, tensors)(ids).logits[0]
    rows = [[round(value, 6) for value in row] for row in logits.tolist()]
    (HERE / "expected.json").write_text(json.dumps({"ids": ids[0].tolist(), "logits": rows}))


if __name__ == "__main__":
    main()
