"""Maps over the tissue: where spots are, and where they were reassigned or removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_seespot._chunks import each_chunk
from napari_seespot.errors import StateError
from napari_seespot.tiles import Tiles

if TYPE_CHECKING:
    from collections.abc import Callable

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
    tiles : Tiles
    """

    measure: str
    values: np.ndarray
    counts: np.ndarray
    tiles: Tiles

    @property
    def tile_um(self) -> float:
        """Side of a tile."""
        return self.tiles.side_um

    @property
    def origin_um(self) -> tuple[float, float]:
        """(y, x) of the first tile's corner."""
        return self.tiles.origin_um

    def center_um(self, row: int, column: int) -> tuple[float, float]:
        """Return (y, x) of a tile's middle, in um."""
        return self.tiles.center_um(row, column)

    def to_pandas(self) -> pd.DataFrame:
        """Return the tiles that hold spots, a row each.

        Columns are `y_um` and `x_um` of its middle, `value`, and `spots`: from how
        many it was computed.
        """
        rows, columns = np.nonzero(self.counts)
        y0, x0 = self.origin_um
        return pd.DataFrame(
            {
                "y_um": y0 + (rows + 0.5) * self.tile_um,
                "x_um": x0 + (columns + 0.5) * self.tile_um,
                "value": self.values[rows, columns],
                "spots": self.counts[rows, columns],
            }
        )


