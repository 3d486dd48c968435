"""The tokenizer's files of a Hugging Face folder, as a package has them.

tokenizer.json alone is not what a model was trained with: tokenizer_config.json, added_tokens.json
and the class of the tokenizer change flags of added tokens, add tokens, prefix spaces and tokens
around a text. AutoTokenizer knows how; what it makes of them all is what a package gets.
"""

import json
import shutil
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from quire_export.errors import ExportError
from quire_export.files import read_json
from quire_export.rank_files import rank_file, write_rank_tokenizer
from quire_export.source import Encode

_COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
)
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt")


def copy_tokenizer(folder: Path, target: Path) -> Encode | None:
    """Writes the files into `target`; returns how the source's own tokenizer cuts a text.

    None where the folder has no tokenizer.
    """
    for name in _COPIED:
        if (folder / name).is_file():
            if name != "chat_template.jinja":
                read_json(folder / name)  # bounded, and JSON at all
            shutil.copyfile(folder / name, target / name)
    _write_inline_template(target)
    ranks = rank_file(folder)
    if ranks is not None:
        write_rank_tokenizer(ranks, target)
        return None
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        return None
    if (target / "tokenizer.json").is_file():
        _check_readable(target / "tokenizer.json")
    tokenizer = _auto_tokenizer(folder)
    _write_what_it_made(tokenizer, target / "tokenizer.json")
    _settle_beginning(tokenizer, target / "tokenizer_config.json")
    return lambda text, special: tokenizer.encode(text, add_special_tokens=special)


def _check_readable(path: Path) -> None:
    try:
        Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ExportError(
            f"tokenizer.json cannot be read: {error}; check the source's tokenizer files"
        ) from error


def _auto_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that AutoTokenizer loads, or the general one where that needs code we run not.

    A class of the folder's own is never run.
    """
    from transformers import AutoTokenizer

    first: Exception | None = None
    for loader in (AutoTokenizer, PreTrainedTokenizerFast):
        try:
            made = loader.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            if isinstance(made.backend_tokenizer, Tokenizer):
                return made
        except Exception as error:  # third-party loaders and converters raise anything
            first = first or error
    cause = (str(first).splitlines() or [type(first).__name__])[0]
    raise ExportError(
        f"transformers cannot load the tokenizer of {folder}: {cause}; check tokenizer_config.json "
        "and the files beside it, or add a tokenizer.json"
    )


def _write_what_it_made(tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """Writes tokenizer.json, unless the one that is there already says the same."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    text = backend.to_str(pretty=True)
    if path.is_file():
        original = Tokenizer.from_file(str(path))
        original.no_truncation()
        original.no_padding()
        if json.loads(original.to_str()) == json.loads(text):
            return
    path.write_text(text + "\n", encoding="utf-8")


def _settle_beginning(tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """Switches add_bos_token off where AutoTokenizer passes over it: tokenizer.json says it all."""
    if not path.is_file():
        return
    config = read_json(path)
    if config.get("add_bos_token") and not tokenizer.encode("", add_special_tokens=True):
        path.write_text(
            json.dumps(config | {"add_bos_token": False}, ensure_ascii=False, indent=2) + "\n",
            encoding="utf-8",
        )


def _write_inline_template(target: Path) -> None:
    """Older folders keep the chat template inside tokenizer_config.json."""
    path = target / "tokenizer_config.json"
    if (target / "chat_template.jinja").is_file() or not path.is_file():
        return
    template = read_json(path).get("chat_template")
    if isinstance(template, list):
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
        template = named.get("default")
    if isinstance(template, str) and template:
        (target / "chat_template.jinja").write_text(template, encoding="utf-8")
