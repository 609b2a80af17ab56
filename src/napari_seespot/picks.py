"""Which rows a bar, a cell or a ribbon of a figure stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_seespot.spots import Spots

__all__ = ["Pick", "Span"]


@dataclass(frozen=True)
class Span:
    """A bin of a column: from `low` up to `high`, which only the last bin includes."""

    column: str
    low: float
    high: float
    closed: bool = False


@dataclass(frozen=True)
class Pick:
    """Rows by their channels, status and values; all that is given must hold.

    Attributes
    ----------
    chan, unmixed_chan, status : str or None
        The class; ``"removed"`` as unmixed channel stands for none.
    spans : tuple of Span
    """

    chan: str | None = None
    unmixed_chan: str | None = None
    status: str | None = None
    spans: tuple[Span, ...] = ()

    def mask(self, spots: Spots, where: np.ndarray | None = None) -> np.ndarray:
        """Return the rows; bool, shape (n,).

        Parameters
        ----------
        spots : Spots
        where : ndarray of bool, shape (n,), optional
            The rows that the figure counts.
        """
        n = len(spots.channels)
        codes = np.ones(n * (n + 1), np.bool_)
        for by in ("chan", "unmixed_chan", "status"):
            name = getattr(self, by)
            if name is not None:
                codes &= spots.class_of_code(by) == spots.class_names(by).index(name)
        rows = codes[spots.code]
        for span in self.spans:
            values = spots.column(span.column)
            # As numpy scalars: with Python's, float32 columns would be compared
            # in float32, and a row on the border counted otherwise than binned.
            low, high = np.float64(span.low), np.float64(span.high)
            rows &= values >= low
            rows &= values <= high if span.closed else values < high
        if where is not None:
            rows &= where
        return np.asarray(rows)
