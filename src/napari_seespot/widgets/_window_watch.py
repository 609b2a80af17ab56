"""Whether a viewer's window is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WindowWatch"]


class WindowWatch(QObject):
    """Calls a function once when a viewer's window is closed.

    Parameters
    ----------
    viewer : napari.Viewer
    closed : callable
    """

    def __init__(self, viewer: Any, closed: Callable[[], None]) -> None:
        window = viewer.window.main_menu.window()
        super().__init__(window)
        self._closed: Callable[[], None] | None = closed
        self._asked = False
        window.installEventFilter(self)
        # One that was never shown is not hidden when it closes.
        window.destroyed.connect(self._tell)

    def eventFilter(
        self, watched: QObject | None, event: QEvent | None
    ) -> bool:  # Qt's name
        """Watch the window being closed: asked to, and then hidden."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.Close:
            self._asked = True
        elif kind == QEvent.Type.Show:
            self._asked = False
        elif kind == QEvent.Type.Hide and self._asked:
            self._tell()
        return False

    def _tell(self, *_: Any) -> None:
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()
