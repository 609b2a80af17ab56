"""Which rows are counted, and how far their values reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seespot._chunks import (
    RowFilter,
    each_chunk,
    frozen,
    number_chunks,
    row_mask,
)
from napari_seespot.axis_scales import empty_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_seespot.axis_scales import AxisScale, Limits

__all__ = ["KeptRows", "limits_of_extent", "raw_extent", "wider"]

NO_MASK = frozen([], np.bool_)


class KeptRows:
    """Which rows are counted, a part of the rows at a time.

    Parameters
    ----------
    n_rows : int
    where : ndarray of bool, RowFilter or None
    """

    def __init__(self, n_rows: int, where: np.ndarray | RowFilter | None) -> None:
        # Not `isinstance` of the protocol: that would look at all of it.
        self._rule: Any = where if hasattr(where, "in_ranges") else None
        self._mask = row_mask(where, n_rows) if self._rule is None else None

    @property
    def mask(self) -> np.ndarray | None:
        """Whether each row passes; None where all do."""
        return self._mask if self._rule is None else self._rule.of(slice(None))

    @property
    def codes(self) -> np.ndarray | None:
        """Which codes pass; None where all do."""
        codes: np.ndarray | None = None if self._rule is None else self._rule.codes
        return codes

    def of(self, rows: slice) -> np.ndarray:
        """Return which rows pass; of size zero where all do."""
        if self._rule is not None:
            return frozen(self._rule.of(rows), np.bool_)
        return NO_MASK if self._mask is None else self._mask[rows]

    def but_codes(self, rows: slice) -> np.ndarray:
        """Return which rows pass, whatever their codes."""
        if self._rule is None:
            return self.of(rows)
        passes = self._rule.in_ranges(rows)
        return NO_MASK if passes is None else frozen(passes, np.bool_)


def raw_extent(
    x: np.ndarray,
    y: np.ndarray,
    scales: tuple[AxisScale, AxisScale],
    keep: np.ndarray | KeptRows | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Return lowest and highest x and y of rows with a place on both axes.

    Returns
    -------
    ndarray of float64, shape (4,)
        x low, x high, y low, y high; infinite, the wrong way round, without a row.
    """
    from napari_seespot._kernels import widen_extent

    x_above, y_above = (0.0 if scale == "log" else -np.inf for scale in scales)
    kept = keep if isinstance(keep, KeptRows) else KeptRows(len(x), keep)

    def step(extent: np.ndarray, rows: slice) -> None:
        x_rows, y_rows = number_chunks(x, y, rows)
        widen_extent(extent, x_rows, y_rows, x_above, y_above, kept.of(rows))

    parts = each_chunk(
        len(x),
        lambda: np.array([np.inf, -np.inf, np.inf, -np.inf]),
        step,
        cancelled=cancelled,
    )
    return wider(*parts)


def wider(*extents: np.ndarray) -> np.ndarray:
    """Return the extent that holds those of `raw_extent`."""
    low, high = np.min(extents, axis=0), np.max(extents, axis=0)
    return np.array([low[0], high[1], low[2], high[3]])


def limits_of_extent(
    extent: np.ndarray, scales: tuple[AxisScale, AxisScale]
) -> tuple[Limits, Limits]:
    """Return what `raw_extent` found as limits of x and y."""
    x_low, x_high, y_low, y_high = map(float, extent)
    if x_low > x_high:  # no row
        return empty_limits(scales[0]), empty_limits(scales[1])
    return (x_low, x_high), (y_low, y_high)
