"""Whether a viewer's window is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, QTimer

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
        # Asked to close, a window may refuse: it is then still there a turn later.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._check)
        self._window = window
        window.installEventFilter(self)
        window.destroyed.connect(self._tell)

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:
        """Watch the window being asked to close."""
        if event is not None and event.type() == QEvent.Type.Close:
            self._later.start()
        return False

    def _check(self) -> None:
        if not self._window.isVisible():
            self._tell()

    def _tell(self, *_: Any) -> None:
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()
