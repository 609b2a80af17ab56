"""The nearest neighbours of some spots among all, exactly; how statuses cluster.

A tree over all spots takes longer to build than a few thousand questions need. Here
spots are sorted into cubic cells; a spot is compared with those in the 27 cells
around it, and the answer stands where nothing outside of them can be nearer. The
others, in thinner tissue, are asked again with cells of twice the side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot._chunks import each_chunk
from napari_seespot.errors import StateError
from napari_seespot.spots import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.spots import Spots

__all__ = ["clustering", "nearest_rows"]

_FEW_PAIRS = 100_000_000  # all of them are compared in less time than a sort takes
_MOST_CELLS = 1 << 31  # their numbers take half of a key of 64 bits
_SOME = 20_000  # spots that tell about how far apart neighbours are
_QUERIES_A_CHUNK = 2_000


def clustering(
    spots: Spots,
    voxel_size: tuple[float, float, float],
    k: int = 10,
    n: int = 20_000,
    seed: int = 0,
    where: np.ndarray | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """Return how much spots of a status lie among their own kind.

    For a random sample of spots: the share of those of the same status among
    the k nearest (Euclidean distance in um, among all rows that count), and
    what it would be if statuses were spread at random.

    Parameters
    ----------
    spots : Spots
    voxel_size : tuple of float
        (z, y, x) in um.
    k : int
        Neighbours.
    n : int
        Spots sampled of each status, at most.
    seed : int
    where : ndarray of bool, shape (n,), optional
        The rows that count.
    cancelled : callable, optional
        Asked now and then; the work ends when it says True.

    Returns
    -------
    DataFrame
        One row a status: `spots` sampled, `share` (mean), `low` and `high` (its
        95 % interval, mean +- 1.96 standard errors), `expected` (the status's
        share among the other rows).

    Raises
    ------
    StateError
        When `k` is below 1.
    CancelledError
        When `cancelled` said True.
    """
    if k < 1:
        raise StateError(f"{k} neighbours", expected="1 or more")
    rows, points = _places(spots, voxel_size, where)
    status = spots.codes("status")[rows]
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(status == code) for code in range(len(STATUSES))]
    drawn = [rng.choice(some, min(n, len(some)), replace=False) for some in members]
    asked = np.concatenate(drawn)
    near = nearest_rows(points, asked, min(k, len(rows) - 1), cancelled)
    same = (status[near] == status[asked][:, None]).mean(axis=1) if near.size else []
    parts = np.split(np.asarray(same), np.cumsum([len(some) for some in drawn])[:-1])
    table = []
    for name, some, sampled, part in zip(STATUSES, members, drawn, parts, strict=True):
        expected = (len(some) - 1) / (len(rows) - 1) if len(rows) > 1 else np.nan
        table.append((name, len(sampled), *_interval(part), max(expected, 0.0)))
    columns = ["status", "spots", "share", "low", "high", "expected"]
    return pd.DataFrame(table, columns=columns).set_index("status")


def _places(
    spots: Spots, voxel_size: tuple[float, float, float], where: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that count and have a place, and their places in um."""
    columns = [spots.column(axis) for axis in "zyx"]
    chosen = np.isfinite(columns[0])
    for column in columns[1:]:
        chosen &= np.isfinite(column)
    if where is not None:
        chosen &= where
    rows = np.flatnonzero(chosen)
    points = np.empty((len(rows), 3), np.float32)
    for axis, (column, size) in enumerate(zip(columns, voxel_size, strict=True)):
        points[:, axis] = column[rows] * np.float32(size)
    return rows, points


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    if not values.size:
        return (np.nan, np.nan, np.nan)
    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else 0.0
    return (mean, mean - 1.96 * error, mean + 1.96 * error)


