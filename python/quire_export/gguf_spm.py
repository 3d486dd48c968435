"""A sentencepiece-style BPE of a GGUF file in the layout of the `tokenizers` library.

Such files have pieces, scores and types, but no merges: they follow from the pieces. A piece is
made from any two others that spell it, the best one first: by score, or in Gemma's files, whose
scores say nothing, by its place in the list.
"""

from quire_export.errors import ExportError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
_SPACE = "\u2581"
# Longer pieces are never made of merges; a file that has one is damaged or hostile.
_MAX_PIECE = 4096


def pieces_of(tokens: list[str]) -> list[str]:
    """The pieces as the normalizer spells them: runs of spaces are stored as they are."""
    return [_SPACE * len(t) if t and not t.strip(" ") else t for t in tokens]


def _scores(meta: dict[str, object], count: int, by_place: bool) -> list[float]:
    scores = meta.get("tokenizer.ggml.scores")
    if by_place:
        return [float(-i) for i in range(count)]
    is_list = isinstance(scores, list) and len(scores) == count
    if not is_list or not all(isinstance(s, float) for s in scores):
        raise ExportError(
            "GGUF: tokenizer.ggml.scores does not match the tokens; download the file again"
        )
    return scores


def merges_of(pieces: list[str], scores: list[float]) -> list[list[str]]:
    """Every pair of pieces that spells a third, best first; of equals the longest left part."""
    if max(map(len, pieces), default=0) > _MAX_PIECE:
        raise ExportError(
            f"GGUF: a token is longer than {_MAX_PIECE} characters; download the file again"
        )
    known = set(pieces)
    found: list[tuple[float, int, str, str]] = []
    for piece, score in zip(pieces, scores, strict=True):
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in known and right in known:
                found.append((-score, -cut, left, right))
    found.sort(key=lambda pair: pair[:2])
    return [[left, right] for _, _, left, right in found]


def model_parts(
    meta: dict[str, object], tokens: list[str], types: list[int]
) -> dict[str, dict[str, object] | None]:
    """normalizer, pre_tokenizer, decoder and model of tokenizer.json; `tokens` by pieces_of()."""
    architecture = meta.get("general.architecture")
    by_place = isinstance(architecture, str) and architecture.startswith("gemma")
    prefix = bool(meta.get("tokenizer.ggml.add_space_prefix", not by_place))
    unknown = [token for token, kind in zip(tokens, types, strict=True) if kind == UNKNOWN]
    unknown_id = meta.get("tokenizer.ggml.unknown_token_id")
    if isinstance(unknown_id, int) and 0 <= unknown_id < len(tokens):
        unknown = [tokens[unknown_id]]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    back = {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "}
    decoders: list[dict[str, object]] = [back, {"type": "ByteFallback"}, {"type": "Fuse"}]
    normalizer: dict[str, object] = replace
    if prefix:
        before = {"type": "Prepend", "prepend": _SPACE}
        normalizer = {"type": "Sequence", "normalizers": [before, replace]}
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {
        "normalizer": normalizer,
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": unknown[0] if unknown else None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": BYTE in types,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": merges_of(tokens, _scores(meta, len(tokens), by_place)),
        },
    }
