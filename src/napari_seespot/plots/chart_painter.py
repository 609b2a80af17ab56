"""Draws a chart with Qt's painter: on a widget, into a file, on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
    QTextOption,
)

from napari_seespot.plots.charts import (
    Axis,
    Bar,
    Chart,
    Dots,
    Path,
    Picture,
    Ribbon,
    Word,
    nice_ticks,
    short_number,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from napari_seespot.plots.theme import PlotTheme

__all__ = ["ChartPainter", "Hit", "Layout"]

_GAP = 5.0
_TICK = 4.0
_ANTIALIASING = QPainter.RenderHint.Antialiasing
_CENTER = Qt.AlignmentFlag.AlignCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, eq=False)
class Hit:
    """What lies under the pointer: a mark's key, tip and outline in pixels."""

    key: Hashable
    tip: str
    outline: QPainterPath


@dataclass(frozen=True, eq=False)
class Layout:
    """Where a chart was drawn.

    Attributes
    ----------
    plot : QRectF
        The area within the axes, in pixels.
    chart : Chart
    hits : list of Hit
        What can be clicked or pointed at, in the order of drawing.
    """

    plot: QRectF
    chart: Chart
    hits: list[Hit]

    def pixel(self, x: float, y: float) -> QPointF:
        """Return the place of a value."""
        return QPointF(self.along_x(x), self.along_y(y))

    def along_x(self, x: Any) -> Any:
        """Return pixels along x."""
        low, high = self.chart.x.limits
        span = (high - low) or 1.0
        return self.plot.left() + (x - low) / span * self.plot.width()

    def along_y(self, y: Any) -> Any:
        """Return pixels along y."""
        low, high = self.chart.y.limits
        span = (high - low) or 1.0
        return self.plot.bottom() - (y - low) / span * self.plot.height()

    def value(self, pixel: QPointF) -> tuple[float, float]:
        """Return the values at a place; undoes `pixel`."""
        (x0, x1), (y0, y1) = self.chart.x.limits, self.chart.y.limits
        across = (pixel.x() - self.plot.left()) / max(self.plot.width(), 1e-9)
        up = (self.plot.bottom() - pixel.y()) / max(self.plot.height(), 1e-9)
        return (x0 + across * (x1 - x0), y0 + up * (y1 - y0))

    def rect(self, x: tuple[float, float], y: tuple[float, float]) -> QRectF:
        """Return the area of a stretch of x and one of y."""
        return QRectF(self.pixel(x[0], y[0]), self.pixel(x[1], y[1])).normalized()

    def hit_at(self, place: QPointF) -> Hit | None:
        """Return the topmost mark with a key at a place."""
        for hit in reversed(self.hits):
            if hit.outline.contains(place):
                return hit
        return None


