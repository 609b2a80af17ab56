"""Quantiles of values that are in order: as `numpy.quantile` finds them, to the bit.

Sorting compact columns once costs less than `numpy.quantile`, which looks for each
quantile by itself, and does so on a copy in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["quantiles_of_sorted"]


def quantiles_of_sorted(
    ordered: np.ndarray, shares: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Return quantiles, linearly between the two nearest values.

    Parameters
    ----------
    ordered : ndarray, shape (n,)
        Ascending, without NaN; n is at least 1.
    shares : sequence of float, shape (m,)
        From 0 to 1.

    Returns
    -------
    ndarray of float64, shape (m,)
        What ``numpy.quantile(ordered.astype(float), shares)`` returns (method 7 of
        R. Hyndman and Y. Fan, The American Statistician 50, 1996).
    """
    last = len(ordered) - 1
    place = last * np.asarray(shares, np.float64)
    below = np.floor(place)
    share = place - below
    left = below.astype(np.intp)
    low = ordered[left].astype(np.float64)
    high = ordered[np.minimum(left + 1, last)].astype(np.float64)
    # From whichever end is nearer, as numpy does.
    step = high - low
    return np.where(share >= 0.5, high - step * (1 - share), low + step * share)
