"""nanochat base directories for tests: the fixtures, and copies of them to damage."""

import json
import pickle
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "data" / "nanochat"
TRAINED = {"A-e5-d4": "sft", "B-e0-d3": "base", "C-e2-d4": "base"}
ERAS = ("e0p-gqa", "e1-sl", "e3-early", "e3-late", "e4-gqa", "e5-gqa")
SPECIALS = (
    "<|bos|>",
    "<|user_start|>",
    "<|user_end|>",
    "<|assistant_start|>",
    "<|assistant_end|>",
    "<|python_start|>",
    "<|python_end|>",
    "<|output_start|>",
    "<|output_end|>",
)
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)


def golden(name: str, kind: str) -> dict[str, Any]:
    """A golden file of a trained fixture."""
    return json.loads((DATA / name / "golden" / f"{kind}.json").read_text())


def pickle_encoding(state: object) -> bytes:
    """What pickle makes of a tiktoken.Encoding of that state, tiktoken itself not needed."""
    module = ModuleType("tiktoken.core")

    class Encoding:
        """Stands for tiktoken's class while it is pickled."""

        def __getstate__(self) -> object:
            return state

    Encoding.__module__, Encoding.__qualname__ = "tiktoken.core", "Encoding"
    module.Encoding = Encoding
    before = {name: sys.modules.get(name) for name in ("tiktoken", "tiktoken.core")}
    sys.modules["tiktoken.core"] = module
    sys.modules.setdefault("tiktoken", ModuleType("tiktoken"))
    try:
        return pickle.dumps(Encoding())
    finally:
        for name, old in before.items():
            sys.modules.pop(name)
            if old is not None:
                sys.modules[name] = old


def encoding_state(vocab_size: int) -> dict[str, Any]:
    """Ranks of all bytes and of doubled and tripled letters, and the nine special tokens."""
    pairs = [bytes([a]) * 2 for a in range(97, 123)] + [bytes([a]) * 3 for a in range(97, 123)]
    tokens = [bytes([i]) for i in range(256)] + pairs
    tokens = tokens[: vocab_size - len(SPECIALS)]
    return {
        "name": "tiny",
        "pat_str": PATTERN,
        "mergeable_ranks": {token: rank for rank, token in enumerate(tokens)},
        "special_tokens": {text: len(tokens) + i for i, text in enumerate(SPECIALS)},
    }


def era_run(name: str, folder: Path) -> Path:
    """A run of an era's random weights with a tokenizer of its vocabulary."""
    shutil.copytree(DATA / "eras" / name, folder)
    (folder / "tokenizer").mkdir()
    state = encoding_state(300)
    (folder / "tokenizer" / "tokenizer.pkl").write_bytes(pickle_encoding(state))
    return folder
