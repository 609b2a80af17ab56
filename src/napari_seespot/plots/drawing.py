"""The mouse in a plot: zoom and pan, click, and drawing a selection."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, Qt

from napari_seespot.gates import select_mode
from napari_seespot.plots._qt import Signal, pg
from napari_seespot.plots.base import color_with

__all__ = ["TOOLS", "DrawingViewBox"]

TOOLS = ("rectangle", "lasso", "polygon")
"""What can be drawn; the empty string moves and zooms the plot."""

_STEP_PIXELS = 3.0  # a lasso's corners are no closer: a hand shakes more
_CLOSE_PIXELS = 8.0  # a click as near to a polygon's first corner closes it


class DrawingViewBox(pg.ViewBox):  # type: ignore[misc]  # pyqtgraph is Any
    """A view box in which one can draw a rectangle, a lasso or a polygon.

    A polygon's corners are clicked on; a double click, Enter, or a click on its
    first corner closes it, Backspace takes the last corner back.

    Attributes
    ----------
    tool : str
        One of `TOOLS`, or empty.
    mode : str
        How an outline changes the selection, unless Shift or Alt says so.
    drawn : Signal
        Emitted with the vertices (ndarray, shape (m, 2), data units) and how
        they change the selection.
    clicked : Signal
        Emitted with the place (x, y) of a click with the left button.
    double_clicked : Signal
    """

    drawn = Signal(object, str)
    clicked = Signal(float, float)
    double_clicked = Signal()

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._tool = ""
        self.mode = "replace"
        self._corners: list[tuple[float, float]] = []
        self._outline = pg.PlotCurveItem()
        self._outline.setZValue(100)
        self.addItem(self._outline, ignoreBounds=True)
        self.set_pen("#ffffff")

    @property
    def tool(self) -> str:
        """What the left button draws; empty: nothing, it moves the plot."""
        return self._tool

    @tool.setter
    def tool(self, name: str) -> None:
        self._tool = name
        self.cancel_drawing()
        shape = Qt.CursorShape.CrossCursor if name else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    def set_pen(self, color: str) -> None:
        """Draw outlines in a colour, ``#rrggbb``."""
        self._outline.setPen(pg.mkPen(color, width=1.5))
        self._outline.setBrush(pg.mkBrush(color_with(color, 40)))

    def cancel_drawing(self) -> None:
        """Forget what is being drawn."""
        self._corners = []
        self._outline.clear()

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Draw while a tool is chosen, else move or zoom."""
        left = event.button() == Qt.MouseButton.LeftButton
        dragged = self._tool in ("rectangle", "lasso")
        if not dragged or axis is not None or not left:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        if event.isStart():
            self._corners = [self._place(event.buttonDownPos())]
        elif not self._corners:  # it was cancelled on the way
            return
        self._extend(event.pos())
        if event.isFinish():
            self._finish(event.modifiers())

    def mouseClickEvent(self, event: Any) -> None:
        """Tell where it was clicked."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        if self._tool == "polygon":
            self._add_corner(event)
        elif event.double():
            self.double_clicked.emit()
        else:
            self.clicked.emit(*self._place(event.pos()))

    def hoverEvent(self, event: Any) -> None:
        """Show where a polygon's next edge would go."""
        if self._tool == "polygon" and self._corners and not event.isExit():
            self._outline_with(self._place(event.pos()))

    def close_polygon(self, modifiers: Any = Qt.KeyboardModifier.NoModifier) -> None:
        """Take the polygon as it is."""
        if self._tool == "polygon" and self._corners:
            self._finish(modifiers)

    def remove_corner(self) -> None:
        """Take a polygon's last corner back."""
        if self._tool == "polygon" and self._corners:
            self._corners.pop()
            self._outline_with()

    def _add_corner(self, event: Any) -> None:
        if event.double():  # its first click has added the last corner
            self._finish(event.modifiers())
            return
        if len(self._corners) > 2:
            first = self.mapFromView(QPointF(*self._corners[0]))
            if (first - event.pos()).manhattanLength() <= _CLOSE_PIXELS:
                self._finish(event.modifiers())
                return
        self._corners.append(self._place(event.pos()))
        self._outline_with()

    def _finish(self, modifiers: Any) -> None:
        corners, mode = self._corners, selection_mode(modifiers, self.mode)
        self.cancel_drawing()
        vertices = np.array(corners, np.float64)
        if has_area(vertices):
            self.drawn.emit(vertices, mode)

    def _place(self, pos: QPointF) -> tuple[float, float]:
        point = self.mapToView(pos)
        return (float(point.x()), float(point.y()))

    def _extend(self, pos: QPointF) -> None:
        x, y = self._place(pos)
        first = self._corners[0]
        if self._tool == "rectangle":
            self._corners = [first, (x, first[1]), (x, y), (first[0], y)]
        else:
            last = self.mapFromView(QPointF(*self._corners[-1]))
            if (last - pos).manhattanLength() >= _STEP_PIXELS:
                self._corners.append((x, y))
        self._outline_with()

    def _outline_with(self, *more: tuple[float, float]) -> None:
        corners = [*self._corners, *more]
        if not corners:
            self._outline.clear()
            return
        closed = np.array([*corners, corners[0]])
        self._outline.setData(closed[:, 0], closed[:, 1])


def selection_mode(modifiers: Qt.KeyboardModifier, default: str = "replace") -> str:
    """Return how a drawn outline changes the selection: Shift adds, Alt subtracts."""
    shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
    alt = bool(modifiers & Qt.KeyboardModifier.AltModifier)
    return select_mode(shift, alt) if shift or alt else default


def has_area(vertices: np.ndarray) -> bool:
    """Return whether vertices enclose anything: a slip of the hand does not."""
    if len(vertices) < 3:
        return False
    return bool((np.ptp(vertices, axis=0) > 0).all())
