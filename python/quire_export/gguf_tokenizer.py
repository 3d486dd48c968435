"""Turns a GGUF file's tokenizer into Hugging Face's files."""

import json
from pathlib import Path

from quire_export import gguf_spm, gguf_ugm
from quire_export.ends import END_TEXTS
from quire_export.errors import ExportError
from quire_export.gguf_pre import PreTokenizer, pre_tokenizer_of
from quire_export.gguf_spm import CONTROL, NORMAL, UNKNOWN, USER_DEFINED, pieces_of
from quire_export.spec import DecoderSpec

_END_KEYS = ("eos", "eot", "eom")
_KNOWN_KEYS = frozenset(
    {
        "add_bos_token",
        "add_eos_token",
        "add_sep_token",
        "add_space_prefix",
        "bos_token_id",
        "cls_token_id",
        "eom_token_id",
        "eos_token_id",
        "eot_token_id",
        "fim_mid_token_id",
        "fim_pad_token_id",
        "fim_pre_token_id",
        "fim_rep_token_id",
        "fim_sep_token_id",
        "fim_suf_token_id",
        "mask_token_id",
        "merges",
        "model",
        "padding_token_id",
        "pre",
        "scores",
        "seperator_token_id",
        "token_type",
        "token_type_count",
        "tokens",
        "unknown_token_id",
    }
)


# Keys that switch nothing on with these values.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "escape_whitespaces": (True,),
    "normalizer.lowercase": (False,),
    "precompiled_charsmap": ([],),
    "remove_extra_whitespaces": (False,),
}
# Keys that only a Unigram tokenizer ("t5") has a use for.
_UNIGRAM_KEYS = frozenset({"precompiled_charsmap", "remove_extra_whitespaces"})


def _check(meta: dict[str, object]) -> None:
    prefix = "tokenizer.ggml."
    model = meta.get("tokenizer.ggml.model")
    known = _KNOWN_KEYS | (_UNIGRAM_KEYS if model == "t5" else frozenset())
    for key, value in meta.items():
        name = key.removeprefix(prefix)
        # A key that names a token's id says nothing about how text is cut.
        if name == key or name in known or name.endswith("_token_id"):
            continue
        if value not in _NEUTRAL.get(name, ()):
            raise ExportError(
                f"GGUF: unknown key {key!r} may change the tokenizer; export from the model's "
                "Hugging Face folder, or remove the key (gguf-new-metadata --remove-metadata) if "
                "it does not"
            )
    if model not in ("gpt2", "llama", "t5"):
        raise ExportError(
            f"GGUF: tokenizer model {model!r} is not supported (only 'gpt2', 'llama' and 't5'); "
            "export from the model's Hugging Face folder"
        )
    if model == "gpt2":  # sentencepiece's cuts nothing before it merges
        _pre_tokenizer(meta)


def _pre_tokenizer(meta: dict[str, object]) -> PreTokenizer:
    return pre_tokenizer_of(meta.get("tokenizer.ggml.pre") or "default")


def _strings(meta: dict[str, object], key: str) -> list[str]:
    value = meta.get(f"tokenizer.ggml.{key}")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ExportError(
            f"GGUF: tokenizer.ggml.{key} is not a list of strings; download the file again"
        )
    return value


def _token_types(meta: dict[str, object], tokens: list[str]) -> list[int]:
    """The type of each token. What spells an end of a turn is control, as llama.cpp has it."""
    types = meta.get("tokenizer.ggml.token_type", [NORMAL] * len(tokens))
    if not isinstance(types, list) or len(types) != len(tokens):
        raise ExportError(
            "GGUF: tokenizer.ggml.token_type does not match the tokens; download the file again"
        )
    return [CONTROL if t in END_TEXTS else kind for t, kind in zip(tokens, types, strict=True)]


def special_ids(meta: dict[str, object], spec: DecoderSpec) -> dict[str, object]:
    """bos, eos (a list), pad and unk ids; null where the file names none."""

    def one(key: str) -> int | None:
        value = meta.get(f"tokenizer.ggml.{key}_token_id")
        limit = min(spec.vocab_size, len(meta.get("tokenizer.ggml.tokens", [])) or spec.vocab_size)
        if value is not None and (not isinstance(value, int) or not 0 <= value < limit):
            raise ExportError(
                f"GGUF: {key}_token_id {value!r} is outside the vocabulary; download the file again"
            )
        return value

    ends = {key: one(key) for key in _END_KEYS}
    eos = dict.fromkeys(i for i in ends.values() if i is not None)
    return {"bos": one("bos"), "eos": list(eos), "pad": one("padding"), "unk": one("unknown")}


def eos_sources(meta: dict[str, object]) -> dict[int, str]:
    """The key that each of special_ids' end ids comes from."""
    keys = [f"tokenizer.ggml.{key}_token_id" for key in reversed(_END_KEYS)]
    return {meta[key]: key for key in keys if key in meta}


