"""Packages of the zoo without PyTorch: a recipe says how a known source becomes a known package.

A recipe is made once from an exported package (tools/make_recipe.py), and holds the size and sha256 of
every file of it. The graph, the goldens and the configuration it holds as they are; the tokenizer and
the weights it says how to lay out from the source, a GGUF file. numpy is all this needs, and every
file made is compared with its sha256, so what comes out is what the exporter wrote or nothing.

The JSON, packed with xz:

    format_version  1
    rope            frequencies [R/2] and the number of positions of the rotary tables
    files           by name: size, sha256, and one of
      text          the file
      base64        the file
      pieces        texts, "vocab" and "merges": JSON with the tokenizer's lists of the source put in
      tensors       of the weights: offset, and "rope" ("cos" or "sin") or
                    "from" [[tensor, half], ...], stacked row on row, and "bytes" [a, b): which of
                    every block. half > 0: rows of a head lie as llama.cpp has them, the two halves
                    of size half interleaved, and are put back.
"""

import base64
import hashlib
import json
import lzma
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from quire_export.errors import EXIT_OTHER, ExportError
from quire_export.gguf_header import GgufHeader
from quire_export.package import staged_folder

FORMAT_VERSION = 1
# What a nested value of json.dumps(indent=2) is moved right by, below model in tokenizer.json.
_NESTED = "\n    "


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a file of this package."""
    recipe = json.loads(lzma.decompress(path.read_bytes()))
    if recipe["format_version"] != FORMAT_VERSION:
        raise ExportError(f"{path.name} is of another version; install quire-llm again", EXIT_OTHER)
    return recipe


def follow_recipe(path: Path, source: Path, destination: Path, force: bool) -> None:
    """Makes the package folder `destination` of the GGUF file `source`, which the recipe is for.

    Raises ExportError; the destination is then as it was before.
    """
    recipe = read_recipe(path)
    files = recipe["files"]
    file = GgufHeader(source)
    size = sum(entry["size"] for entry in files.values())
    with staged_folder(destination, source, force, size) as folder:
        for name, entry in files.items():
            with (folder / name).open("w+b") as out:
                _write(entry, recipe, file, out)
                out.seek(0)
                found = hashlib.file_digest(out, "sha256").hexdigest()
            if found != entry["sha256"]:
                raise ExportError(
                    f"{name} as made of {source.name} is not what the exporter makes (its sha256 "
                    "differs); export the file with quire-export instead, and please report it",
                    EXIT_OTHER,
                )


def _write(entry: dict[str, Any], recipe: dict[str, Any], file: GgufHeader, out: BinaryIO) -> None:
    if "tensors" in entry:
        for tensor in entry["tensors"]:
            out.seek(tensor["offset"])
            out.write(_tensor(tensor, recipe, file).data)
    elif "pieces" in entry:
        for piece in entry["pieces"]:
            text = _tokenizer_list(piece, file) if piece in ("vocab", "merges") else piece
            out.write(text.encode())
    elif "base64" in entry:
        out.write(base64.b64decode(entry["base64"]))
    else:
        out.write(entry["text"].encode())


def _tensor(tensor: dict[str, Any], recipe: dict[str, Any], file: GgufHeader) -> np.ndarray:
    if "rope" in tensor:
        return rope_table(tensor["rope"], **recipe["rope"])
    begin, end = tensor["bytes"]
    parts = [_rows(file, name, half)[..., begin:end] for name, half in tensor["from"]]
    return np.ascontiguousarray(np.concatenate(parts))


def _rows(file: GgufHeader, name: str, half: int) -> np.ndarray:
    """The blocks of a tensor; uint8 [rows, blocks, bytes of a block]."""
    tensor = file.tensors[name]
    _name, elements, num_bytes = file.storage(tensor)
    rows = tensor.shape[0] if len(tensor.shape) > 1 else 1
    blocks = file.bytes_of(tensor).reshape(rows, tensor.shape[-1] // elements, num_bytes)
    if half == 0:
        return blocks
    return blocks[np.arange(rows).reshape(-1, half, 2).transpose(0, 2, 1).reshape(-1)]


def rope_table(kind: str, frequencies: list[float], positions: int) -> np.ndarray:
    """cos or sin of positions times frequencies; float32 [positions, R/2]. See rope.py."""
    angles = np.outer(np.arange(positions, dtype=np.float32), np.float32(frequencies))
    function = {"cos": np.cos, "sin": np.sin}[kind]
    return function(angles.astype(np.float64)).astype(np.float32)


def _tokenizer_list(name: str, file: GgufHeader) -> str:
    if name == "vocab":
        tokens = file.metadata["tokenizer.ggml.tokens"]
        value: object = {token: i for i, token in enumerate(tokens)}
    else:
        value = [merge.split(" ") for merge in file.metadata["tokenizer.ggml.merges"]]
    return json.dumps(value, ensure_ascii=False, indent=2).replace("\n", _NESTED)
