"""Outlines of gates in a plot of two channels, with their names."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_seespot.plots._qt import pg
from napari_seespot.plots.base import color_with
from napari_seespot.plots.scales import LINEAR, PlotScale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtpy.QtGui import QFont

    from napari_seespot.gates import Gate
    from napari_seespot.plots.theme import PlotTheme

__all__ = ["GateItems", "gates_of", "outline_places"]

_PIECES = 64  # of an edge that a curved scale bends
_LEAST = 1e-6  # what is not above 0 has no place on a log axis: far to its left

Outline = tuple[str, np.ndarray]


def gates_of(
    gates: Iterable[tuple[str, Gate]], pair: tuple[str, str]
) -> tuple[Outline, ...]:
    """Return name and corners, ndarray of shape (m, 2), of the gates of a pair."""
    found = ((name, gate.corners(pair)) for name, gate in gates)
    return tuple((name, corners) for name, corners in found if corners is not None)


def outline_places(corners: np.ndarray, scale: PlotScale = LINEAR) -> np.ndarray:
    """Return a closed outline in values as places along the axes.

    A gate's edges are straight in values, and bent on a curved scale.

    Parameters
    ----------
    corners : ndarray, shape (m, 2)
    scale : PlotScale

    Returns
    -------
    ndarray of float64, shape (k, 2)
    """
    closed = np.vstack([corners, corners[:1]]).astype(np.float64)
    if scale.name != "linear":
        share = np.arange(_PIECES)[:, None] / _PIECES
        edges = [a + share * (b - a) for a, b in pairwise(closed)]
        closed = np.vstack([*edges, closed[-1:]])
    if scale.name == "log":
        closed = np.maximum(closed, _LEAST)
    return scale.to(closed)


class GateItems:
    """The items of a plot that show gates.

    Parameters
    ----------
    view_box : pyqtgraph.ViewBox
    layer : int
        The z value of the items.
    """

    def __init__(self, view_box: Any, layer: int) -> None:
        self._view_box = view_box
        self._layer = layer
        self._items: list[tuple[np.ndarray, Any, Any]] = []
        self._scale = LINEAR
        self._theme: PlotTheme | None = None
        self._font: QFont | None = None

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """The gates that are shown: name and corners in values."""
        return tuple(
            (str(label.toPlainText()), corners) for corners, _, label in self._items
        )

    def show(self, gates: Sequence[Outline], theme: PlotTheme) -> None:
        """Draw these gates in the place of those before."""
        for _, curve, label in self._items:
            self._view_box.removeItem(curve)
            self._view_box.removeItem(label)
        self._items = [self._made(name, corners) for name, corners in gates]
        self.set_theme(theme)
        self._place()

    def _made(self, name: str, corners: np.ndarray) -> tuple[np.ndarray, Any, Any]:
        curve, label = pg.PlotCurveItem(), pg.TextItem(name, anchor=(0, 1))
        if self._font is not None:
            label.setFont(self._font)
        for item in (curve, label):
            item.setZValue(self._layer)
            self._view_box.addItem(item, ignoreBounds=True)
        return corners, curve, label

    def set_theme(self, theme: PlotTheme) -> None:
        """Draw them in the colours of a theme."""
        self._theme = theme
        for _, curve, label in self._items:
            pen = pg.mkPen(theme.text, width=1.5, style=Qt.PenStyle.DashLine)
            curve.setPen(pen)
            label.setColor(theme.text)
            label.fill = pg.mkBrush(color_with(theme.background, 190))
            label.update()

    def set_font(self, font: QFont) -> None:
        """Write the names in a font."""
        self._font = font
        for _, _, label in self._items:
            label.setFont(font)

    def set_scale(self, scale: PlotScale) -> None:
        """Draw them on axes of another scale."""
        self._scale = scale
        self._place()

    def _place(self) -> None:
        for corners, curve, label in self._items:
            places = outline_places(corners, self._scale)
            curve.setData(places[:, 0], places[:, 1])
            top = places[np.argmax(places[:, 1])]
            label.setPos(float(top[0]), float(top[1]))
