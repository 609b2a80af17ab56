"""A channel pair at a glance: what the notebook's page shows, on all spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot.columns import intensity_column
from napari_seespot.densities import Density, Histogram, density, histogram

if TYPE_CHECKING:
    from napari_seespot.spots import Spots

__all__ = ["Overview", "overview"]


@dataclass(frozen=True)
class Overview:
    """Four panels and six numbers about a channel pair.

    Attributes
    ----------
    pair : tuple of str
    statistics : Series
        ``spots``, ``reassigned``, ``mean_<a>``, ``mean_<b>`` (intensities),
        ``mean_r`` and ``mean_dist``; rows without a value do not count in a mean.
    picture : Density
        Intensity in one channel against the other, by status.
    r, dist : Histogram or None
        By status; None where the table has no such column.
    channels : Series of int
        Spots by the channel in which they were detected.
    """

    pair: tuple[str, str]
    statistics: pd.Series[float]
    picture: Density
    r: Histogram | None
    dist: Histogram | None
    channels: pd.Series[int]


def overview(
    spots: Spots,
    pair: tuple[str, str],
    where: np.ndarray | None = None,
    bins: int = 256,
) -> Overview:
    """Summarise a channel pair.

    Parameters
    ----------
    spots : Spots
    pair : tuple of str
        Channels of the x and the y axis.
    where : ndarray of bool, shape (n,), optional
        The rows that count; all by default.
    bins : int
        Of the picture's axes.

    Raises
    ------
    NotFoundError
        When there is no such channel.
    """
    code = spots.code if where is None else spots.code[where]
    status = np.bincount(spots.class_of_code("status")[code], minlength=3)
    chan = np.bincount(spots.class_of_code("chan")[code], minlength=len(spots.channels))
    numbers = {"spots": float(len(code)), "reassigned": float(status[1])}
    for channel in pair:
        column = intensity_column(channel)
        numbers[f"mean_{channel}"] = mean(spots.column(column), where)
    for column in ("r", "dist"):
        if column in spots.columns:
            numbers[f"mean_{column}"] = mean(spots.column(column), where)
    return Overview(
        pair=pair,
        statistics=pd.Series(numbers, name="/".join(pair)),
        picture=density(spots, *pair, bins=bins, by="status", where=where),
        r=_histogram(spots, "r", where),
        dist=_histogram(spots, "dist", where),
        channels=pd.Series(chan, index=pd.Index(spots.channels, name="chan")),
    )


def mean(values: np.ndarray, where: np.ndarray | None = None) -> float:
    """Return the mean of the finite values, summed in float64; NaN where none is."""
    chosen = values if where is None else values[where]
    finite = chosen[np.isfinite(chosen)]
    return float(finite.mean(dtype=np.float64)) if finite.size else float("nan")


def _histogram(spots: Spots, column: str, where: np.ndarray | None) -> Histogram | None:
    if column not in spots.columns:
        return None
    return histogram(spots, column, bins=30, by="status", where=where)
