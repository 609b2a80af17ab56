"""Which spots a review is about: a random sample of each stratum of the table.

A spot is drawn by a hash of its id and the seed, not by its row: whoever draws
with the same plan from the same spots gets the same ones, in the same order,
whatever order their rows are in; and a larger sample holds the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from napari_seespot.spots import Spots

__all__ = ["BY", "Plan", "Queue", "Strata", "draw_queue", "refines", "strata"]

BY = ("status", "flow", "r")
"""What strata are made of: status, chan -> unmixed_chan, quarter of r."""

_R_QUANTILES = 4
_CHUNK = 2**18  # rows looked at together: some megabytes, some milliseconds
_ALL = np.uint64(2**64 - 1)
_MOST_SEEDS = 2**32


@dataclass(frozen=True)
class Strata:
    """The parts of a table that are sampled one by one.

    Attributes
    ----------
    names : tuple of str
    codes : ndarray of int, shape (n,)
        Each row's place in `names`.
    """

    names: tuple[str, ...]
    codes: np.ndarray

    @classmethod
    def of(cls, spots: Spots, by: Sequence[str]) -> Strata:
        """Return the strata of a table; see `strata`."""
        unknown = set(by) - set(BY)
        if unknown or not by:
            raise StateError(
                f"strata by {', '.join(sorted(unknown)) or 'nothing'}",
                expected=f"one or more of {', '.join(BY)}",
            )
        parts = [_part(spots, part) for part in by]
        names = [""]
        for labels, _ in parts:
            names = [f"{a}, {b}" if a else b for a in names for b in labels]
        code: Any = np.zeros(len(spots), np.int16 if len(names) < 2**15 else np.int32)
        for labels, codes in parts:
            code = code * code.dtype.type(len(labels)) + codes.astype(code.dtype)
        used = np.flatnonzero(np.bincount(code, minlength=len(names)))
        compact = np.zeros(len(names), code.dtype)
        compact[used] = np.arange(len(used))
        return cls(tuple(names[place] for place in used), compact[code])

    def sizes(self, where: np.ndarray | None = None) -> dict[str, int]:
        """Return how many rows each stratum has, of those where a mask is True."""
        codes = self.codes if where is None else self.codes[where]
        counts = np.bincount(codes, minlength=len(self.names))
        return {n: int(c) for n, c in zip(self.names, counts, strict=True) if c}


def strata(spots: Spots, by: Sequence[str] = BY) -> pd.Series[Any]:
    """Return each row's stratum, categorical, shape (n,).

    Parameters
    ----------
    spots : Spots
    by : sequence of str
        Of ``"status"``, ``"flow"`` (chan -> unmixed_chan) and ``"r"`` (quarters
        of the finite values; ``"r ?"`` without one).
    """
    found = Strata.of(spots, by)
    return pd.Series(
        pd.Categorical.from_codes(found.codes, categories=pd.Index(found.names)),
        name="stratum",
    )


def _part(spots: Spots, part: str) -> tuple[list[str], np.ndarray]:
    if part == "status":
        return list(spots.class_names("status")), spots.codes("status")
    if part == "flow":
        ends = (*spots.channels, "removed")
        names = [f"{a} -> {b}" for a in spots.channels for b in ends]
        return names, spots.code
    r = spots.column("r")
    known = np.isfinite(r)
    quantiles = np.linspace(0, 1, _R_QUANTILES + 1)[1:-1]
    edges = np.quantile(r[known], quantiles) if known.any() else np.zeros(0)
    codes = np.searchsorted(edges, r, side="right")
    codes[~known] = _R_QUANTILES
    return [*(f"r Q{k + 1}" for k in range(_R_QUANTILES)), "r ?"], codes


def refines(fine: Collection[str], coarse: Collection[str]) -> bool:
    """Return whether each stratum by `fine` lies in one stratum by `coarse`.

    A spot's status follows from its flow.
    """
    known = {*fine, "status"} if "flow" in fine else {*fine}
    return bool(coarse) and set(coarse) <= known


@dataclass(frozen=True)
class Queue:
    """The spots to judge, in a random order.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        Rows of the table.
    stratum : tuple of str
        Of each of them.
    sizes : dict of str to int
        How many spots of the whole table each stratum has.
    """

    rows: np.ndarray
    stratum: tuple[str, ...]
    sizes: dict[str, int]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Plan:
    """How a queue is drawn: what `draw_queue` takes, so that a review goes on.

    Attributes
    ----------
    per_stratum : int
    by : tuple of str
        See `strata`. By default each flow from channel to channel is a stratum:
        for five channels at most 30, and 300 spots.
    seed : int
    """

    per_stratum: int = 10
    by: tuple[str, ...] = ("flow",)
    seed: int = 0

    def draw(self, spots: Spots, **options: Any) -> Queue:
        """Draw the queue; the options are those of `draw_queue`."""
        return draw_queue(spots, self.per_stratum, self.by, self.seed, **options)


def draw_queue(
    spots: Spots,
    per_stratum: int = Plan.per_stratum,
    by: Sequence[str] = Plan.by,
    seed: int = 0,
    where: np.ndarray | None = None,
    *,
    found: Strata | None = None,
    check: Callable[[], None] | None = None,
) -> Queue:
    """Draw a stratified random sample, without repeats.

    Parameters
    ----------
    spots : Spots
    per_stratum : int
        Spots of each stratum; all where it has fewer.
    by : sequence of str
        See `strata`.
    seed : int
        The same seed draws the same queue.
    where : ndarray of bool, shape (n,), optional
        The rows that the review is about.
    found : Strata, optional
        The strata, where they are known already.
    check : callable, optional
        Called now and then; what it raises ends the drawing.
    """
    if per_stratum < 1:
        raise StateError(f"{per_stratum} spots a stratum", expected="1 or more")
    if not 0 <= seed < _MOST_SEEDS:
        raise StateError(f"a seed of {seed}", expected=f"0 to {_MOST_SEEDS - 1}")
    found = Strata.of(spots, by) if found is None else found
    ids = spots.column("spot_id")
    rows = _lowest(ids, found, per_stratum, seed, where, check)
    # By another hash than the one that drew them: by that one, the spots of large
    # strata would all come first.
    rows = rows[np.lexsort((ids[rows], _hash(ids[rows], seed, "order")))]
    names = tuple(found.names[code] for code in found.codes[rows])
    return Queue(rows, names, found.sizes(where))


def _lowest(
    ids: np.ndarray,
    found: Strata,
    count: int,
    seed: int,
    where: np.ndarray | None,
    check: Callable[[], None] | None,
) -> np.ndarray:
    """Return the rows with the lowest hashes of each stratum, `count` of each.

    Chunk by chunk, since a table may have 100 million rows: a row is looked at
    closely only if its hash is below the highest of those its stratum keeps.
    """
    limit = np.full(len(found.names), _ALL)
    rows, keys = np.zeros(0, np.int64), np.zeros(0, np.uint64)
    for start in range(0, len(ids), _CHUNK):
        if check is not None:
            check()
        part = slice(start, start + _CHUNK)
        hashes = _hash(ids[part], seed, "draw")
        near = hashes <= limit[found.codes[part]]
        if where is not None:
            near &= where[part]
        new = np.flatnonzero(near)
        rows = np.concatenate([rows, new + start])
        keys = np.concatenate([keys, hashes[new]])
        codes = found.codes[rows]
        order = np.lexsort((keys, codes))
        ordered = codes[order]
        rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
        kept = order[rank < count]
        rows, keys = rows[kept], keys[kept]
        full = order[rank == count - 1]
        limit[codes[full]] = keys[rank[rank < count] == count - 1]
    return rows


def _hash(ids: np.ndarray, seed: int, use: Literal["draw", "order"]) -> np.ndarray:
    """Return a number for each id that looks random, another for each seed; uint64.

    The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014,
    doi:10.1145/2660193.2660195) twice, with the seed between.
    """
    salt = np.array([2 * seed + (use == "order")], np.uint64)
    return _mixed(_mixed(ids.astype(np.uint64)) ^ _mixed(~salt))


def _mixed(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return x
