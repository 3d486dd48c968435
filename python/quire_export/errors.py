"""Failures a user can act on. Each message is one line: the cause, then the next step."""

EXIT_OK = 0
EXIT_OTHER = 1
EXIT_USAGE = 2
EXIT_BAD_MODEL = 3


def shown(text: str) -> str:
    """`text` as one line that is safe to print: what no terminal shows as a character is escaped.

    A model's files may hold anything: escapes that rename a window, C1 controls, lone surrogates,
    marks that turn the direction of writing.
    """
    line = " ".join(text.split())
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in line
    )


class ExportError(Exception):
    """The model or the machine stands in the way; `exit_code` is the command's exit status."""

    def __init__(self, message: str, exit_code: int = EXIT_BAD_MODEL) -> None:
        super().__init__(shown(message))
        self.exit_code = exit_code


class UsageError(ExportError):
    """The caller asked for something that does not exist or contradicts itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message, EXIT_USAGE)


def missing_package(error: ModuleNotFoundError) -> str:
    """What to do about a Python package that the base of quire-llm does without."""
    return (
        f"exporting needs the Python package {error.name}, which is not installed; "
        "pip install 'quire-llm[export]' (in Quire's repository: scripts/setup.sh; PyTorch for "
        "processors alone, a tenth of the size, is at --index-url https://download.pytorch.org/whl/cpu)"
    )
