"""quire.export: the exporter as a function."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from quire.errors import BadModelError, InternalError, InvalidArgumentError, UnimplementedError

if TYPE_CHECKING:
    from quire_export.export import ExportReport


def export(
    source: str | os.PathLike[str], package: str | os.PathLike[str], /, **options: Any
) -> ExportReport:
    """Turns a model's files into a package and compares the two; what `quire-export` does.

        quire.export("path/to/model", "my-model", quantize="int4")

    Needs the extra [export] (PyTorch among it).

    Args:
        source: a Hugging Face folder or id, a GGUF file, or a nanochat directory.
        package: the folder to make; replaced with force=True if it is a package.
        options: the command's, with _ for -: format, cache, dtype, quantize, activation_bits,
            rounding, wide, force_quality, opset, max_seq_len, source (which checkpoint of nanochat's),
            model_tag, step, softcap, force. progress=True draws a bar.

    Returns:
        What the comparison found: differences of logits, perplexity where the storage is lossy.

    Raises:
        InvalidArgumentError: an option that is unknown or contradicts another.
        BadModelError: the source cannot be exported.
        UnimplementedError: a Python package of the extra [export] is missing.
    """
    from quire_export.errors import EXIT_BAD_MODEL, EXIT_USAGE, ExportError, missing_package

    if os.path.exists(source):
        os.environ["HF_HUB_OFFLINE"] = "1"  # a local source must not touch the network
    try:
        from quire_export.export import export_model
        from quire_export.options import ExportOptions

        settings: dict[str, Any] = {"progress": False, **options}
        chosen = ExportOptions(**settings)
        return export_model(os.fspath(source), os.fspath(package), chosen)
    except ModuleNotFoundError as error:
        raise UnimplementedError(missing_package(error)) from error
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InvalidArgumentError(f"export has no such option: {error}; see its help") from error
    except ExportError as error:
        kinds = {EXIT_USAGE: InvalidArgumentError, EXIT_BAD_MODEL: BadModelError}
        raise kinds.get(error.exit_code, InternalError)(str(error)) from error
