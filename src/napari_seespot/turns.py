"""Slow steps on a window's own thread, one at each turn of its event loop."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.overlay import Defer

__all__ = ["Turns"]

# Time for the window to paint what came in, and to answer the user: painting a new
# layer for the first time takes as long as adding it.
_PAUSE_MS = 15


class Turns:
    """Does steps one after another, with the window alive between them.

    Parameters
    ----------
    defer : callable, optional
        How a window puts updates off; see `SpotOverlay`. Without it each step is
        done at once.
    """

    def __init__(self, defer: Defer | None = None) -> None:
        self._steps: deque[Callable[[], object]] = deque()
        self._ask = None if defer is None else defer(self._turn, _PAUSE_MS)

    @property
    def busy(self) -> bool:
        """Whether steps are still to be done."""
        return bool(self._steps)

    def add(self, *steps: Callable[[], object]) -> None:
        """Have steps done, after those that were added before."""
        self._steps.extend(steps)
        if self._ask is None:
            self.finish()
        elif self._steps:
            self._ask()

    def finish(self) -> None:
        """Do now what is left."""
        while self._steps:
            self._steps.popleft()()

    def clear(self) -> None:
        """Do nothing of what is left."""
        self._steps.clear()

    def _turn(self) -> None:
        if not self._steps:
            return
        try:
            self._steps.popleft()()
        finally:  # one channel that napari cannot show must not cost the others
            if self._steps and self._ask is not None:
                self._ask()
