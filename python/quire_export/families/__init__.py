"""Model families: each maps a configuration and tensor names onto the one decoder."""

from quire_export.errors import ExportError
from quire_export.families.base import Family
from quire_export.families.llama import LLAMA

FAMILIES: tuple[Family, ...] = (LLAMA,)


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
    raise ExportError(f"architecture {asked} is not supported; known: {_known()}")


def family_of_gguf(architecture: object) -> Family:
    """The family of a GGUF file's general.architecture."""
    for family in FAMILIES:
        if family.gguf_architecture == architecture:
            return family
    raise ExportError(
        f"GGUF architecture {architecture!r} is not supported; known: "
        + ", ".join(family.gguf_architecture for family in FAMILIES)
    )


def _known() -> str:
    return ", ".join(name for family in FAMILIES for name in family.architectures)
