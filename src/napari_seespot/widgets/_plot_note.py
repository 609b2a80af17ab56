"""A text over a plot: what is under the pointer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QLabel

from napari_seespot.plots.base import color_with

if TYPE_CHECKING:
    from napari_seespot.plots.base import PlotPanel
    from napari_seespot.plots.theme import PlotTheme

__all__ = ["PlotNote"]

_GAP = 4  # pixels to the plot's axes


class PlotNote(QLabel):
    """Lies over a plot, above or below the pointer, and takes no mouse from it.

    A text beside the plot would be out of sight where the dock is low.

    Parameters
    ----------
    plot : PlotPanel
    """

    def __init__(self, plot: PlotPanel) -> None:
        super().__init__(plot)
        self._plot = plot
        self.setWordWrap(True)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        self._end = QTimer(self)
        self._end.setSingleShot(True)
        self._end.timeout.connect(partial(self.show_text, ""))

    def show_text(self, text: str, seconds: float = 0) -> None:
        """Show a text; the empty one takes it away.

        Parameters
        ----------
        text : str
        seconds : float
            How long it stays, where nobody points at anything; 0: until the next.
        """
        self._end.stop()
        if seconds:
            self._end.start(int(1000 * seconds))
        self.setText(text)
        self.setVisible(bool(text))
        self.place()

    def set_theme(self, theme: PlotTheme) -> None:
        """Take other colours; what is below shines through."""
        back = color_with(theme.background, 215)
        self.setStyleSheet(
            f"color: {theme.text}; border: 1px solid {theme.axis}; padding: 2px;"
            f"background: rgba{back.getRgb()}"
        )

    def place(self) -> None:
        """Go to the half of the plot in which the pointer is not."""
        if not self.text():
            return
        scene = self._plot.view_box.sceneBoundingRect()
        area = self._plot.mapFromScene(scene).boundingRect()
        area.adjust(_GAP, _GAP, -_GAP, -_GAP)
        self.setWordWrap(False)
        width = min(self.sizeHint().width(), area.width())
        self.setWordWrap(True)
        self.resize(width, self.heightForWidth(width))
        at_top = self._plot.mapFromGlobal(QCursor.pos()).y() > area.center().y()
        y = area.top() if at_top else area.bottom() - self.height()
        self.move(area.left(), y)