def tokenizer_json(meta: dict[str, object]) -> dict[str, object]:
    """The tokenizer in the layout of the `tokenizers` library."""
    _check(meta)
    tokens = _strings(meta, "tokens")
    types = _token_types(meta, tokens)
    model = meta.get("tokenizer.ggml.model")
    if model == "llama":
        tokens = pieces_of(tokens)
        parts = gguf_spm.model_parts(meta, tokens, types)
    elif model == "t5":
        parts = gguf_ugm.model_parts(meta, tokens, types)
    else:
        parts = _byte_level_parts(meta, tokens)
    if len(set(tokens)) != len(tokens):
        raise ExportError("GGUF: two tokens have the same text; download the file again")
    added = [
        {
            "id": i,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": kind != USER_DEFINED,
        }
        for i, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (CONTROL, UNKNOWN, USER_DEFINED)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": parts["normalizer"],
        "pre_tokenizer": parts["pre_tokenizer"],
        "post_processor": _post_processor(meta, tokens),
        "decoder": parts["decoder"],
        "model": parts["model"],
    }


def _byte_level_parts(
    meta: dict[str, object], tokens: list[str]
) -> dict[str, dict[str, object] | None]:
    """normalizer, pre_tokenizer, decoder and model of a byte-level BPE."""
    pre = _pre_tokenizer(meta)
    pairs = [merge.split(" ") for merge in _strings(meta, "merges")]
    if any(len(pair) != 2 for pair in pairs):
        raise ExportError("GGUF: a merge is not two tokens; download the file again")
    return {
        "normalizer": pre.normalizer,
        "pre_tokenizer": pre.part,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": pre.ignore_merges,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": pairs,
        },
    }


def _adds(meta: dict[str, object], name: str) -> bool:
    """Whether "bos" or "eos" goes around a text; llama.cpp's rule where the file does not say."""
    kind = meta.get("tokenizer.ggml.model")
    if kind == "t5":
        default = name == "eos"
    else:
        default = name == "bos" and (kind == "llama" or _pre_tokenizer(meta).adds_bos)
    return bool(meta.get(f"tokenizer.ggml.add_{name}_token", default))


def _post_processor(meta: dict[str, object], tokens: list[str]) -> dict[str, object] | None:
    """Adds the beginning and end tokens the file asks for around a text."""
    before = meta.get("tokenizer.ggml.bos_token_id") if _adds(meta, "bos") else None
    after = meta.get("tokenizer.ggml.eos_token_id") if _adds(meta, "eos") else None
    if before is None and after is None:
        return None

    def item(token_id: int) -> dict[str, object]:
        return {"SpecialToken": {"id": tokens[token_id], "type_id": 0}}

    single = [item(before)] if before is not None else []
    single.append({"Sequence": {"id": "A", "type_id": 0}})
    single += [item(after)] if after is not None else []
    special = {
        tokens[i]: {"id": tokens[i], "ids": [i], "tokens": [tokens[i]]}
        for i in (before, after)
        if i is not None
    }
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}


def write_tokenizer(meta: dict[str, object], spec: DecoderSpec, folder: Path) -> None:
    """Writes tokenizer.json, tokenizer_config.json, generation_config.json, chat_template.jinja.

    A file without a tokenizer (random test models) yields none of them.
    """
    if meta.get("tokenizer.ggml.model", "none") in ("none", "no_vocab"):
        return
    tokenizer = tokenizer_json(meta)
    tokens = [t if isinstance(t, str) else t[0] for t in tokenizer["model"]["vocab"]]
    ids = special_ids(meta, spec)
    config: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": spec.max_seq_len,
        "add_bos_token": _adds(meta, "bos"),
        "added_tokens_decoder": {
            str(t["id"]): {k: v for k, v in t.items() if k != "id"}
            for t in tokenizer["added_tokens"]
        },
    }
    eos = ids["eos"][0] if ids["eos"] else None
    for name, token_id in (
        ("bos", ids["bos"]),
        ("eos", eos),
        ("pad", ids["pad"]),
        ("unk", ids["unk"]),
    ):
        if token_id is not None:
            config[f"{name}_token"] = tokens[token_id]
    generation = {f"{name}_token_id": ids[name] for name in ("bos", "pad") if ids[name] is not None}
    if ids["eos"]:
        generation["eos_token_id"] = ids["eos"] if len(ids["eos"]) > 1 else eos
    _dump(folder / "tokenizer.json", tokenizer)
    _dump(folder / "tokenizer_config.json", config)
    _dump(folder / "generation_config.json", generation)
    template = meta.get("tokenizer.chat_template")
    if isinstance(template, str) and template:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def _dump(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
