"""Outlines of gates in a plot of two channels, with their names."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt

from napari_seespot.plots._qt import pg
from napari_seespot.plots.named_curves import NamedCurves
from napari_seespot.plots.scales import LINEAR, PlotScale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


class GateItems(NamedCurves):
    """The items of a plot that show gates."""

    def __init__(self, view_box: Any, layer: int) -> None:
        super().__init__(view_box, layer)
        self.outlines: tuple[Outline, ...] = ()

    def show(self, gates: Sequence[Outline], theme: PlotTheme) -> None:
        """Draw these gates, names and corners in values, instead of those before."""
        self.outlines = tuple(gates)
        self.renew((name for name, _ in gates), (0, 1))
        self.set_theme(theme)
        self.place()

    def set_theme(self, theme: PlotTheme) -> None:
        """Draw them in the colours of a theme."""
        pen = pg.mkPen(theme.text, width=1.5, style=Qt.PenStyle.DashLine)
        n = len(self.items)
        self.paint([pen] * n, [theme.text] * n, theme)

    def place(self, *_: Any) -> None:
        """Draw the outlines on the axes' scale."""
        for outline, (curve, label) in zip(self.outlines, self.items, strict=True):
            places = outline_places(outline[1], self.scale)
            curve.setData(places[:, 0], places[:, 1])
            top = places[np.argmax(places[:, 1])]
            label.setPos(float(top[0]), float(top[1]))
