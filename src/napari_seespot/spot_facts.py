"""What is known of one spot besides its pixels: numbers, neighbours, dyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_seespot.evidence import cells_known, duplicate_of, dye_fits, spots_near
from napari_seespot.unmixing import dye_distances, line_distance_ratio, residual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_seespot.dataset import Dataset
    from napari_seespot.evidence import Duplicate
    from napari_seespot.index import SpotIndex

__all__ = ["DETECTED", "NEAREST", "VERDICT", "Facts", "facts_of"]

DETECTED, VERDICT, NEAREST = "detected", "verdict", "nearest"
"""Why a dye is compared: it is that of `chan`, of `unmixed_chan`, the nearest."""

_LINE_RATIO = "dye_line_dist_ratio"


@dataclass(frozen=True, eq=False)
class Facts:
    """What the table and the ratios tell of a spot.

    Attributes
    ----------
    row : int
    record : mapping
        The spot's row, by column.
    placed : bool
        Whether its position is known.
    neighbours : DataFrame
        The other spots around it, but for the one that it repeats; the index holds
        their rows.
    duplicate : Duplicate or None
        Of a removed spot, the kept one that it repeats.
    kept : mapping or None
        The row of `duplicate`, by column.
    stranger : Duplicate or None
        Of a removed spot without a duplicate, the nearest kept one within the
        radius, whatever its cell.
    cells_known : bool
        Whether the table tells of cells at all.
    fits : DataFrame or None
        See `dye_fits`; None without ratios.
    dyes : mapping of str to tuple of str
        The dyes to compare with, each once, and why: `DETECTED`, `VERDICT`,
        `NEAREST`.
    residuals : DataFrame or None
        What is left in each channel (rows) when the share of a dye of `dyes`
        (columns) is taken away; see `napari_seespot.unmixing.residual`.
    line_ratio : float
        `dye_line_dist_ratio`; NaN where it is neither stored nor can be computed.
    line_ratio_computed : bool
        It is not the pipeline's: removed spots have none stored.
    """

    row: int
    record: Mapping[Any, Any]
    placed: bool
    neighbours: pd.DataFrame
    duplicate: Duplicate | None
    kept: Mapping[Any, Any] | None
    stranger: Duplicate | None
    cells_known: bool
    fits: pd.DataFrame | None
    dyes: Mapping[str, tuple[str, ...]]
    residuals: pd.DataFrame | None
    line_ratio: float
    line_ratio_computed: bool


def facts_of(
    dataset: Dataset, index: SpotIndex, row: int, reach: tuple[float, float, float]
) -> Facts:
    """Gather what is known of a spot; meant for a worker, though it is quick.

    Parameters
    ----------
    dataset : Dataset
    index : SpotIndex
    row : int
    reach : tuple of float
        (z, y, x) voxels to either side in which spots are neighbours.
    """
    record = _record(dataset, row)
    place = np.array([record[axis] for axis in "zyx"], float)
    placed = bool(np.isfinite(place).all())
    duplicate = stranger = None
    if record["status"] == "removed":
        duplicate = duplicate_of(dataset, index, row)
        if duplicate is None:
            stranger = duplicate_of(dataset, index, row, same_cell=False)
    near = spots_near(index, place, reach) if placed else np.zeros(0, np.int64)
    near = near[(near != row) & (near != (-1 if duplicate is None else duplicate.row))]
    fits = None if dataset.ratios is None else dye_fits(dataset, row)
    dyes = _dyes(record, fits)
    line_ratio, computed = _line_ratio(dataset, row, record)
    return Facts(
        row,
        record,
        placed,
        dataset.spots.to_pandas(rows=near),
        duplicate,
        None if duplicate is None else _record(dataset, duplicate.row),
        stranger,
        cells_known(dataset.spots),
        fits,
        dyes,
        _residuals(dataset, row, dyes),
        line_ratio,
        computed,
    )


def _record(dataset: Dataset, row: int) -> dict[Any, Any]:
    return dict(dataset.spots.to_pandas(rows=np.array([row])).iloc[0].to_dict())


def _dyes(
    record: Mapping[Any, Any], fits: pd.DataFrame | None
) -> dict[str, tuple[str, ...]]:
    if fits is None:
        return {}
    wanted = [(record["chan"], DETECTED), (record["unmixed_chan"], VERDICT)]
    if len(fits) and np.isfinite(fits["distance"].iloc[0]):
        wanted.append((fits.index[0], NEAREST))
    dyes: dict[str, tuple[str, ...]] = {}
    for dye, why in wanted:
        if dye in fits.index and np.isfinite(fits["scale"][dye]):
            dyes[str(dye)] = (*dyes.get(str(dye), ()), why)
    return dyes


def _vector(dataset: Dataset, row: int) -> np.ndarray:
    assert dataset.ratios is not None
    return np.array(
        [dataset.spots.intensity(str(c))[row] for c in dataset.ratios.columns], float
    )


def _residuals(
    dataset: Dataset, row: int, dyes: Mapping[str, object]
) -> pd.DataFrame | None:
    ratios = dataset.ratios
    if ratios is None:
        return None
    vector = _vector(dataset, row)
    left = {dye: residual(vector, ratios, dye) for dye in dyes}
    return pd.DataFrame(left, index=[str(channel) for channel in ratios.columns])


def _line_ratio(
    dataset: Dataset, row: int, record: Mapping[Any, Any]
) -> tuple[float, bool]:
    stored = record.get(_LINE_RATIO)
    if stored is not None and np.isfinite(stored):
        return float(stored), False
    if dataset.ratios is None:
        return float("nan"), False
    distances = dye_distances(_vector(dataset, row)[None], dataset.ratios)
    return float(line_distance_ratio(distances)[0]), True
