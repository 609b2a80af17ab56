"""Loops over rows that numba compiles; imported at first use only.

They release the GIL, are kept on disk once compiled, and know nothing of
tables: `density` and `polygons` prepare what they take. Arrays of size zero
stand for what is not asked: numba has no cheap "optional".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "EDGE",
    "INSIDE",
    "OUTSIDE",
    "add_to_counts",
    "mark_inside",
    "widen_extent",
]

OUTSIDE, INSIDE, EDGE = 0, 1, 2
"""What a cell of a polygon's raster says about the points in it."""

F = TypeVar("F", bound="Callable[..., Any]")


def _compiled(function: F) -> F:
    return cast("F", njit(nogil=True, cache=True)(function))


@_compiled
def _find_bin(value: float, guess: float, edges: np.ndarray) -> np.uintp:
    """Return the bin of a value that lies between the first and last edge.

    The result is ``searchsorted(edges, value, "right") - 1``, with the last
    bin closed; the guess only makes it fast. Places are unsigned, here and
    below, because numba looks at each signed one whether it counts from the
    end: without that, a picture takes a third less time.
    """
    last, one = np.uintp(edges.size - 2), np.uintp(1)
    if guess >= last:
        place = last
    elif guess > 0:
        place = np.uintp(guess)
    else:  # and where the guess is NaN
        place = np.uintp(0)
    while place > 0 and value < edges[place]:
        place -= one
    while place < last and value >= edges[place + one]:
        place += one
    return place


@_compiled
def add_to_counts(
    counts: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    x_along: np.ndarray,
    y_along: np.ndarray,
    x_edges: np.ndarray,
    y_edges: np.ndarray,
    x_guess: tuple[float, float],
    y_guess: tuple[float, float],
    keep: np.ndarray,
    codes: np.ndarray,
    class_of_code: np.ndarray,
) -> None:
    """Count rows into `counts`, shape (n_classes, bins_y, bins_x), uint32.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
    x_along, y_along : ndarray of float, shape (n,)
        The same on the scale in which bins are equally wide; for the guess.
    x_edges, y_edges : ndarray of float64
    x_guess, y_guess : (float, float)
        The first edge on that scale, and how many bins a unit has.
    keep : ndarray of bool, shape (n,) or (0,)
    codes : ndarray of uint8, shape (n,) or (0,)
    class_of_code : ndarray of uint8
        Rows of a class beyond the last are dropped.
    """
    n_classes, bins_y, bins_x = counts.shape
    flat = counts.reshape(-1)
    masked, classed = keep.size > 0, codes.size > 0
    x_low, x_high = x_edges[0], x_edges[-1]
    y_low, y_high = y_edges[0], y_edges[-1]
    for row in range(x.size):
        if masked and not keep[row]:
            continue
        x_value, y_value = float(x[row]), float(y[row])
        if not (x_low <= x_value <= x_high and y_low <= y_value <= y_high):
            continue
        layer = class_of_code[codes[row]] if classed else 0
        if layer >= n_classes:
            continue
        x_place = (x_along[row] - x_guess[0]) * x_guess[1]
        y_place = (y_along[row] - y_guess[0]) * y_guess[1]
        column = _find_bin(x_value, x_place, x_edges)
        line = _find_bin(y_value, y_place, y_edges)
        picture_line = np.uintp(layer) * np.uintp(bins_y) + line
        flat[picture_line * np.uintp(bins_x) + column] += np.uint32(1)


@_compiled
def widen_extent(
    extent: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    x_above: float,
    y_above: float,
    keep: np.ndarray,
) -> None:
    """Widen (x_min, x_max, y_min, y_max) by rows of which both are finite.

    Rows at or below `x_above` or `y_above` do not count (a logarithm has no
    place for them).
    """
    x_min, x_max, y_min, y_max = extent
    infinity = float("inf")
    masked = keep.size > 0
    for row in range(x.size):
        if masked and not keep[row]:
            continue
        x_value, y_value = float(x[row]), float(y[row])
        if not (x_above < x_value < infinity and y_above < y_value < infinity):
            continue
        x_min, x_max = min(x_min, x_value), max(x_max, x_value)
        y_min, y_max = min(y_min, y_value), max(y_max, y_value)
    extent[:] = x_min, x_max, y_min, y_max


@_compiled
def mark_inside(
    inside: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    keep: np.ndarray,
    cells: np.ndarray,
    x_cells: tuple[float, float],
    y_cells: tuple[float, float],
    edges: np.ndarray,
    first_of_line: np.ndarray,
    edge_of_line: np.ndarray,
) -> None:
    """Write whether each point lies in a polygon, by the even-odd rule.

    Parameters
    ----------
    inside : ndarray of bool, shape (n,)
    x, y : ndarray of float, shape (n,)
    keep : ndarray of bool, shape (n,) or (0,)
    cells : ndarray of uint8, shape (lines, columns)
        `OUTSIDE`, `INSIDE`, or `EDGE` where the point itself must be tested.
    x_cells, y_cells : (float, float)
        Where the cells begin, and how many a unit has.
    edges : ndarray of float64, shape (n_edges, 4)
        x and y of the lower end, x and y of the upper end.
    first_of_line, edge_of_line : ndarray of int
        The edges that come near line j of the cells are
        ``edge_of_line[first_of_line[j]:first_of_line[j + 1]]``.
    """
    lines, columns = cells.shape
    masked = keep.size > 0
    for row in range(x.size):
        inside[row] = False
        if masked and not keep[row]:
            continue
        x_value, y_value = float(x[row]), float(y[row])
        along_x = (x_value - x_cells[0]) * x_cells[1]
        along_y = (y_value - y_cells[0]) * y_cells[1]
        if not (0 <= along_x < columns and 0 <= along_y < lines):  # NaN as well
            continue
        line = int(along_y)
        cell = cells[line, int(along_x)]
        if cell != EDGE:
            inside[row] = cell == INSIDE
            continue
        odd = False
        for place in range(first_of_line[line], first_of_line[line + 1]):
            x_low, y_low, x_high, y_high = edges[edge_of_line[place]]
            if y_low <= y_value < y_high:
                share = (x_high - x_low) * (y_value - y_low) / (y_high - y_low)
                if x_value < share + x_low:
                    odd = not odd
        inside[row] = odd
