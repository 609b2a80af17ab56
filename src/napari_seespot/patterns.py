"""What reassigned and removed spots have in common.

Each function returns a table that a plot draws and that a script can use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot._chunks import each_chunk
from napari_seespot._quantiles import quantiles_of_sorted
from napari_seespot.columns import NULL_BOOL
from napari_seespot.errors import StateError
from napari_seespot.typed import BOOLEANS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_seespot.spots import Spots

__all__ = ["flow_distributions", "share_by_column"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MEASURES = ("r", "dist", "dye_line_dist_ratio")
_MOST_BINS = 10_000

Place = tuple[int, int]
"""The codes of a channel of detection and of an unmixed channel."""

Task = tuple[Place, str | Place]
"""Whose rows are described, and by what: a column, or one channel over another."""


def flow_distributions(
    spots: Spots,
    where: np.ndarray | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """Compare each flow chan -> unmixed_chan with the unchanged of both channels.

    Parameters
    ----------
    spots : Spots
    where : ndarray of bool, shape (n,), optional
        The rows that count.
    cancelled : callable, optional
        Asked now and then; the work ends when it says True.

    Returns
    -------
    DataFrame
        One row for each flow between two channels that has spots, each group
        (``"flow"``, ``"unchanged chan"``, ``"unchanged unmixed_chan"``) and each
        measure: `count` of finite values, `mean`, and quantiles `q05` to `q95`.
        The measures are r, dist, dye_line_dist_ratio and ``intensity_ratio``:
        intensity in unmixed_chan over intensity in chan.

    Raises
    ------
    CancelledError
        When `cancelled` said True.
    """
    members = _members(spots, where)
    lines = list(_lines(spots, members))
    # Unchanged spots are compared with many flows, and described once.
    tasks = list(dict.fromkeys(task for *_, task in lines))
    tasks.sort(key=lambda task: -members[task[0]].size)  # the long ones begin

    def describe(found: dict[Task, tuple[float, ...]], chosen: slice) -> None:
        for task in tasks[chosen]:
            found[task] = _describe(_values(spots, members[task[0]], task[1]))

    parts = each_chunk(
        len(tasks),
        dict[Task, tuple[float, ...]],
        describe,
        rows_per_chunk=1,
        cancelled=cancelled,
    )
    known = {task: numbers for part in parts for task, numbers in part.items()}
    names = [f"q{round(100 * q):02d}" for q in _QUANTILES]
    columns = ["chan", "unmixed_chan", "group", "measure", "count", "mean", *names]
    rows = [(*line, *known[task]) for *line, task in lines]
    return pd.DataFrame(rows, columns=columns)


def _members(spots: Spots, where: np.ndarray | None) -> dict[Place, np.ndarray]:
    """Return the rows of each pair of channels, in row order."""
    n = len(spots.channels)
    last = spots.code.dtype.type(n * (n + 1))  # beyond every code
    code = spots.code if where is None else np.where(where, spots.code, last)
    # Rows grouped by code, once: each group is then a slice.
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code, minlength=n * (n + 1)))
    groups = np.split(order, ends[: n * (n + 1)])
    return {
        (chan, unmixed): groups[chan * (n + 1) + unmixed]
        for chan in range(n)
        for unmixed in range(n)
    }


def _lines(
    spots: Spots, members: dict[Place, np.ndarray]
) -> Iterator[tuple[str, str, str, str, Task]]:
    """Yield what each line of the table is about, and what has its numbers."""
    columns = [name for name in _MEASURES if name in spots.columns]
    for (a, b), rows in members.items():
        if a == b or not rows.size:
            continue
        for group, place in (
            ("flow", (a, b)),
            ("unchanged chan", (a, a)),
            ("unchanged unmixed_chan", (b, b)),
        ):
            names = (spots.channels[a], spots.channels[b], group)
            for column in columns:
                yield (*names, column, (place, column))
            yield (*names, "intensity_ratio", (place, (b, a)))


def _values(spots: Spots, rows: np.ndarray, what: str | Place) -> np.ndarray:
    if isinstance(what, str):
        return np.asarray(spots.column(what)[rows])
    over, under = (spots.intensity(spots.channels[code])[rows] for code in what)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(over.astype(np.float64) / under)


def _describe(values: np.ndarray) -> tuple[float, ...]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (0, np.nan, *[np.nan] * len(_QUANTILES))
    mean = float(finite.astype(np.float64).mean())
    finite.sort()
    return (finite.size, mean, *quantiles_of_sorted(finite, _QUANTILES).tolist())


def share_by_column(
    spots: Spots, column: str, bins: int = 10, where: np.ndarray | None = None
) -> pd.DataFrame:
    """Return the shares reassigned and removed against quantiles of a column.

    Parameters
    ----------
    spots : Spots
    column : str
        ``"r"``, ``"z"`` or any other numeric column.
    bins : int
        Bins of equal counts, as far as ties allow.
    where : ndarray of bool, shape (n,), optional
        The rows that count; it must let removed spots pass.

    Returns
    -------
    DataFrame
        One row a bin: `low`, `high`, `count`, `reassigned` (of the kept) and
        `removed` (of all), from 0 to 1. A bin holds its low end, the last one its
        high end too.
    """
    if not 1 <= bins <= _MOST_BINS:
        raise StateError(f"{bins} bins", expected=f"1 to {_MOST_BINS}")
    values = spots.column(column)
    chosen = np.isfinite(values)
    if column in BOOLEANS:
        chosen &= values != NULL_BOOL
    if where is not None:
        chosen &= where
    values, status = values[chosen], spots.codes("status")[chosen]
    if not values.size:
        return pd.DataFrame(columns=["low", "high", "count", "reassigned", "removed"])
    ordered = np.sort(values)
    edges = np.unique(quantiles_of_sorted(ordered, np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    n = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, n - 1)
    counts = np.bincount(place * 3 + status, minlength=3 * n).reshape(n, 3)
    kept, total = counts[:, 0] + counts[:, 1], counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = {"reassigned": counts[:, 1] / kept, "removed": counts[:, 2] / total}
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "count": total, **shares}
    )
