"""Square tiles over the tissue: one rule tells in which of them a place lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_seespot._chunks import each_chunk

if TYPE_CHECKING:
    from napari_seespot.spots import Spots

__all__ = ["Tiles"]


@dataclass(frozen=True)
class Tiles:
    """Square tiles over y and x, whose corners are multiples of their side.

    A tile holds its lower borders, not its upper ones: what lies on a border is in
    one tile, and `row_of` and `column_of` alone say in which.

    Attributes
    ----------
    side_um : float
    voxel_um : (float, float)
        Of y and x.
    first : (int, int)
        Row and column of the first tile, counted from 0 um.
    shape : (int, int)
        Rows and columns.
    """

    side_um: float
    voxel_um: tuple[float, float]
    first: tuple[int, int] = (0, 0)
    shape: tuple[int, int] = (1, 1)

    @property
    def origin_um(self) -> tuple[float, float]:
        """(y, x) of the first tile's corner."""
        return (self.first[0] * self.side_um, self.first[1] * self.side_um)

    def row_of(self, y: np.ndarray) -> np.ndarray:
        """Return the rows in which places in voxels lie; float64, NaN stays NaN."""
        return self._place(y.astype(np.float64) * self.voxel_um[0], 0)

    def column_of(self, x: np.ndarray) -> np.ndarray:
        """Return the columns in which places in voxels lie; float64, NaN stays NaN."""
        return self._place(x.astype(np.float64) * self.voxel_um[1], 1)

    def at_um(self, y: float, x: float) -> tuple[int, int] | None:
        """Return row and column of the tile at a place; None beside all tiles."""
        row, column = (float(self._place(v, axis)) for axis, v in ((0, y), (1, x)))
        if 0 <= row < self.shape[0] and 0 <= column < self.shape[1]:
            return (int(row), int(column))
        return None

    def center_um(self, row: int, column: int) -> tuple[float, float]:
        """Return (y, x) of a tile's middle."""
        y, x = self.first
        return ((y + row + 0.5) * self.side_um, (x + column + 0.5) * self.side_um)

    def inside(self, spots: Spots, row: int, column: int) -> np.ndarray:
        """Return which rows of the table lie in a tile; bool, shape (n,)."""
        found = np.empty(len(spots), np.bool_)
        y, x = spots.column("y"), spots.column("x")

        def fill(_: None, rows: slice) -> None:
            found[rows] = self.row_of(y[rows]) == row
            found[rows] &= self.column_of(x[rows]) == column

        each_chunk(len(spots), lambda: None, fill)
        return found

    def _place(self, values: np.ndarray | float, axis: int) -> np.ndarray:
        return np.asarray(np.floor(values / self.side_um) - self.first[axis])
