"""What the commands print: escaped, and never lost without a word."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from typing import IO, NoReturn

from quire_export.errors import EXIT_OTHER, EXIT_USAGE, shown


def tell(command: str, message: str) -> None:
    """One line on stderr. A stderr that takes nothing leaves only the exit status to speak."""
    try:
        print(f"{command}: {shown(message)}", file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        _let_go_of(sys.stderr)


class Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line, and does not hide that help could not be written."""

    def error(self, message: str) -> NoReturn:
        """Exits with EXIT_USAGE."""
        tell(self.prog.split()[0], f"{message}; see {self.prog} --help")
        self.exit(EXIT_USAGE)

    def _print_message(self, message: str, file: IO[str] | None = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def with_output(command: str, run: Callable[[], int]) -> int:
    """The exit status of `run`, or EXIT_OTHER and a word when what it printed did not arrive.

    Standard output must be open: the next file opened would otherwise take its number, and a
    library's own prints would end up in a package.
    """
    if sys.stdout is None:
        tell(command, "standard output is closed; redirect it to a file or to /dev/null")
        return EXIT_OTHER
    try:
        try:
            status = run()
        finally:  # argparse leaves by SystemExit
            sys.stdout.flush()
    except OSError as error:
        # run() reports its own failures: what arrives here is standard output's.
        tell(command, f"cannot write the output: {error.strerror or error}; check where it goes")
        _let_go_of(sys.stdout)
        return EXIT_OTHER
    return status


def _let_go_of(stream: IO[str] | None) -> None:
    """Sends what is still held back nowhere: the interpreter would try again at its end, and fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)
