"""Charts as files: PNG and SVG at a chosen size, pages of a PDF, the data as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

from napari_seespot.errors import SeeSpotError
from napari_seespot.plots.chart_painter import ChartPainter
from napari_seespot.plots.theme import PAPER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.theme import PlotTheme

__all__ = ["FORMATS", "MAX_SIDE", "Page", "save_chart", "save_pages"]

FORMATS = (".png", ".svg", ".csv")
"""What a chart can be saved as; the CSV holds the data behind it."""

MAX_SIDE = 20_000
_MARGIN = 12.0
_DPI = 96  # a page is laid out in these pixels, and drawn finer
_FONT_PIXELS = 13

Page = tuple[str, "Sequence[Chart]"]
"""A heading and the charts below it."""


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
        painter = QPainter(image)
        ChartPainter(painter, theme, font).paint(chart, area)
        painter.end()
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
    painter = QPainter()
    if not painter.begin(drawing):
        raise _unwritable(path)
    painter.fillRect(QRectF(0, 0, *size), QColor(theme.background))
    ChartPainter(painter, theme, font).paint(chart, area)
    painter.end()
    return path


def save_pages(
    pages: Sequence[Page], path: Path, *, title: str, theme: PlotTheme = PAPER
) -> Path:
    """Write charts on the pages of a PDF, A4 across.

    Parameters
    ----------
    pages : sequence of (str, sequence of Chart)
        A page each: its heading and its charts, in a grid.
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
    painter = QPainter()
    if not painter.begin(writer):
        raise _unwritable(path)
    scale = 8.0
    width, height = writer.width() / scale, writer.height() / scale
    for number, (heading, charts) in enumerate(pages, 1):
        if number > 1:
            writer.newPage()
        painter.save()
        painter.scale(scale, scale)
        foot = f"{title} · {number} of {len(pages)}"
        _paint_page(painter, theme, heading, charts, QRectF(0, 0, width, height), foot)
        painter.restore()
    painter.end()
    return path


def _paint_page(
    painter: QPainter,
    theme: PlotTheme,
    heading: str,
    charts: Sequence[Chart],
    page: QRectF,
    foot: str,
) -> None:
    font = QFont(QGuiApplication.font())
    font.setPixelSize(20)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(theme.text))
    painter.drawText(QRectF(0, 0, page.width(), 28), heading)
    font.setBold(False)
    font.setPixelSize(10)
    painter.setFont(font)
    painter.drawText(QRectF(0, page.height() - 14, page.width(), 14), foot)
    columns, rows = grid_shape(len(charts))
    body = QRectF(0, 36, page.width(), page.height() - 56)
    width, height = body.width() / columns, body.height() / rows
    font.setPixelSize(11 if columns < 3 else 9)
    draw = ChartPainter(painter, theme, font)
    for place, chart in enumerate(charts):
        row, column = divmod(place, columns)
        cell = QRectF(
            body.left() + column * width, body.top() + row * height, width, height
        )
        draw.paint(chart, cell.adjusted(0, 0, -18, -14))


def grid_shape(n: int) -> tuple[int, int]:
    """Return columns and rows in which `n` charts fit a page that lies across."""
    columns = next((c for c in (1, 2, 3, 4) if c * max(1, c - 1) >= n), 5)
    if n == 1:
        return 1, 1
    columns = max(2, columns)
    return columns, -(-n // columns)


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
