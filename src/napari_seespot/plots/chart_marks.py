"""The marks of a chart: bars, lines, dots, pictures, ribbons and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from napari_seespot.plots.chart_labels import paint_labels
from napari_seespot.plots.chart_layout import Hit, at_least
from napari_seespot.plots.chart_pen import CENTER, Pen, image_of
from napari_seespot.plots.marks import (
    Bar,
    Dots,
    Labels,
    Mark,
    Path,
    Picture,
    Ribbon,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_seespot.plots.chart_layout import Layout

__all__ = ["MarksPainter"]


class MarksPainter:
    """Draws marks where a layout says, and notes in it what can be clicked.

    Parameters
    ----------
    pen : Pen
    layout : Layout
    hot : hashable, optional
        The key of the marks to point out.
    """

    def __init__(self, pen: Pen, layout: Layout, hot: Hashable | None = None) -> None:
        self._pen = pen
        self._painter = pen.painter
        self._layout = layout
        self._hot = hot
        self._taken: list[QRectF] = []  # by words that give way to others

    def paint(self, mark: Mark) -> None:
        """Draw a mark."""
        if isinstance(mark, Bar):
            self._bar(mark)
        elif isinstance(mark, Ribbon):
            self._ribbon(mark)
        elif isinstance(mark, Path):
            self._path(mark)
        elif isinstance(mark, Dots):
            self._dots(mark)
        elif isinstance(mark, Picture):
            self._picture(mark)
        elif isinstance(mark, Word):
            self._word(mark)
        elif isinstance(mark, Labels):
            paint_labels(self._pen, mark, self._layout)

    def _is_hot(self, key: Hashable | None) -> bool:
        return key is not None and key == self._hot

    def _bar(self, mark: Bar) -> None:
        painter, pen = self._painter, self._pen
        rect, is_hot = self._layout.rect(mark.x, mark.y), self._is_hot(mark.key)
        painter.fillRect(rect, pen.color(mark.color, mark.alpha))
        if mark.outline or is_hot:
            color = pen.color("text" if is_hot else mark.outline or "text")
            painter.setPen(QPen(color, 2.0 if is_hot else 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))
        if mark.text and pen.width(mark.text) <= rect.width() - 2:
            pen.write(rect, mark.text, CENTER, _readable_on(pen.color(mark.color)))
        if mark.key is not None:
            # A thin bar must be met by a hand.
            outline = QPainterPath()
            outline.addRect(at_least(rect, 4.0))
            self._layout.hits.append(Hit(mark.key, mark.tip, outline))

    def _ribbon(self, mark: Ribbon) -> None:
        layout, (x0, x1) = self._layout, mark.x
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
        is_hot = self._is_hot(mark.key)
        alpha = 230 if is_hot else mark.alpha
        self._painter.fillPath(path, self._pen.color(mark.color, alpha))
        if is_hot:
            self._painter.strokePath(path, QPen(self._pen.color("text"), 1.2))
        if mark.key is not None:
            layout.hits.append(Hit(mark.key, mark.tip, path))

    def _picture(self, mark: Picture) -> None:
        pixels = mark.pixels(self._pen.theme)
        if pixels is None:
            return
        smooth = QPainter.RenderHint.SmoothPixmapTransform
        self._painter.setRenderHint(smooth, False)
        place = self._layout.rect(mark.x, mark.y)
        self._painter.drawImage(place, image_of(pixels[::-1]))
        if mark.tell is not None:
            self._layout.pictures.append((mark, pixels.shape[:2]))

    def _path(self, mark: Path) -> None:
        x, y = self._layout.along_x(mark.x), self._layout.along_y(mark.y)
        if mark.band is not None:
            self._band(mark.color, x, y, self._layout.along_y(mark.band))
            return
        pen = QPen(self._pen.color(mark.color), mark.width)
        if mark.dashed:
            pen.setStyle(Qt.PenStyle.DashLine)
        self._painter.setPen(pen)
        for run in _runs(np.isfinite(x) & np.isfinite(y)):
            points = zip(x[run], y[run], strict=True)
            self._painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in points]))

    def _band(self, color: str, x: np.ndarray, y: np.ndarray, back: np.ndarray) -> None:
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(self._pen.color(color, 70))
        for run in _runs(np.isfinite(x) & np.isfinite(y) & np.isfinite(back)):
            around_x = np.concatenate([x[run], x[run][::-1]])
            around_y = np.concatenate([y[run], back[run][::-1]])
            points = zip(around_x, around_y, strict=True)
            self._painter.drawPolygon(QPolygonF([QPointF(a, b) for a, b in points]))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)

    def _dots(self, mark: Dots) -> None:
        painter, radius = self._painter, mark.size / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._pen.color(mark.color))
        x, y = self._layout.along_x(mark.x), self._layout.along_y(mark.y)
        for place, (a, b) in enumerate(zip(x, y, strict=True)):
            if not (np.isfinite(a) and np.isfinite(b)):
                continue
            if mark.rgba is not None:
                painter.setBrush(QColor(*mark.rgba[place].tolist()))
            painter.drawEllipse(QPointF(a, b), radius, radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _word(self, mark: Word) -> None:
        lines = mark.text.count("\n") + 1
        margin = 2 if mark.frame is None else 6
        size = (self._pen.width(mark.text) + margin, self._pen.height * lines)
        for x, y, anchor in ((mark.x, mark.y, mark.anchor), *mark.elsewhere):
            at = self._layout.pixel(x, y)
            left, top = at.x() - anchor[0] * size[0], at.y() - anchor[1] * size[1]
            room = QRectF(left, top, *size)
            if not mark.elsewhere or self._is_free(room):
                break
        else:
            return
        if mark.elsewhere:
            self._taken.append(room)
        if mark.boxed:
            self._painter.fillRect(room, self._pen.color("background", 190))
        if mark.frame is not None:
            self._painter.setPen(QPen(self._pen.color(mark.frame), 1.2))
            self._painter.setBrush(Qt.BrushStyle.NoBrush)
            self._painter.drawRect(room)
        self._pen.write(room, mark.text, CENTER, mark.color)

    def _is_free(self, room: QRectF) -> bool:
        if not self._layout.plot.contains(room):
            return False
        return not any(room.intersects(other) for other in self._taken)


def _runs(known: np.ndarray) -> list[slice]:
    """Return the stretches in which all is known: a line has gaps between them."""
    edges = np.flatnonzero(np.diff(known.astype(np.int8), prepend=0, append=0))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _readable_on(color: QColor) -> QColor:
    """Return black or white, whichever stands out (relative luminance, ITU-R 709)."""
    light = 0.2126 * color.red() + 0.7152 * color.green() + 0.0722 * color.blue()
    return QColor("#000000" if light > 120 else "#ffffff")
