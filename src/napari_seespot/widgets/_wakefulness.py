"""Whether anyone can see a widget: a dock that is put away shall not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

__all__ = ["Wakefulness"]


class Wakefulness(QObject):
    """Tells when a widget is put away and when it comes back.

    It is put away when it or its dock is hidden, and when napari takes it out
    of its dock. One that was never shown counts as seen, so that a script can
    drive a viewer without a window on the screen.

    Parameters
    ----------
    widget : QWidget
        Owns this object.
    changed : callable
        Called with True when it comes back and with False when it is put away.
    """

    def __init__(self, widget: QWidget, changed: Callable[[bool], None]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._changed = changed
        self._awake = True
        widget.installEventFilter(self)

    @property
    def awake(self) -> bool:
        """Whether the widget is not put away."""
        return self._awake

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Watch the widget being shown, hidden, docked and taken out."""
        kind = None if event is None else event.type()
        if kind in (QEvent.Type.Show, QEvent.Type.Hide):
            self._set(kind == QEvent.Type.Show)
        elif kind == QEvent.Type.ParentChange:
            self._set(self._widget.parent() is not None)
        return False

    def _set(self, awake: bool) -> None:
        if awake != self._awake:
            self._awake = awake
            self._changed(awake)
