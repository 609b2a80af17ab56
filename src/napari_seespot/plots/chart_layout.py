"""Where a chart was drawn, and what a click meets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QPainterPath

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.marks import Cell, Picture

__all__ = ["Hit", "Layout", "at_least"]


@dataclass(frozen=True, eq=False)
class Hit:
    """What lies under the pointer: a mark's key, tip and outline in pixels."""

    key: Hashable
    tip: str
    outline: QPainterPath
    cell: Cell | None = None


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
    pictures : list of (Picture, (int, int))
        Those whose pixels can be, with lines and columns.
    """

    plot: QRectF
    chart: Chart
    hits: list[Hit]
    pictures: list[tuple[Picture, tuple[int, ...]]] = field(default_factory=list)

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
        """Return the topmost mark with a key at a place, else a picture's pixel."""
        for hit in reversed(self.hits):
            if hit.outline.contains(place):
                return hit
        if not self.plot.contains(place):
            return None
        for picture, shape in reversed(self.pictures):
            cell = picture.cell_at(*self.value(place), shape)
            if cell is not None:
                return self.hit_of(cell)
        return None

    def hit_of(self, cell: Cell) -> Hit:
        """Return a picture's pixel as what a click meets."""
        outline = QPainterPath()
        outline.addRect(at_least(self.rect(cell.x, cell.y), 5.0))
        return Hit(cell.key, cell.tip, outline, cell)


def at_least(rect: QRectF, size: float) -> QRectF:
    """Return an area that is widened where it is smaller than a size."""
    wide, high = max(0.0, size - rect.width()) / 2, max(0.0, size - rect.height()) / 2
    return rect.adjusted(-wide, -high, wide, high)
