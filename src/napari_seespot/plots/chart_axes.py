"""The axes of a chart: how much room they take, their frame and their ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QPen

from napari_seespot.plots.chart_pen import CENTER, RIGHT, Pen
from napari_seespot.plots.charts import Axis, Chart, nice_ticks, short_number

if TYPE_CHECKING:
    from napari_seespot.plots.chart_layout import Layout

__all__ = ["AxesPainter"]

_TICK = 4.0


class AxesPainter:
    """Draws axes.

    Parameters
    ----------
    pen : Pen
    """

    def __init__(self, pen: Pen) -> None:
        self._pen = pen

    def plot_area(self, chart: Chart, body: QRectF) -> QRectF:
        """Return the area within the axes, in one that holds ticks and labels too."""
        pen = self._pen
        left = right = 2.0
        bottom = top = 2.0
        if chart.y.shown:
            texts = self._y_texts(chart.y, body.height())
            widest = max((pen.width(text) for text in texts), default=0.0)
            left = min(widest, 0.4 * body.width()) + _TICK + 3
            left += pen.height + 5 if chart.y.label else 0
            top = max(top, pen.height / 2)
        if chart.x.shown:
            bottom = _lines(chart.x) * pen.height + _TICK + 2
            bottom += pen.height if chart.x.label else 0
            if not chart.x.names:
                right = 1.5 * self._char + 4
        plot = body.adjusted(left, top, -right, -bottom)
        width, height = max(plot.width(), 4.0), max(plot.height(), 4.0)
        if chart.equal:
            across = abs(chart.x.limits[1] - chart.x.limits[0]) or 1.0
            up = abs(chart.y.limits[1] - chart.y.limits[0]) or 1.0
            unit = min(width / across, height / up)
            width, height = unit * across, unit * up
        return QRectF(plot.left(), plot.top(), width, height)

    def paint_frame(self, layout: Layout) -> None:
        """Draw the frame: below the marks."""
        if layout.chart.x.shown or layout.chart.y.shown:
            painter = self._pen.painter
            painter.setPen(QPen(self._pen.color("axis", 110), 1))
            painter.drawRect(layout.plot)

    def paint_ticks(self, layout: Layout, body: QRectF) -> None:
        """Draw ticks and labels: above the marks."""
        if layout.chart.x.shown:
            self._ticks_x(layout, body)
        if layout.chart.y.shown:
            self._ticks_y(layout)

    def _y_texts(self, axis: Axis, height: float) -> list[str]:
        if axis.names:
            return list(axis.names)
        return [text for _, text in self._values(axis, height, vertical=True)]

    def _values(
        self, axis: Axis, length: float, vertical: bool
    ) -> list[tuple[float, str]]:
        """Return where the ticks are, and what is written there."""
        room = 2.2 * self._pen.height if vertical else 7 * self._char
        most = max(2, int(length / room))
        if axis.ticks:
            step = -(-len(axis.ticks) // most)  # as many as have room
            return list(axis.ticks[::step])
        return [(value, _tick(value)) for value in nice_ticks(*axis.limits, most=most)]

    @property
    def _char(self) -> float:
        return float(self._pen.metrics.averageCharWidth())

    def _ticks_x(self, layout: Layout, body: QRectF) -> None:
        axis, plot, pen = layout.chart.x, layout.plot, self._pen
        top = plot.bottom() + _TICK
        if axis.names:
            width = plot.width() / max(1.0, abs(axis.limits[1] - axis.limits[0]))
            for place, name in enumerate(axis.names):
                middle = layout.along_x(place + 0.5)
                lines = "\n".join(pen.elided(line, width) for line in name.split("\n"))
                room = QRectF(middle - width / 2, top, width, body.bottom() - top)
                flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
                pen.write(room, lines, flags)
        else:
            for value, text in self._values(axis, plot.width(), vertical=False):
                x = layout.along_x(value)
                pen.painter.setPen(pen.color("axis"))
                pen.painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, top))
                pen.write(QRectF(x - 60, top, 120, pen.height), text, CENTER)
        if axis.label:
            below = top + _lines(axis) * pen.height
            room = QRectF(plot.left(), below, plot.width(), pen.height)
            pen.write(room, pen.elided(axis.label, room.width()), CENTER)

    def _ticks_y(self, layout: Layout) -> None:
        axis, plot, pen = layout.chart.y, layout.plot, self._pen
        right = plot.left() - _TICK
        if axis.names:
            places = [(i + 0.5, name) for i, name in enumerate(axis.names)]
        else:
            places = self._values(axis, plot.height(), vertical=True)
        for value, text in places:
            y = layout.along_y(value)
            if not axis.names:
                pen.painter.setPen(pen.color("axis"))
                pen.painter.drawLine(QPointF(right, y), QPointF(plot.left(), y))
            height = pen.height * (text.count("\n") + 1)
            pen.write(QRectF(0, y - height / 2, right - 2, height), text, RIGHT)
        if axis.label:
            widest = max((pen.width(text) for _, text in places), default=0.0)
            self._upwards(axis.label, right - 7 - widest - pen.height / 2, plot)

    def _upwards(self, label: str, x: float, plot: QRectF) -> None:
        pen, length = self._pen, plot.height()
        pen.painter.save()
        pen.painter.translate(x, plot.center().y())
        pen.painter.rotate(-90)
        room = QRectF(-length / 2, -pen.height / 2, length, pen.height)
        pen.write(room, pen.elided(label, length), CENTER)
        pen.painter.restore()


def _lines(axis: Axis) -> int:
    """Return how many lines the names of an axis have."""
    return max((name.count("\n") + 1 for name in axis.names), default=1)


def _tick(value: float) -> str:
    return short_number(0.0 if value == 0 else value)  # no "-0"