def nearest_rows(
    points: np.ndarray,
    queries: np.ndarray,
    k: int,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Return the rows of the points that are nearest to some of them.

    Parameters
    ----------
    points : ndarray of float32, shape (n, 3)
        Finite.
    queries : ndarray of int64, shape (m,)
        Rows; a point is not a neighbour of itself.
    k : int
        At most n - 1.
    cancelled : callable, optional
        Asked now and then; the search ends when it says True.

    Returns
    -------
    ndarray of int64, shape (m, k)
        Nearest first; of equal distances (in float64), lower rows first.

    Raises
    ------
    CancelledError
        When `cancelled` said True.
    """
    found = np.empty((len(queries), max(k, 0)), np.int64)
    if not found.size:
        return found
    open_ = np.arange(len(queries))
    side = _first_side(points, queries, k)
    while open_.size:
        if open_.size * len(points) <= _FEW_PAIRS:
            side = np.inf
        cells = _Cells.of(points, side, cancelled)
        proven = cells.search(queries, open_, found, cancelled)
        open_, side = open_[~proven], 2 * cells.side
    return found


def _first_side(points: np.ndarray, queries: np.ndarray, k: int) -> float:
    """Return a side of cells that is right for most of the queries."""
    from scipy.spatial import cKDTree

    some = points[:: max(1, len(points) // _SOME)]
    if len(some) <= k:
        return np.inf
    asked = points[queries[:: max(1, len(queries) // 1_000)]]
    distance = cKDTree(some, balanced_tree=False).query(asked, [k + 1])[0]
    thinner = (len(some) / len(points)) ** (1 / 3)
    return float(1.5 * np.percentile(distance, 90) * thinner) or np.inf


@dataclass(frozen=True, eq=False)
class _Cells:
    """Points sorted into cubic cells.

    Attributes
    ----------
    points : ndarray of float32, shape (n, 3)
    keys : ndarray of uint64, shape (n,)
        As `nearest_in_cells` takes them.
    corner : ndarray of float64, shape (3,)
    shape : ndarray of int64, shape (3,)
    side : float
    """

    points: np.ndarray
    keys: np.ndarray
    corner: np.ndarray
    shape: np.ndarray
    side: float

    @classmethod
    def of(
        cls,
        points: np.ndarray,
        side: float,
        cancelled: Callable[[], bool] | None,
    ) -> _Cells:
        """Sort points into cells of a side, or of a larger one: there is a limit."""
        # Axis by axis: loops over three numbers each would take far longer.
        ends = [(column.min(), column.max()) for column in points.T]
        corner, far = np.array(ends, np.float64).T
        extent = far - corner
        side = min(side, 2.0 * float(extent.max()) or 1.0)
        while np.prod(np.floor(extent / side) + 1) > _MOST_CELLS:
            side *= 1.25
        shape = np.floor(extent / side).astype(np.int64) + 1
        keys = np.arange(len(points), dtype=np.uint64)
        if shape.max() == 1:
            return cls(points, keys, corner, shape, side)

        def fill(_: None, rows: slice) -> None:
            cell = np.zeros(rows.stop - rows.start, np.uint64)
            for axis, (start, count) in enumerate(zip(corner, shape, strict=True)):
                place = points[rows, axis].astype(np.float64)
                place -= start
                place /= side
                cell *= np.uint64(count)
                cell += np.minimum(place.astype(np.uint64), np.uint64(count - 1))
            keys[rows] |= cell << np.uint64(32)

        each_chunk(len(points), lambda: None, fill, cancelled=cancelled)
        keys.sort()
        return cls(points, keys, corner, shape, side)

    def search(
        self,
        queries: np.ndarray,
        chosen: np.ndarray,
        found: np.ndarray,
        cancelled: Callable[[], bool] | None,
    ) -> np.ndarray:
        """Fill in the neighbours of chosen queries; tell which are proven."""
        from napari_seespot._neighbour_kernels import nearest_in_cells

        proven = np.zeros(len(chosen), np.bool_)
        # Neighbouring queries one after the other: what they read is still at hand.
        along = np.argsort(self._lines(queries[chosen]), kind="stable")
        reach = float(np.abs(self.corner).max()) + self.side * float(self.shape.max())
        slack = 1e-9 * self.side + 1e-14 * reach

        def step(_: None, part: slice) -> None:
            these = along[part]
            rows = np.empty((len(these), found.shape[1]), np.int64)
            sure = np.zeros(len(these), np.bool_)
            nearest_in_cells(
                self.points,
                self.keys,
                queries[chosen[these]],
                self.corner,
                self.shape,
                self.side,
                slack,
                rows,
                sure,
            )
            found[chosen[these]] = rows
            proven[these] = sure

        each_chunk(
            len(chosen),
            lambda: None,
            step,
            rows_per_chunk=_QUERIES_A_CHUNK,
            cancelled=cancelled,
        )
        return proven

    def _lines(self, rows: np.ndarray) -> np.ndarray:
        """Return the line of cells in which each row's point lies."""
        z, y, _ = ((self.points[rows] - self.corner) / self.side).T.astype(np.int64)
        return np.asarray(z * self.shape[1] + y)
