#!/usr/bin/env python3
"""Writes the recipe of a zoo model (python/quire_export/recipe.py) from its exported package.

Usage: PYTHONPATH=python .venv/bin/python tools/make_recipe.py NAME
Exports the model with quire-export first, so it needs PyTorch; then follows the recipe and compares.
"""

import base64
import filecmp
import hashlib
import json
import lzma
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from quire_export import ExportOptions, export_model, zoo
from quire_export.families import family_of_gguf
from quire_export.gguf_header import GgufHeader
from quire_export.recipe import FORMAT_VERSION, follow_recipe, rope_table

# What the decoder stacks row on row, and the bytes of a block that an initializer takes.
STACKED = {
    "self_attn.qkv_proj": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "mlp.gate_up_proj": ["mlp.gate_proj", "mlp.up_proj"],
}
BYTES = {
    ("Q4_1", "scale"): (0, 2),
    ("Q4_1", "min"): (2, 4),
    ("Q4_1", "weight"): (4, 20),
    ("Q4_0", "scale"): (0, 2),
    ("Q4_0", "weight"): (2, 18),
    ("Q8_0", "scale"): (0, 2),
    ("Q8_0", "weight"): (2, 34),
    ("F32", "weight"): (0, 4),
}


class Layout:
    """Where the initializers of a graph come from in a GGUF file of the Llama kind."""

    def __init__(self, package: Path, source: Path) -> None:
        self.info = json.loads((package / "model_info.json").read_text())
        self.file = GgufHeader(source)
        _family, self.mapping = family_of_gguf(self.file.metadata["general.architecture"])
        self.of_canonical = {theirs: ours for ours, theirs in self.mapping.tensors.items()}

    def tensor(self, name: str) -> tuple[str, int]:
        """The GGUF tensor of a canonical one, and half its heads' size where its rows were moved."""
        layer = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.weight", name)
        if layer is None:
            return self.of_canonical[name], 0
        ours = {theirs: ours for ours, theirs in self.mapping.layer_tensors.items()}[layer[2]]
        half = self.info["head_dim"] // 2 if ours in self.mapping.permuted else 0
        return f"blk.{layer[1]}.{ours}.weight", half

    def entry(self, name: str, offset: int) -> dict[str, Any]:
        """How an initializer is laid out."""
        if name in ("rope_cos", "rope_sin"):
            return {"offset": offset, "rope": name.removeprefix("rope_")}
        base, part = name.rsplit(".", 1)
        prefix, _, last = base.partition(".layers.")
        number, _, module = last.partition(".")
        names = [f"{prefix}.layers.{number}.{m}" for m in STACKED.get(module, [module])] if last else [base]
        parts = [self.tensor(f"{canonical}.weight") for canonical in names]
        kind = self.file.tensors[parts[0][0]].type_name
        return {"offset": offset, "from": parts, "bytes": BYTES[kind, part]}


def tokenizer_pieces(text: str) -> list[str]:
    """tokenizer.json with its two long lists taken out."""
    value = json.loads(text)
    value["model"]["vocab"] = value["model"]["merges"] = "\0"
    mark = json.dumps("\0")
    before, between, after = json.dumps(value, ensure_ascii=False, indent=2).split(mark)
    first, second = sorted(("vocab", "merges"), key=list(value["model"]).index)
    return [before, first, between, second, after + "\n"]


def check_tables(recipe: dict[str, Any]) -> None:
    """No entry of the rotary tables is so near a half that another float64 cosine might round it off."""
    frequencies, positions = recipe["rope"]["frequencies"], recipe["rope"]["positions"]
    angles = np.outer(np.arange(positions, dtype=np.float32), np.float32(frequencies))
    for function in (np.cos, np.sin):
        exact = function(angles.astype(np.longdouble))
        few_ulp = np.longdouble(2) ** -50
        low, high = exact * (1 - few_ulp), exact * (1 + few_ulp)
        assert (low.astype(np.float32) == high.astype(np.float32)).all()


def make(package: Path, source: Path) -> dict[str, Any]:
    """The recipe of a package."""
    layout = Layout(package, source)
    graph = onnx.load(str(package / "model.onnx"), load_external_data=False).graph
    weights = [
        layout.entry(t.name, int(next(e.value for e in t.external_data if e.key == "offset")))
        for t in graph.initializer
        if t.external_data
    ]
    files: dict[str, Any] = {}
    for path in sorted(package.iterdir()):
        data = path.read_bytes()
        entry = files[path.name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if path.name == "model.onnx.data":
            entry["tensors"] = weights
        elif path.name == "tokenizer.json":
            entry["pieces"] = tokenizer_pieces(data.decode())
        elif path.suffix == ".onnx":
            entry["base64"] = base64.b64encode(data).decode()
        else:
            entry["text"] = data.decode()
    tables = np.fromfile(package / "model.onnx.data", np.float32, count=1 << 19)
    return {"format_version": FORMAT_VERSION, "rope": rope_of(layout, tables), "files": files}


def rope_of(layout: Layout, tables: np.ndarray) -> dict[str, Any]:
    """The frequencies as float32 has them, held against the tables of the package."""
    from quire_export.families import family_of_gguf as family_of
    from quire_export.rope import inverse_frequencies

    family, mapping = family_of(layout.file.metadata["general.architecture"])
    spec = family.build_spec(mapping.config(layout.file.metadata, frozenset(layout.file.tensors)))
    rope = {
        "frequencies": inverse_frequencies(spec.ropes[0]).tolist(),
        "positions": layout.info["max_seq_len"],
    }
    made = rope_table("cos", **rope).reshape(-1)
    assert (made == tables[: made.size]).all()
    return rope


def main() -> None:
    """Makes and checks the recipe that the manifest names for a model."""
    model = zoo.read_manifest()[sys.argv[1]]
    source = zoo.fetch(model, zoo.cache_folder())
    with tempfile.TemporaryDirectory() as work:
        exported, followed = Path(work) / "exported", Path(work) / "followed"
        if len(sys.argv) > 2:
            exported = Path(sys.argv[2])
        else:
            export_model(source, exported, ExportOptions(quantize=model.quantize))
        recipe = make(exported, source)
        check_tables(recipe)
        path = zoo.RECIPES / model.recipe
        path.parent.mkdir(exist_ok=True)
        packed = lzma.compress(json.dumps(recipe).encode(), preset=9 | lzma.PRESET_EXTREME)
        path.write_bytes(packed)
        follow_recipe(path, source, followed, force=False)
        names = sorted(p.name for p in exported.iterdir())
        assert sorted(p.name for p in followed.iterdir()) == names
        _same, different, missing = filecmp.cmpfiles(exported, followed, names, shallow=False)
        assert not different and not missing, (different, missing)
        print(f"{path}: {len(packed)} bytes, {len(names)} files")


if __name__ == "__main__":
    main()
