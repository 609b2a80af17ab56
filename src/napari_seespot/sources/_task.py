"""How long work reports its progress and learns that it shall stop."""

from __future__ import annotations

from collections.abc import Callable

from napari_seespot.errors import CancelledError

__all__ = ["Cancelled", "Progress", "Task"]

Progress = Callable[[float, str], None]
"""Called with the share that is done, 0 to 1, and what is being done."""

Cancelled = Callable[[], bool]
"""Asked between steps; true stops the work."""


class Task:
    """Progress to report to and the question whether to go on.

    Parameters
    ----------
    progress : callable, optional
        Called with the share done, 0 to 1, and a text.
    cancelled : callable, optional
        Returns True once the user has cancelled.
    span : (float, float)
        The part of the whole that this task covers.
    """

    def __init__(
        self,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self._span = span

    def step(self, share: float, text: str) -> None:
        """Report where the work is.

        Raises
        ------
        CancelledError
            When the user has cancelled.
        """
        self.check()
        if self._progress is not None:
            start, stop = self._span
            self._progress(start + (stop - start) * share, text)

    def check(self) -> None:
        """Raise `CancelledError` when the user has cancelled."""
        if self._cancelled is not None and self._cancelled():
            raise CancelledError("opening was cancelled")

    def part(self, start: float, stop: float) -> Task:
        """Return the task of a part of this one, from `start` to `stop` of it."""
        low, high = self._span
        width = high - low
        return Task(
            self._progress, self._cancelled, (low + start * width, low + stop * width)
        )
