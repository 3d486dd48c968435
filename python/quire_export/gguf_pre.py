"""How a GGUF file's byte-level tokenizer cuts text before merging, by tokenizer.ggml.pre.

The key names a model; many models cut alike. The patterns are those of the models' own
tokenizer.json files, which llama.cpp's rules stand for.
"""

from dataclasses import dataclass

from quire_export.errors import ExportError

_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_REST_WITH_SLASH = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
# Words that end where capitals begin again.
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+", rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
_NO_HAN = tuple(
    part.replace(_UPPER, _UPPER[:-1] + r"&&[^\p{Han}]]").replace(
        _LOWER, _LOWER[:-1] + r"&&[^\p{Han}]]"
    )
    for part in _CASED
)

LLAMA3 = rf"{_ENDINGS}|{_WORD}|\p{{N}}{{1,3}}|{_REST}"
QWEN2 = rf"{_ENDINGS}|{_WORD}|\p{{N}}|{_REST}"
_SEED = rf"{_ENDINGS}|{_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
_TEKKEN = rf"{_CASED[0]}|{_CASED[1]}|\p{{N}}|{_REST_WITH_SLASH}"
GPT4O = rf"{_CASED[0]}{_ENDINGS}?|{_CASED[1]}{_ENDINGS}?|\p{{N}}{{1,3}}|{_REST_WITH_SLASH}"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_MARKS = r"\p{P}\$\+<=>\^~\|"
_QWEN35 = (
    rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BAILING = (
    rf"'(?i:[sdmt]|ll|ve|re)|{_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]"
    r"|\s+(?!\S)|\s+"
)
_EXAONE_MOE = (
    rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
)
_MINICPM = rf"{_ENDINGS}|{_WORD}|\p{{N}}+|{_REST}"
_YOUTU_SCRIPTS = (
    "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b"
    "\uff0c\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f"
    "\u30a0-\u30ff]+"
)
_YOUTU = rf"{_CASED[0]}{_ENDINGS}?|{_CASED[1]}{_ENDINGS}?|\p{{N}}|{_REST_WITH_SLASH}"
_DEEPSEEK3 = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
_DEEPSEEK_CODER = (
    r"[\r\n]",
    r"\s?\p{L}+",
    r"\s?\p{P}+",
    "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
    r"\p{N}",
)
_DEEPSEEK_LLM = (
    r"[\r\n]",
    r"\s?[\p{Lu}\p{Lt}\p{Ll}]+",
    "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
    r"\s+$",
    _DEEPSEEK_CODER[3],
    r"\p{N}+",
)
_BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
_KIMI = rf"[\p{{Han}}]+|{_NO_HAN[0]}{_ENDINGS}?|{_NO_HAN[1]}{_ENDINGS}?|\p{{N}}{{1,3}}|{_REST}"


@dataclass(frozen=True)
class PreTokenizer:
    """The part of tokenizer.json, and what comes with it.

    `ignore_merges`: whole words skip the merges. `adds_bos`: a beginning token is put before every
    text, unless the file says otherwise. `normalizer`: what is done to a text before.
    """

    part: dict[str, object]
    ignore_merges: bool = False
    adds_bos: bool = False
    normalizer: dict[str, object] | None = None


def _byte_level(use_regex: bool) -> dict[str, object]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def _split(pattern: str) -> dict[str, object]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _sequence(*parts: dict[str, object]) -> dict[str, object]:
    return {"type": "Sequence", "pretokenizers": list(parts)}


def _cut(*patterns: str) -> dict[str, object]:
    """Cuts by each pattern in turn, each time inside the pieces of the cut before."""
    return _sequence(*map(_split, patterns), _byte_level(False))


_NFC: dict[str, object] = {"type": "NFC"}
# llama.cpp's table of names, of November 2026, as far as the models are decoders; of each kind the
# first name is the one that is listed when another is not known.
_KINDS: tuple[tuple[str, PreTokenizer], ...] = (
    (
        "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
        PreTokenizer(_cut(LLAMA3), ignore_merges=True, adds_bos=True),
    ),
    ("smaug-bpe dbrx chatglm-bpe glm4", PreTokenizer(_cut(LLAMA3))),
    ("qwen2", PreTokenizer(_cut(QWEN2), normalizer=_NFC)),
    ("qwen35", PreTokenizer(_cut(_QWEN35), normalizer=_NFC)),
    (
        "deepseek-r1-qwen megrez stablelm2 hunyuan solar-open grok-2 kormo f2llmv2",
        PreTokenizer(_cut(QWEN2)),
    ),
    ("ufakzeka", PreTokenizer(_cut(QWEN2.removeprefix(_ENDINGS + "|")))),
    (
        "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
        PreTokenizer(_sequence({"type": "Digits", "individual_digits": True}, _byte_level(True))),
    ),
    (
        "gpt-2 phi-2 olmo mpt jais trillion mellum gigachat a.x-4.0 exaone4 granite-docling",
        PreTokenizer(_byte_level(True)),
    ),
    ("tekken", PreTokenizer(_cut(_TEKKEN), ignore_merges=True, adds_bos=True)),
    ("gpt-4o llama4 kanana2 talkie minimax-m2", PreTokenizer(_cut(GPT4O))),
    ("youtu", PreTokenizer(_cut(_YOUTU_SCRIPTS, _YOUTU), ignore_merges=True)),
    ("deepseek-v3 hunyuan-dense joyai-llm hy_v4", PreTokenizer(_cut(*_DEEPSEEK3))),
    ("deepseek-coder", PreTokenizer(_cut(*_DEEPSEEK_CODER))),
    ("seed-coder", PreTokenizer(_cut(_SEED))),
    ("bailingmoe bailingmoe2 llada-moe", PreTokenizer(_cut(_BAILING))),
    ("exaone-moe", PreTokenizer(_cut(_EXAONE_MOE))),
    ("minicpm5", PreTokenizer(_cut(r"\p{N}{1,3}", _MINICPM), ignore_merges=True)),
    ("deepseek-llm", PreTokenizer(_cut(*_DEEPSEEK_LLM))),
    ("kimi-k2", PreTokenizer(_cut(_KIMI))),
    ("poro-chat bloom gpt3-finnish", PreTokenizer(_cut(_BLOOM))),
    ("viking", PreTokenizer(_cut(_BLOOM, r"\p{N}"))),
    ("falcon", PreTokenizer(_cut(rf"[{_MARKS}`]+", _GPT2, "[0-9][0-9][0-9]"))),
    # llama.cpp's own: no model was trained with it.
    ("default", PreTokenizer(_cut(rf"[{_MARKS}]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]"))),
)
_BY_NAME = {name: kind for names, kind in _KINDS for name in names.split()}
PRE_TOKENIZER_NAMES = tuple(_BY_NAME)


def pre_tokenizer_of(name: object) -> PreTokenizer:
    """What a value of tokenizer.ggml.pre stands for."""
    if not isinstance(name, str) or name not in _BY_NAME:
        raise ExportError(
            f"GGUF: tokenizer.ggml.pre {name!r} is not supported; export from the model's Hugging "
            "Face folder, or convert it again under a known name: "
            + ", ".join(names.split()[0] for names, _ in _KINDS)
        )
    return _BY_NAME[name]
