"""Draws a chart with Qt's painter: on a widget, into a file, on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF
from qtpy.QtGui import QFont, QPainter

from napari_seespot.plots.chart_axes import AxesPainter
from napari_seespot.plots.chart_head import paint_head
from napari_seespot.plots.chart_layout import Layout
from napari_seespot.plots.chart_marks import MarksPainter
from napari_seespot.plots.chart_pen import Pen

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_seespot.plots.charts import Chart
    from napari_seespot.plots.theme import PlotTheme

__all__ = ["ChartPainter"]


class ChartPainter:
    """Draws charts in a theme and a font.

    Parameters
    ----------
    painter : QPainter
    theme : PlotTheme
    font : QFont
    """

    def __init__(self, painter: QPainter, theme: PlotTheme, font: QFont) -> None:
        self._pen = Pen(painter, theme, font)

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
        painter, axes = self._pen.painter, AxesPainter(self._pen)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        top = paint_head(self._pen, chart, area, corner)
        body = QRectF(area.left(), top, area.width(), area.bottom() - top)
        layout = Layout(axes.plot_area(chart, body), chart, [])
        axes.paint_frame(layout)
        painter.save()
        painter.setClipRect(layout.plot.adjusted(-1, -1, 1, 1))
        marks = MarksPainter(self._pen, layout, hot)
        for mark in chart.marks:
            marks.paint(mark)
        painter.restore()
        axes.paint_ticks(layout, body)
        painter.restore()
        return layout
