"""Which rows lie in a window of two columns, and which is nearest to a place."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._chunks import each_chunk
from napari_seespot.plots.scales import LINEAR, PlotScale
from napari_seespot.priority import LEVEL_LIMITS, level_of, priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.index import SpotIndex
    from napari_seespot.spots import Spots

__all__ = ["level_stop", "nearest_row", "rows_inside"]

Limits = tuple[float, float, float, float]
Columns = tuple[np.ndarray, np.ndarray]


def rows_inside(
    spots: Spots,
    index: SpotIndex,
    columns: Columns,
    limits: Limits,
    where: np.ndarray | None,
    total: int,
    most: int,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Return rows within limits: all, or a fair choice where there are too many.

    Parameters
    ----------
    spots : Spots
    index : SpotIndex
        Of these spots; chooses by the priority of the spots, a hash of their
        ids: independent of place and class, and a spot that is drawn stays so
        when one zooms in.
    columns : (ndarray, ndarray)
        x and y, each of shape (n,).
    limits : (float, float, float, float)
        x low, x high, y low, y high, all included.
    where : ndarray of bool, shape (n,), or None
    total : int
        How many rows that pass lie within the limits.
    most : int

    Returns
    -------
    ndarray of int64, shape (min(total, most),)
        In row order.
    """
    n = len(columns[0])
    parts: list[np.ndarray] = []
    start = 0
    for level in range(len(LEVEL_LIMITS)):
        stop = n if total <= most else level_stop(spots, level)
        parts += _rows_between(start, stop, columns, limits, where, cancelled)
        start = stop
        if sum(map(len, parts)) >= most or stop == n:
            break
    rows = np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))
    return index.most_important(rows, most)


def nearest_row(
    columns: Columns,
    at: tuple[float, float],
    unit: tuple[float, float],
    radius: float,
    where: np.ndarray | None,
    cancelled: Callable[[], bool] | None = None,
    scale: PlotScale = LINEAR,
) -> int | None:
    """Return the row nearest to a place on the screen, None where none is near.

    Parameters
    ----------
    columns : (ndarray, ndarray)
        x and y, each of shape (n,).
    at : (float, float)
        In data units.
    unit : (float, float)
        A pixel along x and y, on the axes' scale.
    radius : float
        In pixels.
    where : ndarray of bool, shape (n,), or None
    scale : PlotScale
        Of both axes.

    Returns
    -------
    int or None
        The lowest of equally near rows.
    """
    x, y = columns
    x_at, y_at = (float(scale.to(value)) for value in at)
    # Rows that may be near, by values: curves cost more than comparisons. As
    # numpy scalars, for with Python's float32 columns are compared in float32.
    reach = 1.001 * radius
    box = [
        scale.back(np.float64(middle) + side * reach * step)
        for middle, step in ((x_at, unit[0]), (y_at, unit[1]))
        for side in (-1, 1)
    ]
    x0, x1, y0, y1 = (np.float64(end) for end in box)

    def step(best: list[tuple[float, int]], rows: slice) -> None:
        xs, ys = x[rows], y[rows]
        maybe = (xs >= x0) & (xs <= x1) & (ys >= y0) & (ys <= y1)
        if where is not None:
            maybe &= where[rows]
        places = np.flatnonzero(maybe)
        with np.errstate(invalid="ignore", over="ignore"):
            distance = ((scale.to(xs[places]) - x_at) / unit[0]) ** 2
            distance += ((scale.to(ys[places]) - y_at) / unit[1]) ** 2
        near = distance <= radius * radius  # NaN is not
        places, distance = places[near], distance[near]
        if places.size:
            nearest = np.argmin(distance)
            best.append((float(distance[nearest]), int(places[nearest]) + rows.start))

    new: Any = list
    found = each_chunk(len(x), new, step, cancelled=cancelled)
    return min((item for part in found for item in part), default=(0.0, None))[1]


def _rows_between(
    start: int,
    stop: int,
    columns: Columns,
    limits: Limits,
    where: np.ndarray | None,
    cancelled: Callable[[], bool] | None,
) -> list[np.ndarray]:
    x, y = columns
    x0, x1, y0, y1 = np.array(limits, np.float64)  # see `nearest_row`

    def step(parts: list[np.ndarray], chunk: slice) -> None:
        rows = slice(start + chunk.start, start + chunk.stop)
        xs, ys = x[rows], y[rows]
        inside = (xs >= x0) & (xs <= x1) & (ys >= y0) & (ys <= y1)
        if where is not None:
            inside &= where[rows]
        parts.append(np.flatnonzero(inside) + rows.start)

    new: Any = list
    found = each_chunk(stop - start, new, step, cancelled=cancelled)
    return [rows for part in found for rows in part]


def level_stop(spots: Spots, level: int) -> int:
    """Return how many rows the first levels have, up to and with `level`.

    They are a fair choice: levels are told by a hash of the spots' ids.
    """
    ids = spots.column("spot_id")
    return bisect_right(
        range(len(ids)),
        level,
        key=lambda row: int(level_of(priority(ids[row : row + 1]))[0]),
    )
