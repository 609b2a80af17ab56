"""Dye lines with their names, which stay in view while the plot is zoomed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRectF

from napari_seespot.plots._qt import pg
from napari_seespot.plots.named_curves import NamedCurves
from napari_seespot.plots.scales import LINEAR, PlotScale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_seespot.plots.theme import PlotTheme
    from napari_seespot.unmixing import DyeLine

__all__ = ["DyeLineItems", "line_places", "visible_part"]

_STEPS = 200  # pieces of a line that a curved scale bends

_LABEL_AT = (0.96, 0.84, 0.72, 0.60, 0.48, 0.36, 0.24)
"""Where a name may stand, as a share of the line's visible part; the first free one."""


class DyeLineItems(NamedCurves):
    """The items of a plot that show dye lines."""

    def __init__(self, view_box: Any, layer: int) -> None:
        super().__init__(view_box, layer)
        self._lines: Sequence[DyeLine] = ()
        self._colors: list[str] = []

    @property
    def shown(self) -> bool:
        """Whether there are lines."""
        return bool(self._lines)

    def show(
        self,
        lines: Sequence[DyeLine],
        names: Mapping[str, str],
        colors: Mapping[str, str],
        theme: PlotTheme,
    ) -> None:
        """Draw these lines in the place of those before."""
        self._lines = lines
        self._colors = [colors[line.channel] for line in lines]
        self.renew((names[line.channel] for line in lines), (1, 0.5))
        self.set_theme(theme)
        self.place()

    def set_theme(self, theme: PlotTheme) -> None:
        """Put the names on the plot's background."""
        pens = [pg.mkPen(color, width=1.5) for color in self._colors]
        words = self._colors if theme.dark else [theme.text] * len(pens)
        self.paint(pens, words, theme)

    def place(self, *_: Any) -> None:
        """Draw the lines through what is in view, each with its name in view."""
        (x0, x1), (y0, y1) = self.view_box.viewRange()
        taken: list[QRectF] = []
        for line, (curve, label) in zip(self._lines, self.items, strict=True):
            places = line_places(line.direction, (x0, x1, y0, y1), self.scale)
            curve.setVisible(places is not None)
            label.setVisible(places is not None)
            if places is not None:
                curve.setData(places[:, 0], places[:, 1])
                taken.append(self._place_name(label, places, taken))

    def _place_name(
        self, label: Any, places: np.ndarray, taken: list[QRectF]
    ) -> QRectF:
        """Put a name beside its line, where no other is; return its rectangle."""
        (x0, x1), (y0, y1) = self.view_box.viewRange()
        view, size = self.view_box.size(), label.boundingRect()
        across, down = view.width() / (x1 - x0), view.height() / (y1 - y0)
        steps = np.hypot(*(np.diff(places, axis=0) * (across, down)).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        for share in _LABEL_AT:  # the last one is taken where all are crowded
            at = share * along[-1]
            x, y = (float(np.interp(at, along, axis)) for axis in places.T)
            right, middle = (x - x0) * across, (y1 - y) * down
            beside = right < size.width() + 4  # no room on the left of the line
            left = right if beside else right - size.width()
            top = middle - size.height() / 2
            rectangle = QRectF(left, top, size.width(), size.height())
            if not any(rectangle.intersects(other) for other in taken):
                break
        label.setAnchor((0 if beside else 1, 0.5))
        label.setPos(x, y)
        return rectangle


def line_places(
    direction: tuple[float, float],
    limits: tuple[float, float, float, float],
    scale: PlotScale = LINEAR,
) -> np.ndarray | None:
    """Return the visible part of a ray from the origin as places along the axes.

    Parameters
    ----------
    direction : (float, float)
        In values, of length 1.
    limits : (float, float, float, float)
        Places: x low, x high, y low, y high.
    scale : PlotScale

    Returns
    -------
    ndarray of float64, shape (m, 2), or None
        None where the ray is not in view.
    """
    part = visible_part(direction, scale.limits_back(limits))
    if part is None:
        return None
    reach = np.array(part)
    if scale.name != "linear":
        # Even steps along each axis' own scale: a bend may be on either.
        steps = [reach]
        for step in direction:
            low, high = scale.to(reach * step)
            if step != 0 and np.isfinite([low, high]).all():
                steps.append(scale.back(np.linspace(low, high, _STEPS + 1)) / step)
        reach = np.sort(np.concatenate(steps).clip(*part))
    places = scale.to(reach[:, None] * direction)
    places = places[np.isfinite(places).all(axis=1)]
    return places if len(places) > 1 else None


def visible_part(
    direction: tuple[float, float], limits: tuple[float, float, float, float]
) -> tuple[float, float] | None:
    """Return from where to where a ray from the origin crosses a rectangle.

    Parameters
    ----------
    direction : (float, float)
        Of length 1.
    limits : (float, float, float, float)
        x low, x high, y low, y high.

    Returns
    -------
    (float, float) or None
        Distances from the origin; None where the ray misses the rectangle
        (Liang and Barsky, ACM Transactions on Graphics 3, 1984).
    """
    start, stop = 0.0, np.inf
    for step, low, high in (
        (direction[0], *limits[:2]),
        (direction[1], *limits[2:]),
    ):
        if step == 0:
            if not low <= 0 <= high:
                return None
            continue
        near, far = sorted((low / step, high / step))
        start, stop = max(start, near), min(stop, far)
    return (start, float(stop)) if start < stop else None
