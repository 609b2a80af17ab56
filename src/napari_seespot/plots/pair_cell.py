"""One small plot of a grid: it zooms, moves, and says when it is chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPainter, QPen

from napari_seespot.plots._qt import Signal
from napari_seespot.plots.chart_menu import chart_menu
from napari_seespot.plots.charts import Axis
from napari_seespot.plots.drawable_chart import DrawableChart

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_seespot.plots.chart_layout import Layout
    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.pair_axes import Limits

__all__ = ["PairCell", "zoomed"]

_SMALL = 150  # pixels across, in which ticks would leave no room for the picture
_STEP = 1.25  # a notch of the wheel
_MOVE = 0.1  # of what is seen, a press of an arrow key
_ARROWS: dict[Any, tuple[float, float]] = {
    Qt.Key.Key_Left: (-_MOVE, 0),
    Qt.Key.Key_Right: (_MOVE, 0),
    Qt.Key.Key_Up: (0, _MOVE),
    Qt.Key.Key_Down: (0, -_MOVE),
}


class PairCell(DrawableChart):
    """A chart of a channel pair in a grid.

    The wheel zooms around the pointer and dragging moves; with the keyboard +,
    -, the arrows, and A for automatic axes. A double click or Enter chooses. With a
    tool chosen, dragging draws.

    Attributes
    ----------
    zoomed : Signal
        Emitted with the axes (x low, x high, y low, y high) that the user wants.
    chosen, reset : Signal
        The pair is to be made the current one; its axes automatic.
    """

    zoomed = Signal(object)
    chosen = Signal()
    reset = Signal()

    def __init__(self, pair: tuple[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pair = pair
        self.current = False
        self._whole = self.chart
        self._grip: QPointF | None = None
        self.setToolTip(
            f"{' / '.join(pair)}. Double click or Enter: show this pair large. Wheel: "
            "zoom. Drag: move."
        )

    @property
    def limits(self) -> Limits:
        """The axes that are shown."""
        return (*self.chart.x.limits, *self.chart.y.limits)

    def show_picture(self, chart: Chart, zoom: Limits | None) -> None:
        """Show a picture, within axes of its own or those zoomed to.

        In a small cell the picture takes the room of ticks, titles and genes.
        """
        self._whole = chart
        if self.width() < _SMALL:
            x, y = Axis(chart.x.limits, shown=False), Axis(chart.y.limits, shown=False)
            chart = replace(chart, title="/".join(self.pair), x=x, y=y)
        self.show_chart(chart)
        if zoom is not None:
            self.set_limits(zoom)

    @property
    def whole_chart(self) -> Chart:
        """The chart with ticks and titles, for files."""
        x = replace(self._whole.x, limits=self.chart.x.limits)
        y = replace(self._whole.y, limits=self.chart.y.limits)
        return replace(self._whole, x=x, y=y)

    def _menu(self) -> Any:
        return chart_menu(self, lambda: self.whole_chart, lambda: self.theme)

    def heightForWidth(self, width: int) -> int:  # Qt's name
        """Return the height that suits the picture and, where there is room, ticks."""
        if width >= _SMALL:
            return super().heightForWidth(width)
        return int(width * self.chart.aspect) + 2 * self.fontMetrics().height()

    def set_limits(self, limits: Limits) -> None:
        """Show these axes; the picture stays where it belongs."""
        x0, x1, y0, y1 = limits
        self.chart = replace(
            self.chart,
            x=replace(self.chart.x, limits=(x0, x1)),
            y=replace(self.chart.y, limits=(y0, y1)),
        )
        self.update()

    def set_current(self, current: bool) -> None:
        """Outline the pair that the session looks at."""
        if current != self.current:
            self.current = current
            self.update()

    def _paint_more(self, painter: QPainter, layout: Layout) -> None:
        super()._paint_more(painter, layout)
        if self.current:
            painter.setPen(QPen(QColor(self.theme.text), 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(layout.plot)

    # ---- the mouse

    def wheelEvent(self, event: Any) -> None:  # Qt's name
        """Zoom around the pointer."""
        layout, notches = self.layout_, event.angleDelta().y() / 120
        if layout is None or not layout.plot.contains(event.position()) or not notches:
            super().wheelEvent(event)
            return
        event.accept()
        at = layout.value(event.position())
        self.zoomed.emit(zoomed(self.limits, at, _STEP**-notches))

    def mousePressEvent(self, event: Any) -> None:  # Qt's name
        """Take hold of the plot."""
        super().mousePressEvent(event)
        self.setFocus()
        if event.button() == Qt.MouseButton.LeftButton and not self.draws:
            self._grip = event.position()
            event.accept()

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Move the plot while it is held."""
        layout = self.layout_
        if self.draws:
            super().mouseMoveEvent(event)
            return
        if self._grip is None or layout is None:
            return
        moved = event.position() - self._grip
        if moved.manhattanLength() < 3:
            return
        self._grip = event.position()
        (x0, y0), (x1, y1) = layout.value(QPointF(0, 0)), layout.value(moved)
        self.zoomed.emit(_moved(self.limits, x0 - x1, y0 - y1))

    def mouseReleaseEvent(self, event: Any) -> None:  # Qt's name
        """Let go."""
        self._grip = None
        if self.draws:
            super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: Any) -> None:  # Qt's name
        """Choose the pair."""
        self._grip = None
        if self.draws:
            super().mouseDoubleClickEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit()

    # ---- the keyboard

    def keyPressEvent(self, event: Any) -> None:  # Qt's name
        """Zoom, move, choose."""
        if self._sketch.corners:
            super().keyPressEvent(event)
            return
        x0, x1, y0, y1 = self.limits
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        key = event.key()
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoomed.emit(zoomed(self.limits, middle, 1 / _STEP))
        elif key == Qt.Key.Key_Minus:
            self.zoomed.emit(zoomed(self.limits, middle, _STEP))
        elif key in _ARROWS:
            across, up = _ARROWS[key]
            move = (across * (x1 - x0), up * (y1 - y0))
            self.zoomed.emit(_moved(self.limits, *move))
        elif key == Qt.Key.Key_A:
            self.reset.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit()
        else:
            super().keyPressEvent(event)


def zoomed(limits: Limits, at: tuple[float, float], factor: float) -> Limits:
    """Return axes that span `factor` times as much, with a place kept where it is."""
    x0, x1, y0, y1 = limits
    return (
        at[0] + (x0 - at[0]) * factor,
        at[0] + (x1 - at[0]) * factor,
        at[1] + (y0 - at[1]) * factor,
        at[1] + (y1 - at[1]) * factor,
    )


def _moved(limits: Limits, dx: float, dy: float) -> Limits:
    x0, x1, y0, y1 = limits
    return (x0 + dx, x1 + dx, y0 + dy, y1 + dy)
