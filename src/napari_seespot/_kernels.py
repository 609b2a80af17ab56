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
    "add_to_sums",
    "count_codes",
    "look_up",
    "mark_inside",
    "narrow",
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


BLOCK = 1024
"""Rows between two loops: what one leaves for the next stays in the L1 cache."""


@_compiled
def _guess_bins(
    x: np.ndarray,
    y: np.ndarray,
    x_along: np.ndarray,
    y_along: np.ndarray,
    bins: tuple[int, int],
    x_guess: tuple[float, ...],
    y_guess: tuple[float, ...],
    bin_of: np.ndarray,
    marks: np.ndarray,
    unsure: np.ndarray,
) -> None:
    """Guess the bin of each row of a block; tell which rows are inside or unsure.

    Without branches, so that compilers make vector instructions of it.
    """
    x_low, x_high, x_first, x_per_unit, x_margin = x_guess
    y_low, y_high, y_first, y_per_unit, y_margin = y_guess
    for row in range(x.size):
        x_value, y_value = x[row], y[row]
        inside = np.uint8(x_value >= x_low) & np.uint8(x_value <= x_high)
        inside &= np.uint8(y_value >= y_low) & np.uint8(y_value <= y_high)
        x_place = (x_along[row] - x_first) * x_per_unit
        y_place = (y_along[row] - y_first) * y_per_unit
        column, line = np.int32(x_place), np.int32(y_place)
        x_rest, y_rest = x_place - column, y_place - line
        # NaN and what is far outside are not sure either.
        sure = np.uint8(x_rest > x_margin) & np.uint8(1 - x_rest > x_margin)
        sure &= np.uint8(y_rest > y_margin) & np.uint8(1 - y_rest > y_margin)
        sure &= np.uint8(np.uint32(column) < np.uint32(bins[0]))
        sure &= np.uint8(np.uint32(line) < np.uint32(bins[1]))
        marks[row] &= inside
        unsure[row] = inside & (np.uint8(1) - sure)
        bin_of[row] = line * np.int32(bins[0]) + column


