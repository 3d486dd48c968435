"""nanochat training runs: every era of their checkpoints, as one decoder."""

from quire_export.nanochat.exportable import (
    ExportableGPT,
    ExportableGPTPaged,
    ExportableGPTWithCache,
    load_decoder,
)

__all__ = ["ExportableGPT", "ExportableGPTPaged", "ExportableGPTWithCache", "load_decoder"]
