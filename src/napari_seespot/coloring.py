"""From what a state colours by to a colour for each row, by table look-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot.columns import NULL_BOOL
from napari_seespot.palette import (
    CELL_COLOR,
    CELL_COLORS,
    REMOVED,
    STATUS_COLORS,
    channel_colors,
)
from napari_seespot.typed import BOOLEANS

if TYPE_CHECKING:
    from napari_seespot.spots import Spots

__all__ = ["Coloring", "class_colors", "gradient", "make_coloring"]

CELL = "cell_id"

# Nine stops of viridis (van der Walt and Smith 2015, CC0), dark to light.
_VIRIDIS = (
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
    "#28ae80", "#5ec962", "#addc30", "#fde725",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Coloring:
    """How rows get their colours.

    Attributes
    ----------
    by : str
        ``"status"``, ``"chan"``, ``"unmixed_chan"`` or a numeric column.
    names : tuple of str
        The classes; empty for a numeric column.
    table : ndarray of uint8, shape (n_classes, 4) or (256, 4)
        Red, green, blue and alpha of each class, or along the gradient.
    class_of_code : ndarray of uint8, shape (n_codes,), or None
        The class of each of the table's codes; None for a numeric column.
    limits : tuple of float or None
        Values of a numeric column at the two ends of the gradient; None for cells,
        whose numbers tell nothing: each has a colour that neighbours rarely share.
    """

    by: str
    names: tuple[str, ...]
    table: np.ndarray
    class_of_code: np.ndarray | None
    limits: tuple[float, float] | None = None

    def index(self, spots: Spots, rows: Any) -> np.ndarray:
        """Return each row's place in `table`, uint8, shape (m,)."""
        if self.class_of_code is not None:
            return np.asarray(self.class_of_code[spots.code[rows]])
        if self.limits is None:
            return _scattered(spots.column(self.by)[rows], len(self.table))
        low, high = self.limits
        values = _values(spots, self.by, rows)
        # In float64: the span of two float32 may be beyond float32.
        share = (values.astype(np.float64) - low) / (high - low or 1.0)
        # A row without a value takes the lowest colour: it has to have one.
        share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0)
        return np.asarray((np.clip(share, 0, 1) * 255).astype(np.uint8))

    def rgba(self, spots: Spots, rows: Any) -> np.ndarray:
        """Return each row's colour, float32 from 0 to 1, shape (m, 4)."""
        table = self.table.astype(np.float32) / 255
        return np.asarray(table[self.index(spots, rows)])


def class_colors(by: str, channels: tuple[str, ...]) -> dict[str, str]:
    """Return a colour, ``#rrggbb``, for each class, in the order of its codes."""
    if by == "status":
        return dict(STATUS_COLORS)
    colors = channel_colors(channels)
    return {**colors, REMOVED: CELL_COLOR} if by == "unmixed_chan" else colors


def gradient(n: int = 256) -> np.ndarray:
    """Return a colour gradient that grows in lightness, uint8, shape (n, 4)."""
    stops = np.array([_bytes(color) for color in _VIRIDIS], float)
    at = np.linspace(0, len(stops) - 1, n)
    columns = [np.interp(at, np.arange(len(stops)), channel) for channel in stops.T]
    return np.round(np.stack(columns, axis=1)).astype(np.uint8)


def make_coloring(spots: Spots, by: str) -> Coloring:
    """Return how `spots` are coloured by a class or a numeric column.

    A column's gradient spans its 1st to 99th percentile, found on at most
    100,000 evenly spaced rows.
    """
    if by in ("status", "chan", "unmixed_chan"):
        named = class_colors(by, spots.channels)
        table = np.array([*map(_bytes, named.values())], np.uint8)
        return Coloring(by, tuple(named), table, spots.class_of_code(by))
    if by == CELL:
        table = np.array(
            [_bytes(color) for color in (CELL_COLOR, *CELL_COLORS)], np.uint8
        )
        return Coloring(by, (), table, None)
    values = _values(spots, by, slice(None, None, max(1, len(spots) // 100_000)))
    values = values[np.isfinite(values)].astype(np.float64)
    low, high = np.percentile(values, (1, 99)) if values.size else (0.0, 1.0)
    return Coloring(by, (), gradient(), None, (float(low), float(high)))


def _scattered(numbers: np.ndarray, colors: int) -> np.ndarray:
    """Return a colour's place for each number; the first one for 0, in no cell.

    Numbers that follow each other, which lie beside each other, get different ones.
    """
    place = 1 + numbers.astype(np.int64) * _STRIDE % (colors - 1)
    return np.where(numbers > 0, place, 0).astype(np.uint8)


_STRIDE = 5  # has no divisor in common with the number of colours: all are used


def _values(spots: Spots, column: str, rows: Any) -> np.ndarray:
    """Return a column's values as float32; NaN where there is none."""
    values = spots.column(column)[rows]
    if column in BOOLEANS:
        return np.where(values == NULL_BOOL, np.float32(np.nan), values)
    return np.asarray(values, np.float32)


def _bytes(color: str) -> tuple[int, int, int, int]:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return (red, green, blue, 255)
