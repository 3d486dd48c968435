"""quire-export: turns a language model's files into a Quire model package."""

import os
import sys

from quire_export.version import __version__


def _leave_the_current_folder() -> None:
    """Takes away what `python -m` put first on sys.path, unless this package lies there.

    Files of the folder a user happens to be in, such as a random.py, are not ours to import.
    """
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # sys.argv[0] is "-m" only while the module that -m names is being looked for.
    if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()] and sys.path[0] != here:
        del sys.path[0]


_leave_the_current_folder()
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
