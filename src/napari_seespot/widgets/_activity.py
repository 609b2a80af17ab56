"""A task in napari's activity dock, with a button that cancels it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.progress import cancelable_progress
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Activity"]

_STEPS = 100


class Activity:
    """Shows a share and a text in the activity dock, until it is closed.

    Parameters
    ----------
    text : str
        What is being done.
    on_cancel : callable
        Called when the user presses *Cancel* there.
    """

    def __init__(self, text: str, on_cancel: Callable[[], None]) -> None:
        self._bar: _Bar | None = _Bar(text, on_cancel)
        self._share, self._text = 0.0, text
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._show)

    def show(self, share: float, text: str) -> None:
        """Show how far the task is, soon."""
        # Not at once: napari's bar lets Qt handle events whenever it is set, and
        # the caller may be in the middle of handling one.
        self._share, self._text = share, text or self._text
        if self._bar is not None and not self._timer.isActive():
            self._timer.start()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.set_description(self._text)
        # Events were handled meanwhile: the task may have ended.
        if self._bar is not None:
            self._bar.update(max(0, round(self._share * _STEPS) - self._bar.n))

    def close(self) -> None:
        """Take the task off the dock. Safe to call twice."""
        self._timer.stop()
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()


class _Bar(cancelable_progress):  # type: ignore[misc]  # napari ships no types
    """napari's own ends a loop when it is cancelled; there is none here."""

    def __init__(self, text: str, on_cancel: Callable[[], None]) -> None:
        super().__init__(total=_STEPS, desc=text)
        self._on_cancel = on_cancel

    def cancel(self) -> None:
        super().cancel()
        self._on_cancel()
