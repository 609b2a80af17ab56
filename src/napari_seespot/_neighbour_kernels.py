"""The loop that compares spots with their neighbours; numba compiles it.

Imported at first use only, as `_kernels` is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["nearest_in_cells"]

F = TypeVar("F", bound="Callable[..., Any]")


def _compiled(function: F) -> F:
    return cast("F", njit(nogil=True, cache=True)(function))


@_compiled
def _first_of(keys: np.ndarray, key: np.uint64) -> int:
    """Return where in sorted keys a key is, or would be."""
    low, high = 0, keys.size
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@_compiled
def nearest_in_cells(
    points: np.ndarray,
    keys: np.ndarray,
    queries: np.ndarray,
    corner: np.ndarray,
    shape: np.ndarray,
    side: float,
    slack: float,
    found: np.ndarray,
    proven: np.ndarray,
) -> None:
    """Find the nearest points among those in the 27 cells around each query.

    Parameters
    ----------
    points : ndarray of float32, shape (n, 3)
    keys : ndarray of uint64, shape (n,)
        Sorted: a cell's number, 32 bits on, and the row of a point in it.
    queries : ndarray of int64, shape (m,)
        Rows of points.
    corner : ndarray of float64, shape (3,)
        Of the first cell.
    shape : ndarray of int64, shape (3,)
        Cells along each axis.
    side : float
        Of a cell.
    slack : float
        By how much a point may lie beyond its cell's border, by rounding.
    found : ndarray of int64, shape (m, k)
        Is filled with rows, nearest first; of equal distances, lower rows first.
    proven : ndarray of bool, shape (m,)
        Is told whether no point outside these cells can be as near.
    """
    k = found.shape[1]
    distance = np.empty(k, np.float64)
    place = np.empty(3, np.int64)
    wide = np.uint64(32)
    low_bits = np.uint64(0xFFFFFFFF)
    for query in range(queries.size):
        row = queries[query]
        reach = np.inf
        for axis in range(3):
            here = np.float64(points[row, axis]) - corner[axis]
            cell = min(np.int64(here / side), shape[axis] - 1)
            place[axis] = cell
            if cell > 1:
                reach = min(reach, here - (cell - 1) * side)
            if cell < shape[axis] - 2:
                reach = min(reach, (cell + 2) * side - here)
        reach -= slack
        first_x, last_x = max(place[2] - 1, 0), min(place[2] + 1, shape[2] - 1)
        held = 0
        for z in range(max(place[0] - 1, 0), min(place[0] + 2, shape[0])):
            for y in range(max(place[1] - 1, 0), min(place[1] + 2, shape[1])):
                line = (z * shape[1] + y) * shape[2]
                stop = np.uint64(line + last_x + 1) << wide
                at = _first_of(keys, np.uint64(line + first_x) << wide)
                while at < keys.size and keys[at] < stop:
                    other = np.int64(keys[at] & low_bits)
                    at += 1
                    if other == row:
                        continue
                    far = 0.0
                    for axis in range(3):
                        step = np.float64(points[other, axis]) - np.float64(
                            points[row, axis]
                        )
                        far += step * step
                    if held == k:
                        worst = distance[k - 1]
                        if far > worst or (far == worst and other > found[query, -1]):
                            continue
                    else:
                        held += 1
                    rank = held - 1
                    while rank > 0 and (
                        distance[rank - 1] > far
                        or (
                            distance[rank - 1] == far and found[query, rank - 1] > other
                        )
                    ):
                        distance[rank] = distance[rank - 1]
                        found[query, rank] = found[query, rank - 1]
                        rank -= 1
                    distance[rank] = far
                    found[query, rank] = other
        proven[query] = reach == np.inf or (
            held == k and reach > 0 and distance[k - 1] < reach * reach
        )