class ChartPainter:
    """Draws charts in a theme and a font.

    Parameters
    ----------
    painter : QPainter
    theme : PlotTheme
    font : QFont
    """

    def __init__(self, painter: QPainter, theme: PlotTheme, font: QFont) -> None:
        self._painter = painter
        self._theme = theme
        self._font = QFont(font)
        self._bold = QFont(font)
        self._bold.setBold(True)
        # Of the device: a page has other pixels than the screen.
        self._metrics = QFontMetricsF(self._font, painter.device())
        self._bold_metrics = QFontMetricsF(self._bold, painter.device())

    def paint(
        self,
        chart: Chart,
        area: QRectF,
        hot: Hashable | None = None,
        corner: float = 0.0,
    ) -> Layout:
        """Draw a chart into an area.

        Parameters
        ----------
        chart : Chart
        area : QRectF
        hot : hashable, optional
            The key of the marks to point out.
        corner : float
            Width that the title leaves free, for a button.
        """
        painter = self._painter
        painter.save()
        painter.setRenderHint(_ANTIALIASING, True)
        painter.setFont(self._font)
        top = self._head(chart, area, corner)
        body = QRectF(area.left(), top, area.width(), area.bottom() - top)
        layout = Layout(self._plot_area(chart, body), chart, [])
        self._frame(layout)
        painter.save()
        painter.setClipRect(layout.plot.adjusted(-1, -1, 1, 1))
        for mark in chart.marks:
            self._mark(mark, layout, hot)
        painter.restore()
        self._ticks_x(layout, body)
        self._ticks_y(layout)
        painter.restore()
        return layout

    # ---- above the axes

    def _head(self, chart: Chart, area: QRectF, corner: float) -> float:
        """Draw title, caption and legend; return where they end."""
        top = area.top()
        if chart.title:
            title = area.adjusted(0, 0, -corner, 0)
            top += self._line(chart.title, title, top, self._bold, self._bold_metrics)
        if chart.caption:
            top += self._wrapped(chart.caption, area, top)
        if chart.legend:
            top += self._legend(chart.legend, area, top)
        if chart.ramp is not None:
            top += self._ramp(chart, area, top)
        return top + (_GAP if top > area.top() else 0)

    def _line(
        self, text: str, area: QRectF, top: float, font: QFont, metrics: QFontMetricsF
    ) -> float:
        height = metrics.height()
        short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        self._painter.setFont(font)
        self._painter.setPen(self._color("text"))
        place = QRectF(area.left(), top, area.width(), height)
        self._write(place, short, _LEFT)
        self._painter.setFont(self._font)
        return float(height)

    def _wrapped(self, text: str, area: QRectF, top: float) -> float:
        lines = wrapped(text, self._metrics, area.width())
        height = self._metrics.height()
        self._painter.setPen(self._color("text", 190))
        for place, line in enumerate(lines):
            room = QRectF(area.left(), top + place * height, area.width(), height)
            self._write(room, line, _LEFT)
        return float(height * len(lines))

    def _legend(
        self, items: Sequence[tuple[str, str]], area: QRectF, top: float
    ) -> float:
        metrics, painter = self._metrics, self._painter
        height = metrics.height()
        box = 0.6 * height
        x, y = area.left(), top
        for name, color in items:
            width = box + _GAP + metrics.horizontalAdvance(name) + 2 * _GAP
            if x > area.left() and x + width > area.right():
                x, y = area.left(), y + height
            square = QRectF(x, y + (height - box) / 2, box, box)
            painter.fillRect(square, self._color(color))
            painter.setPen(self._color("text"))
            text = QRectF(x + box + _GAP, y, width, height)
            self._write(text, name, _LEFT)
            x += width
        return float(y + height - top)

    def _ramp(self, chart: Chart, area: QRectF, top: float) -> float:
        ramp = chart.ramp
        assert ramp is not None  # asked before
        metrics, painter = self._metrics, self._painter
        height = metrics.height()
        x = area.left()
        for part in (f"{ramp.label}:" if ramp.label else "", ramp.low, None, ramp.high):
            if part is None:
                place = QRectF(x, top + 0.2 * height, 7 * height, 0.6 * height)
                painter.drawImage(place, _image(ramp.table[None]))
                x += place.width() + _GAP
            elif part:
                width = metrics.horizontalAdvance(part)
                painter.setPen(self._color("text"))
                self._write(QRectF(x, top, width + 2, height), part, _LEFT)
                x += width + _GAP
        return float(height)

    # ---- the axes

    def _plot_area(self, chart: Chart, body: QRectF) -> QRectF:
        metrics = self._metrics
        left = right = 2.0
        bottom = top = 2.0
        if chart.y.shown:
            texts = self._y_texts(chart.y, body.height())
            widest = max((_width(metrics, text) for text in texts), default=0.0)
            left = min(widest, 0.4 * body.width()) + _TICK + 3
            left += metrics.height() + 5 if chart.y.label else 0
            top = max(top, metrics.height() / 2)
        if chart.x.shown:
            lines = max((name.count("\n") + 1 for name in chart.x.names), default=1)
            bottom = lines * metrics.height() + _TICK + 2
            bottom += metrics.height() if chart.x.label else 0
            if not chart.x.names:
                right = 1.5 * metrics.averageCharWidth() + 4
        plot = body.adjusted(left, top, -right, -bottom)
        width, height = max(plot.width(), 4.0), max(plot.height(), 4.0)
        if chart.equal:
            across = abs(chart.x.limits[1] - chart.x.limits[0]) or 1.0
            up = abs(chart.y.limits[1] - chart.y.limits[0]) or 1.0
            unit = min(width / across, height / up)
            width, height = unit * across, unit * up
        return QRectF(plot.left(), plot.top(), width, height)

    def _y_texts(self, axis: Axis, height: float) -> list[str]:
        if axis.names:
            return list(axis.names)
        return [text for _, text in self._values(axis, height, vertical=True)]

    def _values(
        self, axis: Axis, length: float, vertical: bool
    ) -> list[tuple[float, str]]:
        """Return where the ticks are, and what is written there."""
        room = 2.2 * self._metrics.height() if vertical else 7 * self._char
        most = max(2, int(length / room))
        if axis.ticks:
            step = -(-len(axis.ticks) // most)  # as many as have room
            return list(axis.ticks[::step])
        return [(value, _tick(value)) for value in nice_ticks(*axis.limits, most=most)]

    @property
    def _char(self) -> float:
        return float(self._metrics.averageCharWidth())

    def _frame(self, layout: Layout) -> None:
        if not (layout.chart.x.shown or layout.chart.y.shown):
            return
        self._painter.setPen(QPen(self._color("axis", 110), 1))
        self._painter.drawRect(layout.plot)

    def _ticks_x(self, layout: Layout, body: QRectF) -> None:
        axis, plot, metrics = layout.chart.x, layout.plot, self._metrics
        if not axis.shown:
            return
        painter = self._painter
        top = plot.bottom() + _TICK
        if axis.names:
            width = plot.width() / max(1.0, abs(axis.limits[1] - axis.limits[0]))
            for place, name in enumerate(axis.names):
                middle = layout.along_x(place + 0.5)
                lines = "\n".join(
                    metrics.elidedText(line, Qt.TextElideMode.ElideRight, width)
                    for line in name.split("\n")
                )
                room = QRectF(middle - width / 2, top, width, body.bottom() - top)
                painter.setPen(self._color("text"))
                flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
                self._write(room, lines, flags)
        else:
            for value, text in self._values(axis, plot.width(), vertical=False):
                x = layout.along_x(value)
                painter.setPen(self._color("axis"))
                painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, top))
                painter.setPen(self._color("text"))
                room = QRectF(x - 60, top, 120, metrics.height())
                self._write(room, text, _CENTER)
        if axis.label:
            rows = max((name.count("\n") + 1 for name in axis.names), default=1)
            below = top + rows * metrics.height()
            room = QRectF(plot.left(), below, plot.width(), metrics.height())
            painter.setPen(self._color("text"))
            self._write(room, self._elided(axis.label, room.width()), _CENTER)

    def _ticks_y(self, layout: Layout) -> None:
        axis, plot, metrics = layout.chart.y, layout.plot, self._metrics
        if not axis.shown:
            return
        painter = self._painter
        right = plot.left() - _TICK
        left = 0.0
        if axis.names:
            places = [(i + 0.5, name) for i, name in enumerate(axis.names)]
        else:
            places = self._values(axis, plot.height(), vertical=True)
        for value, text in places:
            y = layout.along_y(value)
            if not axis.names:
                painter.setPen(self._color("axis"))
                painter.drawLine(QPointF(right, y), QPointF(plot.left(), y))
            painter.setPen(self._color("text"))
            height = metrics.height() * (text.count("\n") + 1)
            room = QRectF(left, y - height / 2, right - 2 - left, height)
            self._write(room, text, _RIGHT)
        if axis.label:
            widest = max((_width(metrics, text) for _, text in places), default=0.0)
            painter.save()
            painter.translate(
                right - 7 - widest - metrics.height() / 2, plot.center().y()
            )
            painter.rotate(-90)
            length = plot.height()
            room = QRectF(-length / 2, -metrics.height() / 2, length, metrics.height())
            painter.setPen(self._color("text"))
            self._write(room, self._elided(axis.label, length), _CENTER)
            painter.restore()

    def _elided(self, text: str, width: float) -> str:
        mode = Qt.TextElideMode.ElideRight
        return str(self._metrics.elidedText(text, mode, width))

    # ---- the marks

    def _mark(self, mark: Any, layout: Layout, hot: Hashable | None) -> None:
        if isinstance(mark, Bar):
            self._bar(mark, layout, hot)
        elif isinstance(mark, Ribbon):
            self._ribbon(mark, layout, hot)
        elif isinstance(mark, Path):
            self._path(mark, layout)
        elif isinstance(mark, Dots):
            self._dots(mark, layout)
        elif isinstance(mark, Picture):
            image = _image(mark.rgba[::-1])
            self._painter.setRenderHint(
                QPainter.RenderHint.SmoothPixmapTransform, False
            )
            self._painter.drawImage(layout.rect(mark.x, mark.y), image)
        elif isinstance(mark, Word):
            self._word(mark, layout)

    def _bar(self, mark: Bar, layout: Layout, hot: Hashable | None) -> None:
        painter, rect = self._painter, layout.rect(mark.x, mark.y)
        is_hot = mark.key is not None and mark.key == hot
        painter.fillRect(rect, self._color(mark.color, mark.alpha))
        if mark.outline or is_hot:
            color = self._color("text" if is_hot else mark.outline or "text")
            painter.setPen(QPen(color, 2.0 if is_hot else 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))
        if mark.text:
            painter.setPen(_readable_on(self._color(mark.color)))
            if _width(self._metrics, mark.text) <= rect.width() - 2:
                self._write(rect, mark.text, _CENTER)
        if mark.key is not None:
            # A thin bar must be met by a hand.
            outline = QPainterPath()
            outline.addRect(_at_least(rect, 4.0))
            layout.hits.append(Hit(mark.key, mark.tip, outline))

    def _ribbon(self, mark: Ribbon, layout: Layout, hot: Hashable | None) -> None:
        x0, x1 = mark.x
        middle = (x0 + x1) / 2
        path = QPainterPath(layout.pixel(x0, mark.start[0]))
        path.cubicTo(
            layout.pixel(middle, mark.start[0]),
            layout.pixel(middle, mark.end[0]),
            layout.pixel(x1, mark.end[0]),
        )
        path.lineTo(layout.pixel(x1, mark.end[1]))
        path.cubicTo(
            layout.pixel(middle, mark.end[1]),
            layout.pixel(middle, mark.start[1]),
            layout.pixel(x0, mark.start[1]),
        )
        path.closeSubpath()
        is_hot = mark.key is not None and mark.key == hot
        alpha = 230 if is_hot else mark.alpha
        self._painter.fillPath(path, self._color(mark.color, alpha))
        if is_hot:
            self._painter.strokePath(path, QPen(self._color("text"), 1.2))
        if mark.key is not None:
            layout.hits.append(Hit(mark.key, mark.tip, path))

    def _path(self, mark: Path, layout: Layout) -> None:
        x, y = layout.along_x(mark.x), layout.along_y(mark.y)
        if mark.band is not None:
            back = layout.along_y(mark.band)
            known = np.isfinite(x) & np.isfinite(y) & np.isfinite(back)
            edge = [QPointF(a, b) for a, b in zip(x[known], y[known], strict=True)]
            edge += [
                QPointF(a, b)
                for a, b in zip(x[known][::-1], back[known][::-1], strict=True)
            ]
            self._painter.setPen(Qt.PenStyle.NoPen)
            self._painter.setBrush(self._color(mark.color, 70))
            self._painter.drawPolygon(QPolygonF(edge))
            self._painter.setBrush(Qt.BrushStyle.NoBrush)
            return
        pen = QPen(self._color(mark.color), mark.width)
        if mark.dashed:
            pen.setStyle(Qt.PenStyle.DashLine)
        self._painter.setPen(pen)
        run: list[QPointF] = []
        for a, b in zip(x, y, strict=True):
            if np.isfinite(a) and np.isfinite(b):
                run.append(QPointF(a, b))
                continue
            self._painter.drawPolyline(QPolygonF(run))  # a gap in the line
            run = []
        self._painter.drawPolyline(QPolygonF(run))

    def _dots(self, mark: Dots, layout: Layout) -> None:
        painter, radius = self._painter, mark.size / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._color(mark.color))
        x, y = layout.along_x(mark.x), layout.along_y(mark.y)
        for place, (a, b) in enumerate(zip(x, y, strict=True)):
            if not (np.isfinite(a) and np.isfinite(b)):
                continue
            if mark.rgba is not None:
                painter.setBrush(QColor(*mark.rgba[place].tolist()))
            painter.drawEllipse(QPointF(a, b), radius, radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _word(self, mark: Word, layout: Layout) -> None:
        at = layout.pixel(mark.x, mark.y)
        lines = mark.text.count("\n") + 1
        width = _width(self._metrics, mark.text) + 2
        height = self._metrics.height() * lines
        room = QRectF(
            at.x() - mark.anchor[0] * width, at.y() - mark.anchor[1] * height, width,
            height,
        )  # fmt: skip
        if mark.boxed:
            self._painter.fillRect(room, self._color("background", 190))
        self._painter.setPen(self._color(mark.color))
        self._write(room, mark.text, _CENTER)

    def _write(self, room: QRectF, text: str, flags: Any) -> None:
        # With a QTextOption: its flags are the same in all bindings of Qt.
        option = QTextOption(flags)
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        self._painter.drawText(room, text, option)

    def _color(self, name: str, alpha: int = 255) -> QColor:
        color = QColor(name if name.startswith("#") else getattr(self._theme, name))
        color.setAlpha(alpha)
        return color


def wrapped(text: str, metrics: QFontMetricsF, width: float) -> list[str]:
    """Return a text in lines that fit a width; a word is never cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and metrics.horizontalAdvance(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _tick(value: float) -> str:
    return short_number(0.0 if value == 0 else value)  # no "-0"


def _width(metrics: QFontMetricsF, text: str) -> float:
    return max(float(metrics.horizontalAdvance(line)) for line in text.split("\n"))


def _at_least(rect: QRectF, size: float) -> QRectF:
    wide, high = max(0.0, size - rect.width()) / 2, max(0.0, size - rect.height()) / 2
    return rect.adjusted(-wide, -high, wide, high)


def _readable_on(color: QColor) -> QColor:
    """Return black or white, whichever stands out (relative luminance, ITU-R 709)."""
    light = 0.2126 * color.red() + 0.7152 * color.green() + 0.0722 * color.blue()
    return QColor("#000000" if light > 120 else "#ffffff")


def _image(rgba: np.ndarray) -> QImage:
    height, width = rgba.shape[:2]
    pixels = np.ascontiguousarray(rgba, np.uint8).tobytes()
    image = QImage(pixels, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.copy()  # the bytes' memory is not the image's
