"""A chart on which one can draw an outline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from napari_seespot.plots._qt import Signal
from napari_seespot.plots.chart_view import ChartView
from napari_seespot.plots.drawing import selection_mode
from napari_seespot.plots.scales import LINEAR
from napari_seespot.plots.sketch import Sketch

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_seespot.plots.chart_layout import Layout
    from napari_seespot.plots.scales import PlotScale

__all__ = ["DrawableChart"]


class DrawableChart(ChartView):
    """A chart whose axes are two columns: with a tool chosen, the mouse draws.

    Enter closes a polygon, Backspace takes its last corner back, Escape gives up.

    Attributes
    ----------
    drawn : Signal
        Emitted with the vertices (ndarray, shape (m, 2), values of the chart's
        `columns`) and how they change a selection.
    scale : PlotScale
        Of both axes.
    mode : str
        How an outline changes a selection, unless Shift or Alt says so.
    """

    drawn = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scale: PlotScale = LINEAR
        self.mode = "replace"
        self._sketch = Sketch()

    @property
    def tool(self) -> str:
        """What the left button draws; empty: nothing."""
        return self._sketch.tool

    @tool.setter
    def tool(self, name: str) -> None:
        self._sketch.choose(name)
        self.setCursor(
            Qt.CursorShape.CrossCursor if name else Qt.CursorShape.ArrowCursor
        )
        self.update()

    def _paint_more(self, painter: QPainter, layout: Layout) -> None:
        if not self._sketch.corners:
            return
        color = QColor(self.theme.text)
        painter.setPen(QPen(color, 1.5))
        color.setAlpha(40)
        painter.setBrush(color)
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in self._sketch.corners]))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    # ---- the mouse

    def _draws(self, event: Any) -> bool:
        """Whether a press of the mouse belongs to what is drawn."""
        left = event.button() == Qt.MouseButton.LeftButton
        return self.draws and left and self.layout_ is not None

    @property
    def draws(self) -> bool:
        """Whether the mouse draws: a tool is chosen, and the plane is one of spots."""
        return bool(self.tool) and self.chart.columns is not None

    def mousePressEvent(self, event: Any) -> None:  # Qt's name
        """Begin to draw."""
        if not self._draws(event):
            super().mousePressEvent(event)
            return
        self.setFocus()
        event.accept()
        self._end(self._sketch.press(_at(event)), event.modifiers())

    def mouseDoubleClickEvent(self, event: Any) -> None:  # Qt's name
        """Close a polygon."""
        if not self._draws(event):
            super().mouseDoubleClickEvent(event)
            return
        event.accept()
        self._end(self._sketch.press(_at(event), double=True), event.modifiers())

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Draw on."""
        if not self.draws:
            super().mouseMoveEvent(event)
            return
        self._sketch.move(_at(event))
        self.update()

    def mouseReleaseEvent(self, event: Any) -> None:  # Qt's name
        """End what is dragged."""
        if not self._draws(event):
            super().mouseReleaseEvent(event)
            return
        event.accept()
        self._end(self._sketch.release(_at(event)), event.modifiers())

    def _end(self, outline: np.ndarray | None, modifiers: Any) -> None:
        """Tell of an outline that is complete."""
        self.update()
        layout = self.layout_
        if outline is None or layout is None:
            return
        places = np.array([layout.value(QPointF(x, y)) for x, y in outline.tolist()])
        (x0, y0), (x1, y1) = layout.value(QPointF(0, 0)), layout.value(QPointF(1, 1))
        vertices = self.scale.vertices_back(places, (abs(x1 - x0), abs(y1 - y0)))
        self.drawn.emit(vertices, selection_mode(modifiers, self.mode))

    def keyPressEvent(self, event: Any) -> None:  # Qt's name
        """End, shorten or give up what is drawn."""
        if self._sketch.corners:
            if event.key() == Qt.Key.Key_Escape:
                self._sketch.cancel()
            elif event.key() == Qt.Key.Key_Backspace:
                self._sketch.back()
            elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._end(self._sketch.close(), event.modifiers())
            self.update()
            event.accept()
            return
        super().keyPressEvent(event)


def _at(event: Any) -> tuple[float, float]:
    place = event.position()
    return (float(place.x()), float(place.y()))
