"""A channel pair at a glance: what the notebook's page shows, on all spots."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from napari_seespot.columns import intensity_column
from napari_seespot.densities import Density, Histogram, density, histogram
from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_seespot.dataset import Dataset
    from napari_seespot.spots import Spots

__all__ = ["Axes", "Overview", "overview"]

Axes = Literal["percentile", "minmax"]
"""How the ends of the axes are found."""

_PERCENTILES = (0.1, 99.9)
_PADDING = 0.03  # of the span between them
_ENOUGH = 200_000  # values that tell percentiles


@dataclass(frozen=True)
class Overview:
    """Four panels and six numbers about a channel pair.

    Attributes
    ----------
    dataset : Dataset
    pair : tuple of str
    statistics : Series
        ``spots``, ``reassigned``, ``mean_<a>``, ``mean_<b>`` (intensities),
        ``mean_r`` and ``mean_dist``; rows without a value do not count in a mean,
        and all others do, also those beyond the axes.
    picture : Density
        Intensity in one channel against the other, by status.
    r, dist : Histogram or None
        By status; None where the table has no such column.
    channels : Series of int
        Spots by the channel in which they were detected.
    """

    dataset: Dataset = field(repr=False)
    pair: tuple[str, str]
    statistics: pd.Series[float]
    picture: Density
    r: Histogram | None
    dist: Histogram | None
    channels: pd.Series[int]

    def figure(
        self,
        path: str | Path,
        size: tuple[int, int] = (1200, 900),
        *,
        dark: bool = False,
    ) -> Path:
        """Write the four panels, with the numbers above them, to a file.

        It needs Qt's painter, but neither a viewer nor a screen.

        Parameters
        ----------
        path : str or Path
            The ending tells the format: ``.png``, ``.svg`` or ``.pdf``.
        size : (int, int)
            Width and height in pixels.
        dark : bool
            Light on black, as on the screen, in place of dark on white.

        Raises
        ------
        SeeSpotError
            For another ending, a size that cannot be, or a file that cannot be
            written.
        """
        import napari_seespot as nss

        # By the public name: an import from here would point up to the screen.
        return nss.overview_figure(self, path, size, dark=dark)


def overview(
    dataset: Dataset,
    pair: tuple[str, str],
    where: np.ndarray | None = None,
    bins: int = 256,
    axes: Axes = "percentile",
    cancelled: Callable[[], bool] | None = None,
) -> Overview:
    """Summarise a channel pair.

    Parameters
    ----------
    dataset : Dataset
    pair : tuple of str
        Channels of the x and the y axis.
    where : ndarray of bool, shape (n,), optional
        The rows that count; all by default.
    bins : int
        Of the picture's axes.
    axes : str
        ``"percentile"``: from the 0.1st to the 99.9th percentile and a little more,
        so that a few odd values do not press all others into a corner; never
        farther than the values reach. ``"minmax"``: all finite values.
    cancelled : callable, optional
        Asked now and then; the work ends when it says True.

    Raises
    ------
    NotFoundError
        When there is no such channel.
    StateError
        For other axes.
    CancelledError
        When `cancelled` said True.
    """
    if axes not in ("percentile", "minmax"):
        raise StateError(f"there are no axes {axes!r}", expected="percentile or minmax")
    spots = dataset.spots
    columns = [intensity_column(dataset.check_channel(channel)) for channel in pair]
    known = [column for column in ("r", "dist") if column in spots.columns]
    code = spots.code if where is None else spots.code[where]
    status = np.bincount(spots.class_of_code("status")[code], minlength=3)
    chan = np.bincount(spots.class_of_code("chan")[code], minlength=len(spots.channels))
    numbers = {"spots": float(len(code)), "reassigned": float(status[1])}
    limits: dict[str, tuple[float, float] | None] = {}
    for name, column in zip((*pair, *known), (*columns, *known), strict=True):
        values = _finite(spots, column, where)
        numbers[f"mean_{name}"] = mean(values)
        limits[column] = None if axes == "minmax" else _robust(values)
    histograms = {
        column: histogram(
            spots,
            column,
            bins=30,
            limits=limits[column],
            by="status",
            where=where,
            cancelled=cancelled,
        )
        for column in known
    }
    picture = density(
        spots,
        *pair,
        bins=bins,
        limits=(limits[columns[0]], limits[columns[1]]),
        by="status",
        where=where,
        cancelled=cancelled,
    )
    return Overview(
        dataset=dataset,
        pair=pair,
        statistics=pd.Series(numbers, name="/".join(pair)),
        picture=picture,
        r=histograms.get("r"),
        dist=histograms.get("dist"),
        channels=pd.Series(chan, index=pd.Index(spots.channels, name="chan")),
    )


def mean(values: np.ndarray) -> float:
    """Return the mean of finite values, summed in float64; NaN where none is."""
    return float(values.mean(dtype=np.float64)) if values.size else float("nan")


def _finite(spots: Spots, column: str, where: np.ndarray | None) -> np.ndarray:
    """Return the finite values of a column, of the rows that count."""
    values = spots.column(column)
    chosen = np.isfinite(values)
    if where is not None:
        chosen &= where
    return np.asarray(values[chosen])


def _robust(values: np.ndarray) -> tuple[float, float] | None:
    """Return ends of an axis that a few odd values do not move; None without any."""
    if not values.size:
        return None
    some = values[:: -(-len(values) // _ENOUGH)]
    low, high = (float(end) for end in np.percentile(some, _PERCENTILES))
    padding = _PADDING * (high - low)
    first, last = float(values.min()), float(values.max())
    return (max(first, low - padding), min(last, high + padding))
