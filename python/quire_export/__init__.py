"""quire-export: turns a language model's files into a Quire model package."""

import os

from quire_export.version import __version__

# ONNX Runtime's wheel reports to its maker unless this is set before it is loaded: docs/adr/0011.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = ["ExportError", "ExportOptions", "UsageError", "__version__", "export_model"]


def __getattr__(name: str) -> object:
    """Loads the exporter (and with it torch) on first use, so that --help answers at once."""
    if name == "export_model":
        from quire_export.export import export_model

        return export_model
    if name == "ExportOptions":
        from quire_export.options import ExportOptions

        return ExportOptions
    if name in ("ExportError", "UsageError"):
        from quire_export import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
