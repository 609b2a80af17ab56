"""Curves of a plot that bear their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_seespot.plots._qt import pg
from napari_seespot.plots.base import color_with
from napari_seespot.plots.scales import LINEAR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtGui import QFont

    from napari_seespot.plots.scales import PlotScale
    from napari_seespot.plots.theme import PlotTheme

__all__ = ["NamedCurves"]


class NamedCurves:
    """Curves with their names, on the background of a plot.

    Parameters
    ----------
    view_box : pyqtgraph.ViewBox
    layer : int
        The z value of the items.

    Attributes
    ----------
    items : list of (curve, label)
    scale : PlotScale
        Of the axes.
    """

    def __init__(self, view_box: Any, layer: int) -> None:
        self.view_box = view_box
        self.items: list[tuple[Any, Any]] = []
        self.scale = LINEAR
        self._layer = layer
        self._font: QFont | None = None

    def renew(self, names: Iterable[str], anchor: tuple[float, float]) -> None:
        """Put a curve for each name in the place of those before."""
        for pair in self.items:
            for item in pair:
                self.view_box.removeItem(item)
        self.items = [
            (pg.PlotCurveItem(), pg.TextItem(name, anchor=anchor)) for name in names
        ]
        for pair in self.items:
            for item in pair:
                item.setZValue(self._layer)
                self.view_box.addItem(item, ignoreBounds=True)
        if self._font is not None:
            self.set_font(self._font)

    def paint(
        self, pens: Iterable[Any], colors: Iterable[str], theme: PlotTheme
    ) -> None:
        """Draw each curve with a pen, and its name in a colour on the background."""
        for (curve, label), pen, color in zip(self.items, pens, colors, strict=True):
            curve.setPen(pen)
            label.setColor(color)
            label.fill = pg.mkBrush(color_with(theme.background, 190))
            label.update()

    def set_font(self, font: QFont) -> None:
        """Write the names in a font."""
        self._font = font
        for _, label in self.items:
            label.setFont(font)

    def set_scale(self, scale: PlotScale) -> None:
        """Draw them on axes of another scale."""
        self.scale = scale
        self.place()

    def place(self, *_: Any) -> None:
        """Put curves and names where they belong."""
