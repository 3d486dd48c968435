"""The version of the exporter, and the oldest runtime that reads what it writes."""

__version__ = "0.1.0"
MIN_RUNTIME_VERSION = "0.1.0"
