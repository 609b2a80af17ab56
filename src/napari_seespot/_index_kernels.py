"""Compiled loops of the index: one pass over a slice of rows.

Rows are taken in blocks: first loops without branches mark those in the box
(compilers turn them into vector instructions), a last one reads the codes of
blocks that have any. Of the box only the window is looked at, on axes `a` and `b`,
the narrower one first: a slice's rows are those of its z. The loops are compiled on
first use and kept on disk by numba. `where` is a mask of all rows, or of length 0
where every row passes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["collect", "count_codes", "no_mask"]

_BLOCK = 2048


@njit(cache=True, nogil=True)
def _mark(  # type: ignore[no-untyped-def]  # numba infers the types
    first, size, a, b, low, high, where, marks
):
    """Mark the rows of a block that are in the window; return whether any is."""
    a0, a1, b0, b1 = low[0], high[0], low[1], high[1]
    some = np.uint8(0)
    values = a[first : first + size]
    for i in range(size):
        mark = np.uint8(values[i] >= a0) & np.uint8(values[i] <= a1)
        marks[i] = mark
        some |= mark
    if not some:
        return False
    some = np.uint8(0)
    values = b[first : first + size]
    for i in range(size):
        mark = marks[i] & np.uint8(values[i] >= b0) & np.uint8(values[i] <= b1)
        marks[i] = mark
        some |= mark
    if some and where.shape[0] > 0:
        passes = where[first : first + size]
        for i in range(size):
            marks[i] &= np.uint8(passes[i])
    return some != 0


@njit(cache=True, nogil=True)
def collect(  # type: ignore[no-untyped-def]  # numba infers the types
    start, stop, a, b, code, low, high, allowed, where, out, n
):
    """Append to `out` from `n` on the rows in the box; return the new `n`.

    `out` has room for one more than all rows of the slice.
    """
    marks = np.empty(_BLOCK, np.uint8)
    for first in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - first)
        if not _mark(first, size, a, b, low, high, where, marks):
            continue
        codes = code[first : first + size]
        for i in range(size):
            out[n] = first + i
            n += marks[i] & allowed[codes[i]]
    return n


@njit(cache=True, nogil=True)
def count_codes(  # type: ignore[no-untyped-def]  # numba infers the types
    start, stop, a, b, code, low, high, allowed, where, counts
):
    """Add to `counts` how many rows of each code are in the box."""
    marks = np.empty(_BLOCK, np.uint8)
    for first in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - first)
        if not _mark(first, size, a, b, low, high, where, marks):
            continue
        codes = code[first : first + size]
        for i in range(size):
            counts[codes[i]] += marks[i] & allowed[codes[i]]


def no_mask() -> np.ndarray:
    """Return the mask that lets every row pass."""
    return np.zeros(0, np.bool_)