def spatial_map(
    spots: Spots,
    measure: str,
    voxel_size: tuple[float, float, float],
    tile_um: float = 50.0,
    where: np.ndarray | None = None,
    cancelled: Callable[[], bool] | None = None,
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
    cancelled : callable, optional
        Asked now and then; the work ends when it says True.

    Raises
    ------
    StateError
        For another measure, or tiles that are too small or no size.
    CancelledError
        When `cancelled` said True.
    """
    if measure not in MEASURES:
        raise StateError(
            f"there is no map of {measure!r}", expected=f"one of {', '.join(MEASURES)}"
        )
    if not tile_um > 0:
        raise StateError(f"tiles of {tile_um} um", expected="a size above 0")
    tiles = _tiles(spots, voxel_size, tile_um, where, cancelled)
    find = _median if measure == "median_r" else _share
    values, counts = find(measure, spots, tiles, where, cancelled)
    shape = tiles.shape
    return SpatialMap(measure, values.reshape(shape), counts.reshape(shape), tiles)


def _known(spots: Spots, where: np.ndarray | None, rows: slice) -> np.ndarray:
    """Return which of some rows count and have a place."""
    known = np.isfinite(spots.column("y")[rows]) & np.isfinite(spots.column("x")[rows])
    if where is not None:
        known &= where[rows]
    return np.asarray(known)


def _tiles(
    spots: Spots,
    voxel_size: tuple[float, float, float],
    tile_um: float,
    where: np.ndarray | None,
    cancelled: Callable[[], bool] | None,
) -> Tiles:
    """Return the tiles that hold all spots that count."""
    y, x = spots.column("y"), spots.column("x")

    def widen(ends: list[tuple[float, ...]], rows: slice) -> None:
        known = _known(spots, where, rows)
        if known.any():
            some = y[rows][known], x[rows][known]
            ends.append(tuple(end for axis in some for end in (axis.min(), axis.max())))

    parts = each_chunk(len(spots), list[tuple[float, ...]], widen, cancelled=cancelled)
    ends = np.array([end for part in parts for end in part])
    tiles = Tiles(tile_um, (voxel_size[1], voxel_size[2]))
    if not len(ends):
        return tiles
    top, left = tiles.row_of(ends[:, 0].min()), tiles.column_of(ends[:, 2].min())
    height = float(tiles.row_of(ends[:, 1].max()) - top + 1)
    width = float(tiles.column_of(ends[:, 3].max()) - left + 1)
    # In float: a grid that is too large must not overflow before it is refused.
    if height * width > _MOST_TILES:
        raise StateError(
            f"{height * width:,.0f} tiles of {tile_um:g} um",
            expected=f"{_MOST_TILES:,} at most",
            hint="Choose larger tiles",
        )
    return Tiles(
        tile_um, tiles.voxel_um, (int(top), int(left)), (int(height), int(width))
    )


def _keys(
    spots: Spots,
    tiles: Tiles,
    where: np.ndarray | None,
    key: Callable[[np.ndarray, slice], np.ndarray],
    cancelled: Callable[[], bool] | None,
) -> np.ndarray:
    """Return a number of each row, made by `key` from its tile; 0 for one without.

    uint64, shape (n,); tiles are counted from 1 here.
    """
    keys = np.zeros(len(spots), np.uint64)
    y, x = spots.column("y"), spots.column("x")

    def fill(_: None, rows: slice) -> None:
        known = _known(spots, where, rows)
        with np.errstate(invalid="ignore"):  # rows without a place
            place = tiles.row_of(y[rows]) * tiles.shape[1] + tiles.column_of(x[rows])
            tile = np.where(known, place + 1, 0).astype(np.uint64)
        keys[rows] = np.where(known, key(tile, rows), np.uint64(0))

    each_chunk(len(spots), lambda: None, fill, cancelled=cancelled)
    return keys


def _share(
    measure: str,
    spots: Spots,
    tiles: Tiles,
    where: np.ndarray | None,
    cancelled: Callable[[], bool] | None,
) -> tuple[np.ndarray, np.ndarray]:
    status, code = spots.class_of_code("status").astype(np.uint64), spots.code
    keys = _keys(
        spots,
        tiles,
        where,
        lambda tile, rows: tile * np.uint64(3) + status[code[rows]],
        cancelled,
    )
    n_tiles = tiles.shape[0] * tiles.shape[1]
    counts = np.bincount(keys.view(np.int64), minlength=3 * (n_tiles + 1))
    by_status = counts.reshape(-1, 3)[1:]
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


_SIGN = np.uint32(1 << 31)


def _median(
    _measure: str,
    spots: Spots,
    tiles: Tiles,
    where: np.ndarray | None,
    cancelled: Callable[[], bool] | None,
) -> tuple[np.ndarray, np.ndarray]:
    r = spots.column("r")

    def key(tile: np.ndarray, rows: slice) -> np.ndarray:
        values = r[rows].astype(np.float32)
        packed = tile << np.uint64(32) | _ordered_bits(values).astype(np.uint64)
        return np.where(np.isfinite(values), packed, np.uint64(0))

    # One sort of numbers, by tile and then by r, is a tenth of the work of a
    # sort of the rows by two columns.
    keys = _keys(spots, tiles, where, key, cancelled)
    keys.sort()
    n_tiles = tiles.shape[0] * tiles.shape[1]
    tile = (keys >> np.uint64(32)).view(np.int64)
    counts = np.bincount(tile, minlength=n_tiles + 1)
    last = np.cumsum(counts)[1:]
    counts = counts[1:]
    some = counts > 0
    first = (last - counts)[some]
    low, high = first + (counts[some] - 1) // 2, first + counts[some] // 2
    medians = np.full(n_tiles, np.nan)
    medians[some] = (_value_of(keys[low]) + _value_of(keys[high])) / 2
    return medians, counts


def _ordered_bits(values: np.ndarray) -> np.ndarray:
    """Return float32 as uint32 in the same order; -0 as 0.

    Without the sign, the bits of IEEE 754 are in order; those of negative numbers
    run backwards.
    """
    bits = (values + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _value_of(keys: np.ndarray) -> np.ndarray:
    """Return what `_ordered_bits` made the lower half of some keys from."""
    ordered = keys.astype(np.uint32)
    bits = np.where(ordered & _SIGN, ordered ^ _SIGN, ~ordered)
    return bits.view(np.float32).astype(np.float64)
