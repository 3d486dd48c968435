"""Tokenizers that are published as a tiktoken rank file: Qwen 1's, the original Llama 3's, OpenAI's.

Such a file has neither the pattern that cuts a text nor the special tokens. They are given in
tokenizer_config.json (`pat_str`, `added_tokens_decoder`) or known by the file.
"""

import base64
import binascii
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import normalizers, processors

from quire_export.errors import ExportError
from quire_export.files import read_json
from quire_export.gguf_pre import GPT4O, LLAMA3, QWEN2
from quire_export.package import write_json
from quire_export.ranks import Ranks, make_tokenizer

_MAX_BYTES = 64 << 20
_NAMES = ("tokenizer.model", "tiktoken.model")
_CONFIG = "tokenizer_config.json"
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
_LLAMA3_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    *(f"<|reserved_special_token_{i}|>" for i in range(4)),
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|reserved_special_token_4|>",
    "<|eot_id|>",
    *(f"<|reserved_special_token_{i}|>" for i in range(5, 251)),
)
_QWEN_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    *(f"<|extra_{i}|>" for i in range(205)),
)


@dataclass(frozen=True)
class _Kind:
    """What belongs to a published rank file. `bos` is put before every text."""

    pattern: str
    specials: tuple[str, ...] = ()
    bos: str | None = None
    eos: str | None = None
    nfc: bool = False


_LLAMA = _Kind(LLAMA3, _LLAMA3_TOKENS, "<|begin_of_text|>", "<|end_of_text|>")
_QWEN = _Kind(QWEN2, _QWEN_TOKENS, eos="<|endoftext|>", nfc=True)
_BY_NAME = {
    "qwen.tiktoken": _QWEN,
    "cl100k_base.tiktoken": _Kind(_CL100K),
    "o200k_base.tiktoken": _Kind(GPT4O),
}
_LLAMA3_RANKS = 128000


def rank_file(folder: Path) -> Path | None:
    """The folder's rank file, where that is the only tokenizer it has."""
    if any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        return None
    found = [*sorted(folder.glob("*.tiktoken")), *(folder / name for name in _NAMES)]
    found = [path for path in found if path.is_file() and _looks_like_ranks(path)]
    if len(found) > 1:
        raise ExportError(
            f"{found[0].name} and {found[1].name} are both tokenizers; leave one of them in the "
            "folder"
        )
    return found[0] if found else None


def _looks_like_ranks(path: Path) -> bool:
    """Whether the first line is a byte string in base64 and a number; sentencepiece's is neither."""
    with path.open("rb") as handle:
        return _entry(handle.readline(1 << 12)) is not None


def _entry(line: bytes) -> tuple[bytes, int] | None:
    parts = line.split()
    if len(parts) != 2 or not parts[1].isdigit() or len(parts[1]) > 9:
        return None
    try:
        return base64.b64decode(parts[0], validate=True), int(parts[1])
    except (binascii.Error, ValueError):
        return None


def _read(path: Path) -> dict[bytes, int]:
    if path.stat().st_size > _MAX_BYTES:
        raise ExportError(f"{path.name} has more than {_MAX_BYTES} bytes; download it again")
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        entry = _entry(line)
        if entry is None or not entry[0] or entry[0] in ranks:
            raise ExportError(
                f"{path.name}: line {number} is no new byte string with its rank; download the "
                "file again"
            )
        ranks[entry[0]] = entry[1]
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ExportError(f"{path.name}: the ranks have gaps or doubles; download the file again")
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ExportError(f"{path.name} has no token for byte {missing[0]}; download it again")
    return ranks


def _kind_of(path: Path, ranks: dict[bytes, int], config: dict[str, object]) -> _Kind:
    """The known kind, with the pattern that the configuration gives, if it gives one."""
    known = _BY_NAME.get(path.name)
    if known is None and config.get("tokenizer_class") == "QWenTokenizer":
        known = _QWEN
    if known is None and path.name == "tokenizer.model" and len(ranks) == _LLAMA3_RANKS:
        known = _LLAMA
    given = config.get("pat_str")
    if isinstance(given, str) and given:
        return replace(known or _Kind(given), pattern=given)
    if known is None:
        raise ExportError(
            f"{path.name} is a tiktoken rank file, and nothing says by which pattern it cuts a "
            f'text; put that into {_CONFIG} as "pat_str", or add a tokenizer.json'
        )
    return known


def _specials(kind: _Kind, size: int, config: dict[str, object]) -> dict[str, int]:
    """Special tokens and their ids: those of the configuration, else the known ones, in a row.

    Ids that the configuration leaves out get a name, as AutoTokenizer gives them one.
    """
    given = config.get("added_tokens_decoder")
    if not isinstance(given, dict) or not given:
        return {token: size + i for i, token in enumerate(kind.specials)}
    named: dict[int, str] = {}
    for key, value in given.items():
        text = value.get("content") if isinstance(value, dict) else value
        if not str(key).isdigit() or len(str(key)) > 9 or not isinstance(text, str) or not text:
            raise ExportError(f"{_CONFIG}: added_tokens_decoder has a bad entry; check the file")
        named[int(key)] = text
    last = max(named)
    if last >= 2 * size + 4096:
        raise ExportError(f"{_CONFIG}: id {last} is far beyond the {size} ranks; check the file")
    specials = {named.get(i, f"<|reserved_token_{i}|>"): i for i in range(size, last + 1)}
    if len(specials) != max(last + 1 - size, 0):
        raise ExportError(f"{_CONFIG}: two added tokens have one text; check the file")
    return specials


def write_rank_tokenizer(path: Path, folder: Path) -> None:
    """Makes tokenizer.json of a rank file, and completes tokenizer_config.json, in `folder`."""
    target = folder / _CONFIG
    config = read_json(target) if target.is_file() else {}
    ranks = _read(path)
    kind = _kind_of(path, ranks, config)
    specials = _specials(kind, len(ranks), config)
    try:
        tokenizer = make_tokenizer(Ranks(kind.pattern, ranks, specials))
    except Exception as error:  # the library raises bare Exception for a pattern it cannot read
        raise ExportError(
            f"{_CONFIG}: pat_str cannot be used: {error}; check the pattern"
        ) from error
    for text, number in specials.items():
        if tokenizer.token_to_id(text) != number:
            raise ExportError(f"{path.name}: {text} is a rank as well; download the file again")
    if kind.nfc:
        tokenizer.normalizer = normalizers.NFC()
    adds_bos = bool(config.get("add_bos_token", kind.bos is not None)) and kind.bos in specials
    if adds_bos:
        tokenizer.post_processor = _beginning(kind.bos, specials[kind.bos])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    made: dict[str, object] = {"clean_up_tokenization_spaces": False, "add_bos_token": adds_bos}
    made |= {
        f"{name}_token": text
        for name, text in (("bos", kind.bos), ("eos", kind.eos))
        if text in specials
    }
    config.pop("added_tokens_decoder", None)  # in tokenizer.json now
    write_json(target, made | config | {"tokenizer_class": "PreTrainedTokenizerFast"})


def _beginning(token: str, number: int) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, number)]
    )
