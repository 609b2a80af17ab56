"""Which spots lie in this slab and window, at most N of them.

The index holds nothing but where the four levels of the row order begin
(`napari_seespot.priority`): a slab in z is a binary search in each level.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot import _index_kernels
from napari_seespot.priority import level_slices, priority

if TYPE_CHECKING:
    from napari_seespot.spots import Spots

# numba's stubs take a compiled function to have no arguments.
kernels: Any = _index_kernels

__all__ = ["FLOOR", "Box", "Chosen", "SpotIndex"]

FLOOR = 16
"""A code (channel and unmixed channel) that is in view shows this many spots."""

_PARALLEL_ROWS = 1_000_000  # below this, a second thread costs more than it gives


@dataclass(frozen=True)
class Box:
    """A box in (z, y, x), in voxels of level 0, both ends included.

    Ends are compared as float32, like the positions.
    """

    low: tuple[float, float, float] = (-np.inf, -np.inf, -np.inf)
    high: tuple[float, float, float] = (np.inf, np.inf, np.inf)

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Low and high ends as float32, each of shape (3,)."""
        return np.asarray(self.low, np.float32), np.asarray(self.high, np.float32)


@dataclass(frozen=True)
class Chosen:
    """The rows to draw, and how many there are in all.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        In row order.
    total : int
        How many spots of the box pass: more than m where the choice was limited.
    """

    rows: np.ndarray
    total: int

    @property
    def limited(self) -> bool:
        """Whether some spots of the box are not among the rows."""
        return self.total > len(self.rows)


