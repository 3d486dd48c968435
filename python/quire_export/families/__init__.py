"""Model families: each maps a configuration and tensor names onto the one decoder."""

from quire_export.errors import ExportError
from quire_export.families.base import Family, GgufMapping
from quire_export.families.gemma import GEMMA, GEMMA2, GEMMA3
from quire_export.families.gpt2 import GPT2
from quire_export.families.llama import LLAMA
from quire_export.families.mistral import MISTRAL
from quire_export.families.phi3 import PHI3
from quire_export.families.qwen import QWEN2, QWEN3
from quire_export.families.smollm3 import SMOLLM3

FAMILIES: tuple[Family, ...] = (
    LLAMA,
    MISTRAL,
    QWEN2,
    QWEN3,
    GEMMA,
    GEMMA2,
    GEMMA3,
    PHI3,
    GPT2,
    SMOLLM3,
)


def family_of_config(config: dict[str, object]) -> Family:
    """The family of a Hugging Face config.json, by its architecture, else by model_type."""
    names = config.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ExportError("config.json: architectures is not a list of names; check the file")
    for family in FAMILIES:
        if any(name in family.architectures for name in names):
            return family
        if not names and config.get("model_type") == family.model_type:
            return family
    asked = ", ".join(names) or f"model_type {config.get('model_type')!r}"
    known = ", ".join(name for family in FAMILIES for name in family.architectures)
    raise ExportError(
        f"architecture {asked} is not supported; choose a model whose architecture is known: "
        + known
    )


def family_of_gguf(architecture: object) -> tuple[Family, GgufMapping]:
    """The family of a GGUF file's general.architecture, and how such files are read."""
    known = [(family, family.gguf) for family in FAMILIES if family.gguf is not None]
    for family, mapping in known:
        if mapping.architecture == architecture:
            return family, mapping
    raise ExportError(
        f"GGUF architecture {architecture!r} is not supported; export from the model's Hugging "
        "Face folder, or choose a model whose architecture is known: "
        + ", ".join(mapping.architecture for _, mapping in known)
    )
