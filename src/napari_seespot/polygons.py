"""Which of millions of points lie inside a polygon, exactly.

The polygon's box is divided into cells. Where no edge comes near, all points
of a cell share one answer; only points in the cells along an edge are tested
themselves, and only against the edges at their height.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_seespot._chunks import (
    CHUNK_ROWS,
    LONG_CHUNK_ROWS,
    each_chunk,
    frozen,
    number_chunks,
    row_mask,
)
from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["checked_vertices", "inside_polygon"]

N_CELLS = 512
"""Cells along each side: then some percent of them are crossed by an edge."""

LARGEST, SMALLEST = 1e100, 1e-100
"""Magnitudes of which the products below are still exact to a rounding."""

NO_MASK = frozen([], np.bool_)


def inside_polygon(
    x: np.ndarray,
    y: np.ndarray,
    vertices: Any,
    where: np.ndarray | None = None,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Return which points lie inside a polygon, by the even-odd rule.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Coordinates of the points; NaN is outside.
    vertices : array-like, shape (n_vertices, 2)
        The corners as (x, y), in order; the last is joined to the first. The
        polygon may cross itself: what is enclosed twice is outside.
    where : ndarray of bool, shape (n,), optional
        The points to look at; the others count as outside.
    cancelled : callable, optional
        Asked every million points or more often; the test ends when it says True.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    StateError
        When vertices, coordinates or `where` cannot be used.
    CancelledError
        When `cancelled` said True.

    Notes
    -----
    A ray to the right of the point (px, py) crosses the edge that rises from
    (x0, y0) to (x1, y1) when ``y0 <= py < y1`` and
    ``px < (x1 - x0) * (py - y0) / (y1 - y0) + x0``, in float64; the point is
    inside when it crosses an odd number of edges (M. Shimrat, Algorithm 112,
    Communications of the ACM 5, 1962). Because each edge is taken upwards,
    whatever the order of the vertices, polygons that share an edge never share
    a point.
    """
    from napari_seespot._kernels import mark_inside

    x, y = _checked_points(x, y)
    keep = row_mask(where, len(x))
    grid = _grid(checked_vertices(vertices))
    inside = np.zeros(len(x), np.bool_)

    def step(_: None, rows: slice) -> None:
        x_rows, y_rows = number_chunks(x, y, rows)
        kept = NO_MASK if keep is None else keep[rows]
        mark_inside(inside[rows], x_rows, y_rows, kept, *grid)

    plain = x.dtype == y.dtype == np.float32
    each_chunk(
        len(x),
        lambda: None,
        step,
        rows_per_chunk=LONG_CHUNK_ROWS if plain else CHUNK_ROWS,
        cancelled=cancelled,
    )
    return inside


class _Grid(NamedTuple):
    """A polygon's cells and edges, as the kernel takes them."""

    cells: np.ndarray
    x_cells: tuple[float, float]
    y_cells: tuple[float, float]
    edges: np.ndarray
    first_of_line: np.ndarray
    edge_of_line: np.ndarray


class _Side(NamedTuple):
    """The cells along one axis, wide enough for any rounding.

    The answer of a cell holds for each point that is put into it only if the
    cell keeps a `margin` from every edge that covers the roundings of a
    point's place (a tiny part of a cell) and of a crossing (some units in the
    last place of the largest coordinate).
    """

    start: float
    per_unit: float
    margin: float

    @classmethod
    def around(cls, values: np.ndarray) -> _Side:
        low, high = float(values.min()), float(values.max())
        margin = 0.01 * (high - low) / N_CELLS
        margin += 16 * float(np.spacing(np.abs(values).max())) + SMALLEST
        start, stop = low - 2 * margin, high + 2 * margin
        return cls(start, N_CELLS / (stop - start), margin)

    def cell(self, values: np.ndarray) -> np.ndarray:
        places = np.floor((values - self.start) * self.per_unit)
        return np.clip(places, 0, N_CELLS - 1).astype(np.int64)

    def border(self, cells: np.ndarray) -> np.ndarray:
        return np.asarray(self.start + cells / self.per_unit)


