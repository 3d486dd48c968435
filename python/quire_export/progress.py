"""Progress on stderr for steps that take long; silent when stderr is no terminal."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


class Progress:
    """Makes progress bars, or none at all when `enabled` is false."""

    def __init__(self, enabled: bool) -> None:
        # tqdm's None means: only on a terminal.
        self._disable = None if enabled else True

    def each(self, items: Iterable[T], what: str, total: int) -> Iterator[T]:
        """Passes `items` through, counting them under the heading `what`."""
        return iter(
            tqdm(
                items, desc=f"quire-export: {what}", total=total, leave=False, disable=self._disable
            )
        )
