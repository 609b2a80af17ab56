"""The size of napari's font, for what its style sheet leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QAbstractSpinBox

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTableView, QWidget

__all__ = ["WindowFont", "fit_table"]


class WindowFont(QAbstractSpinBox):
    """Keeps a widget's font as large as napari's: Preferences > Appearance.

    napari's style sheet gives the size to kinds of widgets: labels, buttons, spin
    boxes. Plots, tables and line edits are not among them and keep the system's
    size, unless a widget around them hands one on. So this is a spin box that
    nobody sees; what the style sheet gives to it, it gives to its parent.

    Parameters
    ----------
    widget : QWidget
        Its parent, whose font it sets.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.hide()
        self._widget = widget
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask for the style sheet's font when the widget comes into a window."""
        kind = None if event is None else event.type()
        if kind in (QEvent.Type.Show, QEvent.Type.ParentChange):
            self.ensurePolished()  # Qt leaves it out, as it is never shown
            self._hand_on()
        return False

    def changeEvent(self, event: QEvent | None) -> None:
        """Hand the font on when the style sheet has another."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._hand_on()

    def _hand_on(self) -> None:
        widget = getattr(self, "_widget", None)
        size = self.font().pointSizeF()
        if widget is None or size <= 0 or widget.font().pointSizeF() == size:
            return
        font = QFont(widget.font())
        font.setPointSizeF(size)
        widget.setFont(font)


def fit_table(view: QTableView) -> None:
    """Give a table's headers its font, and its rows the height of a line.

    Qt hands a font on to a header only once the header is shown. A table calls this
    whenever its font changes.
    """
    font, height = view.font(), view.fontMetrics().height() + 6
    rows, columns = view.verticalHeader(), view.horizontalHeader()
    for header in (rows, columns):
        if header is not None and header.font() != font:
            header.setFont(font)
    if rows is not None and rows.defaultSectionSize() != height:
        rows.setDefaultSectionSize(height)
