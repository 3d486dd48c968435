"""A Unigram tokenizer of a GGUF file ("t5") in the layout of the `tokenizers` library.

Such files have pieces with scores, and the rules by which sentencepiece changes a text before it is
cut: a table of replacements, and what becomes of spaces.
"""

import base64

from quire_export.errors import ExportError
from quire_export.gguf_spm import BYTE, UNKNOWN

_SPACE = "\u2581"


def _charsmap(meta: dict[str, object]) -> str | None:
    """The table of replacements in base64; None where the file has none."""
    values = meta.get("tokenizer.ggml.precompiled_charsmap")
    if values is None or values == []:
        return None
    is_bytes = isinstance(values, list) and all(isinstance(v, int) for v in values)
    if not is_bytes or not all(-128 <= v <= 255 for v in values):
        raise ExportError(
            "GGUF: tokenizer.ggml.precompiled_charsmap is no list of bytes; download the file again"
        )
    return base64.b64encode(bytes(v & 255 for v in values)).decode()


def _unknown(meta: dict[str, object], types: list[int]) -> int | None:
    unknown = meta.get("tokenizer.ggml.unknown_token_id")
    if isinstance(unknown, int) and 0 <= unknown < len(types):
        return unknown
    return types.index(UNKNOWN) if UNKNOWN in types else None


def _scores(meta: dict[str, object], count: int) -> list[float]:
    scores = meta.get("tokenizer.ggml.scores")
    is_list = isinstance(scores, list) and len(scores) == count
    if not is_list or not all(isinstance(s, float) and abs(s) < 1e30 for s in scores):
        raise ExportError(
            "GGUF: tokenizer.ggml.scores does not match the tokens; download the file again"
        )
    return scores


def _replace(pattern: dict[str, str], content: str) -> dict[str, object]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def _normalizers(meta: dict[str, object], prefix: bool) -> list[dict[str, object]]:
    steps: list[dict[str, object]] = []
    charsmap = _charsmap(meta)
    if charsmap is not None:
        steps.append({"type": "Precompiled", "precompiled_charsmap": charsmap})
    if meta.get("tokenizer.ggml.remove_extra_whitespaces", False):
        steps += [_replace({"Regex": "^ +| +$"}, ""), _replace({"Regex": " {2,}"}, " ")]
    if prefix:
        steps.append({"type": "Prepend", "prepend": _SPACE})
    return [*steps, _replace({"String": " "}, _SPACE)]


def model_parts(
    meta: dict[str, object], tokens: list[str], types: list[int]
) -> dict[str, dict[str, object] | None]:
    """normalizer, pre_tokenizer, decoder and model of tokenizer.json."""
    prefix = bool(meta.get("tokenizer.ggml.add_space_prefix", False))
    decoders = [_replace({"String": _SPACE}, " "), {"type": "ByteFallback"}, {"type": "Fuse"}]
    if prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    # Words can be cut one by one unless a piece goes on behind a space.
    split = None
    if not any(_SPACE in token[1:] for token in tokens):
        split = {
            "type": "Split",
            "pattern": {"String": _SPACE},
            "behavior": "MergedWithNext",
            "invert": False,
        }
    pieces = zip(tokens, _scores(meta, len(tokens)), strict=True)
    return {
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(meta, prefix)},
        "pre_tokenizer": split,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "Unigram",
            "unk_id": _unknown(meta, types),
            "byte_fallback": BYTE in types,
            "vocab": [[token, score] for token, score in pieces],
        },
    }
