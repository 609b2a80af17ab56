"""What stands above the axes of a chart: title, caption, legend, colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF

from napari_seespot.plots.chart_pen import GAP, LEFT, Pen, image_of
from napari_seespot.plots.shades import pixels_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.plots.charts import Chart, Ramp

__all__ = ["paint_head"]


def paint_head(pen: Pen, chart: Chart, area: QRectF, corner: float = 0.0) -> float:
    """Draw title, caption and legend; return where they end.

    Parameters
    ----------
    corner : float
        Width that the title leaves free.
    """
    top = area.top()
    if chart.title:
        bold = pen.bold()
        width = area.width() - corner
        place = QRectF(area.left(), top, width, bold.height)
        bold.write(place, bold.elided(chart.title, width))
        top += bold.height
    if chart.caption:
        top += pen.write_lines(chart.caption, area, top, pen.color("text", 190))
    if chart.legend:
        top += _legend(pen, chart.legend, area, top)
    if chart.ramp is not None:
        top += _ramp(pen, chart.ramp, area, top)
    return top + (GAP if top > area.top() else 0)


def _legend(
    pen: Pen, items: Sequence[tuple[str, str]], area: QRectF, top: float
) -> float:
    height = pen.height
    box = 0.6 * height
    x, y = area.left(), top
    for name, color in items:
        width = box + GAP + pen.width(name) + 2 * GAP
        if x > area.left() and x + width > area.right():
            x, y = area.left(), y + height
        square = QRectF(x, y + (height - box) / 2, box, box)
        pen.painter.fillRect(square, pen.color(color))
        pen.write(QRectF(x + box + GAP, y, width, height), name, LEFT)
        x += width
    return float(y + height - top)


def _ramp(pen: Pen, ramp: Ramp, area: QRectF, top: float) -> float:
    height = pen.height
    x = area.left()
    for part in (f"{ramp.label}:" if ramp.label else "", ramp.low, None, ramp.high):
        if part is None:
            place = QRectF(x, top + 0.2 * height, 7 * height, 0.6 * height)
            colors = pixels_on(ramp.table, pen.theme)
            if colors is not None:
                pen.painter.drawImage(place, image_of(colors[None]))
            x += place.width() + GAP
        elif part:
            width = pen.width(part)
            pen.write(QRectF(x, top, width + 2, height), part, LEFT)
            x += width + GAP
    return float(height)
