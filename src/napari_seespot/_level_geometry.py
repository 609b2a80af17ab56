"""Which voxels of one level of a pyramid lie under those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_seespot._chunk_reader import Want
    from napari_seespot._level_array import Region

__all__ = ["covering", "far", "nearest", "under"]


def under(place: float, size: int, coarse: int) -> int:
    """Return the coarse voxel that a place of level 0 lies in.

    Parameters
    ----------
    place : float
        In voxels of level 0, whose centres are whole numbers.
    size, coarse : int
        Voxels of level 0 and of the coarser level along the axis.
    """
    voxel = min(max(round(place), 0), size - 1)
    return int(nearest(slice(voxel, voxel + 1), size, coarse)[0])


def nearest(span: slice, size: int, coarse: int) -> np.ndarray[Any, Any]:
    """Return the coarse voxel under each voxel of a span."""
    places = (np.arange(span.start, span.stop) + 0.5) * (coarse / size)
    return np.minimum(places.astype(np.intp), coarse - 1)


def covering(
    region: Region, shape: tuple[int, int, int], coarse: tuple[int, int, int]
) -> Region:
    """Return the voxels of a coarser level that cover a region."""
    spans = []
    for span, size, small in zip(region, shape, coarse, strict=True):
        first = nearest(slice(span.start, span.start + 1), size, small)[0]
        last = nearest(slice(span.stop - 1, span.stop), size, small)[0]
        spans.append(slice(int(first), int(last) + 1))
    z, y, x = spans
    return (z, y, x)


def far(want: Want, region: Region) -> float:
    """Return how far a chunk is from the middle of a region, in voxels squared."""
    total = 0.0
    for wanted, chunk in zip(
        region[1:], want.array.region_of(want.chunk)[1:], strict=True
    ):
        middle = (wanted.start + wanted.stop - chunk.start - chunk.stop) / 2
        total += middle * middle
    return total
