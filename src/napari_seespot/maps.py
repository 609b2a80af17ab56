"""Maps over the tissue: where spots are, and where they were reassigned or removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_seespot.errors import StateError

if TYPE_CHECKING:
    from napari_seespot.spots import Spots

__all__ = ["MEASURES", "SpatialMap", "spatial_map"]

MEASURES = ("density", "reassigned", "removed", "median_r")
"""Spots a tile; shares of the kept ones and of all; the median of r."""

_MOST_TILES = 16_000_000


@dataclass(frozen=True)
class SpatialMap:
    """A coarse picture over y and x.

    Attributes
    ----------
    measure : str
        One of `MEASURES`.
    values : ndarray of float64, shape (rows, columns)
        NaN in a tile without spots to tell from (0 for the density).
    counts : ndarray of int64, shape (rows, columns)
        How many spots a tile's value was computed from.
    tile_um : float
        Side of a tile.
    origin_um : tuple of float
        (y, x) of the first tile's corner.
    """

    measure: str
    values: np.ndarray
    counts: np.ndarray
    tile_um: float
    origin_um: tuple[float, float]

    def center_um(self, row: int, column: int) -> tuple[float, float]:
        """Return (y, x) of a tile's middle, in um."""
        y0, x0 = self.origin_um
        return (y0 + (row + 0.5) * self.tile_um, x0 + (column + 0.5) * self.tile_um)


def spatial_map(
    spots: Spots,
    measure: str,
    voxel_size: tuple[float, float, float],
    tile_um: float = 50.0,
    where: np.ndarray | None = None,
) -> SpatialMap:
    """Return a measure of the spots in square tiles over y and x.

    Parameters
    ----------
    spots : Spots
    measure : str
        ``"density"``: spots in the tile. ``"reassigned"``: reassigned among the
        kept. ``"removed"``: removed among all. ``"median_r"``.
    voxel_size : tuple of float
        (z, y, x) in um.
    tile_um : float
        Side of a tile.
    where : ndarray of bool, shape (n,), optional
        The rows that count. A share of removed spots needs them to pass.

    Raises
    ------
    StateError
        For another measure, or tiles that are too small or no size.
    """
    if measure not in MEASURES:
        raise StateError(
            f"there is no map of {measure!r}", expected=f"one of {', '.join(MEASURES)}"
        )
    if not tile_um > 0:
        raise StateError(f"tiles of {tile_um} um", expected="a size above 0")
    y = spots.column("y").astype(np.float64) * voxel_size[1]
    x = spots.column("x").astype(np.float64) * voxel_size[2]
    chosen = np.isfinite(y) & np.isfinite(x)
    if where is not None:
        chosen &= where
    rows = np.flatnonzero(chosen)
    tile, shape, origin = _tiles(y[rows], x[rows], tile_um)
    n_tiles = shape[0] * shape[1]
    if measure == "median_r":
        r = spots.column("r")[rows]
        known = np.isfinite(r)
        values, counts = _median(tile[known], r[known], n_tiles)
    else:
        status = spots.codes("status")[rows]
        values, counts = _share(measure, tile, status, n_tiles)
    return SpatialMap(
        measure, values.reshape(shape), counts.reshape(shape), tile_um, origin
    )


def _tiles(
    y: np.ndarray, x: np.ndarray, tile_um: float
) -> tuple[np.ndarray, tuple[int, int], tuple[float, float]]:
    """Return each spot's tile in a grid whose corners are multiples of its size."""
    if not y.size:
        return np.zeros(0, np.int64), (1, 1), (0.0, 0.0)
    rows, columns = np.floor(y / tile_um), np.floor(x / tile_um)
    first = (rows.min(), columns.min())
    # In float: a grid that is too large must not overflow before it is refused.
    height, width = rows.max() - first[0] + 1, columns.max() - first[1] + 1
    if height * width > _MOST_TILES:
        raise StateError(
            f"{height * width:,.0f} tiles of {tile_um:g} um",
            expected=f"{_MOST_TILES:,} at most",
            hint="Choose larger tiles",
        )
    tile = ((rows - first[0]) * width + (columns - first[1])).astype(np.int64)
    origin = (float(first[0] * tile_um), float(first[1] * tile_um))
    return tile, (int(height), int(width)), origin


def _share(
    measure: str, tile: np.ndarray, status: np.ndarray, n_tiles: int
) -> tuple[np.ndarray, np.ndarray]:
    by_status = np.bincount(tile * 3 + status, minlength=3 * n_tiles).reshape(-1, 3)
    total = by_status.sum(axis=1)
    if measure == "density":
        return total.astype(np.float64), total
    if measure == "reassigned":
        part, total = by_status[:, 1], by_status[:, 0] + by_status[:, 1]
    else:
        part = by_status[:, 2]
    share = np.full(n_tiles, np.nan)
    np.divide(part, total, out=share, where=total > 0)
    return share, total


def _median(
    tile: np.ndarray, values: np.ndarray, n_tiles: int
) -> tuple[np.ndarray, np.ndarray]:
    counts = np.bincount(tile, minlength=n_tiles)
    ordered = values[np.lexsort((values, tile))].astype(np.float64)
    first = np.cumsum(counts) - counts
    medians = np.full(n_tiles, np.nan)
    some = counts > 0
    low, high = first + (counts - 1) // 2, first + counts // 2
    medians[some] = (ordered[low[some]] + ordered[high[some]]) / 2
    return medians, counts
