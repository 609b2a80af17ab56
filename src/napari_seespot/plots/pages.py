"""Charts below a heading, as they share a page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF
from qtpy.QtGui import QFont, QGuiApplication, QPainter

from napari_seespot.plots.chart_painter import ChartPainter
from napari_seespot.plots.chart_pen import Pen, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.theme import PlotTheme

__all__ = ["Page", "grid_shape", "paint_page"]

_HEADING_SHARE = 0.35  # of a page, at most: the charts need the rest
_GAP = 10.0


@dataclass(frozen=True)
class Page:
    """Charts below a heading.

    Attributes
    ----------
    heading : str
        The first line is large; the others are small, and wrapped.
    charts : sequence of Chart
    columns : int or None
        How many beside each other; None for about as many as below each other.
    """

    heading: str
    charts: Sequence[Chart]
    columns: int | None = None


def paint_page(
    painter: QPainter, theme: PlotTheme, page: Page, paper: QRectF, foot: str = ""
) -> None:
    """Draw a page.

    Parameters
    ----------
    painter : QPainter
    theme : PlotTheme
    page : Page
    paper : QRectF
        The area to fill.
    foot : str
        A small line at the bottom.
    """
    top = _paint_heading(painter, theme, page.heading, paper)
    body = QRectF(paper.left(), top, paper.width(), paper.bottom() - top)
    if foot:
        pen = _pen(painter, theme, 10)
        body.setBottom(paper.bottom() - pen.height - _GAP)
        low = paper.bottom() - pen.height
        pen.write(QRectF(paper.left(), low, paper.width(), pen.height), foot)
    columns, rows = grid_shape(len(page.charts), page.columns)
    width, height = body.width() / columns, body.height() / rows
    draw = ChartPainter(painter, theme, _font(11 if columns < 3 else 9))
    for place, chart in enumerate(page.charts):
        row, column = divmod(place, columns)
        left, upper = body.left() + column * width, body.top() + row * height
        draw.paint(chart, QRectF(left, upper, width, height).adjusted(0, 0, -18, -14))


def grid_shape(n: int, columns: int | None = None) -> tuple[int, int]:
    """Return columns and rows in which `n` charts fit a page that lies across."""
    columns = columns or max(1, math.ceil(math.sqrt(n)))
    return columns, max(1, math.ceil(n / columns))


def _paint_heading(
    painter: QPainter, theme: PlotTheme, heading: str, paper: QRectF
) -> float:
    """Draw a heading; return where it ends."""
    first, _, rest = heading.partition("\n")
    large = _pen(painter, theme, 20).bold()
    top = paper.top() + large.write_lines(first, paper, paper.top())
    if rest:
        small = _pen(painter, theme, 12)
        lines = wrapped(rest, small.metrics, paper.width())
        room = _HEADING_SHARE * paper.height() - (top - paper.top())
        most = max(1, int(room / small.height))
        if len(lines) > most:
            lines = [*lines[: most - 1], f"{lines[most - 1]} …"]
        top += small.write_lines("\n".join(lines), paper, top)
    return float(top + _GAP)


def _pen(painter: QPainter, theme: PlotTheme, pixels: int) -> Pen:
    return Pen(painter, theme, _font(pixels))


def _font(pixels: int) -> QFont:
    font = QFont(QGuiApplication.font())
    font.setPixelSize(pixels)
    return font
