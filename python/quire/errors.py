"""What goes wrong, as exceptions. Each has the engine's code, a sentence, and often a next step."""

from __future__ import annotations


class QuireError(Exception):
    """A failure that the engine or the exporter reports.

    Attributes:
        code: the stable name of the failure's kind, for example "invalid_argument".
        message: one line that names the cause and, behind "; ", what to do about it.
    """

    code: str = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def next_step(self) -> str | None:
        """What to do about it, where the message says so."""
        _cause, found, step = self.message.partition("; ")
        return step if found else None


class InvalidArgumentError(QuireError, ValueError):
    """The caller's mistake: an option, a prompt, a sampling parameter."""

    code = "invalid_argument"


class BadModelError(QuireError):
    """A model or an input file that is missing, damaged or not understood."""

    code = "bad_model"


class NotFoundError(QuireError, LookupError):
    """A thing asked for by name is not there."""

    code = "not_found"


class ResourceExhaustedError(QuireError):
    """A bounded resource is used up: memory, cache blocks."""

    code = "resource_exhausted"


class UnavailableError(QuireError):
    """The engine cannot serve: it is closed, or this process is a fork of the one that opened it."""

    code = "unavailable"


class RequestCancelledError(QuireError):
    """The request was taken back before it ended."""

    code = "cancelled"


class DeadlineExceededError(QuireError, TimeoutError):
    """The request's own time limit passed."""

    code = "deadline_exceeded"


class UnimplementedError(QuireError, NotImplementedError):
    """Understood, but not in this build or version."""

    code = "unimplemented"


class InternalError(QuireError, RuntimeError):
    """A bug of Quire's, or a failure inside a backend."""

    code = "internal"


_KINDS: dict[str, type[QuireError]] = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        BadModelError,
        NotFoundError,
        ResourceExhaustedError,
        UnavailableError,
        RequestCancelledError,
        DeadlineExceededError,
        UnimplementedError,
        InternalError,
    )
}


def error_of(code: str, message: str) -> QuireError:
    """The exception for an engine's failure; the extension module raises through here."""
    return _KINDS.get(code, InternalError)(message)
