"""Charts as files: PNG, SVG and PDF at a chosen size, reports, the data as CSV."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QMarginsF, QRectF, QSize, QSizeF
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
from napari_seespot.plots.pages import Page, paint_page
from napari_seespot.plots.theme import PAPER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.theme import PlotTheme

__all__ = [
    "FORMATS",
    "MAX_SIDE",
    "PICTURES",
    "need_application",
    "save_chart",
    "save_page",
    "save_pages",
]

PICTURES = (".png", ".svg", ".pdf")
"""What is drawn can be saved as."""

FORMATS = (*PICTURES, ".csv")
"""What a chart can be saved as; the CSV holds the data behind it."""

MAX_SIDE = 20_000
_MARGIN = 12.0
_DPI = 96  # a page is laid out in these pixels, and drawn finer
_FINER = 8
_FONT_PIXELS = 13


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
        ``.png``, ``.svg``, ``.pdf`` or ``.csv``.
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
    _check(path, size, FORMATS)
    if path.suffix.lower() == ".csv":
        return _save_table(chart, path)
    font = QFont(QGuiApplication.font())
    font.setPixelSize(font_pixels)
    with _canvas(path, size, theme, chart.title, chart.caption) as (painter, area):
        ChartPainter(painter, theme, font).paint(chart, area)
    return path


def save_page(
    page: Page,
    path: Path,
    size: tuple[int, int] = (1200, 900),
    theme: PlotTheme = PAPER,
) -> Path:
    """Write charts below their heading to a file; the ending tells the format.

    Parameters
    ----------
    page : Page
    path : Path
        ``.png``, ``.svg`` or ``.pdf``.
    size : (int, int)
        Width and height in pixels.
    theme : PlotTheme

    Raises
    ------
    SeeSpotError
        As `save_chart`.
    """
    _check(path, size, PICTURES)
    title = page.heading.partition("\n")[0]
    with _canvas(path, size, theme, title) as (painter, area):
        paint_page(painter, theme, page, area)
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
    theme : PlotTheme

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
    a4_across = QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Landscape,
        QMarginsF(12, 12, 12, 12),
        QPageLayout.Unit.Millimeter,
    )
    writer = _document(path, title, a4_across)
    paper = QRectF(0, 0, writer.width() / _FINER, writer.height() / _FINER)
    with _painting(writer, path) as painter:
        painter.scale(_FINER, _FINER)
        for number, page in enumerate(pages, 1):
            if number > 1:
                writer.newPage()
            foot = f"{title} · {number} of {len(pages)}"
            paint_page(painter, theme, page, paper, foot)
    return path


def _check(path: Path, size: tuple[int, int], endings: tuple[str, ...]) -> None:
    ending = path.suffix.lower()
    if ending not in endings:
        raise SeeSpotError(
            f"a figure cannot be saved as {ending or 'a file without ending'}",
            where=path,
            expected=f"one of {', '.join(endings)}",
        )
    if not all(16 <= side <= MAX_SIDE for side in size):
        raise SeeSpotError(
            f"a figure of {size[0]} x {size[1]} pixels",
            where=path,
            expected=f"16 to {MAX_SIDE:,} pixels a side",
        )


@contextmanager
def _canvas(
    path: Path, size: tuple[int, int], theme: PlotTheme, title: str, caption: str = ""
) -> Iterator[tuple[QPainter, QRectF]]:
    """Give a painter of a new file, and the area within its margins.

    The file is written in the end.
    """
    whole = QRectF(0, 0, *size)
    image: QImage | None = None
    device: Any
    if path.suffix.lower() == ".png":
        device = image = QImage(QSize(*size), QImage.Format.Format_RGB32)
    elif path.suffix.lower() == ".svg":
        device = QSvgGenerator()
        device.setFileName(str(path))
        device.setSize(QSize(*size))
        device.setViewBox(whole)
        device.setResolution(_DPI)
        device.setTitle(title)
        device.setDescription(caption)
    else:
        points = QSizeF(*size) * 72 / _DPI
        exact = QPageSize.SizeMatchPolicy.ExactMatch
        paper = QPageSize(points, QPageSize.Unit.Point, "", exact)
        upright = QPageLayout.Orientation.Portrait
        device = _document(path, title, QPageLayout(paper, upright, QMarginsF()))
    with _painting(device, path) as painter:
        if isinstance(device, QPdfWriter):
            painter.scale(_FINER, _FINER)
        painter.fillRect(whole, QColor(theme.background))
        yield painter, whole.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
    if image is not None and not image.save(str(path), "PNG"):
        raise _unwritable(path)


def _document(path: Path, title: str, layout: QPageLayout) -> QPdfWriter:
    writer = QPdfWriter(str(path))
    writer.setTitle(title)
    writer.setCreator("napari-seespot")
    writer.setResolution(_FINER * _DPI)
    writer.setPageLayout(layout)
    return writer


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
