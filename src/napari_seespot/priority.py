"""The order of the rows: four levels of detail, each sorted by z.

A spot's priority is a hash of its id, so that a choice of the N most
important spots is the same on every screen and stays while one pans. The
first level holds 1/64 of the rows, the first two 1/16, the first three 1/4:
a view of millions reads only the first levels. Inside a level the rows are
sorted by z, so that a slab is a slice of each level.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = ["LEVEL_LIMITS", "level_of", "level_slices", "priority", "row_order"]

LEVEL_LIMITS = (1_024, 4_096, 16_384, 65_536)
"""A level holds the priorities below its limit: 1/64, 1/16, 1/4 and all rows."""


def priority(spot_id: np.ndarray) -> np.ndarray:
    """Return each spot's priority, uint16, lowest first; shape (n,).

    The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014,
    doi:10.1145/2660193.2660195), of which the upper 16 bits are kept.
    """
    x = spot_id.astype(np.uint64)
    with np.errstate(over="ignore"):
        x += np.uint64(0x9E3779B97F4A7C15)
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(48)).astype(np.uint16)


def level_of(priorities: np.ndarray) -> np.ndarray:
    """Return each spot's level of detail, uint8, 0 for the coarsest."""
    return np.searchsorted(
        np.array(LEVEL_LIMITS[:-1], np.uint16), priorities, side="right"
    ).astype(np.uint8)


def row_order(spot_id: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the permutation that puts rows in the order of the index.

    Parameters
    ----------
    spot_id : ndarray of int, shape (n,)
    z : ndarray of float, shape (n,)
        Voxels of level 0; rows with NaN come last in their level.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    level = level_of(priority(spot_id))
    # One sort of one key: the level above the bits of z in their sort order.
    key = level.astype(np.uint64) << np.uint64(32)
    key |= _sortable(z).astype(np.uint64)
    return np.argsort(key, kind="stable")


def level_slices(spot_id: np.ndarray) -> list[tuple[int, int]]:
    """Return (start, stop) of each level of rows in the order of the index.

    Parameters
    ----------
    spot_id : ndarray of int, shape (n,)
        Looked at in a few places only: it may be a mapped file.
    """
    n = len(spot_id)

    def first_at_least(level: int) -> int:
        low, high = 0, n
        while low < high:
            middle = (low + high) // 2
            if level_of(priority(spot_id[middle : middle + 1]))[0] >= level:
                high = middle
            else:
                low = middle + 1
        return low

    starts = [first_at_least(level) for level in range(len(LEVEL_LIMITS))]
    return list(pairwise([*starts, n]))


def _sortable(z: np.ndarray) -> np.ndarray:
    """Return float32 as uint32 of the same order, NaN last."""
    z = np.where(np.isnan(z), np.float32(np.nan), np.asarray(z, np.float32) + 0.0)
    bits = np.ascontiguousarray(z, np.float32).view(np.uint32)
    negative = bits >> np.uint32(31) == 1
    flipped = np.where(negative, ~bits, bits | np.uint32(0x80000000))
    # A NaN with its sign bit set would otherwise come first.
    return np.where(np.isnan(z), np.uint32(0xFFFFFFFF), flipped)