@_compiled
def add_to_counts(
    flat: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    x_along: np.ndarray,
    y_along: np.ndarray,
    x_edges: np.ndarray,
    y_edges: np.ndarray,
    x_guess: tuple[float, ...],
    y_guess: tuple[float, ...],
    keep: np.ndarray,
    codes: np.ndarray,
    offsets: np.ndarray,
) -> None:
    """Count rows into pictures, one behind the other, of shape (bins_y, bins_x).

    Parameters
    ----------
    flat : ndarray of uint32
    x, y : ndarray of float, shape (n,)
    x_along, y_along : ndarray of float, shape (n,)
        The same on the scale in which bins are equally wide; for the guess.
    x_edges, y_edges : ndarray of float64
    x_guess, y_guess : (float, float, float, float, float)
        The lowest and the highest value inside; the first edge on that scale;
        how many bins a unit has; how near to an edge, in bins, a guess is
        unsure. All in the precision of x and y.
    keep : ndarray of bool, shape (n,) or (0,)
    codes : ndarray of uint8, shape (n,) or (0,)
    offsets : ndarray of int64, shape (256,)
        Where the picture of each code begins; rows of a code with a negative
        one are dropped.
    """
    bins = (x_edges.size - 1, y_edges.size - 1)
    bin_of = np.empty(BLOCK, np.int32)
    marks, unsure = np.empty(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8)
    places = np.empty(BLOCK + 1, np.uint64)
    masked, classed = keep.size > 0, codes.size > 0
    # A table of its own: with a comparison the next loop would branch.
    counted = (offsets >= 0).astype(np.uint8)
    for start in range(0, x.size, BLOCK):
        size = min(BLOCK, x.size - start)
        stop = start + size
        if masked:
            for row in range(size):
                marks[row] = keep[start + row]
        else:
            marks[:] = 1
        _guess_bins(
            x[start:stop], y[start:stop], x_along[start:stop], y_along[start:stop],
            bins, x_guess, y_guess, bin_of, marks, unsure,
        )  # fmt: skip
        # Eight at once: hardly any row lies so near to an edge.
        some = unsure.view(np.uint64)
        for eight in range((size + 7) // 8):
            if some[eight] == 0:
                continue
            for row in range(8 * eight, min(8 * eight + 8, size)):
                if unsure[row]:
                    here = start + row
                    x_place = (x_along[here] - x_guess[2]) * x_guess[3]
                    y_place = (y_along[here] - y_guess[2]) * y_guess[3]
                    column = _find_bin(float(x[here]), x_place, x_edges)
                    line = _find_bin(float(y[here]), y_place, y_edges)
                    bin_of[row] = line * np.uintp(bins[0]) + column
        # Rows that do not count are written too, and then written over.
        n = np.uintp(0)
        if classed:
            for row in range(size):
                code = codes[start + row]
                places[n] = np.uint64(bin_of[row] + offsets[code])
                n += np.uintp(marks[row] & counted[code])
        else:
            for row in range(size):
                places[n] = np.uint64(bin_of[row])
                n += np.uintp(marks[row])
        for place in range(n):
            flat[places[place]] += np.uint32(1)


@_compiled
def add_to_sums(
    sums: np.ndarray,
    flat: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    x_along: np.ndarray,
    y_along: np.ndarray,
    x_edges: np.ndarray,
    y_edges: np.ndarray,
    x_guess: tuple[float, ...],
    y_guess: tuple[float, ...],
    keep: np.ndarray,
    values: np.ndarray,
) -> None:
    """Add a third column up in the bins of `add_to_counts`, finite values only.

    Parameters
    ----------
    sums : ndarray of float64
        Of the bins' values.
    flat : ndarray of uint32
        How many there were.
    values : ndarray of float32, shape (n,)
    """
    bins_x, masked = np.uintp(x_edges.size - 1), keep.size > 0
    x_low, x_high, y_low, y_high = x_edges[0], x_edges[-1], y_edges[0], y_edges[-1]
    for row in range(x.size):
        if masked and not keep[row]:
            continue
        x_value, y_value, value = float(x[row]), float(y[row]), float(values[row])
        if not (x_low <= x_value <= x_high and y_low <= y_value <= y_high):
            continue
        if not -np.inf < value < np.inf:
            continue
        x_place = (x_along[row] - x_guess[2]) * x_guess[3]
        y_place = (y_along[row] - y_guess[2]) * y_guess[3]
        line = _find_bin(y_value, y_place, y_edges)
        place = line * bins_x + _find_bin(x_value, x_place, x_edges)
        sums[place] += value
        flat[place] += np.uint32(1)


@_compiled
def look_up(out: np.ndarray, codes: np.ndarray, table: np.ndarray) -> None:
    """Write for each row whether its code passes: ``out = table[codes]``.

    numpy makes a 64-bit copy of the codes first.
    """
    for row in range(codes.size):
        out[row] = table[codes[row]]


@_compiled
def narrow(keep: np.ndarray, values: np.ndarray, low: float, high: float) -> None:
    """Keep only rows of which the value lies within; NaN does not.

    Parameters
    ----------
    keep : ndarray of bool, shape (n,)
    values : ndarray of float32, shape (n,)
    low, high : float32
    """
    for row in range(values.size):
        inside = np.uint8(values[row] >= low) & np.uint8(values[row] <= high)
        keep[row] = (np.uint8(keep[row]) & inside) != 0


@_compiled
def count_codes(counts: np.ndarray, codes: np.ndarray, keep: np.ndarray) -> None:
    """Add to `counts` how many rows have each code; int64, shape (256,).

    Parameters
    ----------
    codes : ndarray of uint8, shape (n,)
    keep : ndarray of bool, shape (n,) or (0,)
    """
    # Four counters in turn: an addition does not wait for the one before it.
    parts = np.zeros((4, 256), np.int64)
    masked = keep.size > 0
    for row in range(codes.size):
        parts[row & 3, codes[row]] += keep[row] if masked else 1
    for part in range(4):
        counts += parts[part]


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
