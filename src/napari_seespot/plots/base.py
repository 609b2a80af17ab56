"""The thin base of all plots: theme, font and labels; a plot supplies its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QColor, QFont

from napari_seespot.plots._qt import pg
from napari_seespot.plots.theme import DARK, PlotTheme

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

__all__ = ["PlotPanel", "color_with"]


class PlotPanel(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph is Any
    """A plot with axes that follows a theme and the font of its window.

    A plot overrides `_paint_theme` to colour what it draws itself.

    Parameters
    ----------
    view_box : pyqtgraph.ViewBox
        Handles the mouse.
    axes : dict of str to pyqtgraph.AxisItem, optional
        Axes of its own, by their side: ``"bottom"``, ``"left"``.
    """

    def __init__(self, view_box: Any, axes: dict[str, Any] | None = None) -> None:
        super().__init__(viewBox=view_box, enableMenu=False, axisItems=axes)
        self.view_box = view_box
        self.theme = DARK
        self._message = pg.LabelItem()
        self._message.setParentItem(view_box)
        self._message.anchor(itemPos=(0.5, 0.5), parentPos=(0.5, 0.5))
        self.hideButtons()
        # pyqtgraph puts the labels of axes some pixels outside the axes.
        self.plotItem.layout.setContentsMargins(6, 6, 8, 6)
        self.disableAutoRange()
        for axis in self._axes:
            axis.enableAutoSIPrefix(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_theme(DARK)

    @property
    def _axes(self) -> tuple[Any, Any]:
        return self.getAxis("bottom"), self.getAxis("left")

    def set_labels(self, x: str, y: str) -> None:
        """Say what the axes show."""
        for axis, text in zip(self._axes, (x, y), strict=True):
            axis.setLabel(text)

    def set_message(self, text: str) -> None:
        """Write a text into the middle of the plot; none takes it away."""
        self._message.setText(text, color=self.theme.text)
        self._message.setVisible(bool(text))

    def set_theme(self, theme: PlotTheme) -> None:
        """Take other colours."""
        self.theme = theme
        self.setBackground(theme.background)
        for axis in self._axes:
            axis.setPen(theme.axis)
            axis.setTextPen(theme.text)
        self.set_message(self._message.text)
        self._paint_theme(theme)

    def _paint_theme(self, theme: PlotTheme) -> None:
        """Colour what the plot draws itself."""

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """What is in view: x low, x high, y low, y high."""
        (x0, x1), (y0, y1) = self.view_box.viewRange()
        return (float(x0), float(x1), float(y0), float(y1))

    def set_limits(self, limits: tuple[float, float, float, float]) -> None:
        """Show this part of the plane."""
        x0, x1, y0, y1 = limits
        self.setRange(
            xRange=(x0, x1), yRange=(y0, y1), padding=0, disableAutoRange=True
        )

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of the data's area in pixels of the screen."""
        ratio = self.devicePixelRatioF()
        size = self.view_box.size()
        return int(size.width() * ratio), int(size.height() * ratio)

    @property
    def unit(self) -> tuple[float, float]:
        """Data units a pixel, along x and y."""
        x0, x1, y0, y1 = self.limits
        size = self.view_box.size()
        return (x1 - x0) / max(1.0, size.width()), (y1 - y0) / max(1.0, size.height())

    def sizeHint(self) -> QSize:
        """Ask for little: what is left of the dock is given on top of it."""
        return QSize(320, 240)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font of the window."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._follow_font()

    def showEvent(self, event: QShowEvent) -> None:
        """Take the font that the window's style sheet gives once it is shown."""
        super().showEvent(event)
        self._follow_font()

    def _follow_font(self) -> None:
        if self.plotItem is None:  # Qt tells of changes while the base is built
            return
        self.ensurePolished()
        font = QFont(self.font())
        for axis in self._axes:
            axis.setTickFont(font)
            axis.label.setFont(font)
            axis.setHeight() if axis.orientation == "bottom" else axis.setWidth()
            axis.resizeEvent()
        self._paint_font(font)

    def _paint_font(self, font: QFont) -> None:
        """Give the texts that the plot draws itself a font."""


def color_with(color: str, alpha: int) -> QColor:
    """Return ``#rrggbb`` with an opacity from 0 to 255."""
    mixed = QColor(color)
    mixed.setAlpha(alpha)
    return mixed
