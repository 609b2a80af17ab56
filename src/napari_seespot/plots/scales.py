"""Scaled axes of a plot: where a value lies, and which values get a tick.

A plot draws in places along its axes, everything else speaks of values: this
is where one becomes the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.axis_scales import AxisScale, from_scale, to_scale
from napari_seespot.plots._qt import pg

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LINEAR", "PlotScale", "ScaledAxis"]

Limits = tuple[float, float, float, float]

_SPACING = {"bottom": 45.0, "left": 24.0}
"""Pixels that a tick's text needs along its axis."""

_FARTHEST = 1e300  # beyond, a value of a curved scale is no float64 any more


@dataclass(frozen=True)
class PlotScale:
    """The scale of both axes of a plot.

    Attributes
    ----------
    name : str
        ``"linear"``, ``"log"`` or ``"asinh"``.
    width : float
        Where an asinh scale turns from linear to logarithmic.
    """

    name: AxisScale = "linear"
    width: float = 1.0

    def to(self, values: Any) -> np.ndarray:
        """Return where values lie along an axis; NaN where they have no place."""
        with np.errstate(all="ignore"):
            return to_scale(values, self.name, self.width)

    def back(self, places: Any) -> np.ndarray:
        """Return the values at places along an axis."""
        if self.name == "linear":
            return np.asarray(places, np.float64)
        # A plot may be moved far beyond what has a value.
        values = from_scale(places, self.name, self.width)
        return np.asarray(np.clip(values, -_FARTHEST, _FARTHEST))

    def limits_to(self, limits: Limits) -> Limits:
        """Return limits of values, x low, x high, y low, y high, as places."""
        x0, x1, y0, y1 = map(float, self.to(limits))
        return (x0, x1, y0, y1)

    def limits_back(self, places: Limits) -> Limits:
        """Return limits of places as limits of values."""
        x0, x1, y0, y1 = map(float, self.back(places))
        return (x0, x1, y0, y1)

    def vertices_back(
        self, vertices: np.ndarray, unit: tuple[float, float]
    ) -> np.ndarray:
        """Return an outline that was drawn as an outline in values.

        What is straight on a curved scale is not straight in values: edges are
        divided into pieces of at most two pixels, those along an axis are not.

        Parameters
        ----------
        vertices : ndarray, shape (m, 2)
            Places.
        unit : (float, float)
            Places a pixel, along x and y.

        Returns
        -------
        ndarray of float64, shape (k, 2)
        """
        corners = np.asarray(vertices, np.float64)
        if self.name == "linear":
            return corners
        parts = []
        for start, stop in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            step = (stop - start) / unit
            pieces = 1
            if (step != 0).all():
                pieces = int(np.clip(np.ceil(np.hypot(*step) / 2), 1, 2000))
            share = np.arange(pieces)[:, None] / pieces
            parts.append(start + share * (stop - start))
        return self.back(np.vstack(parts))

    def ticks(self, low: float, high: float, most: float) -> list[float]:
        """Return values between two places that deserve a tick.

        Parameters
        ----------
        low, high : float
            Places.
        most : float
            How many texts have room side by side.
        """
        first, last = map(float, self.back([low, high]))
        room = (high - low) / max(most, 1.0)
        chosen: list[float] = []
        places: list[float] = []
        for candidates in _candidates(first, last, self.name):
            for value in candidates:
                place = float(self.to(value))
                near = any(abs(place - other) < room for other in places)
                if low <= place <= high and not near:
                    chosen.append(value)
                    places.append(place)
        return sorted(chosen)


LINEAR = PlotScale()


def _candidates(
    first: float, last: float, name: AxisScale
) -> Iterable[tuple[float, ...]]:
    """Return values that make good ticks, the best ones first."""
    largest = max(abs(first), abs(last), 1e-300)
    top = int(np.ceil(np.log10(largest)))
    bottom = top - 6
    if name == "log" and first > 0:
        bottom = max(int(np.floor(np.log10(first))), top - 30)
    signs = (1,) if name == "log" else (1, -1)
    if name == "asinh":
        yield (0.0,)
    for factor in (1, 3, 2, 5):
        yield tuple(
            sign * factor * 10.0**power
            for power in range(top, bottom - 1, -1)
            for sign in signs
        )
    # Zoomed in so far that none of these is in view: round steps.
    step = 10.0 ** np.floor(np.log10(max(last - first, 1e-300) / 2))
    start = np.ceil(first / step)
    yield tuple(float(step * (start + i)) for i in range(21))


class ScaledAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph is Any
    """An axis that writes values, wherever its scale puts them."""

    def __init__(self, orientation: str) -> None:
        self.plot_scale = LINEAR
        super().__init__(orientation)

    def set_plot_scale(self, scale: PlotScale) -> None:
        """Take another scale."""
        self.plot_scale = scale
        self.picture = None
        self.update()

    def tickValues(  # pyqtgraph's name
        self, low: float, high: float, size: float
    ) -> list[tuple[float | None, list[float]]]:
        """Return places of ticks, as pyqtgraph wants them: by level."""
        if self.plot_scale.name == "linear":
            levels: list[tuple[float | None, list[float]]]
            levels = super().tickValues(low, high, size)
            return levels
        most = size / _SPACING[self.orientation]
        values = self.plot_scale.ticks(low, high, most)
        return [(None, self.plot_scale.to(values).tolist())]

    def tickStrings(  # pyqtgraph's name
        self, places: list[float], scale: float, spacing: float | None
    ) -> list[str]:
        """Return what is written beside ticks."""
        if self.plot_scale.name == "linear":
            return list(super().tickStrings(places, scale, spacing))
        return [_text(value) for value in self.plot_scale.back(places).tolist()]


def _text(value: float) -> str:
    if abs(value) < 1e-9:
        return "0"
    return f"{value:.6g}" if 1e-3 <= abs(value) < 1e6 else f"{value:.3g}"
