"""Charts as files: PNG and SVG at a chosen size, pages of a PDF, the data as CSV."""

from __future__ import annotations

import math
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QMarginsF, QRectF, QSize
from qtpy.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
)
from qtpy.QtSvg import QSvgGenerator
from qtpy.QtWidgets import QApplication

from napari_seespot.errors import SeeSpotError
from napari_seespot.plots.chart_painter import ChartPainter
from napari_seespot.plots.theme import PAPER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.theme import PlotTheme

__all__ = [
    "FORMATS",
    "MAX_SIDE",
    "Page",
    "need_application",
    "save_chart",
    "save_pages",
]

FORMATS = (".png", ".svg", ".csv")
"""What a chart can be saved as; the CSV holds the data behind it."""

MAX_SIDE = 20_000
_MARGIN = 12.0
_DPI = 96  # a page is laid out in these pixels, and drawn finer
_FONT_PIXELS = 13


@dataclass(frozen=True)
class Page:
    """Charts below a heading, of which a second line is smaller.

    Attributes
    ----------
    heading : str
    charts : sequence of Chart
    columns : int or None
        How many beside each other; None for about as many as below each other.
    """

    heading: str
    charts: Sequence[Chart]
    columns: int | None = None


def save_chart(
    chart: Chart,
    path: Path,
    size: tuple[int, int] = (1200, 800),
    theme: PlotTheme = PAPER,
    font_pixels: int = _FONT_PIXELS,
) -> Path:
    """Write a chart to a file; the ending tells the format.

    Parameters
    ----------
    chart : Chart
    path : Path
        ``.png``, ``.svg`` or ``.csv``.
    size : (int, int)
        Width and height in pixels.
    theme : PlotTheme
        Dark on white by default.
    font_pixels : int
        Height of the font.

    Raises
    ------
    SeeSpotError
        For another ending, a size that cannot be, or a file that cannot be
        written.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise SeeSpotError(
            f"a figure cannot be saved as {ending or 'a file without ending'}",
            where=path,
            expected=f"one of {', '.join(FORMATS)}",
        )
    if not all(16 <= side <= MAX_SIDE for side in size):
        raise SeeSpotError(
            f"a figure of {size[0]} x {size[1]} pixels",
            where=path,
            expected=f"16 to {MAX_SIDE:,} pixels a side",
        )
    if ending == ".csv":
        return _save_table(chart, path)
    font = QFont(QGuiApplication.font())
    font.setPixelSize(font_pixels)
    area = QRectF(0, 0, *size).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
    if ending == ".png":
        image = QImage(QSize(*size), QImage.Format.Format_RGB32)
        image.fill(QColor(theme.background))
        with _painting(image, path) as painter:
            ChartPainter(painter, theme, font).paint(chart, area)
        if not image.save(str(path), "PNG"):
            raise _unwritable(path)
        return path
    drawing = QSvgGenerator()
    drawing.setFileName(str(path))
    drawing.setSize(QSize(*size))
    drawing.setViewBox(QRectF(0, 0, *size))
    drawing.setResolution(_DPI)
    drawing.setTitle(chart.title)
    drawing.setDescription(chart.caption)
    with _painting(drawing, path) as painter:
        painter.fillRect(QRectF(0, 0, *size), QColor(theme.background))
        ChartPainter(painter, theme, font).paint(chart, area)
    return path


def save_pages(
    pages: Sequence[Page], path: Path, *, title: str, theme: PlotTheme = PAPER
) -> Path:
    """Write charts on the pages of a PDF, A4 across.

    Parameters
    ----------
    pages : sequence of Page
    path : Path
    title : str
        Of the document.

    Raises
    ------
    SeeSpotError
        When the file cannot be written, or is no ``.pdf``.
    """
    if path.suffix.lower() != ".pdf":
        raise SeeSpotError(
            f"a report cannot be saved as {path.suffix or 'a file without ending'}",
            where=path,
            expected=".pdf",
        )
    writer = QPdfWriter(str(path))
    writer.setTitle(title)
    writer.setCreator("napari-seespot")
    writer.setResolution(8 * _DPI)
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4),
            QPageLayout.Orientation.Landscape,
            QMarginsF(12, 12, 12, 12),
            QPageLayout.Unit.Millimeter,
        )
    )
    scale = 8.0
    paper = QRectF(0, 0, writer.width() / scale, writer.height() / scale)
    with _painting(writer, path) as painter:
        painter.scale(scale, scale)
        for number, page in enumerate(pages, 1):
            if number > 1:
                writer.newPage()
            foot = f"{title} · {number} of {len(pages)}"
            _paint_page(painter, theme, page, paper, foot)
    return path


@contextmanager
def _painting(device: Any, path: Path) -> Iterator[QPainter]:
    """Give a painter that is ended whatever happens: Qt would crash otherwise."""
    painter = QPainter()
    if not painter.begin(device):
        raise _unwritable(path)
    try:
        yield painter
    finally:
        painter.end()


def _paint_page(
    painter: QPainter,
    theme: PlotTheme,
    page: Page,
    paper: QRectF,
    foot: str,
) -> None:
    font = QFont(QGuiApplication.font())
    font.setPixelSize(20)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(theme.text))
    first, _, second = page.heading.partition("\n")
    painter.drawText(QRectF(0, 0, paper.width(), 28), first)
    font.setBold(False)
    font.setPixelSize(12)
    painter.setFont(font)
    painter.drawText(QRectF(0, 28, paper.width(), 18), second)
    font.setPixelSize(10)
    painter.setFont(font)
    painter.drawText(QRectF(0, paper.height() - 14, paper.width(), 14), foot)
    columns, rows = grid_shape(len(page.charts), page.columns)
    body = QRectF(0, 56, paper.width(), paper.height() - 76)
    width, height = body.width() / columns, body.height() / rows
    font.setPixelSize(11 if columns < 3 else 9)
    draw = ChartPainter(painter, theme, font)
    for place, chart in enumerate(page.charts):
        row, column = divmod(place, columns)
        cell = QRectF(
            body.left() + column * width, body.top() + row * height, width, height
        )
        draw.paint(chart, cell.adjusted(0, 0, -18, -14))


def grid_shape(n: int, columns: int | None = None) -> tuple[int, int]:
    """Return columns and rows in which `n` charts fit a page that lies across."""
    columns = columns or max(1, math.ceil(math.sqrt(n)))
    return columns, max(1, math.ceil(n / columns))


def _save_table(chart: Chart, path: Path) -> Path:
    try:
        chart.data.to_csv(path, index=chart.data.index.name is not None)
    except OSError as error:
        raise _unwritable(path, str(error.strerror or error)) from error
    return path


def _unwritable(path: Path, why: str = "") -> SeeSpotError:
    return SeeSpotError(
        f"the file cannot be written{': ' + why if why else ''}",
        where=path,
        hint="Choose another folder, or look at its permissions",
    )


_application: Any = None
"""Kept for as long as the process: Qt has one, and fonts need it."""


def need_application() -> None:
    """Make Qt's application where a script has none; without a screen, off it."""
    global _application
    if QApplication.instance() is not None:
        return
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_screen:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    _application = QApplication(["napari-seespot"])
