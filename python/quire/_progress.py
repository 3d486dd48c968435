"""A bar of one line on stderr; nothing where that is no terminal."""

from __future__ import annotations

import sys
import time

_WIDTH = 20
_INTERVAL_S = 0.1


class Bar:
    """Shows how many prompts are done and how fast; as a context manager it leaves nothing behind."""

    def __init__(self, num_prompts: int, enabled: bool) -> None:
        self._num_prompts = max(num_prompts, 1)
        self._enabled = enabled and sys.stderr is not None and sys.stderr.isatty()
        self._begin = self._shown = time.monotonic()

    def __enter__(self) -> Bar:
        return self

    def update(self, num_finished: int, num_tokens: int) -> None:
        """Draws, ten times a second at most."""
        now = time.monotonic()
        if not self._enabled or now - self._shown < _INTERVAL_S:
            return
        self._shown = now
        filled = _WIDTH * num_finished // self._num_prompts
        speed = num_tokens / max(now - self._begin, 1e-9)
        sys.stderr.write(
            f"\r{num_finished}/{self._num_prompts} [{'#' * filled:<{_WIDTH}}] {speed:.1f} tok/s\x1b[K"
        )
        sys.stderr.flush()

    @property
    def enabled(self) -> bool:
        """Whether anything is drawn."""
        return self._enabled

    def __exit__(self, *_error: object) -> None:
        if self._enabled:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
