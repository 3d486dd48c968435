"""Progress on stderr for what takes long; silent when stderr is no terminal."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
_STEPS = 6


class Progress:
    """One bar for the steps of an export, one below it for the items of a step.

    Nothing is shown when `enabled` is false. Use it as a context manager to remove the bars.
    """

    def __init__(self, enabled: bool) -> None:
        # tqdm's None means: only on a terminal.
        self._disable = None if enabled else True
        self._steps = tqdm(
            total=_STEPS,
            leave=False,
            disable=self._disable,
            bar_format="{desc} |{bar:12}| {elapsed}",
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_error: object) -> None:
        self._steps.close()

    def step(self, what: str) -> None:
        """Says what is being done now."""
        self._steps.update()
        self._steps.set_description_str(f"quire-export: {self._steps.n}/{_STEPS} {what}")

    def each(self, items: Iterable[T], what: str, total: int) -> Iterator[T]:
        """Passes `items` through, counting them under the heading `what`."""
        return iter(
            tqdm(items, desc=what, total=total, leave=False, disable=self._disable, position=1)
        )