class SpotIndex:
    """Answers about boxes of space over spots in row order.

    Parameters
    ----------
    spots : Spots
        Not copied; the index adds four numbers.
    """

    def __init__(self, spots: Spots) -> None:
        self._spots = spots
        self._z, self._y, self._x = (spots.column(axis) for axis in "zyx")
        self._levels = _placed_slices(spots.column("spot_id"), self._z)
        self._n_codes = len(spots.channels) * (len(spots.channels) + 1)

    @property
    def nbytes(self) -> int:
        """Bytes that the index holds besides the table."""
        return 16 * len(self._levels)

    def rows_in(
        self,
        box: Box,
        allowed: np.ndarray | None = None,
        where: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return all rows in a box that pass, in row order, int64.

        Parameters
        ----------
        box : Box
        allowed : ndarray of bool, shape (n_codes,), optional
            The codes that pass.
        where : ndarray of bool, shape (n,), optional
            The rows that pass.
        """
        parts = self._collect(self._slices(box), box, allowed, where)
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def counts(
        self,
        box: Box,
        allowed: np.ndarray | None = None,
        where: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return how many rows of each code in a box pass, int64, (n_codes,)."""
        allowed, mask = self._filters(allowed, where)
        *arrays, low, high = self._window(box)
        halves = _halves(self._slices(box))
        counts = np.zeros((len(halves), self._n_codes), np.int64)

        def count(place: int) -> None:
            for start, stop in halves[place]:
                kernels.count_codes(
                    start, stop, *arrays, low, high, allowed, mask, counts[place]
                )

        _run(count, len(halves))
        return np.asarray(counts.sum(axis=0))

    def choose(
        self,
        box: Box,
        limit: int,
        allowed: np.ndarray | None = None,
        where: np.ndarray | None = None,
        counts: np.ndarray | None = None,
    ) -> Chosen:
        """Return at most about `limit` rows in a box, the same ones each time.

        All rows where there are no more than `limit`; else those of the
        highest priority, and at least `FLOOR` of each code in the box (or all
        it has), so that none disappears.

        Parameters
        ----------
        box, allowed, where
            As in `rows_in`.
        limit : int
        counts : ndarray of int64, shape (n_codes,), optional
            What `counts` would return, where the caller knows it.
        """
        slices = self._slices(box)
        if sum(stop - start for start, stop in slices) <= max(8 * limit, 100_000):
            rows = self.rows_in(box, allowed, where)
            if len(rows) <= limit:
                return Chosen(rows, len(rows))
            counts = np.bincount(self._spots.code[rows], minlength=self._n_codes)
            rows = self.most_important(rows, limit)
        else:
            counts = self.counts(box, allowed, where) if counts is None else counts
            rows = self._first_levels(slices, box, limit, allowed, where)
        rows = self._with_floor(rows, counts, slices, box, where)
        return Chosen(rows, int(counts.sum()))

    def most_important(self, rows: np.ndarray, limit: int) -> np.ndarray:
        """Return the `limit` of some rows that have the highest priority.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
        limit : int

        Returns
        -------
        ndarray of int64, shape (min(m, limit),)
            In row order.
        """
        if len(rows) <= limit:
            return rows
        if limit <= 0:
            return rows[:0]
        ids = self._spots.column("spot_id")[rows]
        priorities = priority(ids)
        # Counting is 10 times faster than partitioning: there are few priorities.
        up_to = np.bincount(priorities, minlength=2**16).cumsum()
        last = int(np.searchsorted(up_to, limit))
        keep = priorities < last
        # Equal priorities are told apart by the id, so that the choice is one.
        equal = np.flatnonzero(priorities == last)
        missing = limit - int(up_to[last - 1]) if last else limit
        keep[equal[np.argsort(ids[equal], kind="stable")[:missing]]] = True
        return rows[keep]

    def _window(self, box: Box) -> tuple[np.ndarray, ...]:
        """Return what the kernels look at: two axes, codes, low and high ends."""
        low, high = box.ends
        # The narrower axis leaves fewer rows for which the other one is read.
        order = [2, 1] if high[2] - low[2] < high[1] - low[1] else [1, 2]
        first, second = ((self._y, self._x)[axis - 1] for axis in order)
        return first, second, self._spots.code, low[order], high[order]

    def _filters(
        self, allowed: np.ndarray | None, where: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        if allowed is None:
            allowed = np.ones(self._n_codes, np.bool_)
        return allowed.view(np.uint8), kernels.no_mask() if where is None else where

    def _slices(self, box: Box) -> list[tuple[int, int]]:
        """Return each level's rows whose z is in the box; none has a NaN z."""
        low, high = np.float32(box.low[0]), np.float32(box.high[0])
        slices = []
        for start, stop in self._levels:
            z = self._z[start:stop]
            first = int(np.searchsorted(z, low, side="left"))
            last = int(np.searchsorted(z, high, side="right"))
            slices.append((start + first, start + max(first, last)))
        return slices

    def _collect(
        self,
        slices: list[tuple[int, int]],
        box: Box,
        allowed: np.ndarray | None,
        where: np.ndarray | None,
    ) -> list[np.ndarray]:
        allowed, mask = self._filters(allowed, where)
        *arrays, low, high = self._window(box)
        halves = _halves(slices)
        found: list[np.ndarray] = [np.zeros(0, np.int64)] * len(halves)

        def collect(place: int) -> None:
            rows = sum(stop - start for start, stop in halves[place])
            out = np.empty(rows + 1, np.int64)
            n = 0
            for start, stop in halves[place]:
                n = kernels.collect(
                    start, stop, *arrays, low, high, allowed, mask, out, n
                )
            found[place] = out[:n]

        _run(collect, len(halves))
        return found

    def _first_levels(
        self,
        slices: list[tuple[int, int]],
        box: Box,
        limit: int,
        allowed: np.ndarray | None,
        where: np.ndarray | None,
    ) -> np.ndarray:
        """Return the `limit` most important rows from as few levels as hold them."""
        rows = np.zeros(0, np.int64)
        for part in slices:
            more = self._collect([part], box, allowed, where)
            rows = np.concatenate([rows, *more])
            if len(rows) >= limit:
                return self.most_important(rows, limit)
        return rows

    def _with_floor(
        self,
        rows: np.ndarray,
        counts: np.ndarray,
        slices: list[tuple[int, int]],
        box: Box,
        where: np.ndarray | None,
    ) -> np.ndarray:
        chosen = np.bincount(self._spots.code[rows], minlength=self._n_codes)
        floor = np.minimum(counts, FLOOR)
        poor = chosen < floor
        if not poor.any():
            return rows
        # By priority as well, so that zooming in never takes one of them away.
        parts = [rows]
        found = np.zeros(0, np.int64)
        for part in slices:
            found = np.concatenate([found, *self._collect([part], box, poor, where)])
            codes = self._spots.code[found]
            for code in np.flatnonzero(poor):
                own = found[codes == code]
                if len(own) >= floor[code]:
                    parts.append(self.most_important(own, int(floor[code])))
                    poor[code] = False
            if not poor.any():
                break
        return np.unique(np.concatenate(parts))


def _placed_slices(spot_id: np.ndarray, z: np.ndarray) -> list[tuple[int, int]]:
    """Return (start, stop) of each level; rows with NaN z are left out."""
    slices = []
    for start, stop in level_slices(spot_id):
        last = int(np.searchsorted(z[start:stop], np.float32(np.inf), side="right"))
        slices.append((start, start + last))
    return slices


def _halves(slices: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Split the rows in two, in order, where they are worth two threads."""
    n = sum(stop - start for start, stop in slices)
    if n < _PARALLEL_ROWS:
        return [slices]
    first: list[tuple[int, int]] = []
    second: list[tuple[int, int]] = []
    left = n // 2
    for start, stop in slices:
        cut = start + min(left, stop - start)
        left -= cut - start
        first.append((start, cut))
        second.append((cut, stop))
    return [first, second]


def _run(task, n: int) -> None:  # type: ignore[no-untyped-def]  # (int) -> None
    if n == 1:
        task(0)
        return
    with ThreadPoolExecutor(n) as pool:
        list(pool.map(task, range(n)))
