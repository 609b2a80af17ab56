"""What was detected, kept, reassigned and removed, and what the pipeline says of it.

The pipeline's summary counts spots by their *dye*: `total_spots` are the mixed
spots whose nearest dye line is the channel's, `kept_spots` and
`reassigned_spots` those with the channel as `unmixed_chan`. The table is counted
in the same ways here, so that a difference is a difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.errors import CancelledError, RatiosError
from napari_seespot.spots import STATUSES
from napari_seespot.unmixing import dye_distances, what_if

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.dataset import Dataset
    from napari_seespot.spots import Spots

_BLOCK_ROWS = 1 << 15  # whose vectors and projections fit the processor's cache

__all__ = ["compare_summary", "nearest_dye_counts", "status_table"]


def status_table(
    spots: Spots, where: np.ndarray | None = None, by: str = "chan"
) -> pd.DataFrame:
    """Return how many spots of each channel are unchanged, reassigned and removed.

    Parameters
    ----------
    spots : Spots
    where : ndarray of bool, shape (n,), optional
        The rows that count.
    by : str
        ``"chan"``: by the channel of detection. ``"unmixed_chan"``: by the
        channel given, with a row for ``"removed"``.

    Returns
    -------
    DataFrame of int64
        Rows are channels, columns are the statuses.
    """
    code = spots.code if where is None else spots.code[where]
    n = len(spots.channels)
    counts = np.bincount(code, minlength=n * (n + 1))
    names = spots.class_names(by)
    table = np.zeros((len(names), len(STATUSES)), np.int64)
    np.add.at(table, (spots.class_of_code(by), spots.class_of_code("status")), counts)
    return pd.DataFrame(
        table,
        index=pd.Index(names, name=by),
        columns=pd.Index(STATUSES, name="status"),
    )


def nearest_dye_counts(
    dataset: Dataset, cancelled: Callable[[], bool] | None = None
) -> pd.Series[int]:
    """Return of how many spots each dye's line is the nearest.

    Parameters
    ----------
    dataset : Dataset
        With ratios.
    cancelled : callable, optional
        Asked now and then; the count ends when it says True.

    Raises
    ------
    RatiosError
        When there are no ratios, or they are not of the dataset's channels.
    CancelledError
        When `cancelled` said True.
    """
    spots, ratios = dataset.spots, dataset.ratios
    if ratios is None:
        raise RatiosError("there are no ratios", where=dataset.name)
    dye_distances(np.zeros((0, ratios.shape[1])), ratios)  # raises for bad ratios
    columns = [spots.intensity(str(channel)) for channel in ratios.columns]
    counts = np.zeros(len(ratios), np.int64)
    for first in range(0, len(spots), _BLOCK_ROWS):
        if cancelled is not None and cancelled():
            raise CancelledError("the count was cancelled")
        rows = slice(first, first + _BLOCK_ROWS)
        nearest = _nearest(np.stack([column[rows] for column in columns]), ratios)
        counts += np.bincount(nearest[nearest >= 0], minlength=len(ratios))
    return pd.Series(counts, index=pd.Index([str(dye) for dye in ratios.index]))


def _nearest(intensities: np.ndarray, ratios: pd.DataFrame) -> np.ndarray:
    """Return what `what_if` returns, ten times as fast.

    The nearest of lines through the origin is the one with the longest
    projection. Where two are about as long, rounding might choose otherwise than
    the distances do: those few rows are decided by these.

    Parameters
    ----------
    intensities : ndarray, shape (n_channels, n)
    """
    vectors = intensities.astype(np.float64)
    matrix = ratios.to_numpy(np.float64)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        along = (matrix / np.where(lengths > 0, lengths, 1.0)) @ vectors
        np.square(along, out=along)
        nearest = np.asarray(along.argmax(axis=0))
        best = along.max(axis=0)
        clear = np.ones(len(best), np.bool_)
        for dye, line in enumerate(along):  # a clear winner is far from all others
            clear &= (nearest == dye) | (line < best * (1 - 1e-6))
    clear &= np.isfinite(best)
    doubtful = np.flatnonzero(~clear)
    nearest[doubtful] = what_if(vectors[:, doubtful].T, ratios)
    return nearest


def compare_summary(
    dataset: Dataset, cancelled: Callable[[], bool] | None = None
) -> pd.DataFrame:
    """Set the pipeline's summary against the table, like against like.

    Parameters
    ----------
    dataset : Dataset
    cancelled : callable, optional
        See `nearest_dye_counts`.

    Returns
    -------
    DataFrame
        One row for each channel of the summary and each quantity (``"total"``,
        ``"kept"``, ``"reassigned"``): `channel`, `quantity`, `summary`, `table`,
        `difference` (table - summary) and `counted`: which rows of the table
        were counted. Without rows where there is no summary. All rows of the
        table count, whatever the filters.
    """
    columns = ["channel", "quantity", "summary", "table", "difference", "counted"]
    told = _own_rows(dataset)
    if told is None:
        return pd.DataFrame(columns=columns)
    given = status_table(dataset.spots, by="unmixed_chan")
    total, meaning = _totals(dataset, cancelled)
    rows = []
    for channel, line in told.iterrows():
        name = str(channel)
        known = name in dataset.spots.channels
        counts = given.loc[name].to_dict() if known else {}
        kept, moved = sum(counts.values()), counts.get("reassigned", 0)
        for quantity, column, count, how in (
            ("total", "total_spots", int(total.get(name, 0)), meaning.format(name)),
            ("kept", "kept_spots", kept, f"unmixed_chan is {name}"),
            (
                "reassigned",
                "reassigned_spots",
                moved,
                f"unmixed_chan is {name}, chan is not",
            ),
        ):
            if column in told.columns and np.isfinite(line[column]):
                said = int(line[column])
                rows.append((name, quantity, said, count, count - said, how))
    return pd.DataFrame(rows, columns=columns)


_NUMBERS = ("total_spots", "kept_spots", "reassigned_spots")


def _own_rows(dataset: Dataset) -> pd.DataFrame | None:
    """Return the summary's numbers by channel; tiles are added up."""
    summary = dataset.summary
    if summary is None or "channel" not in summary or not len(summary):
        return None
    if "min_dist" in summary:
        radius = pd.to_numeric(summary["min_dist"], errors="coerce")
        own = radius == _number(dataset.min_dist)
        # One row a channel and radius: adding radii up would count spots twice.
        chosen = own if own.any() else radius.isna() | (radius == radius.min())
        summary = summary[chosen]
    numbers = pd.DataFrame(
        {
            name: pd.to_numeric(summary[name], errors="coerce")
            for name in _NUMBERS
            if name in summary
        }
    )
    return numbers.groupby(summary["channel"].astype(str)).sum(min_count=1)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _totals(
    dataset: Dataset, cancelled: Callable[[], bool] | None
) -> tuple[pd.Series[int], str]:
    """Return how many spots each channel has in all, and how they were counted."""
    try:
        return nearest_dye_counts(dataset, cancelled), "nearest dye line is {}"
    except RatiosError:
        counts = status_table(dataset.spots).sum(axis=1)
        return counts, "detected in {} (no ratios: nearest dye is unknown)"
