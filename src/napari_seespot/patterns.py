"""What reassigned and removed spots have in common.

Each function returns a table that a plot draws and that a script can use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.errors import StateError
from napari_seespot.spots import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_seespot.spots import Spots

__all__ = ["clustering", "flow_distributions", "share_by_column"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MEASURES = ("r", "dist", "dye_line_dist_ratio")
_MOST_BINS = 10_000


def flow_distributions(spots: Spots, where: np.ndarray | None = None) -> pd.DataFrame:
    """Compare each flow chan -> unmixed_chan with the unchanged of both channels.

    Parameters
    ----------
    spots : Spots
    where : ndarray of bool, shape (n,), optional
        The rows that count.

    Returns
    -------
    DataFrame
        One row for each flow between two channels that has spots, each group
        (``"flow"``, ``"unchanged chan"``, ``"unchanged unmixed_chan"``) and each
        measure: `count` of finite values, `mean`, and quantiles `q05` to `q95`.
        The measures are r, dist, dye_line_dist_ratio and ``intensity_ratio``:
        intensity in unmixed_chan over intensity in chan.
    """
    rows = []
    for chan, unmixed, groups in _flows(spots, where):
        for group, members in groups.items():
            for measure, values in _measures(spots, members, chan, unmixed):
                rows.append((chan, unmixed, group, measure, *_describe(values)))
    names = [f"q{round(100 * q):02d}" for q in _QUANTILES]
    columns = ["chan", "unmixed_chan", "group", "measure", "count", "mean", *names]
    return pd.DataFrame(rows, columns=columns)


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
        `removed` (of all), from 0 to 1.
    """
    if not 1 <= bins <= _MOST_BINS:
        raise StateError(f"{bins} bins", expected=f"1 to {_MOST_BINS}")
    values = spots.column(column).astype(np.float64)
    chosen = np.isfinite(values)
    if where is not None:
        chosen &= where
    values, status = values[chosen], spots.codes("status")[chosen]
    if not values.size:
        return pd.DataFrame(columns=["low", "high", "count", "reassigned", "removed"])
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
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


def clustering(
    spots: Spots,
    voxel_size: tuple[float, float, float],
    k: int = 10,
    n: int = 20_000,
    seed: int = 0,
    where: np.ndarray | None = None,
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

    Returns
    -------
    DataFrame
        One row a status: `spots` sampled, `share` (mean), `low` and `high` (its
        95 % interval, mean +- 1.96 standard errors), `expected` (the status's
        share among the other rows).
    """
    from scipy.spatial import cKDTree

    if k < 1:
        raise StateError(f"{k} neighbours", expected="1 or more")
    points = np.stack([spots.column(axis) for axis in "zyx"], axis=1)
    chosen = np.isfinite(points).all(axis=1)
    if where is not None:
        chosen &= where
    rows = np.flatnonzero(chosen)
    points = points[rows] * np.asarray(voxel_size, np.float32)
    status = spots.codes("status")[rows]
    rng = np.random.default_rng(seed)
    tree = cKDTree(points, balanced_tree=False) if len(rows) > 1 else None
    table = []
    for code, name in enumerate(STATUSES):
        members = np.flatnonzero(status == code)
        drawn = rng.choice(members, min(n, len(members)), replace=False)
        same = _same_share(tree, points, status, drawn, k)
        expected = (len(members) - 1) / (len(rows) - 1) if len(rows) > 1 else np.nan
        table.append((name, len(drawn), *_interval(same), max(expected, 0.0)))
    columns = ["status", "spots", "share", "low", "high", "expected"]
    return pd.DataFrame(table, columns=columns).set_index("status")


def _same_share(
    tree: object, points: np.ndarray, status: np.ndarray, drawn: np.ndarray, k: int
) -> np.ndarray:
    """Return each drawn spot's share of its own kind among its k nearest."""
    if tree is None or not len(drawn):
        return np.zeros(0)
    k = min(k, len(points) - 1)
    _, near = tree.query(points[drawn], k + 1, workers=-1)  # type: ignore[attr-defined]  # a cKDTree, imported where it is needed
    # A spot is its own nearest, unless others lie at the very same place.
    own = near == drawn[:, None]
    own[~own.any(axis=1), -1] = True
    others = near[~own].reshape(len(drawn), k)
    return np.asarray((status[others] == status[drawn][:, None]).mean(axis=1))


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    if not values.size:
        return (np.nan, np.nan, np.nan)
    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else 0.0
    return (mean, mean - 1.96 * error, mean + 1.96 * error)


def _flows(
    spots: Spots, where: np.ndarray | None
) -> Iterator[tuple[str, str, dict[str, np.ndarray]]]:
    n = len(spots.channels)
    last = spots.code.dtype.type(n * (n + 1))  # beyond every code
    code = spots.code if where is None else np.where(where, spots.code, last)
    # Rows grouped by code, once: each flow is then a slice.
    order = np.argsort(code, kind="stable")
    ends = np.searchsorted(code[order], np.arange(n * (n + 1) + 1))

    def members(chan: int, unmixed: int) -> np.ndarray:
        place = chan * (n + 1) + unmixed
        return order[ends[place] : ends[place + 1]]

    for chan, name in enumerate(spots.channels):
        for unmixed, other in enumerate(spots.channels):
            if chan != unmixed and len(members(chan, unmixed)):
                yield (
                    name,
                    other,
                    {
                        "flow": members(chan, unmixed),
                        "unchanged chan": members(chan, chan),
                        "unchanged unmixed_chan": members(unmixed, unmixed),
                    },
                )


def _measures(
    spots: Spots, rows: np.ndarray, chan: str, unmixed: str
) -> Iterator[tuple[str, np.ndarray]]:
    for name in _MEASURES:
        if name in spots.columns:
            yield name, spots.column(name)[rows].astype(np.float64)
    top = spots.intensity(unmixed)[rows].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        yield "intensity_ratio", top / spots.intensity(chan)[rows]


def _describe(values: np.ndarray) -> tuple[float, ...]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (0, np.nan, *[np.nan] * len(_QUANTILES))
    return (finite.size, float(finite.mean()), *np.quantile(finite, _QUANTILES))
