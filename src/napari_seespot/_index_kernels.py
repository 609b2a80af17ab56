"""Compiled loops of the index: one pass over a slice of rows.

Rows are taken in blocks: a first loop without branches marks those in the
box (compilers turn it into vector instructions), a second one reads the codes
of blocks that have any. They are compiled on first use and kept on disk by
numba. `where` is a mask of all rows, or of length 0 where every row passes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["collect", "count_codes", "no_mask"]

_BLOCK = 2048


@njit(cache=True, nogil=True)
def _mark(  # type: ignore[no-untyped-def]  # numba infers the types
    first, size, z, y, x, low, high, where, marks
):
    """Mark the rows of a block that are in the box; return whether any is."""
    y0, y1 = low[1], high[1]
    some = np.uint8(0)
    ys = y[first : first + size]
    for i in range(size):
        mark = np.uint8(ys[i] >= y0) & np.uint8(ys[i] <= y1)
        marks[i] = mark
        some |= mark
    if not some:
        return False
    z0, z1, x0, x1 = low[0], high[0], low[2], high[2]
    zs = z[first : first + size]
    xs = x[first : first + size]
    for i in range(size):
        marks[i] &= (
            np.uint8(xs[i] >= x0)
            & np.uint8(xs[i] <= x1)
            & np.uint8(zs[i] >= z0)
            & np.uint8(zs[i] <= z1)
        )
    if where.shape[0] > 0:
        passes = where[first : first + size]
        for i in range(size):
            marks[i] &= np.uint8(passes[i])
    return True


@njit(cache=True, nogil=True)
def collect(  # type: ignore[no-untyped-def]  # numba infers the types
    start, stop, z, y, x, code, low, high, allowed, where, out, n
):
    """Append to `out` from `n` on the rows in the box; return the new `n`.

    `out` has room for one more than all rows of the slice.
    """
    marks = np.empty(_BLOCK, np.uint8)
    for first in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - first)
        if not _mark(first, size, z, y, x, low, high, where, marks):
            continue
        codes = code[first : first + size]
        for i in range(size):
            out[n] = first + i
            n += marks[i] & allowed[codes[i]]
    return n


@njit(cache=True, nogil=True)
def count_codes(  # type: ignore[no-untyped-def]  # numba infers the types
    start, stop, z, y, x, code, low, high, allowed, where, counts
):
    """Add to `counts` how many rows of each code are in the box."""
    marks = np.empty(_BLOCK, np.uint8)
    for first in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - first)
        if not _mark(first, size, z, y, x, low, high, where, marks):
            continue
        codes = code[first : first + size]
        for i in range(size):
            counts[codes[i]] += marks[i] & allowed[codes[i]]


def no_mask() -> np.ndarray:
    """Return the mask that lets every row pass."""
    return np.zeros(0, np.bool_)