def _grid(vertices: np.ndarray) -> _Grid:
    from napari_seespot._kernels import EDGE, mark_inside

    edges = _rising_edges(vertices)
    x_side, y_side = _Side.around(vertices[:, 0]), _Side.around(vertices[:, 1])
    edge_of_line, line = _edges_near_lines(edges, y_side)
    first_of_line = np.searchsorted(line, np.arange(N_CELLS + 1))
    cells = np.full((N_CELLS, N_CELLS), EDGE, np.uint8)
    grid = _Grid(
        cells,
        (x_side.start, x_side.per_unit),
        (y_side.start, y_side.per_unit),
        edges,
        first_of_line,
        edge_of_line,
    )
    clear = ~_crossed_cells(edges[edge_of_line], line, x_side, y_side)
    lines, columns = np.nonzero(clear)
    centre_x = frozen(x_side.border(columns + 0.5), np.float64)
    centre_y = frozen(y_side.border(lines + 0.5), np.float64)
    answer = np.zeros(len(lines), np.bool_)
    mark_inside(answer, centre_x, centre_y, NO_MASK, *grid)
    cells[clear] = answer  # False and True are OUTSIDE and INSIDE
    return grid


def _rising_edges(vertices: np.ndarray) -> np.ndarray:
    """Return x and y of the lower end, then of the upper end, of each edge."""
    start, stop = vertices, np.roll(vertices, -1, axis=0)
    falls = (start[:, 1] > stop[:, 1])[:, None]
    return np.hstack([np.where(falls, stop, start), np.where(falls, start, stop)])


def _edges_near_lines(
    edges: np.ndarray, y_side: _Side
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of an edge and a line of cells that it comes near, by line."""
    first = y_side.cell(edges[:, 1] - y_side.margin)
    last = y_side.cell(edges[:, 3] + y_side.margin)
    lengths = last - first + 1
    edge = np.repeat(np.arange(len(edges)), lengths)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    line = first[edge] + within
    order = np.argsort(line, kind="stable")
    return edge[order], line[order]


def _crossed_cells(
    edges: np.ndarray, line: np.ndarray, x_side: _Side, y_side: _Side
) -> np.ndarray:
    """Return which cells an edge comes near, shape (N_CELLS, N_CELLS).

    `edges` and `line` are pairs: an edge, and a line of cells it comes near.
    """
    x0, y0, x1, y1 = edges.T
    height = y1 - y0
    level = height == 0
    height = np.where(level, 1.0, height)
    bottom = np.clip((y_side.border(line) - y_side.margin - y0) / height, 0, 1)
    top = np.clip((y_side.border(line + 1) + y_side.margin - y0) / height, 0, 1)
    one = x0 + (x1 - x0) * np.where(level, 0.0, bottom)
    other = x0 + (x1 - x0) * np.where(level, 1.0, top)
    first = x_side.cell(np.minimum(one, other) - x_side.margin)
    last = x_side.cell(np.maximum(one, other) + x_side.margin)
    # +1 where a stretch begins and -1 behind its end: the sum along the line is
    # how many stretches cover a cell.
    steps = np.zeros((N_CELLS, N_CELLS + 1), np.int64)
    np.add.at(steps, (line, first), 1)
    np.add.at(steps, (line, last + 1), -1)
    return np.asarray(np.cumsum(steps, axis=1)[:, :N_CELLS] > 0)


def _checked_points(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 1 or x.shape != y.shape or x.dtype.kind + y.dtype.kind not in NUMBERS:
        raise StateError(
            f"x is an array of {x.dtype} with shape {x.shape}, y one of {y.dtype} "
            f"with shape {y.shape}",
            expected="two columns of numbers of the same length",
        )
    return x, y


NUMBERS = {one + other for one in "fiub" for other in "fiub"}
"""Kinds of dtypes of x and y that are numbers."""


def checked_vertices(vertices: Any) -> np.ndarray:
    """Return a polygon's corners as float64, shape (n_vertices, 2).

    Raises
    ------
    StateError
        When they are fewer than three pairs of finite numbers.
    """
    try:
        corners = np.array(vertices, np.float64)
    except (TypeError, ValueError) as error:
        raise StateError(
            "the polygon's vertices are not numbers",
            expected="a list of (x, y)",
        ) from error
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise StateError(
            f"the polygon's vertices have the shape {corners.shape}",
            expected="at least 3 vertices, each (x, y)",
        )
    with np.errstate(invalid="ignore"):
        unusable = ~(np.abs(corners) <= LARGEST).all(axis=1)
    if unusable.any():
        bad = np.flatnonzero(unusable)[0]
        raise StateError(
            f"vertex {bad} of the polygon is ({corners[bad, 0]}, {corners[bad, 1]})",
            expected=f"finite numbers, up to {LARGEST:g}",
        )
    corners[np.abs(corners) < SMALLEST] = 0.0
    return corners
