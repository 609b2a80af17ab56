"""Labels one below the other, none of which covers another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QPen

from napari_seespot.plots.chart_pen import LEFT, RIGHT, Pen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_seespot.plots.chart_layout import Layout
    from napari_seespot.plots.marks import Labels

__all__ = ["paint_labels", "spread"]

_LINE = 10.0  # pixels between a label and what it names, for the line that ties them


def spread(
    places: Sequence[float], size: float, low: float, high: float
) -> list[float]:
    """Return where the middles of equal boxes lie that must not overlap.

    Parameters
    ----------
    places : sequence of float
        Ascending: where they ought to lie.
    size : float
        Of each box.
    low, high : float
        Between which all boxes lie, as far as there is room.

    Returns
    -------
    list of float
        The places with the least sum of squared distances to those wanted: boxes
        that meet form a group around the mean of their wishes (pool adjacent
        violators; M. Ayer et al., The Annals of Mathematical Statistics 26, 1955).
    """
    groups: list[tuple[float, int]] = []  # mean of what is wanted of the first; number
    for rank, place in enumerate(places):
        group = (place - rank * size, 1)
        while groups and groups[-1][0] > group[0]:
            mean, count = groups.pop()
            total = count + group[1]
            group = ((mean * count + group[0] * group[1]) / total, total)
        groups.append(group)
    first = np.repeat([mean for mean, _ in groups], [count for _, count in groups])
    lowest = low + size / 2
    highest = max(lowest, high - size / 2 - (len(places) - 1) * size)
    inside = np.clip(first, lowest, highest) + np.arange(len(places)) * size
    return [float(place) for place in inside]


def paint_labels(pen: Pen, mark: Labels, layout: Layout) -> list[QRectF]:
    """Draw labels; return the areas that they take.

    Names that are too long are cut, numbers never: they are written smaller.
    """
    texts = sorted(mark.texts, key=lambda text: layout.along_y(text[0]))
    if not texts:
        return []
    x, plot = layout.along_x(mark.x), layout.plot
    room = (x - plot.left() if mark.to_left else plot.right() - x) - _LINE
    widest = max(pen.width(number) for *_, number in texts)
    needed = 2 * pen.height * len(texts)
    fits = min(1.0, room / max(widest, 1.0), plot.height() / needed)
    if fits < 1:
        pen = pen.scaled(max(fits, 0.05))
    size = min(2 * pen.height, plot.height() / len(texts))
    wanted = [layout.along_y(y) for y, *_ in texts]
    placed = spread(wanted, size, plot.top(), plot.bottom())
    areas = []
    for (_, name, number), want, y in zip(texts, wanted, placed, strict=True):
        left = plot.left() if mark.to_left else x + _LINE
        area = QRectF(left, y - size / 2, room, size)
        flags = RIGHT if mark.to_left else LEFT
        pen.write(area, f"{pen.elided(name, room)}\n{number}", flags)
        if abs(want - y) > 1:
            end = x - _LINE + 2 if mark.to_left else x + _LINE - 2
            pen.painter.setPen(QPen(pen.color("axis"), 1))
            pen.painter.drawLine(QPointF(x, want), QPointF(end, y))
        areas.append(area)
    return areas
