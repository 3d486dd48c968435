"""Fetches a model folder by its Hugging Face id. The only code here that uses the network."""

import re
from collections.abc import Callable
from pathlib import Path

from quire_export.errors import EXIT_OTHER, ExportError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_FILES = [
    "*.json",
    "*.safetensors",
    "pytorch_model*.bin",
    "tokenizer.model",
    "*.tiktoken",
    "merges.txt",
    "chat_template.jinja",
    "README.md",
]


def fetch_folder(name: str, notice: Callable[[str], None]) -> Path:
    """The local snapshot of the hub model `name` ("owner/model"), downloaded when needed."""
    if not _HUB_ID.fullmatch(name):
        raise ExportError(
            f"{name} does not exist; give a model folder, a GGUF file or a "
            "Hugging Face id such as owner/model"
        )
    notice(f"{name} is no local path; fetching it from the Hugging Face hub (needs network)")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except Exception as error:  # network libraries raise anything
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise ExportError(
            f"cannot fetch {name} from the hub: {cause}; check the name and the "
            "network, or give a local folder",
            EXIT_OTHER,
        ) from error
