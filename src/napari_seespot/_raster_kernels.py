"""Compiled loops of the raster; kept on disk by numba.

numba infers all types; its functions carry no annotations for that reason.
A pixel's sums of red, green, blue and opacity are packed into the four
16-bit fields of one uint64, so that a spot costs one addition a pixel.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["splat", "stamp", "tone"]

# Beyond this, one more opaque spot could carry over into the next field; a
# pixel under 250 spots has the mean colour and is opaque by then.
_FULL = np.uint64(250 * 255)
_FIELD = np.uint64(0xFFFF)
_ONE = np.uint64(16)


@njit(cache=True, nogil=True)
def splat(pixels, packed, offsets, sums):  # type: ignore[no-untyped-def]  # as above
    """Add each spot's packed colour to the pixels of its disc.

    `pixels` and `offsets` count in the flat `sums`; no disc reaches beyond it.
    """
    for spot in range(pixels.shape[0]):
        value = packed[spot]
        for k in range(offsets.shape[0]):
            # Unsigned: numba then leaves out the check for negative indices.
            place = np.uint64(pixels[spot] + offsets[k])
            if sums[place] & _FIELD < _FULL:
                sums[place] += value


@njit(cache=True, nogil=True)
def stamp(rows, columns, offsets, colors, picture):  # type: ignore[no-untyped-def]  # as above
    """Put a small picture over each place, whatever was there.

    It has `colors` of shape (m,) at `offsets` of shape (m, 2); what of it lies beyond
    `picture` is left out.
    """
    height, width = picture.shape[0], picture.shape[1]
    for spot in range(rows.shape[0]):
        for k in range(offsets.shape[0]):
            row = rows[spot] + offsets[k, 0]
            column = columns[spot] + offsets[k, 1]
            if 0 <= row < height and 0 <= column < width:
                picture[row, column] = colors[k]


@njit(cache=True, nogil=True)
def tone(sums, margin, opacity, picture):  # type: ignore[no-untyped-def]  # as above
    """Turn packed sums into colours: the weighted mean, and the opacity's table.

    A pixel of `picture` is one uint32: opacity, blue, green, red from the top.
    `sums` has `margin` more pixels on each side than `picture`, and is zero again
    afterwards: whatever was in the picture is overwritten.
    """
    height, width = picture.shape[0], picture.shape[1]
    sums[:margin] = 0
    sums[height + margin :] = 0
    for row in range(height):
        line, out = sums[row + margin], picture[row]
        line[:margin] = 0
        line[width + margin :] = 0
        for column in range(width):
            value = line[column + margin]
            if value == 0:
                out[column] = 0
                continue
            line[column + margin] = 0
            weight = np.uint32(value & _FIELD)
            pixel = np.uint32(opacity[weight])
            for _ in range(3):  # blue, green, red: each moves up by the next
                value >>= _ONE
                mean = np.uint32(value & _FIELD) * np.uint32(255) // weight
                pixel = pixel << np.uint32(8) | min(mean, np.uint32(255))
            out[column] = pixel
